"""Strava: which activities have gone, moved or come back, as far as a reading tells."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.services.client import ApiLimitReachedError
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from tests.unit.extract.services.api_loads import NAIVE_NOW
from tests.unit.extract.strava.strava_loads import (
    BEFORE,
    DAY_1,
    DAY_2,
    DAY_3,
    DAY_4,
    LIMIT,
    MARCH,
    Reader,
    activities,
    activity,
    known,
)


def test_of_an_activity_that_is_read_twice_the_later_reading_wins(reader: Reader) -> None:
    _, found = reader.read(
        [activity(1, name="first"), activity(1, name="second")], [activity(1, "2024-03-03T00:00:00Z", name="third")]
    )
    assert [row["activity_name"] for row in found.accepted[STRAVA_ACTIVITIES.key]] == ["third"]
    assert found.counted(STRAVA_ACTIVITIES.key)[DAY_2] == (2, 0, 2)
    assert found.counted(STRAVA_ACTIVITIES.key)[DAY_3] == (1, 0, 0)


def test_a_known_activity_that_is_missing_is_marked_and_kept(reader: Reader) -> None:
    reading, found = reader.read(
        [activity(1)], published=[known(1, datetime(2024, 3, 2, 7)), known(2, datetime(2024, 3, 3, 9))]
    )
    assert activities(found) == [(1, DAY_2, None), (2, DAY_3, NAIVE_NOW)]
    assert reading.missing == {DAY_2: (1, 0), DAY_3: (1, 1)}
    assert (reading.stopped, reading.window, reading.complete_until) == (None, MARCH, datetime(2024, 3, 11))


@pytest.mark.parametrize(
    ("changes", "is_moved"),
    [
        ({"extracted_at": BEFORE + timedelta(days=1)}, True),
        # It was on that day before this one.
        ({"extracted_at": BEFORE - timedelta(days=1)}, False),
        ({"extracted_at": BEFORE + timedelta(days=1), "deleted_at": datetime(2024, 5, 2)}, False),
        ({"extracted_at": BEFORE + timedelta(days=1), "activity_id": 2}, False),
    ],
    ids=["found later", "found earlier", "deleted there", "another one"],
)
def test_a_missing_activity_that_was_found_on_a_far_day_since_has_moved(
    reader: Reader, changes: dict[str, Any], *, is_moved: bool
) -> None:
    there = {**known(1, datetime(2024, 5, 1, 7)), **changes}
    reading, found = reader.read(published=[known(1, datetime(2024, 3, 2, 7))], elsewhere=[there])
    assert activities(found) == ([] if is_moved else [(1, DAY_2, NAIVE_NOW)])
    assert reading.missing == ({} if is_moved else {DAY_2: (1, 1)})


def test_an_empty_list_marks_all_that_was_known(reader: Reader) -> None:
    reading, found = reader.read(published=[known(1, datetime(2024, 3, 2, 7))])
    assert activities(found) == [(1, DAY_2, NAIVE_NOW)]
    assert reading.missing == {DAY_2: (1, 1)}


def test_a_mark_keeps_its_time_and_does_not_count_again(reader: Reader) -> None:
    marked = datetime(2024, 3, 5)
    reading, found = reader.read(published=[known(1, datetime(2024, 3, 2, 7), marked)])
    assert activities(found) == [(1, DAY_2, marked)]
    assert reading.missing == {}


def test_an_activity_that_is_back_is_not_deleted_any_more(reader: Reader) -> None:
    reading, found = reader.read([activity(1)], published=[known(1, datetime(2024, 3, 2, 7), datetime(2024, 3, 5))])
    assert activities(found) == [(1, DAY_2, None)]
    assert reading.missing == {}


def test_an_activity_that_begins_on_another_day_now_leaves_the_old_one(reader: Reader) -> None:
    reading, found = reader.read(
        [activity(1, "2024-03-03T00:05:00Z")], published=[known(1, datetime(2024, 3, 2, 23, 55))]
    )
    assert activities(found) == [(1, DAY_3, None)]
    assert reading.missing == {DAY_2: (1, 0)}


@pytest.mark.parametrize("broken", [{"distance": "far"}, {"start_date": "2024-02-28T00:00:00Z"}, {"start_date": None}])
def test_a_known_activity_whose_record_is_rejected_stays_as_it_was(reader: Reader, broken: dict[str, Any]) -> None:
    reading, found = reader.read([activity(1, **broken)], published=[known(1, datetime(2024, 3, 2, 7))])
    assert activities(found) == [(1, DAY_2, None)]
    assert found.accepted[STRAVA_ACTIVITIES.key][0]["extracted_at"] == BEFORE
    assert len(found.rejected) == 1
    assert reading.missing == {DAY_2: (1, 0)}


@pytest.mark.parametrize("written", [12.0, "12", "0012"])
def test_an_id_written_otherwise_is_the_same_activity(reader: Reader, written: Any) -> None:
    reading, found = reader.read([activity(written)], published=[known(12, datetime(2024, 3, 2, 7))])
    assert activities(found) == [(12, DAY_2, None)]
    assert found.accepted[STRAVA_ACTIVITIES.key][0]["extracted_at"] == NAIVE_NOW
    assert reading.missing == {DAY_2: (1, 0)}


def test_a_rejected_record_whose_id_is_a_text_is_that_activity(reader: Reader) -> None:
    reading, found = reader.read(
        [activity("1", distance="far")],
        published=[known(1, datetime(2024, 3, 2, 7)), known(2, datetime(2024, 3, 3, 9))],
    )
    assert activities(found) == [(1, DAY_2, None), (2, DAY_3, NAIVE_NOW)]
    assert reading.missing == {DAY_2: (1, 0), DAY_3: (1, 1)}


WITHOUT_ID: list[object] = [
    None, [], {}, "x", 5, activity(None), activity(...), activity("12a"), activity(1.5), activity([1]),
    activity({"id": 1}), activity(True), activity(-1), activity(10**30), activity(2.0**60),
]  # fmt: skip


@pytest.mark.parametrize("record", WITHOUT_ID)
def test_a_record_whose_id_cannot_be_read_may_be_any_activity_and_none_is_marked(reader: Reader, record: Any) -> None:
    reading, found = reader.read(
        [record, activity(7)],
        published=[
            known(1, datetime(2024, 3, 2, 7)),
            known(2, datetime(2024, 3, 3, 9)),
            known(3, datetime(2024, 3, 4, 9)),
        ],
    )
    assert activities(found) == [(1, DAY_2, None), (2, DAY_3, None), (3, DAY_4, None), (7, DAY_2, None)]
    assert len(found.rejected) == 1
    # One of the three may be the record, the other two have gone.
    assert reading.missing == {DAY_2: (1, 0), DAY_3: (1, 1), DAY_4: (1, 1)}
    assert (reading.stopped, reading.complete_until) == (None, datetime(2024, 3, 11))
    assert reader.lines[1] == (
        "raw_strava/activities: the ids of 1 records cannot be read, and each may be any of the 3 known activities "
        "that are on no page: none is marked as deleted by this load"
    )


def test_of_a_record_whose_id_cannot_be_read_nothing_is_told_where_nothing_is_missing(reader: Reader) -> None:
    reading, found = reader.read([activity(None), activity(7)], published=[known(7, datetime(2024, 3, 2, 7))])
    assert (activities(found), reading.missing) == ([(7, DAY_2, None)], {DAY_2: (1, 0)})
    assert len(reader.lines) == 1


def test_what_a_load_without_all_ids_left_is_marked_by_the_next_one(reader: Reader) -> None:
    gone = [known(1, datetime(2024, 3, 2, 7))]
    assert activities(reader.read([activity(None)], published=gone)[1]) == [(1, DAY_2, None)]
    assert activities(reader.read([activity(7)], published=gone)[1]) == [(1, DAY_2, NAIVE_NOW), (7, DAY_2, None)]


def test_a_limit_after_a_page_without_any_id_keeps_what_was_read(reader: Reader) -> None:
    reading, found = reader.read([None], limit=True)
    assert (reading.stopped, reading.complete_until) == (LIMIT, datetime(2024, 3, 1))
    assert found.counted(STRAVA_ACTIVITIES.key) == {DAY_1: (1, 1, 0)}


def test_a_reading_that_stopped_keeps_what_it_did_not_reach(reader: Reader) -> None:
    reading, found = reader.read(
        [activity(1), activity(2, "2024-03-03T09:00:00Z")],
        published=[
            known(1, datetime(2024, 3, 2, 7)),
            known(3, datetime(2024, 3, 2, 8)),  # in the part that was read: gone
            known(4, datetime(2024, 3, 3, 9)),  # in the second of the last one that was read
            known(5, datetime(2024, 3, 3, 10)),
            known(6, datetime(2024, 3, 4, 7)),  # on a day that was not reached
        ],
        limit=True,
    )
    assert activities(found) == [(1, DAY_2, None), (2, DAY_3, None), (3, DAY_2, NAIVE_NOW), (4, DAY_3, None), (5, DAY_3, None)]  # fmt: skip  # noqa: E501
    assert reading.stopped is LIMIT
    assert (reading.window, reading.complete_until) == (DayWindow(DAY_1, DAY_4), datetime(2024, 3, 3, 9))
    assert reading.missing == {DAY_2: (2, 1)}
    assert set(found.counted(STRAVA_ACTIVITIES.key)) == {DAY_1, DAY_2, DAY_3}
    assert reader.lines == ["raw_strava/activities: 2 activities from 2024-03-01 to 2024-03-03"]


def test_a_reading_that_stopped_after_a_rejected_record_counts_its_day(reader: Reader) -> None:
    reading, found = reader.read([activity(1), activity(2, "2024-03-04T09:00:00Z", distance="far")], limit=True)
    assert found.reasons() == [(DAY_4, 1, "wrong_type")]
    assert found.counted(STRAVA_ACTIVITIES.key)[DAY_4] == (1, 1, 0)
    assert reading.window.days()[-1] == DAY_4
    assert reading.complete_until == datetime(2024, 3, 2, 7)


def test_a_list_that_is_not_in_order_and_not_at_its_end_marks_nothing(reader: Reader) -> None:
    reading, found = reader.read(
        [activity(1, "2024-03-04T09:00:00Z"), activity(2, "2024-03-03T09:00:00Z")],
        published=[known(3, datetime(2024, 3, 2, 7))],
        limit=True,
    )
    assert activities(found) == [(1, DAY_4, None), (2, DAY_3, None), (3, DAY_2, None)]
    assert reading.missing == {}
    assert reading.complete_until == datetime(2024, 3, 1)


def test_a_limit_before_the_first_page_is_passed_on(reader: Reader) -> None:
    with pytest.raises(ApiLimitReachedError):
        reader.read(limit=True)


# Two pages with a known activity after each of them.
FIRST_PAGE = [activity(1), activity(2, "2024-03-02T09:00:00Z")]
SECOND_PAGE = [activity(4, "2024-03-03T09:00:00Z"), activity(5, "2024-03-04T09:00:00Z")]
ON_PAGES = [
    known(1, datetime(2024, 3, 2, 7)),
    known(2, datetime(2024, 3, 2, 9)),
    known(4, datetime(2024, 3, 3, 9)),
    known(5, datetime(2024, 3, 4, 9)),
]
BETWEEN_PAGES = (datetime(2024, 3, 2, 9), datetime(2024, 3, 3, 9))
AFTER_PAGES = (datetime(2024, 3, 4, 9), datetime(2024, 3, 10, 23, 59, 59))


@pytest.mark.parametrize(
    ("started", "asked"),
    [
        (datetime(2024, 3, 2, 9), BETWEEN_PAGES),
        (datetime(2024, 3, 2, 20), BETWEEN_PAGES),
        (datetime(2024, 3, 3, 9), BETWEEN_PAGES),
        (datetime(2024, 3, 9, 20), AFTER_PAGES),
    ],
)
def test_an_activity_that_slipped_to_a_page_already_read_is_read_and_not_marked(
    reader: Reader, started: datetime, asked: tuple[datetime, datetime]
) -> None:
    reading, found = reader.read(
        FIRST_PAGE,
        SECOND_PAGE,
        published=[*ON_PAGES, known(3, started)],
        between=[activity(3, f"{started.isoformat()}Z", name="slipped")],
    )
    rows = {row["activity_id"]: row for row in found.accepted[STRAVA_ACTIVITIES.key]}
    assert {number: row["deleted_at"] for number, row in rows.items()} == dict.fromkeys(range(1, 6))
    assert (rows[3]["activity_name"], rows[3]["extracted_at"]) == ("slipped", NAIVE_NOW)
    assert reader.asked_again == [asked]
    assert sum(gone for _, gone in reading.missing.values()) == 0


@pytest.mark.parametrize("started", [datetime(2024, 3, 2, 20), datetime(2024, 3, 9, 20)])
def test_an_activity_between_two_pages_that_is_not_listed_again_is_marked(reader: Reader, started: datetime) -> None:
    reading, found = reader.read(FIRST_PAGE, SECOND_PAGE, published=[*ON_PAGES, known(3, started)], between=SECOND_PAGE)
    assert {number for number, _, deleted_at in activities(found) if deleted_at} == {3}
    assert len(reader.asked_again) == 1
    assert sum(gone for _, gone in reading.missing.values()) == 1
    # What was on a page too is a duplicate.
    assert found.counted(STRAVA_ACTIVITIES.key)[DAY_4] == (2, 0, 1)


@pytest.mark.parametrize(
    "also",
    [
        [],
        [known(3, datetime(2024, 3, 1, 7))],  # before the first page
        [known(3, datetime(2024, 3, 2, 8))],
        [known(3, datetime(2024, 3, 3, 20))],
        [known(3, datetime(2024, 3, 2, 20), datetime(2024, 3, 5))],  # marked before
    ],
    ids=["nothing missing", "before", "within the first page", "within the second page", "marked"],
)
def test_nothing_is_asked_again_where_no_known_activity_can_have_slipped(
    reader: Reader, also: list[dict[str, Any]]
) -> None:
    _, found = reader.read(FIRST_PAGE, SECOND_PAGE, published=[*ON_PAGES, *also])
    assert {number for number, _, deleted_at in activities(found) if deleted_at} == {row["activity_id"] for row in also}
    assert reader.asked_again == []


def test_a_limit_while_asking_again_leaves_all_later_ones_as_they_were(reader: Reader) -> None:
    reading, found = reader.read(
        FIRST_PAGE, SECOND_PAGE, published=[*ON_PAGES, known(3, datetime(2024, 3, 2, 20))], between=LIMIT
    )
    assert activities(found) == [(1, DAY_2, None), (2, DAY_2, None), (3, DAY_2, None)]
    assert (reading.stopped, reading.complete_until) == (LIMIT, datetime(2024, 3, 2, 9))
