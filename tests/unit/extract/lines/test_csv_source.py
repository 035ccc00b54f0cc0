"""A CSV source with another delimiter, numbers and an id of its own, from a description alone."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.csv_shape import CsvColumn, CsvKind, CsvShape
from engagement_assets.extract.lines.readers import EventLog, raw_columns
from tests.unit.extract.lingokids_loads import Loaded, fetch, reading

SHAPE = CsvShape(
    columns=(
        CsvColumn("activity_id", required=True),
        CsvColumn("user_id", required=True),
        CsvColumn("started_at", CsvKind.INSTANT, required=True),
        CsvColumn("duration_s", CsvKind.INTEGER),
        CsvColumn("distance_m", CsvKind.NUMBER),
    ),
    moment="started_at",
)
ACTIVITIES = Dataset(
    key="raw_watch/activities",
    description="One row per activity.",
    columns=raw_columns(SHAPE),
    identity=("activity_id",),
    append_only=True,
)
FILES = EventLog(dataset=ACTIVITIES, prefix="watch/activities", shape=SHAPE, last_path_wins=True)
HEADER = "activity_id,user_id,started_at,duration_s,distance_m"
DAY = date(2024, 1, 8)
WINDOW = DayWindow(DAY, date(2024, 1, 15))


def _load(tmp_path: Path, files: EventLog = FILES, **texts: str) -> Loaded:
    folder = tmp_path / "landing" / files.prefix
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    days = WantedDays(window=WINDOW, calendar=Calendar(DAY, WINDOW.days()[-1]), index=FileIndex())
    with duckdb.cursor() as connection:
        extraction = files.extract(reading(connection, tmp_path / "landing", tmp_path), days)
        return fetch(connection, extraction, files.dataset)


def test_values_are_typed(tmp_path: Path) -> None:
    rows = [
        'a1,"u,1",2024-01-08T06:00:00Z,1800,5000.5',
        "a2,u2,2024-01-08 06:00:00 UTC,-7,1e3",
        "a3,u3,2024-01-08 06:00,,",
    ]
    loaded = _load(tmp_path, a="\n".join([HEADER, *rows]))
    values = ("activity_id", "user_id", "started_at", "duration_s", "distance_m")
    at_six = datetime(2024, 1, 8, 6)
    assert [tuple(row[name] for name in values) for row in loaded.accepted] == [
        ("a1", "u,1", at_six, 1800, 5000.5),
        ("a2", "u2", at_six, -7, 1000.0),
        ("a3", "u3", at_six, None, None),
    ]
    assert loaded.rejected == []


@pytest.mark.parametrize(
    ("duration_s", "distance_m", "reason_code", "message"),
    [
        ("12.5", "1", "bad_integer", "duration_s: expected a whole number such as 42, found 12.5"),
        ("9223372036854775808", "1", "bad_integer", None),
        ("1_000", "1", "bad_integer", None),
        ("1", "5 km", "bad_number", "distance_m: expected a number such as 42.5, found a text of 4 characters"),
        ("1", "1e999", "bad_number", None),
        ("1", "nan", "bad_number", None),
        ("1", "0x10", "bad_number", None),
    ],
)
def test_a_text_that_is_no_number_is_quarantined(
    duration_s: str, distance_m: str, reason_code: str, message: str | None, tmp_path: Path
) -> None:
    loaded = _load(tmp_path, a=f"{HEADER}\na1,u1,2024-01-08 06:00:00,{duration_s},{distance_m}\n")
    (rejected,) = loaded.rejected
    assert (loaded.accepted, rejected["reason_code"], rejected["header"]) == ([], reason_code, HEADER)
    assert message in (None, rejected["message"])


def test_of_several_rows_with_one_id_that_of_the_last_path_stays(tmp_path: Path) -> None:
    first, second = ("a1,u1,2024-01-08 06:00:00,90,1", "a1,u1,2024-01-08 07:00:00,80,2")
    loaded = _load(tmp_path, a=f"{HEADER}\n{first}\n", b=f"{HEADER}\n{second}\n{second},\n")
    assert [(row["duration_s"], row["source_path"]) for row in loaded.accepted] == [(80, "watch/activities/b.csv")]
    assert (loaded.counts[DAY][2:], loaded.reasons()) == ((3, 1, 1), [(3, "too_many_fields")])


def test_without_the_last_path_the_greatest_values_stay(tmp_path: Path) -> None:
    rows = ("a1,u1,2024-01-08 06:00:00,90,1", "a1,u1,2024-01-08 06:00:00,80,2")
    files = replace(FILES, last_path_wins=False)
    loaded = _load(tmp_path, files, a=f"{HEADER}\n{rows[0]}\n", b=f"{HEADER}\n{rows[1]}\n")
    assert loaded.column("duration_s") == [90]


def test_one_id_on_two_days_is_two_rows(tmp_path: Path) -> None:
    loaded = _load(tmp_path, a=f"{HEADER}\na1,u1,2024-01-08 06:00:00,9,1\na1,u1,2024-01-09 06:00:00,9,1\n")
    assert loaded.column("day") == [DAY, date(2024, 1, 9)]


@pytest.mark.parametrize("delimiter", ["|", "\t", "."])
def test_a_delimiter_may_have_a_meaning_in_patterns(delimiter: str, tmp_path: Path) -> None:
    lines = (HEADER.replace(",", delimiter), f'"a{delimiter}1";u1;2024-01-08 06:00:00;9;1'.replace(";", delimiter))
    loaded = _load(tmp_path, replace(FILES, shape=replace(SHAPE, delimiter=delimiter)), a="\n".join(lines))
    assert loaded.column("activity_id") == [f"a{delimiter}1"]


def test_the_days_of_files_are_found_like_those_of_any_event_log(tmp_path: Path) -> None:
    text = f"{HEADER}\na1,u1,2024-01-08 06:00:00,9,1\n\n{HEADER}\na2,u1,2024-03-01 06:00:00,9,1\n"
    index = FileIndex()
    folder = tmp_path / "landing/watch/activities"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(text, encoding="utf-8")
    with duckdb.cursor() as connection:
        days = WantedDays(window=WINDOW, calendar=Calendar(DAY, date(2024, 12, 31)), index=index)
        FILES.extract(reading(connection, tmp_path / "landing", tmp_path), days)
    (known,) = index.files.values()
    assert (set(known.days), known.has_undated) == ({DAY, date(2024, 3, 1)}, False)
