"""`make ask`: what is printed where, for a query and without one."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engagement_assets.commands.answer_output import READER_HAS_GONE
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.interrupt import INTERRUPTED, SENTENCE
from tests.unit.commands.published_copy import Asked, write_published_copy


@pytest.fixture(autouse=True)
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "published.duckdb"
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(path))
    monkeypatch.setattr("engagement_assets.commands.process.keep_files_private", lambda _settings: None)
    return write_published_copy(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked("ask", monkeypatch, capsys)


def test_a_query_prints_its_table(asked: Asked) -> None:
    query = "select country_code, plays from learning.engagement_daily order by plays"
    table = "country_code  plays\n------------  -----\nbr                3\nmx                7\nNULL             12\n"
    assert asked(f"--sql={query}") == (0, f"{table}\n3 rows\n", "")
    assert asked(query) == (0, f"{table}\n3 rows\n", "")
    assert asked("select 1 as a") == (0, "a\n-\n1\n\n1 row\n", "")


def test_a_hundred_rows_are_shown_and_the_others_counted(asked: Asked) -> None:
    status, told, _ = asked("from range(1234)")
    lines = told.splitlines()
    assert (status, lines[101], len(lines)) == (0, "   99", 104)
    assert lines[-1] == "1,134 more rows; LIMIT=1234 shows all, FORMAT=csv writes all."
    assert asked("from range(1234)", "--limit=1234")[1].endswith(" 1233\n\n1,234 rows\n")
    assert asked("from range(3)", "--limit=2")[1].splitlines()[2:] == [
        "    0",
        "    1",
        "",
        "1 more row; LIMIT=3 shows all, FORMAT=csv writes all.",
    ]


def test_csv_and_json_are_complete_and_alone_on_standard_output(asked: Asked) -> None:
    status, told, error = asked("from range(250)", "--format=csv")
    assert (status, error) == (0, "")
    assert told.split("\r\n") == ["range", *map(str, range(250)), ""]
    status, told, error = asked("from range(250)", "--format=json")
    assert (status, json.loads(told), error) == (0, [{"range": number} for number in range(250)], "")
    assert asked("select '=1' as a", "--format=csv", "--spreadsheet") == (0, "a\r\n'=1\r\n", "")


def test_json_refuses_two_columns_of_one_name_and_the_others_do_not(asked: Asked) -> None:
    query = "select 1 as a, 2 as a"
    sentence = "error: expected a name of its own for each column, found 'a' twice; rename it with as\n"
    assert asked(query, "--format=json") == (1, "", sentence)
    assert asked(query, "--format=csv") == (0, "a,a\r\n1,2\r\n", "")


def test_without_a_query_it_lists_the_tables(asked: Asked) -> None:
    assert asked()[1].splitlines() == [
        "table                       rows  published_at         description",
        "--------------------------  ----  -------------------  ------------------------------",
        "audit.published_tables         2  2024-02-03 04:05:06  One row per table of this copy",
        "learning.engagement_daily      3  2024-02-03 04:05:06  One row per day and country",
        "learning.engagement_weekly     0  2024-02-01 00:00:00  One row per week",
    ]
    assert json.loads(asked("--format=json")[1])[2] == {
        "table": "learning.engagement_weekly",
        "rows": 0,
        "published_at": "2024-02-01T00:00:00",
        "description": "One row per week",
    }


@pytest.mark.parametrize("name", ["learning.engagement_daily", "engagement_daily"])
def test_a_table_is_described_with_its_columns(name: str, asked: Asked) -> None:
    assert asked(f"--table={name}")[1].splitlines() == [
        "learning.engagement_daily: One row per day and country. Sums, no ratios.",
        "3 rows, published at 2024-02-03 04:05:06 UTC",
        "",
        "column        type     meaning",
        "------------  -------  ---------------",
        "event_date    DATE     The UTC day.",
        "country_code  VARCHAR  NULL",
        "plays         BIGINT   How many plays.",
    ]
    assert asked(f"--table={name}", "--format=csv")[1] == (
        "column,type,meaning\r\nevent_date,DATE,The UTC day.\r\n"
        "country_code,VARCHAR,\r\nplays,BIGINT,How many plays.\r\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["selec 1"], 1, 'syntax error at or near "selec"'),
        (["select error(chr(27) || '[31m')"], 1, "\\x1b[31m"),
        (["--table=engagement_wekly"], 1, "there is no table engagement_wekly; is learning.engagement_weekly or "),
        (["select 1", "--format=xml"], 2, "FORMAT: invalid choice: 'xml' (choose from "),
        (["select 1", "--limit=0"], 2, "LIMIT: expected a number from 1 on, found '0'"),
        (["--sql=select 1", "--table=x"], 2, "TABLE: not allowed with argument SQL; usage: make ask "),
        (["select 1", "--limit=1", "--format=csv"], 2, "LIMIT is for tables on the terminal, and csv is complete; "),
        (["--limit=1"], 2, "LIMIT is for the rows of a query; write one as SQL='select …'"),
        (["select 1", "--spreadsheet"], 2, "SPREADSHEET is for FORMAT=csv, found table"),
    ],
)
def test_an_error_is_one_sentence(arguments: list[str], status: int, sentence: str, asked: Asked) -> None:
    code, told, error = asked(*arguments)
    assert (code, told, error.count("\n")) == (status, "", 1)
    assert error.startswith(f"error: {sentence}")
    assert all(sign.isprintable() for sign in error.rstrip("\n"))


def test_before_the_first_publication_it_says_what_to_run(published: Path, asked: Asked) -> None:
    published.unlink()
    sentence = f"error: nothing is published in {published} yet; run make demo or make backfill first\n"
    assert asked("select 1") == (2, "", sentence)
    assert not published.exists()


def test_a_terminal_gets_what_fits(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select repeat('a', 50) as first, repeat('b', 50) as second, repeat('c', 50) as third"
    assert asked(query)[1].splitlines()[2] == f"{'a' * 50}  {'b' * 50}  {'c' * 50}"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    assert asked(query)[1].splitlines()[2:] == [
        f"{'a' * 13}…  {'b' * 13}…",
        "",
        "The terminal is too narrow for third; FORMAT=csv has all columns.",
        "",
        "1 row",
    ]


def _process(sql: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "engagement_assets.commands.start", "ask", f"--sql={sql}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT_ROOT)


def test_neither_dagster_nor_dbt_is_imported() -> None:
    program = (
        "import sys; sys.argv = ['start', 'ask', 'select 1 as a', '--format=csv']\n"
        "from engagement_assets.commands.start import main\n"
        "print(main(), sorted({name.partition('.')[0] for name in sys.modules} & {'dagster', 'dbt', 'pandas'}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=PROJECT_ROOT)
    assert ended.stdout == b"a\r\n1\r\n0 []\n"


def test_a_reader_that_goes_ends_it_without_a_word() -> None:
    with _process("from range(10000000)", "--format=csv") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"range\r\n"
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (READER_HAS_GONE, b"")


def test_an_interrupt_ends_it_at_once() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _process("from range(1000000000000)", "--format=csv") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"range\r\n"
            process.send_signal(signal.SIGINT)
            _, told = process.communicate()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (process.returncode, told.decode().strip()) == (INTERRUPTED, SENTENCE)
