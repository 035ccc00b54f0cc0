"""What people read: the transitions of one run, or all reminders that are due, as one message.

Belongs here: what a message says, for any channel. Not here: how it is shown (`rendering.py`), when it is sent
(`delivery.py`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from engagement_assets.alerts.incidents import WHOLE, Change, Incident, Kind, Severity, Transition
from engagement_assets.alerts.lineage import Lineage, days_of, failing_dates
from engagement_assets.day_ranges import in_ranges

# A message about more checks, steps and runs than this is a digest: counts, and this many of them by name.
MOST_IN_FULL = 10


class Item(msgspec.Struct, frozen=True):
    """One check, step or run that a message reports on."""

    state: Change
    severity: Severity
    kind: Kind
    asset: str
    name: str
    partitions: list[str]
    sentence: str
    since: datetime
    times_failed: int
    runbook: str
    rerun: str
    blocked: bool
    observed: str | None = None
    expected: str | None = None
    failing_rows: int | None = None
    lasted_s: float | None = None
    owners: list[str] = []
    tables_downstream: list[str] = []
    run_url: str | None = None
    asset_url: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message; its key stays the same however often it is sent.

    `failures` is the number of checks, steps and runs that it reports on, resolved ones included; each of `counts` (by
    state, severity and asset) adds up to it. `items` are all of them, or the first ones in a digest. `severity` is that
    of what is open or, if nothing is, of what is resolved. `checks_not_run` counts by asset the checks that never ran
    although their run planned them and succeeded.
    """

    key: str
    recorded_at: datetime
    severity: Severity
    title: str
    is_digest: bool
    failures: int
    counts: dict[str, dict[str, int]]
    items: list[Item]
    checks_not_run: dict[str, int]
    rerun: str


def compose(
    transitions: Sequence[Transition],
    lineage: Lineage,
    now: datetime,
    new_key: Callable[[], str] = lambda: str(uuid4()),
) -> Message:
    """One message about at least one transition, the worst first."""
    reported = sorted((each for each in transitions if each.incident.subject.kind != Kind.NOT_RUN), key=_worst_first)
    not_run = Counter(each.incident.subject.asset for each in transitions if each.incident.subject.kind == Kind.NOT_RUN)
    incidents = [each.incident for each in reported]
    # A digest shows the first items only, but its command is for everything that is open.
    to_rerun = _open(reported) if reported else transitions
    return Message(
        key=new_key(),
        recorded_at=now,
        severity=severity_of(_open(transitions) or transitions),
        title=_title(reported, not_run.total()),
        is_digest=len(reported) > MOST_IN_FULL,
        failures=len(reported),
        counts={
            "state": dict(Counter(each.change.value for each in reported)),
            "severity": dict(Counter(incident.severity.value for incident in incidents)),
            "asset": dict(Counter(incident.subject.asset or incident.subject.name for incident in incidents)),
        },
        items=[_item(each, lineage) for each in reported[:MOST_IN_FULL]],
        checks_not_run=dict(sorted(not_run.items())),
        rerun=lineage.command([each.incident for each in to_rerun]) if to_rerun else "",
    )


def severity_of(transitions: Sequence[Transition]) -> Severity:
    """The highest severity among transitions."""
    errors = any(transition.incident.severity == Severity.ERROR for transition in transitions)
    return Severity.ERROR if errors else Severity.WARN


def duration(span: timedelta) -> str:
    """A span of time as a person says it, in its two largest units."""
    seconds = max(0, round(span.total_seconds()))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _open(transitions: Sequence[Transition]) -> list[Transition]:
    return [transition for transition in transitions if transition.change != Change.RESOLVED]


def _worst_first(transition: Transition) -> tuple[bool, bool, str]:
    subject = transition.incident.subject
    return (
        transition.change == Change.RESOLVED,
        transition.incident.severity != Severity.ERROR,
        f"{subject.asset}/{subject.name}",
    )


def _title(reported: Sequence[Transition], not_run: int) -> str:
    """The severity before the colon is that of what is open. Once everything is resolved there is no severity."""
    still_open = _open(reported)
    heading = severity_of(still_open).value.upper() if still_open else "RESOLVED"
    if len(reported) == 1 and not not_run:
        subject = reported[0].incident.subject
        state = f" {reported[0].change}" if still_open else ""
        return f"{heading}{state}: {f'{subject.asset} {subject.name}'.strip()}"
    changes = Counter(transition.change for transition in reported)
    counted = [f"{changes[change]} {change}" for change in Change if changes[change]]
    if not_run:
        heading = heading if still_open else Severity.WARN.value.upper()
        counted.append(f"{not_run} planned checks never ran")
    digest = f" digest of {len(reported)}" if len(reported) > MOST_IN_FULL else ""
    return f"{heading}{digest}: {', '.join(counted)}"


def _partitions(incident: Incident) -> list[str]:
    if incident.failing_days.keys() == {WHOLE}:
        return [" to ".join(days)] if (days := days_of(incident)) else []
    return in_ranges(failing_dates(incident)) or days_of(incident)


def _item(transition: Transition, lineage: Lineage) -> Item:
    incident = transition.incident
    subject, finding = incident.subject, incident.finding
    return Item(
        state=transition.change,
        severity=incident.severity,
        kind=subject.kind,
        asset=subject.asset,
        name=subject.name,
        partitions=_partitions(incident),
        sentence=finding.sentence,
        since=incident.opened_at,
        times_failed=incident.failures,
        runbook=lineage.runbook_entry(subject),
        rerun=lineage.command([incident]),
        blocked=finding.blocked,
        observed=finding.observed,
        expected=finding.expected,
        failing_rows=finding.failing_rows,
        lasted_s=transition.lasted.total_seconds() if transition.change == Change.RESOLVED else None,
        owners=lineage.owners(subject),
        tables_downstream=lineage.tables_downstream(subject),
        run_url=lineage.links.run(finding.run_id),
        asset_url=lineage.links.asset(subject.asset),
    )
