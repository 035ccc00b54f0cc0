"""Which failures of a step may pass by themselves, and when the step is retried.

Belongs here: which errors are retried. Not here: the retries of a single request (`extract/services/client.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from engagement_assets.extract.services.client import ApiError, ApiUnavailableError
from engagement_assets.lake.lake import LakeBusyError
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.warehouse import WarehouseLockedError

MAX_RETRIES = 2


@contextmanager
def retrying(settings: Settings, context: dg.AssetExecutionContext) -> Iterator[None]:
    """Let Dagster retry the step twice for errors that may pass, the second time after a longer pause.

    All others fail at once: credentials that are refused, an answer that breaks its contract, and whatever is not
    named here.

    Raises:
        dagster.RetryRequested: a service or the network did not answer, or another process holds a lock.
        dagster.Failure: a service refuses the request, or its answer breaks the contract.
    """
    try:
        yield
    except ApiError as error:
        if not isinstance(error, ApiUnavailableError):
            raise dg.Failure(str(error), allow_retries=False) from error
        raise _again(settings, context, error) from error
    except (ConnectionError, TimeoutError, LakeBusyError, WarehouseLockedError) as error:
        raise _again(settings, context, error) from error
    except duckdb.IOException as error:
        if not is_held_lock(error):
            raise
        advice = "Close what has it open; tools read the published copy, which is never locked"
        locked = WarehouseLockedError(f"{error}. {advice}")
        raise _again(settings, context, locked) from locked


def _again(settings: Settings, context: dg.AssetExecutionContext, error: Exception) -> dg.RetryRequested:
    pause = settings.api_retry_delay_s * 2**context.retry_number
    if context.retry_number < MAX_RETRIES:
        context.log.warning(f"not now, so it waits for {pause} s and tries again: {shown(str(error))}")
    return dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=pause)
