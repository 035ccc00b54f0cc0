"""Steps are retried for errors that may pass, after growing pauses, and for no others."""

import logging
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from engagement_assets.assets.retrying import retrying
from engagement_assets.extract.services.client import ApiRefusedError, ApiUnavailableError
from engagement_assets.lake.lake import LakeBusyError
from engagement_assets.settings import Settings
from engagement_assets.transform.warehouse import WarehouseLockedError

LOCKED = 'IO Error: Could not set lock on file "w.duckdb": Conflicting lock is held in python (PID 7)'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, landing_uri=str(tmp_path), start_date=date(2024, 1, 1), api_retry_delay_s=30)


def _tried(settings: Settings, error: Exception, retry_number: int = 0) -> Exception:
    """The exception that an error in a step turns into."""

    class Context:
        """The part of a step's context that is used."""

        def __init__(self) -> None:
            self.retry_number = retry_number
            self.log = logging.getLogger("step")

    outcomes = (type(error), dg.RetryRequested, dg.Failure)
    with pytest.raises(outcomes) as raised, retrying(settings, Context()):  # type: ignore[arg-type]
        raise error
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        ApiUnavailableError("did not answer in 5 attempts"),
        ConnectionResetError("the lake's server hung up"),
        TimeoutError("the lake's server is slow"),
        LakeBusyError("another load of runna has held the lock for 600 s"),
        WarehouseLockedError(LOCKED),
        duckdb.IOException(LOCKED),
    ],
)
def test_errors_that_may_pass_are_retried_twice_with_a_longer_pause_each_time(
    settings: Settings, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    for retry_number, pause in ((0, 30), (1, 60)):
        raised = _tried(settings, error, retry_number)
        assert caplog.messages[-1].startswith(f"not now, so it waits for {pause} s and tries again: {error}")
        assert isinstance(raised, dg.RetryRequested)
        assert (raised.max_retries, raised.seconds_to_wait) == (2, pause)
        assert str(error) in str(raised.__cause__)


def test_a_service_that_refuses_fails_at_once_and_says_so(settings: Settings) -> None:
    raised = _tried(settings, ApiRefusedError("Strava does not take the refresh token"))
    assert isinstance(raised, dg.Failure)
    assert (raised.allow_retries, raised.description) == (False, "Strava does not take the refresh token")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("rejects were handed over for another day"),
        duckdb.IOException("IO Error: No space left on device"),
        PermissionError("not yours"),
        NotADirectoryError("the landing zone is not there"),
    ],
)
def test_other_errors_are_not_retried(settings: Settings, error: Exception) -> None:
    assert _tried(settings, error) is error


def test_a_held_lock_says_what_to_do(settings: Settings) -> None:
    cause = _tried(settings, duckdb.IOException(LOCKED)).__cause__
    assert "Close what has it open; tools read the published copy" in str(cause)
