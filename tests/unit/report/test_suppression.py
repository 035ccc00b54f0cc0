"""Which cells publish mode hides; what is missing from a known total is never about few users."""

from datetime import date, timedelta

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.report.sections.overview import overview
from engagement_assets.report.suppression import Suppression


def hidden(users: list[int], min_users: int = 5, groups: list[str] | None = None) -> list[bool]:
    cells = pd.DataFrame({"users": users, "group": groups or ["a"] * len(users)})
    return Suppression(min_users).hidden(cells, ["group"]).tolist()


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ([5, 6, 7], [False, False, False]),
        ([4, 6, 7], [True, True, False]),
        ([4, 7, 5], [True, False, True]),
        ([4, 3], [True, True]),
        ([0, 6, 7], [False, False, False]),
        ([0, 1, 9], [False, True, True]),
    ],
)
def test_a_small_cell_is_hidden_with_the_smallest_that_is_not(users: list[int], expected: list[bool]) -> None:
    assert hidden(users) == expected


def test_groups_cover_their_own_small_cells() -> None:
    assert hidden([4, 9, 9, 9], groups=["a", "a", "b", "b"]) == [True, True, False, False]


def test_a_group_without_a_name_is_a_group() -> None:
    cells = pd.DataFrame({"users": [2, 8], "group": [None, None]})
    assert Suppression(5).hidden(cells, ["group"]).tolist() == [True, True]


def test_no_cells_are_no_failure() -> None:
    cells = pd.DataFrame({"users": pd.Series([], dtype="int64"), "group": pd.Series([], dtype="str")})
    assert Suppression(5).shown(cells, ["group"]).empty
    assert Suppression(5).shown(cells, []).empty


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1), st.integers(2, 9))
def test_what_is_missing_is_about_enough_users(cells: list[tuple[str, int]], min_users: int) -> None:
    frame = pd.DataFrame(cells, columns=["group", "users"])
    mask = Suppression(min_users).hidden(frame, ["group"])
    assert not ((frame["users"] > 0) & (frame["users"] < min_users) & ~mask).any()
    for name, group in frame.groupby("group"):
        missing = group.loc[mask[group.index], "users"]
        shown = group.loc[~mask[group.index], "users"]
        if len(missing):
            # Several cells may be about the same users, so only the largest cell gives a lower bound.
            assert missing.max() >= min_users or not (shown > 0).any(), name


def test_a_cover_has_enough_users_of_the_part_that_is_missing() -> None:
    # One user of the first cell completed. The second cell is smaller than the third, but nobody of it completed.
    cells = pd.DataFrame({"users": [6, 7, 20], "users_completed": [1, 0, 20]})
    assert Suppression(5).hidden(cells, []).tolist() == [True, False, True]
    assert Suppression(5).hidden(cells.assign(users_completed=[1, 7, 20]), []).tolist() == [True, True, False]


def test_a_part_of_which_no_cell_has_enough_hides_another_cell_all_the_same() -> None:
    cells = pd.DataFrame({"users_booked": [0, 9, 20], "users_not_booked": [3, 0, 0]})
    assert Suppression(5).hidden(cells, []).tolist() == [True, True, False]


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=8), st.integers(2, 6))
def test_what_is_missing_of_each_part_is_about_enough_users(cells: list[tuple[int, int, int]], min_users: int) -> None:
    frame = pd.DataFrame(cells, columns=["users_a", "users_b", "users_c"])
    mask = Suppression(min_users).hidden(frame, [])
    for part in ("users_a", "users_b", "users_c"):
        missing, shown = frame[part][mask], frame[part][~mask]
        assert not ((shown > 0) & (shown < min_users)).any()
        assert not (missing > 0).any() or missing.max() >= min_users or (shown < min_users).all(), part


def test_parts_of_a_group_cover_their_own_small_cells() -> None:
    cells = pd.DataFrame({"part": list("aabbc"), "users": [2, 9, 7, 8, 3]})
    assert Suppression(5).hidden(cells, []).tolist() == [True, False, True, False, True]
    assert Suppression(5).hidden(cells, ["part"], []).tolist() == [True, True, False, False, True]


def test_what_is_known_elsewhere_covers_nothing() -> None:
    cells = pd.DataFrame({"users": [2, 7, 8]})
    covers = pd.Series([True, False, True])
    assert Suppression(5).hidden(cells, [], covers=covers).tolist() == [True, False, True]


def published_cohorts(cohorts: dict[str, tuple[int, dict[str, int]]]) -> set[tuple[str, str]]:
    """The cells (cohort, week) that publish mode shows of cohorts with a size and active users by week."""
    weeks = sorted({week for _, active in cohorts.values() for week in active})
    totals = {week: sum(active.get(week, 0) for _, active in cohorts.values()) for week in weeks}
    with duckdb.connect() as connection:
        connection.execute("create schema engagement")
        connection.execute(
            "create table engagement.weekly_engagement as select 'mobile' as source, week::date as week_start_date, "
            "users as active_users, 0 as new_users, 0 as returning_users, 0 as resurrected_users, 0 as churned_users, "
            "users as engagement_units, null::bigint as engaged_ms, 7 as days_observed, true as is_complete_week "
            "from (select unnest($weeks) as week, unnest($users) as users)",
            {"weeks": weeks, "users": list(totals.values())},
        )
        connection.execute(
            "create table engagement.weekly_retention (source varchar, cohort_week_start_date date, weeks_since int, "
            "week_start_date date, cohort_size bigint, active_users bigint, is_complete_week boolean)"
        )
        for cohort, (size, active) in cohorts.items():
            for week, users in active.items():
                connection.execute(
                    "insert into engagement.weekly_retention "
                    "select 'mobile', $cohort, date_diff('week', $cohort::date, $week::date), $week, $size, $users, "
                    "true",
                    {"cohort": cohort, "week": week, "size": size, "users": users},
                )
        shown = overview(connection, Suppression(5), {}).tables["retention"]
    return set(zip(shown["cohort"], shown["week_start_date"], strict=True))


FIRST, SECOND, THIRD, FOURTH = "2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"


def test_a_cohorts_size_does_not_reveal_what_its_first_week_covers() -> None:
    cohorts = {
        FIRST: (30, {FIRST: 30, SECOND: 20, THIRD: 2}),
        SECOND: (40, {SECOND: 40, THIRD: 25}),
        THIRD: (8, {THIRD: 8, FOURTH: 0}),
    }
    # The third week's total minus 25 and 8 would reveal the 2. The 25 covers it, although the 8 is smaller.
    shown = {(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND), (THIRD, THIRD), (THIRD, FOURTH)}
    assert published_cohorts(cohorts) == shown


def test_the_newest_cohorts_are_shown_for_half_a_year() -> None:
    weeks = [str(date(2024, 1, 1) + timedelta(weeks=number)) for number in range(28)]
    joined = weeks[:26]
    cohorts = {week: (30, dict.fromkeys(weeks[number:], 20)) for number, week in enumerate(joined)}
    shown = {(week, later) for number, week in enumerate(joined) for later in weeks[number : number + 26]}
    assert published_cohorts(cohorts) == shown
    one_more = {**cohorts, weeks[26]: (30, dict.fromkeys(weeks[26:], 20))}
    assert {cohort for cohort, _ in published_cohorts(one_more)} == set(weeks[1:27])


def test_a_small_cell_that_is_too_late_to_be_shown_is_covered_all_the_same() -> None:
    weeks = [str(date(2024, 1, 1) + timedelta(weeks=number)) for number in range(27)]
    cohorts = {weeks[0]: (30, {weeks[0]: 30, weeks[-1]: 2}), weeks[1]: (40, {weeks[1]: 40, weeks[-1]: 25})}
    assert published_cohorts(cohorts) == {(weeks[0], weeks[0]), (weeks[1], weeks[1])}


def test_a_cohort_is_left_out_if_its_size_would_reveal_the_only_other_cell() -> None:
    cohorts = {FIRST: (30, {FIRST: 30, SECOND: 2}), SECOND: (8, {SECOND: 8, THIRD: 0})}
    assert published_cohorts(cohorts) == {(FIRST, FIRST)}
