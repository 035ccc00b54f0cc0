"""Faults of the sandbox services: what can go wrong with an answer, and which request it happens to.

Belongs here: the kinds of faults, forced and random. Not here: how a fault looks on the wire (`api_answers.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from engagement_assets.sandbox.sample_draws import happens


class FaultKind(StrEnum):
    """What goes wrong with one answer."""

    SLOW = "slow"
    CUT_BEFORE_ANSWER = "cut_before_answer"
    CUT_WITHIN_BODY = "cut_within_body"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    HTML = "html"
    TRUNCATED_JSON = "truncated_json"
    REPEATED_ID = "repeated_id"
    TOO_MANY_REQUESTS = "too_many_requests"


# A 429 may cost a client a quarter of an hour, so it never comes at random.
CHAOS_KINDS = tuple(kind for kind in FaultKind if kind is not FaultKind.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class ForcedFault:
    """A fault for the next request that it can happen to, on any path or on paths that end with `path`."""

    kind: FaultKind
    path: str = ""


class Faults:
    """Decides for each request whether something goes wrong with its answer."""

    def __init__(self, seed: int | str, chaos: float = 0.0) -> None:
        """Spoil a share of the requests (`chaos`, from 0 to 1), drawn from `seed`; forced faults come first."""
        if not 0 <= chaos <= 1:
            raise ValueError(f"chaos is the share of requests with a fault: expected 0 to 1, found {chaos}")
        self.chaos = chaos
        self.slow_s = 0.5
        self._seed = seed
        self._queue: list[ForcedFault] = []
        self._requests = 0

    def next(self, kind: FaultKind | str, times: int = 1, path: str = "") -> None:
        """Force `kind` on the next `times` requests, or on the next ones whose path ends with `path`."""
        self._queue += [ForcedFault(FaultKind(kind), path)] * times

    def due(self, path: str, impossible: Collection[FaultKind] = ()) -> FaultKind | None:
        """The fault of this request, if any; a forced one that is `impossible` for it stays in the queue."""
        number = self._requests
        self._requests += 1
        for forced in self._queue:
            if path.endswith(forced.path) and forced.kind not in impossible:
                self._queue.remove(forced)
                return forced.kind
        draw = Random(f"{self._seed}:fault:{number}")
        if not happens(draw, self.chaos):
            return None
        return draw.choice([kind for kind in CHAOS_KINDS if kind not in impossible])
