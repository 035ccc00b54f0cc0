"""Exports: published tables of areas, and predictions, as Parquet, and as CSV if asked: in a folder or object store.

Belongs here: writing and removing these files, and what says which of them belong together. Not here: the published
copy that they are made from (`publish.py`), or when it is exported (`assets/published.py`,
`commands/erased_tables.py`).

Layout below `EXPORT_DIR`, whose folders of areas hold nothing else:

    <area>/<table>.parquet
    <area>/<table>.csv         with EXPORT_CSV
    <area>/manifest.json       written last: of each table its rows, columns and key, of each file its size and hash

An export is a mirror of the copy. What differs from it, for whatever reason, is written or removed by the next call: a
kill, a publication that was left out, a table that has gone, another setting.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import fsspec
from fsspec.implementations.local import LocalFileSystem
from pyarrow.parquet import ParquetFile

from engagement_assets.lake.day_files import sql_text
from engagement_assets.settings import Settings
from engagement_assets.shown_text import FORMULA
from engagement_assets.sources import AREAS, PREDICTIONS
from engagement_assets.transform.publish import publication_lock

MANIFEST = "manifest.json"
# Each is a folder.
EXPORTED_SCHEMAS = (*AREAS, PREDICTIONS)
_PARQUET, _CSV, _DRAFT = ".parquet", ".csv", ".draft"
_OURS = (_PARQUET, _CSV, _DRAFT, MANIFEST)


@dataclass(frozen=True)
class Exports:
    """Where exports lie: a local folder, or any URL that fsspec knows (`s3://bucket/prefix`)."""

    uri: str
    with_csv: bool = False

    @property
    def _filesystem(self) -> fsspec.AbstractFileSystem:
        # A cached listing would hide what another process has written since.
        return fsspec.core.url_to_fs(self.uri, use_listings_cache=False)[0]

    @property
    def _root(self) -> str:
        return str(fsspec.core.url_to_fs(self.uri, use_listings_cache=False)[1]).rstrip("/")

    def follow(self, published: Path) -> list[str]:
        """Make the exports what the published copy is; returns the areas whose files were not.

        Each file is replaced as a whole: a reader sees the old or the new one. Hashes in the manifest tell which files
        are of the publication that it names, also while they are written or after a kill. One process at a time does
        so, and none publishes meanwhile.

        Raises:
            OSError: a file cannot be written or removed.
            duckdb.IOException: the copy cannot be opened, or a file cannot be written.
        """
        with publication_lock(published), duckdb.connect(str(published), read_only=True) as copy:
            copy.execute("set TimeZone = 'UTC'")
            return [area for area in EXPORTED_SCHEMAS if self._area_follows(copy, area)]

    def with_rows(self, area: str) -> Iterator[str]:
        """The names of an area's Parquet files that have rows."""
        for name, path in self.files((area,)):
            if name.endswith(_PARQUET) and ParquetFile(path).metadata.num_rows:
                yield name

    def files(self, areas: Sequence[str] = EXPORTED_SCHEMAS) -> Iterator[tuple[str, Path]]:
        """All files of exports: their names, and where each can be read while the caller looks at it."""
        for area in areas:
            for name in self._sizes(area):
                key = f"{self._root}/{area}/{name}"
                if isinstance(self._filesystem, LocalFileSystem):
                    yield key, Path(key)
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    self._filesystem.get_file(key, f"{folder}/{name}")
                    yield f"{self.uri.rstrip('/')}/{area}/{name}", Path(folder) / name

    def _area_follows(self, copy: duckdb.DuckDBPyConnection, area: str) -> bool:
        """Bring one area up to date; False if it was."""
        wanted = _publication(copy, area)
        if self._is_up_to_date(area, wanted):
            return False
        if tables := wanted["tables"]:
            for table in tables:
                name = table["name"]
                table["files"] = [
                    self._put(f"{area}/{name}{suffix}", partial(_write_table, copy, f'{area}."{name}"', suffix))
                    for suffix in self._suffixes
                ]
            text = json.dumps(wanted, ensure_ascii=False, indent=1) + "\n"
            self._put(f"{area}/{MANIFEST}", lambda path: path.write_text(text, encoding="utf-8"))
        for name in self._sizes(area).keys() - self._names(wanted):
            self._filesystem.rm_file(f"{self._root}/{area}/{name}")
        return True

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return (_PARQUET, _CSV) if self.with_csv else (_PARQUET,)

    def _names(self, wanted: Mapping[str, Any]) -> set[str]:
        names = {f"{table['name']}{suffix}" for table in wanted["tables"] for suffix in self._suffixes}
        return names | {MANIFEST} if names else names

    def _is_up_to_date(self, area: str, wanted: Mapping[str, Any]) -> bool:
        """Whether the manifest is that of the publication, and the files are there with the sizes that it says."""
        sizes = self._sizes(area)
        if sizes.keys() != self._names(wanted):
            return False
        if not wanted["tables"]:
            return True
        with suppress(ValueError, LookupError, TypeError):
            found = json.loads(self._filesystem.cat_file(f"{self._root}/{area}/{MANIFEST}"))
            files = {file["path"]: file["bytes"] for table in found["tables"] for file in table.pop("files")}
            return found == wanted and files == {name: sizes[name] for name in sizes.keys() - {MANIFEST}}
        return False

    def _sizes(self, area: str) -> dict[str, int]:
        """Bytes of the project's files in the folder of an area."""
        try:
            found = self._filesystem.ls(f"{self._root}/{area}", detail=True)
        except FileNotFoundError:
            return {}
        names = {str(each["name"]).rpartition("/")[2]: each for each in found if each["type"] == "file"}
        return {name: int(each["size"]) for name, each in names.items() if name.endswith(_OURS)}

    def _put(self, key: str, write: Callable[[Path], object]) -> dict[str, Any]:
        """Replace one file at once; returns what the manifest says of it."""
        if isinstance(self._filesystem, LocalFileSystem):
            path = Path(self._root) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}{_DRAFT}")
            described = _written(draft, write)
            draft.replace(path)
        else:
            with tempfile.TemporaryDirectory() as folder:
                draft = Path(folder) / "draft"
                described = _written(draft, write)
                self._filesystem.put_file(str(draft), f"{self._root}/{key}")
        return {"path": key.rpartition("/")[2], **described}


def exports_of(settings: Settings) -> Exports | None:
    """The exports that the settings ask for; None if they ask for none."""
    return Exports(settings.export_dir, settings.export_csv) if settings.export_dir else None


def _written(draft: Path, write: Callable[[Path], object]) -> dict[str, Any]:
    write(draft)
    with draft.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": draft.stat().st_size, "sha256": digest}


def _publication(copy: duckdb.DuckDBPyConnection, area: str) -> dict[str, Any]:
    """What the manifest says of an area, without its files."""
    published = copy.execute(
        "select table_name, row_count, published_at, run_id from audit.published_tables "
        "where schema_name = $area order by table_name",
        {"area": area},
    ).fetchall()
    columns = copy.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name = $area order by table_name, column_index",
        {"area": area},
    ).fetchall()
    descriptions = dict(
        copy.execute(
            "select table_name, comment from duckdb_tables() where schema_name = $area", {"area": area}
        ).fetchall()
    )
    keys: list[tuple[str, str]] = []
    # A copy of an older version has none.
    with suppress(duckdb.CatalogException):
        keys = copy.execute(
            "select table_name, column_name from audit.primary_keys where schema_name = $area order by position",
            {"area": area},
        ).fetchall()
    # All tables of an area are published together.
    _, _, published_at, run_id = published[0] if published else (None,) * 4
    return {
        "area": area,
        "published_at": published_at and f"{published_at.isoformat(timespec='microseconds')}Z",
        "run_id": run_id,
        "tables": [
            {
                "name": name,
                "description": descriptions[name],
                "rows": rows,
                "primary_key": [column for table, column in keys if table == name],
                "columns": [
                    {"name": column, "type": kind, "description": comment}
                    for table, column, kind, comment in columns
                    if table == name
                ],
            }
            for name, rows, *_ in published
        ],
    }


def _write_table(copy: duckdb.DuckDBPyConnection, table: str, suffix: str, path: Path) -> None:
    """Write a table in its order; as CSV with an apostrophe before texts that a spreadsheet would run as formulas.

    DuckDB writes NULL as nothing there, and an empty text as `""`.
    """
    if suffix == _CSV:
        texts = (f'"{name}"' for name, kind, *_ in copy.execute(f"describe {table}").fetchall() if kind == "VARCHAR")
        escaped = ", ".join(
            f"if(regexp_matches({name}, {sql_text(FORMULA)}), '''' || {name}, {name}) as {name}" for name in texts
        )
        source, written_as = f"select *{f' replace ({escaped})' if escaped else ''} from {table}", "format csv, header"
    else:
        source, written_as = f"from {table}", "format parquet"
    copy.execute(f"copy ({source}) to {sql_text(str(path))} ({written_as}, use_tmp_file false)")
