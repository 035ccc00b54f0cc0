"""What a load leaves in the quarantine, and which of it later loads keep."""

import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, Calendar
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.lake.known_records import quarantined_days
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    Found,
    Reject,
    event_reject,
    events,
    publish,
    quarantined,
    window,
)


@pytest.mark.parametrize(
    ("files_read", "expected"),
    [((), ["1:1", "2:5"]), (("1",), ["2:5"]), (("1", "2"), [])],
    ids=["no file read", "the corrected file read", "both files read"],
)
def test_rejects_of_an_event_log_leave_when_their_file_is_read_without_them(
    lake: Lake, files_read: tuple[str, ...], expected: list[str]
) -> None:
    both = [event_reject(DAY_1, "1", 1), event_reject(DAY_1, "2", 5)]
    publish(lake, events(rejects=both, files_read=("1", "2")), window(DAY_1), 1)
    publish(lake, events(files_read=files_read), window(DAY_1), 2)
    assert quarantined(lake, "source_path || ':' || position") == [(DAY_1, name) for name in expected]


def test_rejects_that_are_read_again_are_not_doubled_and_count_as_read(lake: Lake) -> None:
    found = events(rejects=[event_reject(DAY_1, "line\nbreak's.jsonl", 1)], files_read=("line\nbreak's.jsonl",))
    for number in (1, 2):
        publish(lake, found, window(DAY_1), number)
    assert quarantined(lake, "source", "dataset", "source_path", "record", "reason_code", "message", "run_id") == [
        (DAY_1, "lingokids", "events", "line\nbreak's.jsonl", '{"length": 1}', "not_json", "?", "run-2")
    ]


def test_rejects_of_a_replaced_day_are_those_of_the_last_load(lake: Lake) -> None:
    publish(lake, Found({RUNNA_ACTIVITIES: ()}, [Reject(RUNNA_ACTIVITIES, DAY_1, "1.json")]), window(DAY_1), 1)
    publish(lake, Found({RUNNA_ACTIVITIES: ()}, [Reject(RUNNA_ACTIVITIES, DAY_1, "2.json")]), window(DAY_1), 2)
    assert quarantined(lake, "source_path", "position") == [(DAY_1, "2.json", None)]
    publish(lake, Found({RUNNA_ACTIVITIES: ()}), window(DAY_1), 3)
    assert quarantined(lake, "source_path") == []


def test_the_quarantine_tells_the_days_of_each_file(lake: Lake) -> None:
    with open_load(lake, "source", run_id="run") as load:
        assert quarantined_days(load, LINGOKIDS_EVENTS, ALL_DAYS) == {}
    rejects = [event_reject(DAY_2, "1", 1), event_reject(DAY_1, "1", 2), event_reject(DAY_3, "it's", 1)]
    publish(lake, events(rejects=[*rejects]), window(DAY_1, DAY_3), 1)
    publish(lake, Found({RUNNA_ACTIVITIES: ()}, [Reject(RUNNA_ACTIVITIES, DAY_1, "other.json")]), window(DAY_1), 2)
    with open_load(lake, "source", run_id="run") as load:
        assert quarantined_days(load, LINGOKIDS_EVENTS, ALL_DAYS) == {"1": {DAY_1, DAY_2}, "it's": {DAY_3}}
        assert quarantined_days(load, LINGOKIDS_EVENTS, Calendar(DAY_2, DAY_3)) == {"1": {DAY_2}, "it's": {DAY_3}}


def test_the_quarantine_of_a_held_day_knows_its_files_too(lake: Lake) -> None:
    found = events(rejects=[event_reject(DAY_1, "1", 1)])
    publish(lake, found, window(DAY_1), 1, held={DAY_1: ["rejected_share"]})
    with open_load(lake, "source", run_id="run") as load:
        assert quarantined_days(load, LINGOKIDS_EVENTS, ALL_DAYS) == {"1": {DAY_1}}
