"""What a message looks like as plain text, for every channel but the webhook and the file, which get JSON.

Belongs here: layout, and the limits of what is shown. Not here: what a message says (`messages.py`), escaping for one
service (Apprise does that).

Sentences, keys and names come from data. Whatever they contain, they are shown as text (`shown_text.py`).
"""

from collections.abc import Mapping
from datetime import timedelta

from engagement_assets.alerts.incidents import Change
from engagement_assets.alerts.messages import Item, Message, duration
from engagement_assets.shown_text import shown

_NAME_WIDTH = len("failing rows")
_SHOWN_COUNTS = 10
_SHOWN_TABLES = 6
# Long enough for a command, which must be runnable as it stands.
_LONGEST_VALUE = 2_000
_BLOCKED = "yes: what is built from it was not rebuilt and keeps its last good content"
_NOT_BLOCKED = "no: what is built from it was rebuilt"


def as_text(message: Message) -> str:
    """The message for a terminal, a plain e-mail or a chat."""
    lines = [f"ALERT  {shown(message.title)}"]
    if message.is_digest:
        lines += [f"  {shown(f'by {name}: {_counted(counts)}')}" for name, counts in message.counts.items()]
        lines += [f"  - {shown(_digest_line(item))}" for item in message.items]
        lines += [f"  - and {more} more"] if (more := message.failures - len(message.items)) else []
        lines += [f"  {'run again':<{_NAME_WIDTH}} {message.rerun}"] if message.rerun else []
    else:
        for item in message.items:
            lines += [f"  {shown(_headline(item))}", f"    {shown(_sentence(item))}"]
            lines += [
                f"    {name:<{_NAME_WIDTH}} {shown(value, _LONGEST_VALUE)}"
                for name, value in _fields(item).items()
                if value is not None
            ]
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
            "run again": item.rerun,
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
