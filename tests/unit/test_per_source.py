"""Settings of one line with a value for each source: read, or refused with a reason."""

import pytest
from pydantic import ValidationError

from engagement_assets.contracts.load_checks import Severity
from engagement_assets.per_source import PerSource, Severities, read_per_source, read_severities
from engagement_assets.settings import Settings


def test_a_number_is_that_of_every_source() -> None:
    limit = read_per_source(" 0.01 ")
    assert limit == PerSource(0.01)
    assert isinstance(limit, PerSource)
    assert limit.of("runna") == 0.01


def test_a_source_may_differ() -> None:
    limit = read_per_source("12, runna=36 ,mobile=0")
    assert isinstance(limit, PerSource)
    assert [limit.of(source) for source in ("strava", "runna", "mobile")] == [12, 36, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runna=1", "expected a number for all sources"),
        ("1, rana=2", "expected one of the sources lingokids, mobile, runna, strava, user_events, found 'rana'"),
        ("1, runna=often", "'runna=often': expected a number, found 'often'"),
        ("-1", "expected a number of at least 0"),
        ("nan", "expected a number of at least 0"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_per_source(text)


def test_a_source_and_check_wins_over_the_check() -> None:
    severities = read_severities("rejected_share=halt, strava.rejected_share=warn")
    assert isinstance(severities, Severities)
    assert severities.of("strava", "rejected_share") == Severity.WARN
    assert severities.of("runna", "rejected_share") == Severity.HALT
    assert severities.of("runna", "reconciles") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rejected=warn", "found 'rejected'; checks are "),
        ("rana.rejected_share=warn", "found 'rana.rejected_share'"),
        ("rejected_share", "expected warn or halt after '=', found ''"),
        ("rejected_share=error", "expected warn or halt after '=', found 'error'"),
    ],
)
def test_a_severity_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_severities(text)


def test_settings_read_both_and_refuse_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECK_SEVERITIES", "volume_as_expected=halt")
    monkeypatch.setenv("REJECTED_SHARE_HALT", "0.1,runna=0.2")
    settings = Settings(_env_file=None)
    assert settings.check_severities.of("mobile", "volume_as_expected") == Severity.HALT
    assert settings.rejected_share_halt.of("runna") == 0.2
    monkeypatch.setenv("CHECK_SEVERITIES", "volume=halt")
    with pytest.raises(ValidationError, match="found 'volume'; checks are every_file_is_read, "):
        Settings(_env_file=None)


def test_nobody_waits_for_sample_data() -> None:
    assert Settings(_env_file=None, landing_uri="").freshness_hours_of("runna") is None
    own = Settings(_env_file=None, landing_uri="/somewhere", freshness_hours="12, mobile=0")
    assert (own.freshness_hours_of("runna"), own.freshness_hours_of("mobile")) == (12, None)
