"""Days that failed a check keep the last good day in the lake; what a load writes down about itself."""

from datetime import date, datetime
from pathlib import Path

from engagement_assets.contracts.extraction import MAX_FIELD_NAMES, MAX_NAME
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.lake.extraction_tables import unknown_fields
from engagement_assets.lake.known_records import records_whose_files_are_gone
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    Found,
    Reject,
    Row,
    event,
    events,
    files_below,
    load_time,
    parquet_rows,
    publish,
    published,
    quarantined,
    records,
    window,
    write,
)


def _batch(version: str, *days: date, rejects: bool = True) -> Found:
    """An activity with a lap and a reject on each day, all named by `version`."""
    activities = [{"activity_id": version, "day": day, "source_path": f"{version}.json"} for day in days]
    laps = [{"activity_id": version, "lap_index": 0, "day": day} for day in days]
    return Found(
        {RUNNA_ACTIVITIES: activities, RUNNA_ACTIVITY_LAPS: laps},
        rejects=[Reject(RUNNA_ACTIVITIES, day, f"{version}.txt") for day in days if rejects],
    )


def _held(lake: Lake) -> list[str]:
    return [path for path in files_below(Path(lake.uri)) if path.startswith("held/")]


def test_a_held_day_keeps_the_last_good_day_and_the_other_days_are_published(lake: Lake) -> None:
    publish(lake, _batch("old", DAY_1, DAY_2), window(DAY_1, DAY_2), 1)
    publish(lake, _batch("new", DAY_1, DAY_2), window(DAY_1, DAY_2), 2, held={DAY_1: ["activities.reconciles"]})
    for dataset in (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS):
        assert published(lake, dataset, "activity_id") == [(DAY_1, "old"), (DAY_2, "new")]
        held = parquet_rows(Path(lake.uri), f"held/{dataset.key}/*/*.parquet", "day", "activity_id")
        assert held == [(DAY_1, "new")]
    assert quarantined(lake, "source_path") == [(DAY_1, "old.txt"), (DAY_2, "new.txt")]
    held_rejects = parquet_rows(Path(lake.uri), "held/records/rejected/*/*.parquet", "day", "source_path")
    assert held_rejects == [(DAY_1, "new.txt")]


def test_a_first_day_that_is_held_is_not_in_the_lake(lake: Lake) -> None:
    publish(lake, _batch("new", DAY_1), window(DAY_1), 1, held={DAY_1: ["activities.reconciles"]})
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == []
    assert lake.days(RUNNA_ACTIVITIES) == []
    assert quarantined(lake, "source_path") == []


def test_a_good_load_replaces_the_held_day(lake: Lake) -> None:
    publish(lake, _batch("bad", DAY_1, DAY_2), window(DAY_1, DAY_2), 1, held={DAY_1: ["x"], DAY_2: ["x"]})
    assert len(_held(lake)) == 6
    publish(lake, _batch("good", DAY_1), window(DAY_1), 2)
    assert _held(lake) == [
        "held/raw_runna/activities/day=2024-03-02/data.parquet",
        "held/raw_runna/activity_laps/day=2024-03-02/data.parquet",
        "held/records/rejected/day=2024-03-02/raw_runna.activities.parquet",
    ]
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [(DAY_1, "good")]


def test_a_day_that_is_held_again_is_held_as_it_is_now(lake: Lake) -> None:
    publish(lake, _batch("bad", DAY_1), window(DAY_1), 1, held={DAY_1: ["x"]})
    publish(lake, _batch("worse", DAY_1, rejects=False), window(DAY_1), 2, held={DAY_1: ["x"]})
    held = parquet_rows(Path(lake.uri), "held/raw_runna/activities/*/*.parquet", "activity_id")
    assert held == [("worse",)]
    assert [path for path in _held(lake) if "rejected" in path] == []


def test_a_held_event_log_merges_with_the_last_good_day(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1)
    publish(lake, events(event("bad", DAY_1)), window(DAY_1), 2, held={DAY_1: ["events.reconciles"]})
    publish(lake, events(event("b", DAY_1)), window(DAY_1), 3)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_1, "b")]


def test_the_record_of_a_load_says_what_became_of_each_day(lake: Lake) -> None:
    found = events(
        event("a", DAY_1),
        event("b", DAY_2),
        event("c", DAY_2),
        rejects=[Reject(LINGOKIDS_EVENTS, DAY_2, "f", 1)],
        duplicates={(LINGOKIDS_EVENTS, DAY_1): 4},
        unknown_fields=[(LINGOKIDS_EVENTS, DAY_1, field, 2) for field in ("mood", "battery")],
    )
    held = {DAY_2: ["events.z", "events.a"]}
    publish(lake, found, window(DAY_1, DAY_3), 1, held=held, name="lingokids_events")
    common = ("lingokids_events-20240601T120001000000", "run-1", "lingokids", "events", datetime(2024, 6, 1, 12, 0, 1))
    assert records(
        lake,
        *("load_id", "run_id", "source", "dataset", "loaded_at", "partition_date"),
        *("status", "failed_checks", "unknown_fields"),
        *("files", "bytes", "records_read", "accepted", "quarantined", "duplicates", "rows_in_day"),
    ) == [
        (*common, DAY_1, "published", None, "battery, mood", 1, 100, 5, 1, 0, 4, 1),
        (*common, DAY_2, "held", "events.a, events.z", None, 1, 100, 3, 2, 1, 0, 2),
        (*common, DAY_3, "published", None, None, 0, 0, 0, 0, 0, 0, 0),
    ]
    assert [seconds > 0 for (seconds,) in records(lake, "seconds")] == [True, True, True]


def test_loads_add_to_the_records_of_the_same_day(lake: Lake) -> None:
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1, name="events")
    publish(lake, Found({LINGOKIDS_USERS: [{"user_id": "u"}]}), None, 2, name="users")
    publish(lake, events(event("b", DAY_1)), window(DAY_1), 3, name="events")
    assert records(lake, "run_id", "dataset", "partition_date", "accepted", "rows_in_day") == [
        ("run-1", "events", DAY_1, 1, 1),
        ("run-2", "users", None, 1, 1),
        ("run-3", "events", DAY_1, 1, 2),
    ]
    assert len(list(Path(lake.uri).glob("records/loads/day=2024-06-01/*.parquet"))) == 2


def test_unknown_fields_are_counted_by_dataset_and_day(lake: Lake) -> None:
    fields = [(LINGOKIDS_EVENTS, DAY_1, "mood", 2), (LINGOKIDS_EVENTS, DAY_2, "mood", 1)]
    with open_load(lake, "source", run_id="run") as load:
        write(load, events(unknown_fields=fields), window(DAY_1, DAY_2))
        assert unknown_fields(load.connection) == {LINGOKIDS_EVENTS.key: {DAY_1: {"mood": 2}, DAY_2: {"mood": 1}}}


def test_of_very_many_unknown_fields_the_most_common_keep_their_names(lake: Lake) -> None:
    rare = [(LINGOKIDS_EVENTS, DAY_1, f"rare{number:04}", 1) for number in range(MAX_FIELD_NAMES + 1)]
    others = [(LINGOKIDS_EVENTS, DAY_1, "often", 3), (LINGOKIDS_EVENTS, DAY_2, "mood", 1)]
    with open_load(lake, "source", run_id="run") as load:
        write(load, events(unknown_fields=[*rare, *others]), window(DAY_1, DAY_2))
        found = unknown_fields(load.connection)

    # Two names of the load's two days sort before the rare ones, so that three of these have no place.
    named = {f"rare{number:04}": 1 for number in range(MAX_FIELD_NAMES - 2)} | {"often": 3}
    assert found == {LINGOKIDS_EVENTS.key: {DAY_1: {**named, "… and others": 3}, DAY_2: {"mood": 1}}}


def test_as_many_unknown_fields_as_keep_their_names_are_all_named(lake: Lake) -> None:
    fields = [(LINGOKIDS_EVENTS, DAY_1, f"f{number:04}", 1) for number in range(MAX_FIELD_NAMES)]
    with open_load(lake, "source", run_id="run") as load:
        write(load, events(unknown_fields=fields), window(DAY_1, DAY_1))
        assert unknown_fields(load.connection) == {LINGOKIDS_EVENTS.key: {DAY_1: {name: 1 for _, _, name, _ in fields}}}


def test_names_of_unknown_fields_are_cut(lake: Lake) -> None:
    head = "n" * MAX_NAME
    fields = [(LINGOKIDS_EVENTS, DAY_1, name, 2) for name in (f"{head}1", f"{head}2", head[1:])]
    with open_load(lake, "source", run_id="run") as load:
        write(load, events(unknown_fields=fields), window(DAY_1, DAY_1))
        assert unknown_fields(load.connection) == {LINGOKIDS_EVENTS.key: {DAY_1: {head: 4, head[1:]: 2}}}


def _gone(lake: Lake, published_rows: list[Row], rows_now: list[Row], files_read: tuple[str, ...]) -> object:
    publish(lake, Found({RUNNA_ACTIVITIES: published_rows}), window(DAY_1, DAY_3), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        write(load, Found({RUNNA_ACTIVITIES: rows_now}), window(DAY_1, DAY_3))
        return records_whose_files_are_gone(load, RUNNA_ACTIVITIES, files_read)


def _activity(activity_id: str | None, day: date, source_path: str) -> Row:
    return {"activity_id": activity_id, "day": day, "source_path": source_path}


def test_records_are_gone_with_their_files_day_by_day(lake: Lake) -> None:
    before = [
        *(_activity(f"a{number}", DAY_1, f"{number % 2}.json") for number in range(4)),
        _activity("b", DAY_2, "b's.json"),
        _activity("c", DAY_3, "c.json"),
    ]
    assert _gone(lake, before, [_activity("c", DAY_3, "c.json")], ("c.json",)) == {
        DAY_1: (4, "0.json"),
        DAY_2: (1, "b's.json"),
    }


def test_a_record_of_a_renamed_file_is_not_gone(lake: Lake) -> None:
    assert _gone(lake, [_activity("a", DAY_1, "1")], [_activity("a", DAY_1, "2")], ("2",)) == {}


def test_a_record_that_was_only_held_is_gone_with_its_file_too(lake: Lake) -> None:
    held = Found({RUNNA_ACTIVITIES: [_activity("a", DAY_1, "1"), _activity("b", DAY_1, "2")]})
    publish(lake, Found({RUNNA_ACTIVITIES: [_activity("b", DAY_1, "2")]}), window(DAY_1), 1)
    publish(lake, held, window(DAY_1), 2, held={DAY_1: ["activities.rejected_share"]})
    with open_load(lake, "source", run_id="run", started_at=load_time(3)) as load:
        write(load, Found({RUNNA_ACTIVITIES: []}), window(DAY_1))
        assert records_whose_files_are_gone(load, RUNNA_ACTIVITIES, ("1",)) == {DAY_1: (1, "2")}
        assert records_whose_files_are_gone(load, RUNNA_ACTIVITIES, ("2",)) == {DAY_1: (1, "1")}


def test_a_record_without_identity_of_a_renamed_file_is_not_gone(lake: Lake) -> None:
    assert _gone(lake, [_activity(None, DAY_1, "1")], [_activity(None, DAY_1, "2")], ("2",)) == {}


def test_a_record_that_its_file_holds_no_more_is_not_gone_with_it(lake: Lake) -> None:
    assert _gone(lake, [_activity("a", DAY_1, "1")], [], ("1",)) == {}


def test_a_record_that_moved_to_another_day_is_gone_from_its_day(lake: Lake) -> None:
    gone = _gone(lake, [_activity("a", DAY_1, "1")], [_activity("a", DAY_2, "2")], ("2",))
    assert gone == {DAY_1: (1, "1")}


def test_nothing_is_gone_from_days_that_were_never_published(lake: Lake) -> None:
    with open_load(lake, "source", run_id="run") as load:
        write(load, Found({RUNNA_ACTIVITIES: []}), window(DAY_1, DAY_3))
        assert records_whose_files_are_gone(load, RUNNA_ACTIVITIES, ()) == {}
