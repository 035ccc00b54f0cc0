"""`make check`: what it says of a folder, that nothing is written or shown that must not be, and the exit code."""

from pathlib import Path

import pytest

from engagement_assets.commands import check, landing_reading
from tests.unit.extract.mobile_loads import HEADER, row, write_file

RUNNA = "runna/activities/2024-01-05"


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty landing zone; whatever else the project would write goes beside it."""
    root = tmp_path / "landing"
    root.mkdir()
    monkeypatch.setenv("LANDING_URI", str(root))
    monkeypatch.setenv("START_DATE", "2020-01-01")
    for name in ("LAKE_URI", "WAREHOUSE_PATH", "PUBLISHED_WAREHOUSE_PATH", "DAGSTER_HOME", "ERASURES_PATH"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr("sys.argv", ["check"])
    return root


def _put(root: Path, key: str, text: str) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_one_bad_row_among_good_ones_is_told_with_its_line_and_without_its_value(
    landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(f"u{number}") for number in range(9)]
    write_file(landing, "a.csv", HEADER, *rows[:5], row("u9", "somebody@example.com"), *rows[5:])
    write_file(landing, "b.csv", HEADER, row("u10"), row("u10"))
    assert check.main() == 1
    told = capsys.readouterr().out
    assert "raw_mobile/events: 12 records in 2 files: 10 accepted, 1 rejected, 1 duplicates" in told
    assert (
        "  mobile_events/a.csv: 9 accepted, 1 rejected\n"
        "    1 record: a time that cannot be read (bad_timestamp), first on line 7: created_at: expected a time such "
        "as 2020-01-31 23:59:59.123, found a text of 20 characters\n"
        "  mobile_events/b.csv: 1 accepted, 0 rejected\n"
    ) in told
    assert told.endswith("\n\n1 record would be rejected. docs/input_formats.md says what each field must be.\n")
    assert "somebody" not in told
    assert [path.name for path in landing.parent.iterdir()] == ["landing"]


def test_values_of_personal_fields_are_not_shown(landing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _put(landing, "lingokids/users/u.jsonl", '{"user_id": 4917012345678}\n')
    _put(landing, f"{RUNNA}/a.json", '{"activityId": "a", "userId": 12345.5, "49170999": 1}')
    assert check.main() == 1
    told = capsys.readouterr().out
    assert "user_id: expected a text, found a number" in told
    assert not any(value in told for value in ("4917012345678", "12345.5", "49170999"))


def test_good_files_are_accepted(landing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _put(landing, f"{RUNNA}/a.json", '{"activityId": "a", "userId": "u", "laps": [{}], "shoes": "blue"}')
    assert check.main() == 0
    told = capsys.readouterr().out
    assert "raw_runna/activity_laps: 1 record in 1 file: 1 accepted, 0 rejected" in told
    assert "fields that no contract names, kept as their shapes alone: shoes (1)" in told
    assert told.endswith("All records would be accepted.\n")


def test_other_delimiters_and_folders_are_told(landing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_file(landing, "a.csv", HEADER.replace(";", ","), row().replace(";", ","))
    write_file(landing, "b.csv", HEADER.replace(";", "\t"))
    write_file(landing, "c.txt")
    _put(landing, "lingokid/events/e.jsonl", "{}")
    assert check.main() == 1
    told = capsys.readouterr().out
    assert (
        "    1 record: values parted by another character (wrong_delimiter), first on line 2: expected ; between "
        "values, found a header whose names are parted by commas\n"
    ) in told
    assert "lingokid: no source reads it; is lingokids/users/ meant?" in told
    assert "mobile_events/c.txt: its name does not end with .csv or .csv.gz" in told


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (None, "NOTHING TO LOAD: expected files in runna/activities/, "),
        ("events/a.jsonl", "1 path that no load reads:\n  events: no source reads it; is mobile_events/ meant?"),
    ],
)
def test_a_folder_without_files_of_a_source_is_not_fine(
    landing: Path, key: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if key:
        _put(landing, key, "{}")
    assert check.main() == 1
    assert told in capsys.readouterr().out


def test_the_folder_of_one_source_is_recognised(
    landing: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_file(landing, "a.csv", HEADER, row())
    monkeypatch.setenv("LANDING_URI", str(landing / "mobile_events"))
    assert check.main() == 1
    assert "if this is mobile_events/, name the folder above it" in capsys.readouterr().out


def test_of_many_files_the_worst_are_told_and_the_others_counted(
    landing: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(landing_reading, "MAX_FILES", 2)
    for number, rows in enumerate([[row("a")], [row(""), row("b")], [row("")], [row(""), row(""), row("c")]]):
        write_file(landing, f"{number}.csv", HEADER, *rows)
    assert check.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  mobile") or "more file" in line] == [
        "  mobile_events/2.csv: 0 accepted, 1 rejected",
        "  mobile_events/3.csv: 1 accepted, 2 rejected",
        "  … and 2 more files, 1 with rejected records",
    ]
