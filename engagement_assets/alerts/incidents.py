"""What fails, since when, and what people are told about it: opened, still failing, escalated, resolved.

Belongs here: how one incident goes from one state to the next, without Dagster, storage or clock. Not here: what was
evaluated (`run_results.py`), how it is kept (`store.py`), what a message says (`messages.py`).

A check is about an asset as a whole or about days of it. A day that failed keeps failing until an evaluation of *this*
day passes; that another day passes says nothing about it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

# The "day" of an outcome that is about an asset as a whole; it sorts before every day.
WHOLE = ""
# The first and last day that an evaluation judged, both included.
Judged = tuple[str, str]
EVERYTHING: Judged = (WHOLE, "\uffff")


class Kind(StrEnum):
    """What an incident is about."""

    CHECK = "check"  # a check that ran and failed
    NOT_RUN = "not_run"  # a check that a run planned and never evaluated, although the run succeeded
    STEP = "step"  # code that failed although no check did
    RUN = "run"  # a run that failed outside of its steps: it was killed, or did not start


class Severity(StrEnum):
    """How bad a failure is. As in Dagster, an error may block what comes next."""

    WARN = "warn"
    ERROR = "error"


class Change(StrEnum):
    """What people are told about."""

    OPENED = "opened"
    STILL_FAILING = "still failing"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Subject(msgspec.Struct, frozen=True, order=True):
    """What an incident is about: a check of an asset, or a step or job by its name, which has no asset."""

    kind: Kind
    asset: str
    name: str


class Finding(msgspec.Struct, frozen=True):
    """What a failing evaluation said, as text for a person; `run_days` are the first and last partition of the run."""

    sentence: str
    run_id: str
    run_days: Judged | None = None
    observed: str | None = None
    expected: str | None = None
    failing_rows: int | None = None
    blocked: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """The result of one evaluation. Without failing days everything that it `judged` passed."""

    subject: Subject
    at: datetime
    judged: Judged
    failing_days: tuple[str, ...] = ()
    severity: Severity = Severity.WARN
    finding: Finding | None = None

    def covers(self, day: str) -> bool:
        """Whether this evaluation says anything about a day that failed before."""
        return day == WHOLE or self.judged[0] <= day <= self.judged[1]


class Incident(msgspec.Struct, frozen=True):
    """Something that fails: since when, on which days, how often it failed, the highest severity reported."""

    subject: Subject
    opened_at: datetime
    told_at: datetime
    severity: Severity
    failing_days: dict[str, Severity]
    failures: int
    finding: Finding


class Transition(msgspec.Struct, frozen=True):
    """One thing to report, with the incident as it is now; a resolved incident as it was."""

    change: Change
    incident: Incident
    at: datetime

    @property
    def lasted(self) -> timedelta:
        """From the first failing evaluation until now."""
        return self.at - self.incident.opened_at


def follow(
    before: Incident | None, outcomes: Iterable[Outcome], superseded: Callable[[Outcome, str], bool], now: datetime
) -> tuple[Incident | None, Transition | None]:
    """Update an incident with the outcomes of one run or one backfill, in their order.

    They are reported as one: a day that fails and is fixed in between is not reported at all. `superseded` says whether
    a later evaluation of this day has already been followed, because its run ended sooner.

    Returns:
        The incident, None when nothing fails, and what to report, None when nothing is new.
    """
    days = dict(before.failing_days) if before else {}
    failures = before.failures if before else 0
    finding = before.finding if before else None
    opened_at = before.opened_at if before else None
    at = now
    for outcome in outcomes:
        was_failing = bool(days)
        failing = [day for day in outcome.failing_days if not superseded(outcome, day)]
        untouched = [day for day in days if not outcome.covers(day) or superseded(outcome, day)]
        days = {day: days[day] for day in untouched} | dict.fromkeys(failing, outcome.severity)
        if failing:
            failures += 1
            finding = outcome.finding
            opened_at = opened_at or outcome.at
        elif was_failing and not days:
            at = outcome.at
    if not days:
        if before is None or before.subject.kind == Kind.NOT_RUN:
            return None, None  # when the check runs, its own outcome reports that
        return None, Transition(Change.RESOLVED, before, max(at, before.opened_at))
    assert finding is not None and opened_at is not None  # noqa: S101, PT018 - every failing day came with both
    severity = Severity.ERROR if Severity.ERROR in days.values() else Severity.WARN
    change = _change(before, severity, days)
    incident = Incident(
        subject=before.subject if before else outcome.subject,
        opened_at=opened_at,
        told_at=now if change or before is None else before.told_at,
        # An error that was reported once is not reported as an escalation again.
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
    return Change.STILL_FAILING if days.keys() - before.failing_days.keys() else None


def remind(incident: Incident, repeat_after: timedelta, now: datetime) -> Transition | None:
    """A reminder of an incident that was last reported at least `repeat_after` ago, else None.

    A check that never ran is reported once: nothing was found to fail.
    """
    if incident.subject.kind == Kind.NOT_RUN or incident.told_at + repeat_after > now:
        return None
    return Transition(Change.STILL_FAILING, msgspec.structs.replace(incident, told_at=now), now)
