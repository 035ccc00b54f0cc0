"""Files that could spoil a bulk read, and what is left of them."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from engagement_assets.extract.lines import line_files
from engagement_assets.extract.lines.line_cleaner import CSV_LINE, JSON_LINE, LineKind
from engagement_assets.extract.lines.line_files import (
    GzipLimits,
    LineFile,
    SourceFile,
    prepare_files,
)

FIXTURES = Path(__file__).parents[3] / "fixtures" / "lingokids"


def read(
    tmp_path: Path,
    content: bytes,
    name: str = "a.jsonl",
    max_line_bytes: int = 1_000_000,
    kind: LineKind = JSON_LINE,
    gzip_limits: GzipLimits | None = None,
) -> tuple[LineFile, list[str | None], list[tuple[int, str, str]]]:
    """The prepared file, its lines, and the positions, reasons and texts of what was left out."""
    source = tmp_path / name
    source.write_bytes(content)
    prepared = prepare_files([SourceFile("key", source)], tmp_path, max_line_bytes, kind, gzip_limits or GzipLimits())
    with duckdb.cursor() as connection:
        lines = connection.execute(f"select line from {prepared.lines_sql()}", {"paths": prepared.paths}).fetchall()
        malformed = connection.execute(
            f"select position, reason_code, raw_text from ({prepared.malformed_lines_sql()})"
        ).fetchall()
    return prepared.files[0], [line for (line,) in lines], malformed


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\n", ["one"]),
        (b"\n", [None]),
        (b"one\n\n\ntwo", ["one", None, None, "two"]),
        (b'"a",;|\t#\\"\n\'b\'\n', ['"a",;|\t#\\"', "'b'"]),
        (b"NULL\nnull\n", ["NULL", "null"]),
        ("é\u2028\u0085漢".encode(), ["é\u2028\u0085漢"]),
        (b"\x01\x0b\x0c\x1f\n", ["\x01\x0b\x0c\x1f"]),
    ],
)
def test_a_clean_file_is_read_where_it_lies(content: bytes, lines: list[str | None], tmp_path: Path) -> None:
    file, found, malformed = read(tmp_path, content)

    assert file.path == str(tmp_path / "a.jsonl")
    assert found == lines
    assert (file.record_bytes, file.malformed_count, malformed) == (len(content), 0, [])


@pytest.mark.parametrize(
    ("content", "lines", "malformed"),
    [
        (b"one\r\ntwo\r\n\r\nthree", ["one", "two", None, "three"], []),
        (b"one\rtwo\nthree\n", ["one two", "three"], []),
        (b"one\n\xff\xfe\ntwo\n", ["one", None, "two"], [(2, "not_utf8", "\ufffd\ufffd")]),
        (b"one\n\xc3", ["one", None], [(2, "not_utf8", "\ufffd")]),
        (b"one\x00\ntwo", [None, "two"], [(1, "not_json", "one\x00")]),
        (b"a" * 50 + b"\nb", [None, "b"], [(1, "line_too_long", "a" * 50)]),
        (b"b\n" + b"a" * 50, ["b", None], [(2, "line_too_long", "a" * 50)]),
        (b"a" * 20, ["a" * 20], []),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 3, 20])
def test_what_cannot_be_read_is_left_out_at_its_line(
    content: bytes,
    lines: list[str | None],
    malformed: list[tuple[int, str, str]],
    chunk_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_files, "CHUNK_BYTES", chunk_bytes)

    file, found, left_out = read(tmp_path, content, max_line_bytes=20)

    assert found == lines
    assert left_out == malformed
    assert file.malformed_count == len(malformed)


@pytest.mark.parametrize(
    ("content", "lines", "malformed"),
    [
        (b"one\r\ntwo\r\r\n", ["one", "two"], []),
        (b"one\rtwo\nthree\n", [None, "three"], [(1, "carriage_return", "one\rtwo")]),
        (b"one\x00\ntwo", [None, "two"], [(1, "nul_byte", "one\x00")]),
    ],
)
def test_a_row_of_values_keeps_no_byte_that_would_be_changed(
    content: bytes, lines: list[str | None], malformed: list[tuple[int, str, str]], tmp_path: Path
) -> None:
    _, found, left_out = read(tmp_path, content, kind=CSV_LINE)

    assert (found, left_out) == (lines, malformed)


def test_a_character_on_the_border_of_two_chunks_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_files, "CHUNK_BYTES", 3)

    file, found, _ = read(tmp_path, "aé漢é\n漢".encode())

    assert found == ["aé漢é", "漢"]
    assert file.path == str(tmp_path / "a.jsonl")


def test_an_endless_line_is_never_held_in_memory(tmp_path: Path) -> None:
    """200 MB of one line, compressed, between two others."""
    content = gzip.compress(b"one\n" + b"x" * 200_000_000 + b"\ntwo\n", compresslevel=1)

    limits = GzipLimits(max_ratio=2_000)
    file, found, malformed = read(tmp_path, content, "a.jsonl.gz", max_line_bytes=1_000_000, gzip_limits=limits)

    assert found == ["one", None, "two"]
    assert [(position, reason, len(text)) for position, reason, text in malformed] == [(2, "line_too_long", 65_536)]
    assert Path(file.path).stat().st_size == len(b"one\n\ntwo\n")


@pytest.mark.parametrize("kept", [2, 10, 200, 500, 1_000])
def test_all_lines_before_a_gzip_cut_are_kept(kept: int, tmp_path: Path) -> None:
    whole = (FIXTURES / "gzip_cut_off.jsonl.gz").read_bytes()

    _, found, ((position, reason, text),) = read(tmp_path, whole[:kept], "a.jsonl.gz")

    assert (position, reason) == (len(found), "gzip_cut_off")
    assert all(json.loads(line) for line in found if line)
    assert [line for line in found if line] == found[:-1]
    assert "\n" not in text


THREE_LINES = b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("limits", "lines", "malformed"),
    [
        (GzipLimits(max_bytes=14), ["one", "two", "three"], []),
        (GzipLimits(max_bytes=13), ["one", "two", None], [(3, "gzip_too_large", "three")]),
        (GzipLimits(max_bytes=9), ["one", "two", None], [(3, "gzip_too_large", "t")]),
        (GzipLimits(max_bytes=8), ["one", "two", None], [(3, "gzip_too_large", "")]),
        (GzipLimits(max_bytes=0), [None], [(1, "gzip_too_large", "")]),
        (GzipLimits(max_ratio=0, always_bytes=14), ["one", "two", "three"], []),
        (GzipLimits(max_ratio=0, always_bytes=13), ["one", "two", None], [(3, "gzip_ratio", "three")]),
        (GzipLimits(max_ratio=1, always_bytes=0), ["one", "two", "three"], []),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 5, 1_000])
def test_a_gzip_file_that_grows_too_much_ends_at_its_limit(
    limits: GzipLimits,
    lines: list[str | None],
    malformed: list[tuple[int, str, str]],
    chunk_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_files, "CHUNK_BYTES", chunk_bytes)

    file, found, left_out = read(tmp_path, gzip.compress(THREE_LINES), "a.jsonl.gz", gzip_limits=limits)

    assert (found, left_out, file.malformed_count) == (lines, malformed, len(malformed))


def test_the_ratio_of_a_gzip_file_is_that_to_its_own_size(tmp_path: Path) -> None:
    """A file of 100 lines shrinks to less than a fifth."""
    content = gzip.compress(b"a line like others\n" * 100)
    assert 5 * len(content) < 1_900 < 100 * len(content)

    within = read(tmp_path, content, "a.jsonl.gz", gzip_limits=GzipLimits(max_ratio=100, always_bytes=0))
    beyond = read(tmp_path, content, "a.jsonl.gz", gzip_limits=GzipLimits(max_ratio=5, always_bytes=0))

    kept = 5 * len(content) // 19
    assert (len(within[1]), within[2]) == (100, [])
    assert [(position, reason) for position, reason, _ in beyond[2]] == [(kept + 1, "gzip_ratio")]


def test_a_gzip_file_that_grows_too_much_says_what_to_do(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl.gz"
    source.write_bytes(gzip.compress(THREE_LINES))

    messages = []
    for limits in (GzipLimits(max_bytes=9), GzipLimits(max_ratio=0, always_bytes=9)):
        malformed = prepare_files([SourceFile("key", source)], tmp_path, gzip_limits=limits).malformed_lines
        messages.append(json.loads(malformed.read_text(encoding="utf-8"))["message"])

    found = "found more after 2 lines; what follows them is not read: send it uncompressed or in smaller files"
    assert messages == [
        f"expected a gzip file that grows to at most 9 bytes, {found}",
        f"expected a gzip file that grows to at most 9 bytes, 0 times its own or what any file may, {found}",
    ]


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    content = gzip.compress(b"one\n") + gzip.compress(b"two\n")

    assert read(tmp_path, content, "a.jsonl.gz")[1] == ["one", "two"]


def test_an_empty_gzip_file_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path, b"", "a.jsonl.gz")[1:] == ([], [])
    assert read(tmp_path, gzip.compress(b""), "a.jsonl.gz")[1:] == ([], [])


def test_lines_above_a_megabyte_are_read(tmp_path: Path) -> None:
    content = b"one\n" + b"x" * 5_000_000 + b"\ntwo\n"

    _, found, malformed = read(tmp_path, content, max_line_bytes=5_000_000)

    assert [len(line or "") for line in found] == [3, 5_000_000, 3]
    assert malformed == []
