"""Strava: what an activity becomes, what of it is not kept, what is observed of its kudos."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.strava import listing
from engagement_assets.extract.strava.source import ACTIVITY, STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from tests.unit.extract.services.api_loads import NAIVE_NOW, NOW
from tests.unit.extract.strava.strava_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    MARCH,
    Reader,
    activities,
    activity,
    known,
)


def test_an_activity_becomes_a_row(reader: Reader) -> None:
    _, found = reader.read(
        [
            activity(
                2**53 + 1, "2024-03-02T23:59:59Z", moving_time=1200, sport_type="HoverboardPolo", workout_type=None,
                timezone="(GMT+00:00) Europe/London", start_latlng=[51.50741, -0.12345], average_temp=-3, new={"a": 1},
                athlete={"id": 1},
            )
        ],
        places=KeptPlaces.COARSE,
    )  # fmt: skip
    (row,) = found.accepted[STRAVA_ACTIVITIES.key]
    assert {name: value for name, value in row.items() if value is not None} == {
        "activity_id": 2**53 + 1, "activity_name": "Run", "distance_m": 5000.5, "moving_time_s": 1200,
        "sport_type": "HoverboardPolo", "kudos_count": 3, "average_temperature_c": -3.0,
        "started_at": datetime(2024, 3, 2, 23, 59, 59), "time_zone": "Europe/London", "start_latitude": 51.525,
        "start_longitude": -0.1608, "_extra": '{"new":{"a":1}}', "source_path": "page-1", "extracted_at": NAIVE_NOW,
        "day": DAY_2,
    }  # fmt: skip
    assert found.unknown_fields == [(STRAVA_ACTIVITIES.key, DAY_2, "new", 1)]


@pytest.mark.parametrize("place", [None, [], ..., "", " "])
def test_an_activity_without_a_place_has_none(reader: Reader, place: object) -> None:
    _, found = reader.read([activity(1, start_latlng=place)])
    (row,) = found.accepted[STRAVA_ACTIVITIES.key]
    assert (row["start_latitude"], row["start_longitude"], row["distance_m"]) == (None, None, 5000.5)
    assert found.placeholders == []


@pytest.mark.parametrize("places", KeptPlaces)
def test_what_is_kept_of_an_earlier_load_has_no_rounded_place(reader: Reader, places: KeptPlaces) -> None:
    rounded = {"start_latitude": 51.51, "start_longitude": -0.12}
    _, found = reader.read([], published=[known(1, datetime(2024, 3, 2, 7)) | rounded], places=places)
    (row,) = found.accepted[STRAVA_ACTIVITIES.key]
    assert (row["deleted_at"], row["start_latitude"], row["start_longitude"]) == (NAIVE_NOW, None, None)


NONE_OF_DEVICES = [
    ("average_speed", "average_speed_m_per_s", (65.535, 4294967.295, 4_294_967_295), (65.534, 65.0)),
    ("max_speed", "max_speed_m_per_s", (65.535, 4294967.295, 4_294_967_295.0), (65.536, 17.5)),
    ("distance", "distance_m", (42949672.95, 4_294_967_295), (42949672.94, 65.535)),
    ("moving_time", "moving_time_s", (4294967.295, 4_294_967, 4_294_967_295), (4_294_966, 255)),
    ("elapsed_time", "elapsed_time_s", (4294967.295, 4_294_967, 4_294_967_295), (4_294_968, 65_535)),
    ("total_elevation_gain", "total_elevation_gain_m", (65_535, 65_535.0, 4_294_967_295), (65_534, 255)),
    ("average_cadence", "average_cadence", (255, 255.0), (254.9, 127)),
    ("average_temp", "average_temperature_c", (127, 127.0), (-127, 26)),
    ("average_heartrate", "average_heart_rate", (255, 255.0), (254, 127)),
    ("max_heartrate", "max_heart_rate", (255, 4_294_967_295), (254, 220)),
]


@pytest.mark.parametrize(
    ("name", "column", "value"), [(name, column, value) for name, column, none, _ in NONE_OF_DEVICES for value in none]
)
def test_what_a_device_writes_for_none_is_null_and_counted(reader: Reader, name: str, column: str, value: Any) -> None:
    _, found = reader.read([activity(1, **{"distance": 5000.5, name: value}), activity(2)])
    first, second = found.accepted[STRAVA_ACTIVITIES.key]
    assert (first[column], second["distance_m"], found.rejected) == (None, 5000.5, [])
    assert found.placeholders == [(STRAVA_ACTIVITIES.key, DAY_2, name, 1)]


@pytest.mark.parametrize(
    ("name", "column", "value"), [(name, column, value) for name, column, _, some in NONE_OF_DEVICES for value in some]
)
def test_what_a_device_measured_stays(reader: Reader, name: str, column: str, value: Any) -> None:
    _, found = reader.read([activity(1, **{name: value})])
    assert found.accepted[STRAVA_ACTIVITIES.key][0][column] == value
    assert found.placeholders == []


def test_counts_of_the_service_are_no_measures_of_a_device(reader: Reader) -> None:
    _, found = reader.read([activity(1, kudos_count=4_294_967_295, comment_count=255)])
    (row,) = found.accepted[STRAVA_ACTIVITIES.key]
    assert (row["kudos_count"], row["comment_count"], found.placeholders) == (4_294_967_295, 255, [])


@pytest.mark.parametrize("absent", ["", " \t\u3000", []])
def test_an_optional_field_that_says_nothing_is_null_in_every_field(reader: Reader, absent: Any) -> None:
    optional = [field.path for field in ACTIVITY.fields if not field.required]
    _, found = reader.read([activity(1) | dict.fromkeys(optional, absent)])
    (row,) = found.accepted[STRAVA_ACTIVITIES.key]
    assert {name for name, value in row.items() if value is not None} == {
        "activity_id", "started_at", "source_path", "extracted_at", "day"
    }  # fmt: skip
    assert (found.rejected, found.placeholders, found.unknown_fields) == ([], [], [])


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("(GMT+00:00) Europe/London", "Europe/London"),
        ("(GMT-03:00) America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Europe/Madrid", "Europe/Madrid"),
        ("(GMT+01:00) ", None),
        ("(GMT+01:00)\u200b", None),
        (None, None),
    ],
)
def test_the_time_zone_is_what_follows_the_bracket(reader: Reader, zone: str | None, expected: str | None) -> None:
    _, found = reader.read([activity(1, timezone=zone)])
    assert found.accepted[STRAVA_ACTIVITIES.key][0]["time_zone"] == expected


def test_the_day_is_that_of_the_start_in_utc(reader: Reader) -> None:
    _, found = reader.read(
        [activity(1, "2024-03-02T01:00:00+02:00", start_date_local="2024-03-02T01:00:00Z")],
        [activity(2, "2024-03-02T23:30:00-01:00")],
    )
    assert activities(found) == [(1, DAY_1, None), (2, DAY_3, None)]


@pytest.mark.parametrize(
    ("record", "reason", "day"),
    [
        (activity(None), "missing_activity_id", DAY_2),
        (activity(" "), "missing_activity_id", DAY_2),
        (activity([]), "missing_activity_id", DAY_2),
        (activity("12a"), "wrong_type", DAY_2),
        (activity("-1"), "wrong_type", DAY_2),
        (activity("1" * 20), "wrong_type", DAY_2),
        (activity("9" * 19), "out_of_range", DAY_2),
        (activity("\u0661"), "wrong_type", DAY_2),
        (activity(1.5), "wrong_type", DAY_2),
        (activity(2.0**53 + 2), "out_of_range", DAY_2),
        (activity(True), "wrong_type", DAY_2),
        (activity(10**30), "out_of_range", DAY_2),
        (activity(1, None), "missing_started_at", DAY_1),
        (activity(1, "yesterday"), "bad_timestamp", DAY_1),
        (activity(1, "0001-01-01T00:00:00+14:00"), "bad_timestamp", DAY_1),
        (activity(1, "2024-02-29T23:59:59Z"), "outside_window", DAY_1),
        (activity(1, "2024-03-11T00:00:00Z"), "outside_window", DAY_1),
        (activity(1, "1989-12-31T00:00:00Z"), "outside_window", DAY_1),
        (activity(1, distance="far"), "wrong_type", DAY_2),
        (activity(1, average_heartrate=float("inf")), "not_a_number", DAY_2),
        ("no object", "wrong_type", DAY_1),
        (None, "wrong_type", DAY_1),
        ([1], "wrong_type", DAY_1),
    ],
)
def test_what_cannot_be_used_is_quarantined_and_the_others_load(
    reader: Reader, record: Any, reason: str, day: date
) -> None:
    _, found = reader.read([record, activity(7)])
    assert found.reasons() == [(day, 0, reason)]
    assert activities(found) == [(7, DAY_2, None)]
    counts = found.counted(STRAVA_ACTIVITIES.key)
    assert counts[day][1] == 1
    assert sum(total for total, _, _ in counts.values()) == 2


def test_kudos_are_observed_once_a_load_for_each_activity_that_has_a_count(reader: Reader) -> None:
    _, found = reader.read(
        [activity(1, kudos_count=0), activity(2, kudos_count=None), activity(3, "2024-03-03T09:00:00Z")],
        published=[known(4, datetime(2024, 3, 2, 7))],
    )
    columns = ("activity_id", "observed_on", "kudos_count", "source_path", "extracted_at", "day")
    observations = found.accepted[STRAVA_ACTIVITY_KUDOS.key]
    assert [tuple(row[name] for name in columns) for row in observations] == [
        (1, NOW.date(), 0, "page-1", NAIVE_NOW, DAY_2),
        (3, NOW.date(), 3, "page-1", NAIVE_NOW, DAY_3),
    ]
    assert found.counted(STRAVA_ACTIVITY_KUDOS.key)[DAY_2] == (1, 0, 0)
    assert found.counted(STRAVA_ACTIVITIES.key)[DAY_2] == (2, 0, 0)


def test_an_observation_has_the_facts_of_then_and_of_the_name_only_its_length(reader: Reader) -> None:
    facts: dict[str, Any] = {
        "type": "Run",
        "sport_type": "TrailRun",
        "workout_type": 3,
        "moving_time": 1_500,
        "athlete_count": 2,
    }
    _, found = reader.read(
        [
            activity(1, name="  Club night:  8x400 m ", total_elevation_gain=12.5, **facts),
            activity(2, name="Lunch"),
            activity(3, name=""),
        ]
    )
    first, second, third = found.accepted[STRAVA_ACTIVITY_KUDOS.key]
    assert first | dict.fromkeys(("observed_on", "extracted_at", "source_path")) == {
        "activity_id": 1,
        "observed_on": None,
        "kudos_count": 3,
        "started_at": datetime(2024, 3, 2, 7),
        "activity_type": "Run",
        "sport_type": "TrailRun",
        "workout_type": 3,
        "distance_m": 5000.5,
        "moving_time_s": 1_500,
        "total_elevation_gain_m": 12.5,
        "athlete_count": 2,
        "name_word_count": 4,
        "source_path": None,
        "extracted_at": None,
        "day": DAY_2,
    }
    assert (second["name_word_count"], third["name_word_count"]) == (1, 0)


def test_two_trailing_windows_have_pages_of_their_own() -> None:
    later = DayWindow(MARCH.start, MARCH.end + timedelta(days=1))
    names = [listing._page_name(window, 1) for window in (MARCH, later)]
    assert names == ["activities-2024-03-01-to-2024-03-10-page-00001", "activities-2024-03-01-to-2024-03-11-page-00001"]
