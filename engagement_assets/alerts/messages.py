"""What people read: the transitions of one run, or all reminders that are due, as one message.

Belongs here: what a message says, and how it looks as plain text: for every channel but the webhook and the file, which
get JSON. Not here: escaping for one service (Apprise does that), when it is sent (`delivery.py`).

Sentences, keys and names come from data. Whatever they contain, they are shown as text (`shown_text.py`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from engagement_assets.alerts.incidents import WHOLE, Change, Incident, Kind, Severity, Transition
from engagement_assets.alerts.lineage import Lineage, days_of, failing_dates
from engagement_assets.day_ranges import in_ranges
from engagement_assets.shown_text import shown

# A message about more checks, steps and runs than this is a digest: counts, and this many of them by name.
# The first word of a message as text.
ALERT = "ALERT"
MOST_IN_FULL = 10

_NAME_WIDTH = len("failing rows")
_SHOWN_COUNTS = 10
_SHOWN_TABLES = 6
# Long enough for a command, which must be runnable as it stands.
_LONGEST_VALUE = 2_000
_BLOCKED = "yes: what is built from it was not rebuilt and keeps its last good content"
_NOT_BLOCKED = "no: what is built from it was rebuilt"


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
    return Severity.ERROR if any(each.incident.severity == Severity.ERROR for each in transitions) else Severity.WARN


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
    change, incident = transition.change, transition.incident
    name = f"{incident.subject.asset}/{incident.subject.name}"
    return change == Change.RESOLVED, incident.severity != Severity.ERROR, name


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


def days_failing(incident: Incident) -> list[str]:
    """The days that fail, or those of the run if a check judges its table as a whole, as ranges."""
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
        partitions=days_failing(incident),
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


def as_text(message: Message) -> str:
    """The message for a terminal, a plain e-mail or a chat."""
    lines = [f"{ALERT}  {shown(message.title)}"]
    if message.is_digest:
        lines += [f"  {shown(f'by {name}: {_counted(counts)}')}" for name, counts in message.counts.items()]
        lines += [f"  - {shown(_digest_line(item))}" for item in message.items]
        lines += [f"  - and {more} more"] if (more := message.failures - len(message.items)) else []
        lines += [f"  {'run again':<{_NAME_WIDTH}} {message.rerun}"] if message.rerun else []
    else:
        for item in message.items:
            lines += [f"  {shown(_headline(item))}", f"    {shown(_sentence(item))}"]
            fields = [(name, value) for name, value in _fields(item).items() if value is not None]
            lines += [f"    {name:<{_NAME_WIDTH}} {shown(value, _LONGEST_VALUE)}" for name, value in fields]
    if not_run := message.checks_not_run:
        assets = _first([f"{asset} ({count})" for asset, count in not_run.items()], _SHOWN_TABLES)
        lines.append(f"  {shown(f'{sum(not_run.values())} planned checks never ran: {assets}')}")
    return "\n".join(lines)


def _headline(item: Item) -> str:
    where = f"{item.asset} · {item.name}" if item.asset else f"{item.kind} {item.name}"
    return f"{item.state.upper()} · {item.severity.upper()} · {where}"


def _sentence(item: Item) -> str:
    """What failed. The sentence of a resolved failure may ask for something to be done, so it is put in the past."""
    return f"it was: {item.sentence}" if item.state == Change.RESOLVED else item.sentence


def _fields(item: Item) -> Mapping[str, str | None]:
    """What there is to say by name, in the order in which a person asks; None where there is nothing."""
    times = "once" if item.times_failed == 1 else f"{item.times_failed} times"
    since = f"{item.since:%Y-%m-%d %H:%M} UTC, seen failing {times}"
    partitions = ", ".join(item.partitions) or None
    if item.state == Change.RESOLVED:
        lasted = duration(timedelta(seconds=item.lasted_s or 0))
        fields = {"partitions": partitions, "since": since, "lasted": lasted}
    else:
        fields = {
            "partitions": partitions,
            "observed": item.observed,
            "expected": item.expected,
            "failing rows": None if item.failing_rows is None else f"{item.failing_rows:,}",
            "since": since,
            "blocked": _BLOCKED if item.blocked else _NOT_BLOCKED,
            "owners": ", ".join(item.owners) or None,
            "affects": _first(item.tables_downstream, _SHOWN_TABLES) or None,
            "run again": item.rerun or None,
            "runbook": item.runbook,
        }
    return {**fields, "run": item.run_url, "asset": item.asset_url}


def _counted(counts: Mapping[str, int]) -> str:
    shown_counts = [f"{value} {count}" for value, count in list(counts.items())[:_SHOWN_COUNTS]]
    if more := sum(list(counts.values())[_SHOWN_COUNTS:]):
        shown_counts.append(f"others {more}")
    return ", ".join(shown_counts)


def _digest_line(item: Item) -> str:
    partitions = f" · {', '.join(item.partitions)}" if item.partitions else ""
    lasted = "" if item.lasted_s is None else f" · lasted {duration(timedelta(seconds=item.lasted_s))}"
    return f"{_headline(item)}{partitions}{lasted} · {_sentence(item)[:200]}"


def _first(values: list[str], most: int) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more
