"""Looking for ids in files, whatever these are: the proof that an erasure has left nothing.

Belongs here: the forms in which an id may be written, and looking into a file by its content. Not here: which files a
deployment has, or what follows from a hit (`commands/erase.py`).
"""

import base64
import gzip
import hashlib
import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

_CHUNK = 8 * 1024 * 1024
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
# Shorter forms, and shorter numbers, are also found where they mean something else.
_SHORT, _SHORT_NUMBER = 5, 8
_SQLITE, _GZIP, _PARQUET, _DUCKDB = b"SQLite format 3\0", b"\x1f\x8b", b"PAR1", b"DUCK"


def forms_of(person: str) -> set[str]:
    """How an id may be written: as it is, hashed, in base64 or a URL, in JSON, a UUID also without dashes."""
    plain = {person}
    if _UUID.fullmatch(person):
        digits = person.replace("-", "")
        plain |= {digits, "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))}
    cases = {form for value in plain for form in (value, value.lower(), value.upper())}
    forms = set(cases)
    for value in cases:
        data = value.encode()
        forms |= {hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in ("md5", "sha1", "sha256")}
        forms |= {base64.b64encode(data).decode().rstrip("="), quote(value, safe="")}
        for in_json in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            forms |= {in_json, in_json.replace("/", "\\/")}
    return forms


@dataclass(frozen=True)
class Search:
    """A search for persons by all forms of their ids, without case, and not within longer words.

    What may as well be a number or a word, such as `504`, is a hit only between quotes or as a whole text.
    """

    long: str
    short: str
    longest: int

    @classmethod
    def of(cls, persons: Iterable[str], pseudonyms: Iterable[str] = ()) -> "Search":
        """The search for these ids and pseudonyms; there must be some."""
        forms = {*pseudonyms, *(form for person in persons for form in forms_of(person))}
        short = {form for form in forms if len(form) < _SHORT or (form.isdigit() and len(form) < _SHORT_NUMBER)}
        return cls(_any_of(forms - short), _any_of(short), max(map(len, forms)))

    @cached_property
    def in_bytes(self) -> re.Pattern[bytes]:
        """The pattern for bytes."""
        pattern = rf"""(?<![0-9A-Za-z]){self.long}(?![0-9A-Za-z])|(?<=["']){self.short}(?=["'])"""
        return re.compile(pattern.encode(), re.IGNORECASE)

    def is_in(self, path: Path) -> bool:
        """Whether a file holds one of the ids: in its bytes, and in what Parquet, DuckDB, SQLite and gzip hide."""
        with path.open("rb") as file:
            head = file.read(16)
        return self._is_in_bytes(path, gzipped=False) or (
            (head.startswith(_GZIP) and self._is_in_bytes(path, gzipped=True))
            or (head.startswith(_PARQUET) and self._is_in_parquet(path))
            or (head.startswith(_SQLITE) and any(True for _ in self.in_sqlite(path)))
            or (head[8:12] == _DUCKDB and self._is_in_duckdb(path))
        )

    def _is_in_parquet(self, path: Path) -> bool:
        # A file that is not whole has no content beside its bytes.
        with duckdb.connect() as connection, suppress(duckdb.Error):
            return self._is_in_rows(connection, "read_parquet($path, hive_partitioning = false)", {"path": str(path)})
        return False

    def _is_in_duckdb(self, path: Path) -> bool:
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute(
                "select format('{}.{}', schema_name, table_name) from duckdb_tables() where not internal"
            ).fetchall()
            return any(self._is_in_rows(connection, table) for (table,) in tables)

    def _is_in_bytes(self, path: Path, *, gzipped: bool) -> bool:
        pattern, before = self.in_bytes, b"\n"
        # A compressed file that is broken holds no more than what can be read of it, which `read` would lose.
        with gzip.open(path) if gzipped else path.open("rb") as file, suppress(EOFError, gzip.BadGzipFile, zlib.error):
            while chunk := file.read1(_CHUNK):
                data = before + chunk
                # The first byte only precedes the others, and what follows the last one is not known yet.
                found = pattern.search(data, 1)
                if found and found.end() < len(data):
                    return True
                before = data[-self.longest - 2 :]
        return pattern.search(before, 1) is not None

    def _is_in_rows(
        self, connection: duckdb.DuckDBPyConnection, table: str, parameters: Mapping[str, Any] | None = None
    ) -> bool:
        columns = connection.execute(f"describe select * from {table}", parameters).fetchall()
        every = [f'cast("{name}" as varchar)' for name, *_ in columns]
        texts = [f'cast("{name}" as varchar)' for name, kind, *_ in columns if "VARCHAR" in kind or "JSON" in kind]
        found = connection.execute(
            f"""
            select 1 from {table}
            where regexp_matches(concat_ws(chr(31), {", ".join(every)}), $long)
                or regexp_matches(concat_ws(chr(31), {", ".join([*texts, "''"])}), $short)
            limit 1
            """,
            {
                **(parameters or {}),
                "long": rf"(?i)(^|[^0-9A-Za-z]){self.long}([^0-9A-Za-z]|$)",
                "short": rf"""(?i)(^|["'\x1f]){self.short}(["'\x1f]|$)""",
            },
        ).fetchone()
        return found is not None

    def in_sqlite(self, path: Path) -> Iterator[tuple[str, str, str | bytes]]:
        """The values of an SQLite file with an id: table, column, value."""
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
                cursor = connection.execute(f'select * from "{table}"')
                names = [column[0] for column in cursor.description]
                for row in cursor:
                    for name, value in zip(names, row, strict=True):
                        if isinstance(value, str | bytes) and self.is_in_value(value):
                            yield table, name, value

    def is_in_value(self, value: str | bytes) -> bool:
        """Whether a value of a database's row holds one of the ids, or is one."""
        return self.in_bytes.search(_quoted(value)) is not None

    def blanked_value(self, value: str | bytes) -> str | bytes:
        """The same value with nines for each id."""
        new = self.blanked(_quoted(value))[1:-1]
        return new if isinstance(value, bytes) else new.decode()

    def blanked(self, data: bytes) -> bytes:
        """The same bytes with nines for each id: as long, and a number where it was one, so that no format breaks."""
        return self.in_bytes.sub(lambda match: b"9" * len(match[0]), data)


def _any_of(forms: set[str]) -> str:
    """A pattern for any of the forms, the longest first; one that nothing matches without any."""
    listed = "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    return f"({listed})" if listed else r"([^\s\S])"


def _quoted(value: str | bytes) -> bytes:
    """A value between quotes, as where it stands in a document."""
    data = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    return b'"' + data + b'"'


def blank_sqlite(path: Path, search: Search) -> None:
    """Replace the ids in all values of an SQLite file, and write the file anew, since free pages hold old values."""
    found = list(search.in_sqlite(path))
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        for table, column, value in found:
            connection.execute(
                f'update "{table}" set "{column}" = ? where "{column}" = ?', (search.blanked_value(value), value)
            )
        connection.commit()
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")


def blank_file(path: Path, search: Search) -> None:
    """Replace the ids in a text file, which nobody else may be writing."""
    draft = path.with_name(f".{path.name}.blanked")
    draft.write_bytes(search.blanked(path.read_bytes()))
    draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
