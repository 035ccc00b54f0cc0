"""A metric is counted anew for each period and slice, and refused where that cannot be done."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from engagement_assets.metrics.catalog import METRICS
from engagement_assets.metrics.question import QuestionError, needed_tables, question, sql_of
from tests.unit.report.section_rows import LOADS, create, observe

JANUARY, FEBRUARY = date(2024, 1, 1), date(2024, 2, 1)
WEEKLY = (
    "source varchar, week_start_date date, new_users bigint, churned_users bigint, is_complete_week boolean, "
    "computed_at timestamp"
)
# The last day of January is in the week of 29 January, whose other days are in both months.
EXITS = (
    ("ann", "2024-01-01", "mx", 1_000),
    ("ann", "2024-01-08", "mx", 2_000),
    ("ann", "2024-01-31", "br", None),
    ("bob", "2024-01-09", None, 3_000),
    ("bob", "2024-02-01", None, 4_000),
    (None, "2024-01-09", "mx", 5_000),
    # A wrong clock: the newest load began in the week before.
    ("ann", "2024-03-04", "mx", 6_000),
)
PLAYS = (
    ("2024-01-01", "mx", 1, 10),
    ("2024-01-02", "br", 2, 2),
    ("2024-01-03", "mx", 0, 0),
    ("2024-01-08", None, 3, 4),
    ("2024-02-05", "mx", 0, 5),
)


@pytest.fixture
def copy() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two sources are published; the days of one were loaded, but for the last of January and all of February."""
    with duckdb.connect() as opened:
        opened.execute(LOADS)
        observe(opened, "lingokids", "2024-01-01", 30)
        create(
            opened,
            "learning.fct__activity_exits",
            "user_id varchar, event_date date, country_code varchar, played_ms bigint",
            *EXITS,
        )
        create(
            opened,
            "learning.engagement_daily",
            "event_date date, country_code varchar, completed_plays bigint, plays bigint",
            *PLAYS,
        )
        create(
            opened,
            "product.fct__user_events",
            "user_id varchar, user_corporate_id varchar, event_date date",
            ("ann", None, "2024-01-01"),
            ("ann", "inc", "2024-01-01"),
            ("ann", "inc", "2024-01-02"),
            ("eve", None, "2024-01-02"),
        )
        create(
            opened,
            "engagement.weekly_engagement",
            WEEKLY,
            ("lingokids", JANUARY, 5, 0, True, "2024-03-01"),
            ("user_events", JANUARY, 7, 2, False, "2024-03-01"),
        )
        create(
            opened,
            "training.weekly_plan_distance",
            "user_id varchar, week_of_plan int, workout_distance_m double, previous_week_workout_distance_m double, "
            "workout_distance_difference_m double",
            ("ann", 2, 12_000, 10_000, 2_000),
            # Another plan of hers, and two people who have but one of the two distances.
            ("ann", 2, 6_000, 5_000, 1_000),
            ("bob", 2, None, 7_000, None),
            ("eve", 2, 9_000, None, None),
        )
        yield opened


def answer(copy: duckdb.DuckDBPyConnection, name: str, *by: str, **asked: Any) -> list[tuple[Any, ...]]:
    query = "select schema_name || '.' || table_name from duckdb_tables()"
    published = [table for (table,) in copy.execute(query).fetchall()]
    return copy.execute(sql_of(question(name, by, **asked), published)).fetchall()


def test_users_are_counted_anew_for_every_period(copy: duckdb.DuckDBPyConnection) -> None:
    weeks = answer(copy, "active_users", last=date(2024, 1, 28))
    assert weeks == [
        (date(2024, 1, 1), "lingokids", 1, True),
        (date(2024, 1, 1), "user_events", 2, False),
        (date(2024, 1, 8), "lingokids", 2, True),
    ]
    # The weeks would add up to more.
    assert answer(copy, "active_users", grain="month", last=date(2024, 1, 1)) == [
        (JANUARY, "lingokids", 2, False),
        (JANUARY, "user_events", 2, False),
    ]
    assert answer(copy, "active_users", grain="day", first=date(2024, 1, 9), last=date(2024, 1, 9)) == [
        (date(2024, 1, 9), "lingokids", 1, True)
    ]


def test_a_user_of_two_slices_counts_in_both_and_once_in_all(copy: duckdb.DuckDBPyConnection) -> None:
    assert answer(copy, "learning_active_users", "country_code", grain="month", last=JANUARY) == [
        (JANUARY, "br", 1, False),
        (JANUARY, "mx", 1, False),
        (JANUARY, None, 1, False),
    ]
    assert answer(copy, "learning_active_users", grain="month", last=JANUARY) == [(JANUARY, 2, False)]


def test_a_source_has_no_users_after_the_week_of_its_newest_load(copy: duckdb.DuckDBPyConnection) -> None:
    assert answer(copy, "active_users", grain="month", first=date(2024, 3, 1)) == []
    assert answer(copy, "learning_active_users", grain="month", first=date(2024, 3, 1)) == [
        (date(2024, 3, 1), 1, False)
    ]


def test_a_source_that_is_not_timed_has_no_hours_and_an_untimed_play_has_none(copy: duckdb.DuckDBPyConnection) -> None:
    hours = answer(copy, "engaged_hours", grain="month", last=JANUARY)
    assert hours == [
        (JANUARY, "lingokids", 11_000 / 3_600_000, 11_000, False),
        (JANUARY, "user_events", None, None, False),
    ]
    assert answer(copy, "engaged_hours", grain="day", first=date(2024, 1, 31), last=date(2024, 1, 31)) == [
        (date(2024, 1, 31), "lingokids", 0.0, 0, False)
    ]


def test_a_ratio_is_that_of_the_sums(copy: duckdb.DuckDBPyConnection) -> None:
    # The average of the days' ratios would be 0.55, and 0 plays have no ratio.
    assert answer(copy, "completion_rate", last=JANUARY) == [(JANUARY, 3 / 12, 3, 12, True)]
    assert answer(copy, "completion_rate", grain="day", first=date(2024, 1, 3), last=date(2024, 1, 3)) == [
        (date(2024, 1, 3), None, 0, 0, True)
    ]


def test_a_slice_without_a_value_is_one_of_its_own_and_the_last(copy: duckdb.DuckDBPyConnection) -> None:
    assert answer(copy, "completion_rate", "country_code", grain="month", last=JANUARY) == [
        (JANUARY, "br", 1.0, 2, 2, False),
        (JANUARY, "mx", 0.1, 1, 10, False),
        (JANUARY, None, 0.75, 3, 4, False),
    ]


@pytest.mark.parametrize(
    ("grain", "first", "last", "periods"),
    [
        ("week", date(2024, 1, 7), date(2024, 1, 8), ["2024-01-01", "2024-01-08"]),
        ("week", date(2024, 1, 8), date(2024, 1, 8), ["2024-01-08"]),
        ("month", date(2024, 1, 31), date(2024, 1, 31), ["2024-01-01"]),
        ("day", date(2024, 1, 2), date(2024, 1, 3), ["2024-01-02", "2024-01-03"]),
        ("week", None, None, ["2024-01-01", "2024-01-08", "2024-02-05"]),
        ("week", date.min, date.max, ["2024-01-01", "2024-01-08", "2024-02-05"]),
        ("week", date(2024, 1, 15), date(2024, 2, 4), []),
    ],
)
def test_periods_are_whole_and_those_that_overlap_the_days(
    grain: str, first: date | None, last: date | None, periods: list[str], copy: duckdb.DuckDBPyConnection
) -> None:
    found = answer(copy, "completion_rate", grain=grain, first=first, last=last)
    assert [str(period) for period, *_ in found] == periods
    if grain == "week" and "2024-01-01" in periods:
        assert found[0][2:4] == (3, 12)


def test_a_day_counts_for_each_user_and_corporation(copy: duckdb.DuckDBPyConnection) -> None:
    assert answer(copy, "events_per_active_day") == [(JANUARY, 1.0, 4, 4, False)]
    assert answer(copy, "events_per_user") == [(JANUARY, 2.0, 4, 2, False)]


def test_plans_are_counted_by_user_and_compared_where_both_weeks_are_known(copy: duckdb.DuckDBPyConnection) -> None:
    assert answer(copy, "plan_distance", "week_of_plan") == [(2, 9.0, 27_000, 3)]
    assert answer(copy, "plan_distance_change") == [(0.2, 3_000, 15_000)]


def test_who_comes_and_goes_is_told_by_source_and_week(copy: duckdb.DuckDBPyConnection) -> None:
    expected = [(JANUARY, "lingokids", 5, True), (JANUARY, "user_events", 7, False)]
    assert answer(copy, "new_users") == answer(copy, "new_users", "source", grain="week") == expected


def test_an_answer_needs_its_tables_and_the_records_of_loads() -> None:
    asked = question("completion_rate")
    assert needed_tables(asked, ["learning.engagement_daily"]) == ["audit.ingestion_loads"]
    assert needed_tables(asked, ["learning.engagement_daily", "audit.ingestion_loads"]) == []
    assert needed_tables(question("new_users"), []) == ["engagement.weekly_engagement"]


@pytest.mark.parametrize(
    ("asked", "sentences"),
    [
        (("completion_rat",), ["there is no metric 'completion_rat'; is completion_rate or retention_rate meant?"]),
        (("Active_Users",), ["there is no metric 'Active_Users'; is active_users, "]),
        (("zzz",), ["there is no metric 'zzz'; expected one of active_users, new_users, "]),
        (
            ("booking_rate", ["zones", "plan"]),
            [
                "booking_rate has no dimension 'zones'; is zone meant?",
                "booking_rate has no dimension 'plan'; expected one of zone, os_name, app_version",
            ],
        ),
        (("active_users", ["country_code"]), ["active_users has no dimension 'country_code'; expected one of source"]),
        (("new_users", [], "month"), ["new_users cannot be counted by month: who is new, "]),
        (("kudos_change_rate", [], "day"), ["kudos_change_rate cannot be counted by day: it compares a week "]),
        (("booking_rate", [], "year"), ["'year' is no grain; expected one of day, week, month"]),
        (("plan_distance", [], "week"), ["plan_distance has no dates (its weeks are those of plans, "]),
        (("plan_distance", [], "", JANUARY), ["plan_distance has no dates (its weeks are those of plans, "]),
        (
            ("booking_rate", [], "", FEBRUARY, JANUARY),
            ["the first day must not lie after the last, found 2024-02-01 and 2024-01-01"],
        ),
    ],
)
def test_what_no_right_number_answers_is_refused(asked: tuple[Any, ...], sentences: list[str]) -> None:
    with pytest.raises(QuestionError) as refused:
        question(*asked)
    assert len(refused.value.sentences) == len(sentences)
    assert all(map(str.startswith, refused.value.sentences, sentences)), refused.value.sentences


def test_without_a_grain_it_is_the_week_and_a_dimension_counts_once() -> None:
    assert {question(name).grain for name in METRICS} == {"week", None}
    assert question("retention_rate", ["weeks_since", "weeks_since"]).by == ("source", "weeks_since")
    assert question("booking_rate", ["os_name", "zone", "os_name"]).by == ("os_name", "zone")
