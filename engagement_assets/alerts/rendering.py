"""What a message looks like: as plain text, and as Slack's blocks.

Belongs here: layout, escaping, limits of a place. Not here: what a message says (`messages.py`).

Sentences, keys and names come from data: whatever they hold, they are shown as text (`shown_text.py`).
"""

import re
from datetime import timedelta
from typing import Any

from engagement_assets.alerts.incidents import Change
from engagement_assets.alerts.messages import Item, Message, duration
from engagement_assets.shown_text import as_mrkdwn, shown

_NAME_WIDTH = len("failing rows")
_SHOWN_COUNTS = 10
_SHOWN_TABLES = 6
# A command is to be run as it stands.
_LONGEST_VALUE = 2_000
# Slack refuses a message that is over any of these.
SLACK_BLOCKS = 50
SLACK_SECTION = 3_000
SLACK_HEADER = 150
SLACK_TEXT = 3_000
_BLOCKED = "yes: what is made of it was not built, and keeps its last good content"
# Addresses of our own settings, which are to be links.
_NOT_BLOCKED = "no: what is made of it was built"
_LINKS = ("runbook", "run", "asset")
_CUT_ENTITY = re.compile(r"&[a-z]{0,3}$")


def as_text(message: Message) -> str:
    """The message for a terminal or a plain e-mail."""
    lines = [f"ALERT  {shown(message.title)}"]
    if message.is_digest:
        lines += [f"  {shown(line)}" for line in _count_lines(message)]
        lines += [f"  - {shown(line)}" for line in _digest_lines(message)]
        lines += [f"  {'run again':<{_NAME_WIDTH}} {message.rerun}"] if message.rerun else []
    else:
        for item in message.items:
            lines += [f"  {shown(_headline(item))}", f"    {shown(_sentence(item))}"]
            lines += [f"    {name:<{_NAME_WIDTH}} {shown(value, _LONGEST_VALUE)}" for name, value in _fields(item)]
    if message.checks_not_run:
        lines.append(f"  {shown(_not_run_line(message.checks_not_run))}")
    return "\n".join(lines)


def as_slack(message: Message) -> dict[str, Any]:
    """The message as the body of a post to a Slack incoming webhook: a header and one section per check."""
    sections: list[str] = []
    if message.is_digest:
        sections.append("\n".join(as_mrkdwn(line) for line in _count_lines(message)))
        sections += [f"• {as_mrkdwn(line)}" for line in _digest_lines(message)]
        sections += [f"*run again*  {_code(message.rerun)}"] if message.rerun else []
    else:
        for item in message.items:
            fields = [f"*{name}*  {_slack_value(name, value)}" for name, value in _fields(item)]
            sections.append("\n".join([f"*{as_mrkdwn(_headline(item))}*", as_mrkdwn(_sentence(item)), *fields]))
    if message.checks_not_run:
        sections.append(as_mrkdwn(_not_run_line(message.checks_not_run)))
    header = {"type": "header", "text": {"type": "plain_text", "text": shown(message.title, SLACK_HEADER)}}
    blocks = [
        # Verbatim: else Slack makes mentions and links of what looks like them.
        {"type": "section", "text": {"type": "mrkdwn", "text": cut(section, SLACK_SECTION), "verbatim": True}}
        for section in sections
    ]
    return {
        "text": cut(as_mrkdwn(message.title), SLACK_TEXT),
        "blocks": [header, *blocks][:SLACK_BLOCKS],
        # Slack shows no picture of another host below the message.
        "unfurl_links": False,
        "unfurl_media": False,
    }


def cut(text: str, longest: int) -> str:
    """At most so many characters, and no half of an escaped sign at the end."""
    if len(text) <= longest:
        return text
    return _CUT_ENTITY.sub("", text[: longest - 1]) + "…"


def _code(text: str) -> str:
    return f"`{as_mrkdwn(text.replace('`', ''), _LONGEST_VALUE)}`"


def _slack_value(name: str, value: str) -> str:
    if name == "run again":
        return _code(value)
    is_link = name in _LINKS and value.startswith(("https://", "http://"))
    return f"<{as_mrkdwn(value)}>" if is_link else as_mrkdwn(value)


def _headline(item: Item) -> str:
    where = f"{item.asset} · {item.name}" if item.asset else f"{item.kind} {item.name}"
    return f"{item.state.upper()} · {item.severity.upper()} · {where}"


def _sentence(item: Item) -> str:
    """What failed; of what is over as something of the past, since it may ask for something to be done."""
    return f"it was: {item.sentence}" if item.state == Change.RESOLVED else item.sentence


def _fields(item: Item) -> list[tuple[str, str]]:
    """Name and value of what there is to say, in the order in which a person asks."""
    fields: list[tuple[str, str | None]] = [("partitions", ", ".join(item.partitions) or None)]
    since = f"{item.since:%Y-%m-%d %H:%M} UTC, seen failing {_times(item.times_failed)}"
    if item.state == Change.RESOLVED:
        lasted = duration(timedelta(seconds=item.lasted_s or 0))
        fields += [("since", since), ("lasted", lasted)]
    else:
        fields += [
            ("observed", item.observed),
            ("expected", item.expected),
            ("failing rows", None if item.failing_rows is None else f"{item.failing_rows:,}"),
            ("since", since),
            ("blocked", _BLOCKED if item.blocked else _NOT_BLOCKED),
            ("owners", ", ".join(item.owners) or None),
            ("affects", _first(item.tables_downstream, _SHOWN_TABLES) or None),
            ("run again", item.rerun),
            ("runbook", item.runbook),
        ]
    fields += [("run", item.run_url), ("asset", item.asset_url)]
    return [(name, value) for name, value in fields if value is not None]


def _count_lines(message: Message) -> list[str]:
    return [f"by {name}: {_counted(counts)}" for name, counts in message.counts.items()]


def _counted(counts: dict[str, int]) -> str:
    told = [f"{value} {count}" for value, count in list(counts.items())[:_SHOWN_COUNTS]]
    if more := sum(list(counts.values())[_SHOWN_COUNTS:]):
        told.append(f"others {more}")
    return ", ".join(told)


def _digest_lines(message: Message) -> list[str]:
    lines = [_digest_line(item) for item in message.items]
    if more := message.failures - len(message.items):
        lines.append(f"and {more} more")
    return lines


def _digest_line(item: Item) -> str:
    partitions = f" · {', '.join(item.partitions)}" if item.partitions else ""
    lasted = "" if item.lasted_s is None else f" · lasted {duration(timedelta(seconds=item.lasted_s))}"
    return f"{_headline(item)}{partitions}{lasted} · {_sentence(item)[:200]}"


def _not_run_line(checks_not_run: dict[str, int]) -> str:
    assets = [f"{asset} ({count})" for asset, count in checks_not_run.items()]
    return f"{sum(checks_not_run.values())} planned checks never ran: {_first(assets, _SHOWN_TABLES)}"


def _first(values: list[str], most: int) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
