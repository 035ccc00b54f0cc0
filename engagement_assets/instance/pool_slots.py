"""Waiting for a slot of a pool, such as that of the warehouse, without keeping a core busy.

Belongs here: how long an executor sleeps between two questions. Not here: which pools there are and how many slots they
have (`dagster.yaml` and the assets).

Dagster's executors do not sleep at all: the time until they ask again is the least of 0 and of what is left of each
step's wait (dagster 1.13.27). So a run that waits for the warehouse takes a core from the run that builds.
"""

import time
from typing import Any, cast

from engagement_assets.dagster_internals import InstanceConcurrencyContext

# A run that is cancelled while it waits ends after this time at most.
LONGEST_SLEEP_S = 0.5


def sleep_until_asked_again() -> None:
    """From now on, executors in this process sleep until a step asks for its slot again."""
    cast(Any, InstanceConcurrencyContext).interval_to_next_pending_claim_check = seconds_to_next_question


def seconds_to_next_question(context: InstanceConcurrencyContext) -> float:
    """How long the executor may sleep: as long as no waiting step asks again, and no longer than half a second."""
    next_question = min(context._pending_timeouts.values(), default=0)
    return min(LONGEST_SLEEP_S, max(0, next_question - time.time()))
