"""What people read: the transitions of one run, or of one time, put together as one message.

Belongs here: what a message says, ready for any channel. Not here: how a channel shows it (`rendering.py`), when it
is sent (`timing.py`, `delivery.py`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from engagement_assets.alerts.incidents import WHOLE, Change, Incident, Kind, Severity, Transition
from engagement_assets.alerts.lineage import Lineage, days_of

# A message with more failures than this is a digest: counts, and this many of them by name.
MOST_IN_FULL = 10


class Item(msgspec.Struct, frozen=True):
    """One check, step or run that something is told of."""

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
    """One message; its key is the same however often it is sent.

    `counts` are failures by state, severity and asset, all of them; `items` are all, or the first ones of a digest.
    `checks_not_run` are checks that were planned and never ran, counted by asset.
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
    """One message of transitions, the worst first; at least one of them is given."""
    told = sorted(
        (transition for transition in transitions if transition.incident.subject.kind != Kind.NOT_RUN), key=_worst_first
    )
    counts: dict[str, Counter[str]] = {"state": Counter(), "severity": Counter(), "asset": Counter()}
    for transition in told:
        incident = transition.incident
        for name, value in (
            ("state", transition.change.value),
            ("severity", incident.severity.value),
            ("asset", incident.subject.asset or incident.subject.name),
        ):
            counts[name][value] += _failures(transition)
    not_run = Counter(
        transition.incident.subject.asset
        for transition in transitions
        if transition.incident.subject.kind == Kind.NOT_RUN
    )
    failures = sum(_failures(transition) for transition in told)
    shown = told[:MOST_IN_FULL]
    return Message(
        key=new_key(),
        recorded_at=now,
        severity=severity_of(transitions),
        title=_title(told, failures, not_run.total()),
        is_digest=failures > MOST_IN_FULL,
        failures=failures,
        counts={name: dict(counter) for name, counter in counts.items()},
        items=[_item(transition, lineage) for transition in shown],
        checks_not_run=dict(sorted(not_run.items())),
        rerun=lineage.command([transition.incident for transition in shown or transitions]),
    )


def severity_of(transitions: Sequence[Transition]) -> Severity:
    """The highest severity among transitions."""
    errors = any(transition.incident.severity == Severity.ERROR for transition in transitions)
    return Severity.ERROR if errors else Severity.WARN


def duration(span: timedelta) -> str:
    """A span of time as a person says it, in its two largest units."""
    seconds = max(0, round(span.total_seconds()))
    units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    parts = []
    for unit, size in units:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _failures(transition: Transition) -> int:
    """A check that names its failing days counts once for each of them."""
    incident = transition.incident
    return len(incident.failing_days) if incident.finding.days_are_named else 1


def _worst_first(transition: Transition) -> tuple[bool, bool, str]:
    subject = transition.incident.subject
    return (
        transition.change == Change.RESOLVED,
        transition.incident.severity != Severity.ERROR,
        f"{subject.asset}/{subject.name}",
    )


def _title(told: Sequence[Transition], failures: int, not_run: int) -> str:
    if not told:
        return f"WARN opened: {not_run} planned checks never ran"
    if len(told) == 1:
        incident = told[0].incident
        where = f"{incident.subject.asset} {incident.subject.name}".strip()
        return f"{incident.severity.value.upper()} {told[0].change}: {where}"
    changes = Counter(transition.change for transition in told)
    counted = ", ".join(f"{changes[change]} {change}" for change in Change if changes[change])
    if failures > MOST_IN_FULL:
        return f"Digest of {failures} failures: {counted}"
    return f"{severity_of(told).value.upper()}: {counted}"


def _partitions(incident: Incident) -> list[str]:
    if incident.failing_days.keys() == {WHOLE}:
        return [" to ".join(days)] if (days := days_of(incident)) else []
    return [day for day in incident.failing_days if day != WHOLE]


def _item(transition: Transition, lineage: Lineage) -> Item:
    incident = transition.incident
    subject, finding = incident.subject, incident.finding
    resolved = transition.change == Change.RESOLVED
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
        lasted_s=transition.lasted.total_seconds() if resolved else None,
        owners=lineage.owners(subject),
        tables_downstream=lineage.tables_downstream(subject),
        run_url=lineage.links.run(finding.run_id),
        asset_url=lineage.links.asset(subject.asset),
    )
