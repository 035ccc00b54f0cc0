"""The `Retry-After` header of an HTTP answer, for services that are read and for channels of alerts.

Belongs here: reading it. Not here: how long a caller then waits (each client of a service, the alerts' delivery).
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# A number with more digits is not a wait that anybody means, and Python refuses to read thousands of them.
_MAX_DIGITS = 9


def retry_after(text: str, now: datetime) -> timedelta | None:
    """How long a server wants no requests, counted from `now` (an aware datetime); never negative.

    The header holds seconds or an HTTP date (RFC 9110, 10.2.3), which is UTC even if it names no zone. None if the
    header is absent or cannot be read; no header raises.
    """
    value = text.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:_MAX_DIGITS]))
    try:
        until = parsedate_to_datetime(value)
        return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
