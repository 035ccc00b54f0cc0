"""Many days as few ranges.

Belongs here: days as windows without holes, as ranges for people, as an interval for metadata. Not here: which days are
meant.
"""

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from engagement_assets.contracts.extraction import DayWindow

MOST_RANGES = 5
_DAY = timedelta(days=1)


def blocks_of(days: Iterable[date]) -> list[DayWindow]:
    """The days as windows without gaps, oldest first: a run covers one range."""
    blocks: list[DayWindow] = []
    for day in sorted(set(days)):
        if blocks and blocks[-1].end == day:
            blocks[-1] = DayWindow(blocks[-1].start, day + _DAY)
        else:
            blocks.append(DayWindow(day, day + _DAY))
    return blocks


def in_ranges(days: Iterable[date]) -> list[str]:
    """Consecutive days as `2024-01-01 to 2024-02-10`, oldest first.

    If there are many ranges, the last text says how many days the others hold. A day counts once, however often it is
    given.
    """
    blocks = blocks_of(days)
    shown = [_shown(block) for block in blocks[:MOST_RANGES]]
    if more := sum(len(block.days()) for block in blocks[MOST_RANGES:]):
        shown.append(f"and {more:,} more {'day' if more == 1 else 'days'}")
    return shown


def as_interval(first: date, last: date) -> str:
    """The days from the first to the last, inclusive, as one text (ISO 8601): `2024-01-01/2024-02-10`."""
    return f"{first}/{last}" if first != last else first.isoformat()


def days_of_interval(text: str) -> list[date]:
    """The days of an interval that `as_interval` wrote, or the one day.

    Raises:
        ValueError: the text is neither a day nor an interval of days.
    """
    first, _, last = text.partition("/")
    return DayWindow(date.fromisoformat(first), date.fromisoformat(last or first) + timedelta(days=1)).days()


def _shown(block: DayWindow) -> str:
    first, last = block.start, block.end - timedelta(days=1)
    return str(first) if first == last else f"{first} to {last}"


def windows_without(pruned: Collection[date], days: Collection[date]) -> list[DayWindow]:
    """Few windows that cover `days` and touch no pruned day, of which a model refuses to be built again."""
    span = DayWindow(min(days), max(days) + timedelta(days=1)).days()
    blocks = blocks_of(day for day in span if day not in pruned)
    return [block for block in blocks if not set(days).isdisjoint(block.days())]
