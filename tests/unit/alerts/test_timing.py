"""Quiet hours and the digest of the day, in the time zone of the people."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from engagement_assets.alerts.timing import Timing
from engagement_assets.settings import Settings


def _timing(**settings: Any) -> Timing:
    return Timing.of(Settings(_env_file=None, **settings))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "goes_at"),
    [
        ("2024-07-01 19:59", "2024-07-01 19:59"),
        ("2024-07-01 20:00", "2024-07-02 05:00"),
        ("2024-07-02 04:59", "2024-07-02 05:00"),
        ("2024-07-02 05:00", "2024-07-02 05:00"),
        ("2024-01-02 05:30", "2024-01-02 06:00"),  # winter time
    ],
)
def test_warnings_wait_for_the_end_of_the_quiet_hours(now: str, goes_at: str) -> None:
    timing = _timing(alert_quiet_hours="22:00-07:00", alert_time_zone="Europe/Berlin")
    assert timing.warnings_go_at(_at(now)) == _at(goes_at)


@pytest.mark.parametrize(("now", "goes_at"), [("2024-07-01 12:30", "13:00"), ("2024-07-01 13:30", "13:30")])
def test_quiet_hours_may_lie_within_a_day(now: str, goes_at: str) -> None:
    assert f"{_timing(alert_quiet_hours='12:00-13:00').warnings_go_at(_at(now)):%H:%M}" == goes_at


def test_without_quiet_hours_nothing_waits() -> None:
    now = _at("2024-07-01 03:00")
    assert _timing().warnings_go_at(now) == now
    assert _timing().last_digest(now) is None


@pytest.mark.parametrize(
    ("now", "due"), [("2024-07-01 08:29", "2024-06-30 08:30"), ("2024-07-01 08:30", "2024-07-01 08:30")]
)
def test_the_digest_is_due_once_a_day(now: str, due: str) -> None:
    assert _timing(alert_warning_digest_at="08:30").last_digest(_at(now)) == _at(due)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alert_quiet_hours": "22-7"},
        {"alert_quiet_hours": "22:00-25:00"},
        {"alert_quiet_hours": "22:00-22:00"},
        {"alert_warning_digest_at": "8:30"},
        {"alert_time_zone": "Mars/Olympus"},
    ],
)
def test_hours_and_zones_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(_env_file=None, **wrong)
