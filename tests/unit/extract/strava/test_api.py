"""What Strava's answers say about its limits."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement_assets.extract.strava.api import RateBudget

NOW = datetime(2024, 3, 1, 23, 50, tzinfo=UTC)


def limits(name: str, limit: str, usage: str) -> dict[str, str]:
    return {f"X-{name}-Limit": limit, f"X-{name}-Usage": usage}


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, (None, None)),
        (limits("RateLimit", "200,2000", "50,150"), (150, 1850)),
        (limits("RateLimit", "200,2000", "50,150") | limits("ReadRateLimit", "100, 1000", "99,1"), (1, 999)),
        (limits("RateLimit", "200,2000", "250,2001"), (0, 0)),
        (limits("RateLimit", "200", "50"), (None, None)),
        (limits("RateLimit", "200,2000", "-1,x"), (None, None)),
        (limits("RateLimit", "\u00b2,\u00b2", "1,1"), (None, None)),
        (limits("RateLimit", "9" * 5_000 + ",1", "1,1"), (None, None)),
        (limits("RateLimit", "9" * 18 + ",1", "1,1"), (10**18 - 2, 0)),
        ({"X-RateLimit-Limit": "200,2000"}, (None, None)),
    ],
)
def test_of_two_limits_the_tighter_one_counts_and_an_unreadable_one_does_not(
    headers: dict[str, str], left: tuple[int | None, int | None]
) -> None:
    budget = RateBudget()
    budget.learn(headers, NOW)
    assert (budget.short_left, budget.daily_left) == left


def test_an_answer_without_limits_leaves_what_was_known() -> None:
    budget = RateBudget(5, 7)
    budget.learn({"X-RateLimit-Limit": "unknown"}, NOW)
    assert (budget.short_left, budget.daily_left) == (5, 7)


@pytest.mark.parametrize(("minutes_later", "left"), [(9, (0, 0)), (10, (None, None)), (24 * 60, (None, None))])
def test_a_limit_of_a_time_that_is_over_is_none(minutes_later: int, left: tuple[int | None, int | None]) -> None:
    budget = RateBudget()
    budget.learn(limits("RateLimit", "200,2000", "200,2000"), NOW)
    budget.forget_expired(NOW + timedelta(minutes=minutes_later))
    assert (budget.short_left, budget.daily_left) == left


def test_a_new_quarter_of_an_hour_leaves_the_day_as_it_was() -> None:
    budget = RateBudget()
    noon = NOW.replace(hour=12, minute=1)
    budget.learn(limits("RateLimit", "200,2000", "200,1999"), noon)
    budget.forget_expired(noon + timedelta(minutes=14))
    assert (budget.short_left, budget.daily_left) == (None, 1)
