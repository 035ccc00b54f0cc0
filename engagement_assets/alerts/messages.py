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
from engagement_assets.alerts.lineage import Lineage, days_of, failing_dates
from engagement_assets.day_ranges import in_ranges

# A message of more checks, steps and runs than this is a digest: counts, and this many of them by name.
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

    `failures` says of how many checks, steps and runs it tells, resolved ones included; each of `counts` (by state,
    severity and asset) adds up to it. `items` are all of them, or the first ones of a digest. `severity` is that of
    what is open, and of a message in which nothing is, that of what is over. `checks_not_run` are checks that were
    planned and never ran though their run ended well, counted by asset.
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
            counts[name][value] += 1
    not_run = Counter(
        transition.incident.subject.asset
        for transition in transitions
        if transition.incident.subject.kind == Kind.NOT_RUN
    )
    shown = told[:MOST_IN_FULL]
    return Message(
        key=new_key(),
        recorded_at=now,
        severity=severity_of(_open(transitions) or transitions),
        title=_title(told, not_run.total()),
        is_digest=len(told) > MOST_IN_FULL,
        failures=len(told),
        counts={name: dict(counter) for name, counter in counts.items()},
        items=[_item(transition, lineage) for transition in shown],
        checks_not_run=dict(sorted(not_run.items())),
        rerun=_rerun(transitions, told, lineage),
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


def _open(transitions: Sequence[Transition]) -> list[Transition]:
    return [transition for transition in transitions if transition.change != Change.RESOLVED]


def _rerun(transitions: Sequence[Transition], told: Sequence[Transition], lineage: Lineage) -> str:
    """What to run for all that is open, of which a digest shows the first; nothing where all is over."""
    wanted = _open(told) if told else transitions
    return lineage.command([transition.incident for transition in wanted]) if wanted else ""


def _worst_first(transition: Transition) -> tuple[bool, bool, str]:
    subject = transition.incident.subject
    return (
        transition.change == Change.RESOLVED,
        transition.incident.severity != Severity.ERROR,
        f"{subject.asset}/{subject.name}",
    )


def _title(told: Sequence[Transition], not_run: int) -> str:
    """What is open goes before the colon as a severity: a message of what is over is no error, whatever it was."""
    still_open = _open(told)
    heading = severity_of(still_open).value.upper() if still_open else "RESOLVED"
    if len(told) == 1 and not not_run:
        subject = told[0].incident.subject
        state = f" {told[0].change}" if still_open else ""
        return f"{heading}{state}: {f'{subject.asset} {subject.name}'.strip()}"
    changes = Counter(transition.change for transition in told)
    counted = [f"{changes[change]} {change}" for change in Change if changes[change]]
    if not_run:
        heading = heading if still_open else Severity.WARN.value.upper()
        counted.append(f"{not_run} planned checks never ran")
    digest = f" digest of {len(told)}" if len(told) > MOST_IN_FULL else ""
    return f"{heading}{digest}: {', '.join(counted)}"


def _partitions(incident: Incident) -> list[str]:
    if incident.failing_days.keys() == {WHOLE}:
        return [" to ".join(days)] if (days := days_of(incident)) else []
    return in_ranges(failing_dates(incident)) or days_of(incident)


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
