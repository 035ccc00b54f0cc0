"""The `Retry-After` header of an answer over HTTP, as every part of the project reads it.

Belongs here: reading it. Not here: how long anybody waits then (each client of a service, the alerts' delivery).
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# More digits are no wait that anybody means, and Python refuses to read thousands of them.
_MOST_DIGITS = 9


def retry_after(text: str, now: datetime) -> timedelta | None:
    """How long a server wants to be left alone from `now` (an aware datetime) on, never less than nothing.

    The header has seconds or an HTTP date (RFC 9110, 10.2.3), which is in UTC also where it names no zone. None where
    it is absent or cannot be read: what then is the caller's to say. No header raises.
    """
    told = text.strip()
    if told.isascii() and told.isdigit():
        return timedelta(seconds=int(told[:_MOST_DIGITS]))
    try:
        until = parsedate_to_datetime(told)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    try:
        return max(until - now, timedelta())
    except OverflowError:
        return None
