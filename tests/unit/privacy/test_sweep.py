"""An id is found in whatever file and form it lies, and only where it lies."""

import base64
import gzip
import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import duckdb
import pytest

from engagement_assets.privacy.sweep import Search, blank_file, blank_sqlite

PERSON = "96444f16-dd08-41de-9f40-84bed17eb89b"
SEARCH = Search.of([PERSON], ["0123456789abcdef0123456789abcdef"])


def _text(path: Path, text: str) -> None:
    path.write_text(f'{{"user": "{text}"}}', encoding="utf-8")


def _gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(f"a,{text},b".encode()))


def _parquet(path: Path, text: str) -> None:
    # Many values in a dictionary that is compressed.
    duckdb.execute(
        f"copy (select case when i = 7 then '{text}' else repeat(i::varchar, 9) end as x from range(999) as r (i)) "
        f"to '{path}' (format parquet, compression zstd)"
    )


def _nested_parquet(path: Path, text: str) -> None:
    duckdb.execute(f"copy (select [{{'id': '{text}'}}] as x) to '{path}' (format parquet, compression zstd)")


def _duckdb(path: Path, text: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema learning")
        connection.execute(f"create table learning.x as select '{text}' as id from range(5000)")


def _sqlite(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table x (body blob, name text)")
        connection.execute("insert into x values (?, ?)", (f"{'z' * 9000}{{{text}}}".encode(), "other"))
        connection.commit()


WRITERS = [_text, _gzip, _parquet, _nested_parquet, _duckdb, _sqlite]


@pytest.mark.parametrize("write", WRITERS)
def test_an_id_is_found_in_every_kind_of_file(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    write(tmp_path / "with", PERSON)
    write(tmp_path / "without", PERSON.replace("9", "8"))
    assert SEARCH.is_in(tmp_path / "with")
    assert not SEARCH.is_in(tmp_path / "without")


@pytest.mark.parametrize(
    "form",
    [
        PERSON.upper(),
        PERSON.replace("-", ""),
        hashlib.md5(PERSON.encode(), usedforsecurity=False).hexdigest(),
        hashlib.sha256(PERSON.upper().encode()).hexdigest(),
        base64.b64encode(PERSON.encode()).decode(),
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_an_id_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    _text(tmp_path / "file", form)
    assert SEARCH.is_in(tmp_path / "file")


@pytest.mark.parametrize(
    ("person", "form", "is_found"),
    [
        ("zoë/ab+12==", r"zoë\/ab+12==", True),
        ("zoë/ab+12==", r"zo\u00eb\/ab+12==", True),
        ("zoë/ab+12==", r"zo\u00eb\/ab+13==", False),
        ("zoë/ab+12==", r"zoë\ab+12==", False),
    ],
)
def test_an_id_is_found_as_json_may_escape_it(tmp_path: Path, person: str, form: str, is_found: bool) -> None:
    _text(tmp_path / "file", form)
    assert Search.of([person]).is_in(tmp_path / "file") == is_found


def _cut(data: bytes) -> bytes:
    return data[:-50]


def _with_another_sum(data: bytes) -> bytes:
    return data[:-8] + bytes(8)


def _damaged(data: bytes) -> bytes:
    return data[:-300] + b"\xff" * 300


@pytest.mark.parametrize("damage", [_cut, _with_another_sum, _damaged])
def test_a_broken_gzip_is_searched_as_far_as_it_can_be_read(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    random = Random(1)
    for name, text in (("with", PERSON), ("without", PERSON.replace("9", "8"))):
        data = gzip.compress(f"{text},".encode() * 9_000 + random.randbytes(200_000))
        (tmp_path / name).write_bytes(damage(data))
    assert SEARCH.is_in(tmp_path / "with")
    assert not SEARCH.is_in(tmp_path / "without")


def test_a_file_of_which_nothing_can_be_unpacked_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 100)
    assert not SEARCH.is_in(tmp_path / "file")


@pytest.mark.parametrize(("text", "is_found"), [("user-6", True), ("user-61", False), ("auser-6", False)])
def test_an_id_is_no_part_of_a_word_where_reading_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_found: bool
) -> None:
    search = Search.of(["user-6"])
    monkeypatch.setattr("engagement_assets.privacy.sweep._CHUNK", 100)
    for offset in range(220):
        (tmp_path / "file").write_bytes(b" " * offset + text.encode() + b" " * (250 - offset))
        assert search.is_in(tmp_path / "file") == is_found, offset


@pytest.mark.parametrize(
    ("text", "is_found"), [("user-6", True), ("/user-6?", True), ("user-61", False), ("auser-6", False)]
)
def test_an_id_is_no_part_of_a_word(tmp_path: Path, text: str, is_found: bool) -> None:
    _text(tmp_path / "file", text)
    assert Search.of(["user-6"]).is_in(tmp_path / "file") == is_found


@pytest.mark.parametrize(("rows", "is_found"), [("504 as x", False), ("'504' as x", True), ("'a 504 b' as x", False)])
def test_what_may_be_a_number_is_an_id_only_as_a_whole_text(tmp_path: Path, rows: str, is_found: bool) -> None:
    duckdb.execute(f"copy (select {rows}) to '{tmp_path / 'file'}' (format parquet)")
    search = Search.of(["504"])
    assert search.is_in(tmp_path / "file") == is_found
    assert search.blanked(b'{"seconds": 504, "id": "504"}') == b'{"seconds": 504, "id": "999"}'


def test_blanked_files_hold_the_id_no_more_and_all_else_as_before(tmp_path: Path) -> None:
    _text(tmp_path / "text", PERSON)
    _sqlite(tmp_path / "sqlite", PERSON)
    blank_file(tmp_path / "text", SEARCH)
    blank_sqlite(tmp_path / "sqlite", SEARCH)
    assert (tmp_path / "text").read_text(encoding="utf-8") == f'{{"user": "{"9" * 36}"}}'
    assert not SEARCH.is_in(tmp_path / "sqlite")
    with closing(sqlite3.connect(tmp_path / "sqlite")) as connection:
        assert connection.execute("select length(body), name from x").fetchall() == [(9000 + 38, "other")]
