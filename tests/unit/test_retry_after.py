"""The header `Retry-After`, with all that servers put into it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.retry_after import retry_after

NOW = datetime(2024, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Wed, 31 Jan 2024 12:00:30 GMT", 30),
        ("Wed, 31 Jan 2024 12:00:30", 30),
        ("Wed, 31 Jan 2024 12:00:30 -0000", 30),
        ("Wed, 31 Jan 2024 14:00:30 +0200", 30),
        ("Wed, 31 Jan 2024 11:00:00 GMT", 0),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: int) -> None:
    assert retry_after(text, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "٣", "Wed, 99 Foo 2024 12:00:30", "Wed"])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert retry_after(text, NOW) is None


def test_a_number_of_thousands_of_digits_is_long_and_no_error() -> None:
    assert retry_after("9" * 5_000, NOW) == timedelta(seconds=999_999_999)


@given(st.text() | st.builds("{}, {} {} {} {}:{}:{} {}".format, *[st.text(max_size=4)] * 8))
def test_no_header_raises(text: str) -> None:
    assert (found := retry_after(text, NOW)) is None or found >= timedelta()
