"""When days were last read from their files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake.held_days import release
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.load_times import loaded_at
from engagement_assets.lake.replay import Choice, Replay, SourceTraits
from engagement_assets.lake.replay_trace import trace_of
from tests.lake_loads import DAY_1, DAY_2, FIRST_LOAD, Reject, event, events, load_time, publish, window


def test_releases_and_replays_read_no_files(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    name = LINGOKIDS_EVENTS.load_name
    found = events(event("a", DAY_1), event("b", DAY_2), rejects=[Reject(LINGOKIDS_EVENTS, DAY_2, "events/f")])
    publish(lake, found, window(DAY_1, DAY_2), 1, name=name, held={DAY_1: ["reconciles"]})
    with open_load(lake, name, run_id="release", started_at=load_time(2)) as load:
        assert release(load, [LINGOKIDS_EVENTS], [DAY_1], "it is right") == [DAY_1]
    with open_load(lake, name, run_id="replay", started_at=load_time(3)) as load:
        replay = Replay(load, [LINGOKIDS_EVENTS], [DAY_2], Choice(), SourceTraits())
        replay.records()
        load.stage_additions(load.protected(events(event("c", DAY_2)).extraction(load.started_at)), [DAY_2])
        load.connection.execute(
            "create temp table replay_left as select *, null as path, day as accepted_on from replay_records"
        )
        load.connection.execute("create temp table replay_rebuilt as select number from replay_records")
        load.publish_additions(trace_of(load, with_left=True))
    first = FIRST_LOAD + timedelta(seconds=1)
    assert loaded_at(lake, name, LINGOKIDS_EVENTS) == {DAY_1: first, DAY_2: first}


def test_a_load_while_the_clock_was_ahead_does_not_hide_what_lands_after_it_was_put_right(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    name = LINGOKIDS_EVENTS.load_name
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1, name=name)
    ahead = datetime.now(UTC) + timedelta(days=2)
    with open_load(lake, name, run_id="ahead", started_at=ahead) as load:
        load.stage(events(event("a", DAY_1), event("b", DAY_2)).extraction(ahead), window(DAY_1, DAY_2))
        load.publish({})
    assert loaded_at(lake, name, LINGOKIDS_EVENTS) == {DAY_1: load_time(1)}


def test_records_of_an_older_version_are_read_before_the_first_load_of_this_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    name = LINGOKIDS_EVENTS.load_name
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1, name=name)
    for path in Path(lake.uri).glob("records/loads/*/*.parquet"):
        if path.name.startswith("empty"):
            path.unlink()
            continue
        kept = f"select * exclude (release_reason) from read_parquet('{path}', hive_partitioning = false)"
        duckdb.execute(f"create or replace temp table kept as {kept}")
        duckdb.execute(f"copy kept to '{path}' (format parquet)")
    assert loaded_at(lake, name, LINGOKIDS_EVENTS) == {DAY_1: load_time(1)}
