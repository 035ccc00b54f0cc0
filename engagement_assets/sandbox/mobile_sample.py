"""Mobile event files of the sample: CSV as exports write it, day by day, and what is wrong with some of it.

Belongs here: rows and files. Not here: who used the app when (`mobile_sessions.py`), or writing to disk
(`sample_data.py`).

How a file is written depends on its day of the week: see `_files_of`.
"""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.sandbox.mobile_sessions import MobileEvent, SessionLog
from engagement_assets.sandbox.sample_draws import SampleParameters, broken_due, due
from engagement_assets.sandbox.sample_ledger import LedgerKeeper

COLUMNS = (
    "anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name", "event_name",
    "received_at", "created_at",
)  # fmt: skip
# Rates in 100,000 events.
BROKEN_RATE = 500
DUPLICATE_RATE = 300
ROW_DEFECTS = (
    "missing_anonymous_id",
    "missing_created_at",
    "bad_timestamp",
    "too_few_fields",
    "too_many_fields",
    "bad_quotes",
    "not_utf8",
)
DAY_WITH_EXTRA_COLUMN = 17
EXTRA_COLUMN = "campaign"
OTHER_ORDER = (7, 5, 3, 0, 1, 4, 2, 6)
# Days since the start, modulo 7.
DAY_OF_OTHER_ORDER = 1
DAY_OF_SECOND_HEADER = 2
DAY_COMPRESSED = 3
DAY_OF_EARLY_EXPORT = 4
DAY_OF_QUOTES = 5
DAY_OF_OVERLAP = 6

Row = tuple[str, ...]


def mobile_files(parameters: SampleParameters, keeper: LedgerKeeper) -> Iterator[tuple[str, bytes]]:
    """Keys below the landing zone and contents, with each record counted in `keeper`."""
    log = SessionLog(parameters)
    per_day = parameters.mobile_events_per_day
    sent_before: list[MobileEvent] = []
    for index in range(parameters.days):
        events = log.created_on(index) + log.late(index)
        repeated = [events[serial * 11 % len(events)] for serial in due(index, per_day, DUPLICATE_RATE)]
        # Exports overlap: some of what was sent before is sent again.
        overlap = sent_before[-len(sent_before) // 10 :] if index % 7 == DAY_OF_OVERLAP else []
        early = events[: len(events) // 2] if index % 7 == DAY_OF_EARLY_EXPORT else []
        sent = [*overlap, *events, *repeated]
        for event in [*sent, *early]:
            keeper.usable(MOBILE_EVENTS.key, event.created_at.date(), ";".join(_row(event)))
        broken = {}
        for serial in broken_due(index, per_day, BROKEN_RATE):
            defect = ROW_DEFECTS[serial % len(ROW_DEFECTS)]
            keeper.broken(MOBILE_EVENTS.key, parameters.day(index), defect)
            broken[serial * 37 % len(sent)] = (defect, _row(log.one(index, serial)))
        sent_before = events
        yield from _files_of(index, parameters.day(index), sent, broken)
        if early:
            content = _content([_spelled(COLUMNS), *(_spelled(_row(event)) for event in early)])
            yield f"mobile_events/early/{parameters.day(index)}T12.csv", content


def _files_of(
    index: int, day: date, events: Sequence[MobileEvent], broken: dict[int, tuple[str, Row]]
) -> Iterator[tuple[str, bytes]]:
    """The file of a day, written in the way of its weekday.

    One has its columns in another order, one changes to another header halfway, one is compressed, and one has every
    value in quotes and Windows line ends. `broken` rows come before the events at their places.
    """
    weekday = index % 7
    order = OTHER_ORDER if weekday == DAY_OF_OTHER_ORDER else tuple(range(len(COLUMNS)))
    has_extra = index == DAY_WITH_EXTRA_COLUMN

    def line(row: Row, extra: str) -> bytes:
        values = [*(row[place] for place in order), *([extra] if has_extra else [])]
        return _spelled(values, in_quotes=weekday == DAY_OF_QUOTES)

    lines = [line(COLUMNS, EXTRA_COLUMN)]
    for place, event in enumerate(events):
        if weekday == DAY_OF_SECOND_HEADER and place == len(events) // 2:
            order = OTHER_ORDER
            lines.append(line(COLUMNS, EXTRA_COLUMN))
        if place in broken:
            defect, row = broken[place]
            lines.append(_damaged(row, defect, line))
        lines.append(line(_row(event), "winter" if place % 3 else ""))
    key = f"mobile_events/{day}.csv"
    if weekday == DAY_OF_QUOTES:
        yield key, "\ufeff".encode() + _content(lines, b"\r\n")
    elif weekday == DAY_COMPRESSED:
        yield f"{key}.gz", _compressed(_content(lines))
    else:
        yield key, _content(lines)


def _row(event: MobileEvent) -> Row:
    """The values as sent: every other day's export writes ids in capitals, and some apps write ISO times."""
    ids = (event.user.anonymous_id, event.device[0])
    anonymous_id, device_id = map(str.upper, ids) if event.created_at.toordinal() % 2 else ids
    is_iso = event.user.app_version.startswith("3.0.")
    return (
        anonymous_id,
        event.user.zone,
        event.user.app_version,
        device_id,
        event.device[1],
        event.name,
        _time(event.received_at, is_iso=False),
        _time(event.created_at, is_iso=is_iso),
    )


def _time(moment: datetime | None, *, is_iso: bool) -> str:
    if moment is None:
        return ""
    if is_iso:
        return f"{moment.isoformat(timespec='milliseconds')}Z"
    return moment.isoformat(sep=" ", timespec="milliseconds")


def _spelled(values: Sequence[str], *, in_quotes: bool = False) -> bytes:
    texts = (f'"{value}"' if in_quotes or ";" in value else value for value in values)
    return ";".join(texts).encode()


def _damaged(row: Row, defect: str, line: Callable[[Row, str], bytes]) -> bytes:
    """The line of a row with one defect; its day, if it has one, is the day of its file."""
    values = dict(zip(COLUMNS, row, strict=True))
    if defect.startswith("missing_"):
        values[defect.removeprefix("missing_")] = ""
    elif defect == "bad_timestamp":
        values["created_at"] = "31/01/2024 10:00"
    text = line(tuple(values.values()), "")
    match defect:
        case "too_few_fields":
            return text.rpartition(b";")[0]
        case "too_many_fields":
            return text + b";more"
        case "bad_quotes":
            return b'"' + text.removeprefix(b'"').replace(b'"', b"")
        case "not_utf8":
            return text.replace(b";", b"\xff;", 1)
    return text


def _content(lines: Sequence[bytes], line_end: bytes = b"\n") -> bytes:
    return b"".join(line + line_end for line in lines)


def _compressed(content: bytes) -> bytes:
    buffer = io.BytesIO()
    # gzip.compress would not do: its header differs between Python versions.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed:
        compressed.write(content)
    return buffer.getvalue()
