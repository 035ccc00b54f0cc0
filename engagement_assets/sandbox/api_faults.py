"""Faults of the sandbox APIs: what may go wrong with an answer, and for which request it is due.

Belongs here: the kinds of faults, forced and random ones. Not here: how a fault is put onto the
wire (`api_answers.py`).
"""

from collections.abc import Collection, Iterable
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


# A 429 may cost a client a quarter of an hour: too much for a fault that nobody asked for.
CHAOS_KINDS = tuple(kind for kind in FaultKind if kind is not FaultKind.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class ForcedFault:
    """A fault for the next request it can happen to: of any path, or of one that ends in `path`."""

    kind: FaultKind
    path: str = ""


class Faults:
    """Says for each request whether something goes wrong with its answer."""

    def __init__(self, seed: int | str, chaos: float = 0.0, queue: Iterable[ForcedFault] = ()) -> None:
        """Random faults for `chaos` of the requests, drawn from `seed`; those in `queue` come first."""
        if not 0 <= chaos <= 1:
            raise ValueError(f"chaos is the share of requests with a fault, from 0 to 1, not {chaos}")
        self.chaos = chaos
        self.chaos_kinds = CHAOS_KINDS
        self.slow_s = 0.5
        self._seed = seed
        self._queue = list(queue)
        self._requests = 0

    def next(self, kind: FaultKind | str, times: int = 1, path: str = "") -> None:
        """Force `kind` on the next `times` requests, if `path` is given on those whose path ends so."""
        self._queue += [ForcedFault(FaultKind(kind), path)] * times

    @property
    def pending(self) -> tuple[ForcedFault, ...]:
        """Forced faults that have not happened yet."""
        return tuple(self._queue)

    def due(self, path: str, impossible: Collection[FaultKind] = ()) -> FaultKind | None:
        """The fault of this request; one that is `impossible` for it stays in the queue."""
        number = self._requests
        self._requests += 1
        for forced in self._queue:
            if path.endswith(forced.path) and forced.kind not in impossible:
                self._queue.remove(forced)
                return forced.kind
        draw = Random(f"{self._seed}:fault:{number}")
        if not happens(draw, self.chaos):
            return None
        return draw.choice([kind for kind in self.chaos_kinds if kind not in impossible])
