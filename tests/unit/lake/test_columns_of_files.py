"""A lake of an older version gets the columns that were added since; one of a newer version is refused."""

import json
from pathlib import Path

import duckdb
import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.lake.columns_of_files import UnknownColumnsError, make_files_alike
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.record_columns import (
    ERASURE_COLUMNS,
    HELD_COLUMNS,
    LOAD_COLUMNS,
    QUARANTINE_COLUMNS,
    REPLAY_COLUMNS,
)
from engagement_assets.sources import RAW_DATASETS
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, event, events, files_below, publish, published, records, window


def _root(lake: Lake) -> Path:
    return Path(lake.uri)


def _columns(file: Path) -> dict[str, str]:
    rows = duckdb.execute("describe select * from read_parquet($file, hive_partitioning = false)", {"file": str(file)})
    return {row[0]: row[1] for row in rows.fetchall()}


def _write_anew(file: Path, select: str) -> None:
    path = str(file).replace("'", "''")
    duckdb.execute(f"create or replace temp table kept as from read_parquet('{path}', hive_partitioning = false)")
    duckdb.execute(f"copy ({select}) to '{path}' (format parquet)")


def _files(lake: Lake, pattern: str) -> list[Path]:
    return [path for path in _root(lake).glob(pattern) if not path.name.startswith("empty")]


@pytest.fixture
def of_an_older_version(lake: Lake) -> Lake:
    """A published day, a held one and the records of their load, all without columns that were added since."""
    found = events(event("a", DAY_1, app_build="7", os_name="ios"), event("b", DAY_2, app_build="7"))
    publish(lake, found, window(DAY_1, DAY_2), 1, held={DAY_2: ["reconciles"]})
    for path in _root(lake).rglob("empty-*.parquet"):
        _write_anew(path.rename(path.with_name("empty.parquet")), "select 1 as anything where false")
    for path in [*_files(lake, "raw_lingokids/events/*/*.parquet"), *_files(lake, "held/raw_lingokids/*/*/*.parquet")]:
        _write_anew(path, "select * exclude (app_build, device_brand) from kept")
    for path in _files(lake, "records/loads/*/*.parquet"):
        _write_anew(path, "select * exclude (release_reason, rows_in_day) from kept")
    return lake


def test_a_folder_without_files_can_be_read_and_has_no_rows(lake: Lake) -> None:
    make_files_alike(lake)
    expected = {item.key: item.columns for item in RAW_DATASETS}
    expected |= {"records/rejected": QUARANTINE_COLUMNS, "records/replayed": REPLAY_COLUMNS}
    expected |= {"records/loads": LOAD_COLUMNS, "records/held": HELD_COLUMNS, "records/erasures": ERASURE_COLUMNS}
    with duckdb.connect() as connection:
        for folder, columns in expected.items():
            pattern = lake.location(f"{folder}/*/*.parquet")
            rows = connection.execute("select * from read_parquet($pattern)", {"pattern": pattern})
            found = {name: str(kind) for name, kind, *_ in rows.description or ()}
            assert found == {**columns, "day": "DATE"}
            assert rows.fetchall() == []


def test_what_is_as_it_should_be_is_not_written_again(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1)
    assert len(list(_root(lake).rglob("empty-*.parquet"))) == len(RAW_DATASETS) + 5
    files = [_root(lake) / path for path in files_below(_root(lake))]
    before = {path: path.stat().st_mtime_ns for path in files}
    for path in _root(lake).rglob("empty-*.parquet"):
        path.unlink()
    make_files_alike(lake)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert len(list(_root(lake).rglob("empty-*.parquet"))) == len(RAW_DATASETS) + 5


def test_columns_that_were_added_since_are_null_in_old_rows(of_an_older_version: Lake) -> None:
    lake = of_an_older_version
    make_files_alike(lake)
    assert published(lake, LINGOKIDS_EVENTS, "event_id", "os_name", "app_build") == [(DAY_1, "a", "ios", None)]
    assert records(lake, "partition_date", "accepted", "rows_in_day") == [(DAY_1, 1, None), (DAY_2, 1, None)]
    for path in [*_files(lake, "raw_lingokids/events/*/*"), *_files(lake, "held/raw_lingokids/*/*/*.parquet")]:
        assert list(_columns(path).items()) == list(LINGOKIDS_EVENTS.columns.items())
    day = f"{LINGOKIDS_EVENTS.key}/day={WHOLE_DATASET_DAY}"
    assert len(lake.keys(f"{day}/*")) == 1
    assert not (_root(lake) / day / "empty.parquet").exists()


def test_a_commit_that_an_older_version_did_not_finish_comes_first(of_an_older_version: Lake) -> None:
    lake, root = of_an_older_version, _root(of_an_older_version)
    (file,) = _files(lake, "records/loads/*/*.parquet")
    staged = root / ".aside" / "source" / "loads.parquet"
    staged.parent.mkdir(parents=True)
    file.rename(staged)
    journal = root / ".journal" / "source.json"
    journal.write_text(json.dumps([[file.relative_to(root).as_posix(), staged.relative_to(root).as_posix()]]))
    make_files_alike(lake)
    assert list(_columns(file).items()) == list(LOAD_COLUMNS.items())


def test_a_load_goes_on_with_a_lake_of_an_older_version(of_an_older_version: Lake) -> None:
    lake = of_an_older_version
    publish(lake, events(event("c", DAY_1, app_build="8"), event("d", DAY_3, app_build="8")), window(DAY_1, DAY_3), 2)
    assert published(lake, LINGOKIDS_EVENTS, "event_id", "app_build") == [
        (DAY_1, "a", None),
        (DAY_1, "c", "8"),
        (DAY_3, "d", "8"),
    ]


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("select *, 1 as mood from kept", "has the columns {'mood': 'INTEGER'}, expected {'mood': 'no such column'}"),
        (
            "select * replace (1.5::double as duration_ms) from kept",
            "has the columns {'duration_ms': 'DOUBLE'}, expected {'duration_ms': 'BIGINT'}",
        ),
    ],
)
def test_a_lake_of_a_newer_version_is_refused_and_stays(of_an_older_version: Lake, select: str, message: str) -> None:
    lake = of_an_older_version
    file = _root(lake) / lake.day_key(LINGOKIDS_EVENTS, DAY_1)
    _write_anew(file, select)
    before = file.read_bytes()
    with pytest.raises(UnknownColumnsError) as refusal:
        make_files_alike(lake)
    assert message in str(refusal.value)
    assert "set LAKE_URI to a new folder" in str(refusal.value)
    assert file.read_bytes() == before


def test_snapshots_without_days_are_made_alike_too(lake: Lake) -> None:
    publish(lake, Found({LINGOKIDS_USERS: [{"user_id": "u", "country_code": "ES"}]}), None, 1)
    file = _root(lake) / lake.day_key(LINGOKIDS_USERS, WHOLE_DATASET_DAY)
    _write_anew(file, "select user_id from kept")
    for path in _root(lake).rglob("empty-*.parquet"):
        path.unlink()
    make_files_alike(lake)
    assert list(_columns(file)) == list(LINGOKIDS_USERS.columns)
    assert published(lake, LINGOKIDS_USERS, "user_id", "country_code") == [(WHOLE_DATASET_DAY, "u", None)]


def test_a_retention_mark_of_an_older_version_becomes_one_that_any_engine_reads(of_an_older_version: Lake) -> None:
    lake = of_an_older_version
    day_file = Path(lake.location(lake.day_key(LINGOKIDS_EVENTS, DAY_1)))
    day_file.unlink()
    old = day_file.with_name("pruned.json")
    old.write_text('{"bytes": 7}', encoding="utf-8")
    assert lake.pruned_days(LINGOKIDS_EVENTS, [DAY_1, DAY_2]) == lake.all_pruned_days(LINGOKIDS_EVENTS) == [DAY_1]

    make_files_alike(lake)

    mark = Path(lake.location(lake.pruned_key(LINGOKIDS_EVENTS, DAY_1)))
    assert _columns(mark) == dict(LINGOKIDS_EVENTS.columns)
    assert duckdb.execute("select count(*) from read_parquet($1)", [str(mark)]).fetchall() == [(0,)]
    assert not old.exists()
    assert lake.pruned_days(LINGOKIDS_EVENTS, [DAY_1, DAY_2]) == lake.all_pruned_days(LINGOKIDS_EVENTS) == [DAY_1]
    assert DAY_1 not in lake.days(LINGOKIDS_EVENTS)
