"""What fails, since when, and what people are told of it: opened, still failing, escalated, resolved.

Belongs here: how one thing that is watched goes from one state to the next, without Dagster, storage or clock. Not
here: what was evaluated (`run_results.py`), how it is kept (`store.py`), what a message says (`messages.py`).

A check stands for an asset or for days of it. A day that failed stays failing until *this* day is evaluated as passing:
that another day passes says nothing about it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

# The "day" of a outcome on an asset as a whole; it sorts before every day.
WHOLE = ""
# Days from the first to the last, inclusive, that an evaluation has judged.
Judged = tuple[str, str]
EVERYTHING: Judged = (WHOLE, "\uffff")


class Kind(StrEnum):
    """What is watched."""

    CHECK = "check"  # what it found when it ran
    NOT_RUN = "not_run"  # a check that a run had planned and never evaluated, though the run ended well
    STEP = "step"  # code that failed although no check did
    RUN = "run"  # a run that failed outside of its steps: killed, not started


class Severity(StrEnum):
    """How bad a failure is; as in Dagster, an error may block what comes next."""

    WARN = "warn"
    ERROR = "error"


class Change(StrEnum):
    """What people are told of."""

    OPENED = "opened"
    STILL_FAILING = "still failing"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Subject(msgspec.Struct, frozen=True, order=True):
    """What is watched: a check of an asset, or a step or job by its name, which then has no asset."""

    kind: Kind
    asset: str
    name: str


class Finding(msgspec.Struct, frozen=True):
    """What a failing evaluation said, as texts for a person.

    `run_days` are the first and last partition of the run, if it has any. `days_are_named` tells that the check itself
    has said which days fail, rather than the run which days it was for.
    """

    sentence: str
    run_id: str
    run_days: Judged | None = None
    observed: str | None = None
    expected: str | None = None
    failing_rows: int | None = None
    blocked: bool = False
    days_are_named: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What one evaluation came to; no failing day means that all it `judged` is well."""

    subject: Subject
    at: datetime
    judged: Judged
    failing_days: tuple[str, ...] = ()
    severity: Severity = Severity.WARN
    finding: Finding | None = None

    def covers(self, day: str) -> bool:
        """Whether this evaluation tells anything about a day that failed before."""
        return day == WHOLE or self.judged[0] <= day <= self.judged[1]


class Incident(msgspec.Struct, frozen=True):
    """Something that fails: since when, on which days, how often it was seen failing, the highest severity told."""

    subject: Subject
    opened_at: datetime
    told_at: datetime
    severity: Severity
    failing_days: dict[str, Severity]
    failures: int
    finding: Finding


class Transition(msgspec.Struct, frozen=True):
    """One thing to be told; the incident as it is now, of a resolved one as it was."""

    change: Change
    incident: Incident
    at: datetime

    @property
    def lasted(self) -> timedelta:
        """From the first failing evaluation to now."""
        return self.at - self.incident.opened_at


def follow(
    before: Incident | None,
    outcomes: Iterable[Outcome],
    superseded: Callable[[Outcome, str], bool],
    now: datetime,
) -> tuple[Incident | None, Transition | None]:
    """What an incident becomes by outcomes that belong together, of one run or one backfill, in their order.

    They are told of as one: a day that fails and is mended in between is not told at all. `superseded` says of a day
    that an evaluation made after this one has been followed already, by a run that ended sooner.

    Returns:
        The incident, None when nothing fails, and what is to be told, None when there is nothing new.
    """
    days = dict(before.failing_days) if before else {}
    failures = before.failures if before else 0
    finding = before.finding if before else None
    opened_at = before.opened_at if before else None
    at = now
    for outcome in outcomes:
        was_failing = bool(days)
        failing = [day for day in outcome.failing_days if not superseded(outcome, day)]
        days = {
            day: severity for day, severity in days.items() if not outcome.covers(day) or superseded(outcome, day)
        } | dict.fromkeys(failing, outcome.severity)
        if failing:
            failures += 1
            finding = outcome.finding
            opened_at = opened_at or outcome.at
        elif was_failing and not days:
            at = outcome.at
    if not days:
        if before is None or before.subject.kind == Kind.NOT_RUN:
            return None, None  # a check that has run says by what it found that it has
        return None, Transition(Change.RESOLVED, before, max(at, before.opened_at))
    assert finding is not None and opened_at is not None  # noqa: S101, PT018 - a day that fails came with both
    severity = Severity.ERROR if Severity.ERROR in days.values() else Severity.WARN
    change = _change(before, severity, days)
    incident = Incident(
        subject=before.subject if before else outcome.subject,
        opened_at=opened_at,
        told_at=now if change or before is None else before.told_at,
        # Only a severity that has not been told yet is news.
        severity=Severity.ERROR if before and before.severity == Severity.ERROR else severity,
        failing_days=dict(sorted(days.items())),
        failures=failures,
        finding=finding,
    )
    return incident, Transition(change, incident, now) if change else None


def _change(before: Incident | None, severity: Severity, days: dict[str, Severity]) -> Change | None:
    if before is None:
        return Change.OPENED
    if severity == Severity.ERROR != before.severity:
        return Change.ESCALATED
    if days.keys() - before.failing_days.keys():
        return Change.STILL_FAILING
    return None


def remind(incident: Incident, repeat_after: timedelta, now: datetime) -> tuple[Incident, Transition] | None:
    """The incident told of again, when it was last told long enough ago; None when it is not yet time.

    A check that never ran is told once: nothing has been found to fail.
    """
    if incident.subject.kind == Kind.NOT_RUN or incident.told_at + repeat_after > now:
        return None
    told = msgspec.structs.replace(incident, told_at=now)
    return told, Transition(Change.STILL_FAILING, told, now)
