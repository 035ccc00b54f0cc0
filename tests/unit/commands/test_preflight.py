"""What is refused before a command imports Dagster: arguments in the words of make, places, days, selections."""

import socket
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.commands.arguments import PARSERS
from engagement_assets.commands.preflight import refusals
from engagement_assets.commands.selection import why_selection_is_refused
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.home import MARK
from engagement_assets.settings import Settings

DAYS = ["--from=2024-01-01", "--to=2024-01-02"]


def _settings(root: Path, **changes: Any) -> Settings:
    (root / "landing").mkdir(exist_ok=True)
    places: dict[str, Any] = {
        "landing_uri": str(root / "landing"),
        "lake_uri": str(root / "new" / "lake"),
        "warehouse_path": root / "new" / "warehouse.duckdb",
        "published_warehouse_path": root / "published.duckdb",
        "dagster_home": root / "home",
        "report_dir": root / "report",
        "start_date": date(2021, 1, 1),
    }
    return Settings(_env_file=None, **(places | changes))


def _given(command: str, *arguments: str) -> Namespace:
    return PARSERS[command]().parse_args(arguments)


def _refused(root: Path, command: str, *arguments: str, **changes: Any) -> list[str]:
    return refusals(command, _settings(root, **changes), _given(command, *arguments))


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("backfill", ["--from=2024-3-4", "--to=2024-03-05"], "FROM: '2024-3-4' is not a day; expected YYYY-MM-DD"),
        ("backfill", ["--from=2024-03-04"], "missing: TO; usage: make backfill FROM="),
        ("release", ["--source=runna", "--reason= "], "REASON: expected a sentence"),
        ("replay", ["--source=rana"], "SOURCE: invalid choice: 'rana' (choose from 'lingokids'"),
        ("erase", ["--source=runna", "--kind=dog"], "KIND: invalid choice: 'dog'"),
    ],
)
def test_wrong_arguments_are_one_sentence_in_the_words_of_make(
    command: str, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _given(command, *arguments)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith(f"error: {sentence}")
    assert (told.count("\n"), "--" in told) == (1, False)


def test_nothing_is_refused_of_places_that_can_be_made(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert _refused(tmp_path, "backfill", *DAYS) == []
    assert _refused(tmp_path, "dev") == []
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "landing"]


def test_every_place_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    assert _refused(
        tmp_path,
        "backfill",
        *DAYS,
        landing_uri=str(tmp_path / "gone"),
        lake_uri=f"file://{in_the_way}/lake",
        warehouse_path=tmp_path,
        export_dir=str(in_the_way),
        dagster_home=in_the_way,
    ) == [
        f"LANDING_URI: expected a folder such as that of runna/ and mobile_events/, found nothing at {tmp_path}/gone",
        f"LAKE_URI: expected a folder, or room for one, found a file at {in_the_way}",
        f"WAREHOUSE_PATH: expected a file, or room for one, found a folder at {tmp_path}",
        f"EXPORT_DIR: expected a folder, or room for one, found a file at {in_the_way}",
        f"DAGSTER_HOME: expected a folder, or room for one, found a file at {in_the_way}",
    ]
    assert _refused(tmp_path, "report") == [
        f"nothing is published in {tmp_path}/published.duckdb yet; run make demo or make backfill first"
    ]


def test_a_database_of_runs_that_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"postgres://dagster:secret-word@127.0.0.1:{taken.getsockname()[1]}/runs"
        (refused,) = _refused(tmp_path, "prune", dagster_storage_url=url)
    assert refused.startswith(
        "DAGSTER_STORAGE_URL: expected a database that lets the project in, found: connection to "
    )
    assert "Connection refused" in refused
    assert "secret-word" not in refused
    (refused,) = _refused(tmp_path, "prune", dagster_storage_url="postgres://host/runs?password=a&secret-word")
    assert refused.startswith("DAGSTER_STORAGE_URL: expected a URL that PostgreSQL's library can read, found another")
    assert "secret-word" not in refused
    monkeypatch.setattr("engagement_assets.instance.postgres_database.find_spec", lambda _name: None)
    assert _refused(tmp_path, "prune", dagster_storage_url=url) == [
        "DAGSTER_STORAGE_URL needs the extra postgres; run `pip install 'engagement-assets[postgres]'`"
    ]
    # A home that is on PostgreSQL, and no word of where.
    (tmp_path / "home").mkdir()
    text = f"{MARK}\nstorage: {{custom: {{config: {{postgres_url: {{env: DAGSTER_STORAGE_URL}}}}}}}}\n"
    (tmp_path / "home" / "dagster.yaml").write_text(text, encoding="utf-8")
    (refused,) = _refused(tmp_path, "prune")
    assert refused.startswith("DAGSTER_STORAGE_URL: expected the URL of the PostgreSQL database that holds the runs of")


def test_without_sample_data_a_service_alone_wants_a_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engagement_assets.settings.PROJECT_ROOT", tmp_path)
    service = {"user_events_api_url": "http://127.0.0.1/events", "user_events_api_token": "a token"}
    no_sample = (
        "there is no sample data yet: run make demo first, or set LANDING_URI to the folder that holds your files"
    )
    assert _refused(tmp_path, "backfill", *DAYS, landing_uri="") == [no_sample]
    assert _refused(tmp_path, "backfill", *DAYS, landing_uri="", **service) == [
        f"{no_sample}; it may be empty, to read Product events alone"
    ]
    assert _refused(tmp_path, "backfill", *DAYS, **service) == []


def test_days_without_partitions_are_refused(tmp_path: Path) -> None:
    later = datetime.now(UTC).date() + timedelta(days=7)
    (early,) = _refused(tmp_path, "backfill", "--from=2020-12-31", "--to=2024-01-01")
    (late,) = _refused(tmp_path, "backfill", "--from=2024-01-01", f"--to={later}")
    assert early.startswith("the range begins on 2020-12-31, before the first partition 2021-01-01")
    assert late.startswith(f"the range ends on {later}, but")
    assert _refused(tmp_path, "release", "--source=runna", "--day=2024-01-02", "--to=2024-01-01", "--reason=why") == [
        "the first day must not lie after the last, found 2024-01-02 and 2024-01-01"
    ]
    assert _refused(tmp_path, "replay", "--source=lingokids", "--dataset=laps", *DAYS) == [
        "lingokids has no dataset 'laps', expected one of events, users, activities"
    ]


def test_a_port_that_another_process_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        (refused,) = _refused(tmp_path, "dev")
    assert refused.startswith(f"PORT: {port} cannot be used (Address already in use); name another one")
    assert _refused(tmp_path, "dev") == []
    monkeypatch.setenv("PORT", "70000")
    assert _refused(tmp_path, "dev") == ["PORT: expected a number from 1 to 65535, found '70000'"]


@pytest.mark.parametrize(
    "selection",
    [
        "*",
        "+group:learning",
        'key:"learning/fct__activity_exits"+2 and not kind:duckdb',
        "key:raw_*",
        "raw_mobile/events+",
    ],
)
def test_selections_that_dagster_reads_are_not_refused(selection: str) -> None:
    assert why_selection_is_refused(selection) is None


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        ("group:learning and (", "'group:learning and (' is not a selection that Dagster can read (at character 21: "),
        ("grup:learning", "'grup:learning' is not a selection that Dagster can read (at character 1: "),
        ("+group:learnin", "there is no group 'learnin'; is learning meant?"),
        ("group:xyz", "there is no group 'xyz'; expected one of training, learning, "),
        ("learning", "there is no key 'learning'; is group:learning meant?"),
        ('key:"fct__activities"+', "there is no key 'fct__activities'; is training/fct__activities meant?"),
        ("key:nothing_like_it", "there is no key 'nothing_like_it'; docs/data_dictionary.md lists them"),
    ],
)
def test_selections_that_select_nothing_are_refused_with_what_may_be_meant(selection: str, sentence: str) -> None:
    refused = why_selection_is_refused(selection)
    assert refused is not None
    assert refused.startswith(sentence)


def test_a_refusal_imports_neither_dagster_nor_dbt() -> None:
    program = (
        "import sys; sys.argv = ['start', 'backfill', '--from=2024-01-02', '--to=2024-01-01', '--select=group:x']\n"
        "from engagement_assets.commands.start import main\n"
        "print(main(), sorted({name.partition('.')[0] for name in sys.modules} & {'dagster', 'dbt', 'httpx'}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    assert ended.stdout == "2 []\n"
    assert "error: the first day must not lie after the last" in ended.stderr
    assert "error: SELECT: there is no group 'x'" in ended.stderr
