"""`make metrics` and `make metric`: what is printed, and what is refused."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics.catalog import METRICS
from tests.unit.commands.published_copy import Asked
from tests.unit.report.section_rows import LOADS, create, observe

SESSIONS = "session_date date, zone varchar, os_name varchar, is_booked boolean, is_searching boolean"
HOSTILE = "\x1b[31mSur\n=1+1"


@pytest.fixture(autouse=True)
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sessions of a complete week and of one day, in two zones and in none."""
    path = tmp_path / "published.duckdb"
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(path))
    monkeypatch.setattr("engagement_assets.commands.process.keep_files_private", lambda _settings: None)
    with duckdb.connect(str(path)) as connection:
        connection.execute(LOADS)
        observe(connection, "mobile", "2024-01-01", 8)
        create(
            connection,
            "mobility.fct__mobile_sessions",
            SESSIONS,
            ("2024-01-01", "Centro", "iOS", True, True),
            ("2024-01-07", "Centro", "Android", False, True),
            ("2024-01-07", None, "iOS", False, False),
            ("2024-01-08", HOSTILE, "iOS", True, False),
        )
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked("metric", monkeypatch, capsys)


def test_a_metric_is_shown_with_its_meaning_its_parts_and_whether_periods_are_complete(asked: Asked) -> None:
    assert asked("--name=booking_rate", "--by=zone", "--to=2024-01-07") == (
        0,
        "Booking conversion (share): booked_sessions / sessions\n"
        "Sessions in which a scooter was booked, divided by all sessions.\n"
        "\n"
        "week        zone    booking_rate  booked_sessions  sessions  is_complete\n"
        "----------  ------  ------------  ---------------  --------  -----------\n"
        "2024-01-01  Centro           0.5                1         2  true\n"
        "2024-01-01  NULL             0.0                0         1  true\n"
        "\n"
        "2 rows\n",
        "",
    )


def test_csv_and_json_have_the_values_alone(asked: Asked) -> None:
    status, told, error = asked("--name=booking_rate", "--by=zone, os_name", "--grain=month", "--format=csv")
    assert (status, error) == (0, "")
    rows = list(csv.reader(io.StringIO(told)))
    assert rows[0] == ["month", "zone", "os_name", "booking_rate", "booked_sessions", "sessions", "is_complete"]
    assert ["2024-01-01", HOSTILE, "iOS", "1.0", "1", "1", "false"] in rows
    assert len(rows) == 5
    told = asked("--name=booking_rate", "--format=json", "--from=2024-01-10")[1]
    assert json.loads(told) == [
        {"week": "2024-01-08", "booking_rate": 1.0, "booked_sessions": 1, "sessions": 1, "is_complete": False}
    ]


def test_a_value_of_a_dimension_controls_no_terminal_and_no_spreadsheet(asked: Asked, published: Path) -> None:
    table = asked("--name=booking_rate", "--by=zone", "--from=2024-01-08")[1]
    assert "\\x1b[31mSur =1+1" in table
    assert "\x1b" not in table
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "update mobility.fct__mobile_sessions set zone = '=1+1' where zone = $hostile", {"hostile": HOSTILE}
        )
    arguments = ("--name=booking_rate", "--by=zone", "--from=2024-01-08", "--format=csv")
    assert asked(*arguments)[1].splitlines()[1].startswith("2024-01-08,=1+1,")
    assert asked(*arguments, "--spreadsheet")[1].splitlines()[1].startswith("2024-01-08,'=1+1,")


def test_a_table_has_as_many_rows_as_asked_for(asked: Asked) -> None:
    lines = asked("--name=booking_rate", "--by=zone,os_name", "--limit=1")[1].splitlines()
    assert lines[-1] == "3 more rows; LIMIT=4 shows all, FORMAT=csv writes all."
    assert len(lines) == 8


def test_days_without_a_session_have_no_rows(asked: Asked) -> None:
    assert asked("--name=booking_rate", "--from=2030-01-01")[1].endswith("\n\n0 rows\n")
    assert asked("--name=booking_rate", "--from=2030-01-01", "--format=json")[1] == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "missing: NAME; usage: make metric NAME=completion_rate "),
        (
            ["--name=booking_rat"],
            "there is no metric 'booking_rat'; is booking_rate or searching_booking_rate meant?\n",
        ),
        (["--name=\x1b[31m"], "there is no metric '\\x1b[31m'; expected one of active_users, "),
        (["--name=booking_rate", "--by=zoen"], "booking_rate has no dimension 'zoen'; is zone meant?\n"),
        (["--name=booking_rate", "--by=zone,"], "BY: expected names with a comma between two of them, found 'zone,'; "),
        (["--name=new_users", "--grain=month"], "new_users cannot be counted by month: who is new, "),
        (["--name=booking_rate", "--from=2024-3-1"], "FROM: '2024-3-1' is not a day; expected YYYY-MM-DD"),
        (
            ["--name=booking_rate", "--from=2024-02-01", "--to=2024-01-31"],
            "the first day must not lie after the last, found 2024-02-01 and 2024-01-31\n",
        ),
        (
            ["--name=booking_rate", "--limit=1", "--format=csv"],
            "LIMIT is for tables on the terminal, and csv is complete; ",
        ),
        (["--name=booking_rate", "--spreadsheet"], "SPREADSHEET is for FORMAT=csv, found table\n"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_sentence(arguments: list[str], sentence: str, asked: Asked) -> None:
    status, told, error = asked(*arguments)
    assert (status, told, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {sentence}")
    assert all(sign.isprintable() for sign in error.rstrip("\n"))


def test_what_is_not_published_yet_is_named(asked: Asked, published: Path) -> None:
    sentence = (
        "completion_rate needs learning.engagement_daily, which nothing has published yet; run make backfill first"
    )
    assert asked("--name=completion_rate") == (1, "", f"error: {sentence}\n")
    published.unlink()
    sentence = f"error: nothing is published in {published} yet; run make demo or make backfill first\n"
    assert asked("--name=completion_rate") == (2, "", sentence)


def test_all_metrics_are_listed_without_a_copy(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published.unlink()
    listed = Asked("metrics", monkeypatch, capsys)
    _, told, _ = listed()
    assert [line.split()[0] for line in told.splitlines()[2:]] == list(METRICS)
    assert told.splitlines()[-1].endswith(" after a week without kudos. GRAIN=week BY=workout_type_name")
    rows = json.loads(listed("--format=json")[1])
    assert [row["metric"] for row in rows] == list(METRICS)
    plan = next(row for row in rows if row["metric"] == "plan_distance")
    assert (plan["grains"], plan["dimensions"], plan["unit"]) == ("", "week_of_plan", "km")
    assert (plan["formula"], plan["owner"]) == ("workout_distance_m / users / 1000", "team:engagement-data")
    assert plan["caution"].startswith("Do not add up its users")
    assert "GRAIN" not in next(line for line in told.splitlines() if line.startswith("plan_distance "))
    assert listed("--spreadsheet")[0] == 2


def test_neither_dagster_nor_dbt_is_imported() -> None:
    program = (
        "import sys; sys.argv = ['start', 'metric', '--name=booking_rate', '--format=csv']\n"
        "from engagement_assets.commands.start import main\n"
        "print(main(), sorted({name.partition('.')[0] for name in sys.modules} & {'dagster', 'dbt', 'pandas'}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=PROJECT_ROOT)
    assert ended.stdout.splitlines()[1:] == [
        b"2024-01-01,0.3333333333333333,1,3,true",
        b"2024-01-08,1.0,1,1,false",
        b"0 []",
    ]
