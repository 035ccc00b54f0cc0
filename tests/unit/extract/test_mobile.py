"""What an event is, when two are one, which day a line counts on and which files a day's run opens."""

import hashlib
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.landing.index import FileIndex
from tests.unit.extract.lingokids_loads import EXTRACTED_AT
from tests.unit.extract.mobile_loads import (
    DAY,
    HEADER,
    landing_with,
    load_events,
    row,
    write_file,
)


def one_day(day: date) -> DayWindow:
    return DayWindow(day, day + timedelta(days=1))


def ids(root: Path, *rows: str, header: str = HEADER) -> list[str]:
    """The ids of the events of one file."""
    write_file(root, "a.csv", header, *rows)
    return [str(event_id) for event_id in load_events(root, root / "w").column("event_id")]


# --- events and their ids ---


def test_a_whole_event_lands_with_every_column(tmp_path: Path) -> None:
    loaded = load_events(landing_with(tmp_path, a="whole.csv"), tmp_path / "w")

    received_at = (datetime(2020, 1, 31, 10, 0, 2, 500_000) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    created_at = (datetime(2020, 1, 31, 10, 0, 1, 123_000) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    values = ["u1", "Centro", "3.1.0", "D1", "iOS", "Application Opened", received_at, created_at]
    text = "\n".join(f"={value}" for value in values)
    assert loaded.accepted == [
        {
            "event_id": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            "anonymous_id": "u1",
            "business_zone": "Centro",
            "app_version": "3.1.0",
            "device_id": "D1",
            "os_name": "iOS",
            "event_name": "Application Opened",
            "received_at": datetime(2020, 1, 31, 10, 0, 2, 500_000),
            "created_at": datetime(2020, 1, 31, 10, 0, 1, 123_000),
            "_extra": None,
            "source_path": "mobile_events/a.csv",
            "extracted_at": EXTRACTED_AT.replace(tzinfo=None),
            "day": DAY,
        }
    ]


def test_a_row_is_one_event_in_whatever_file_and_order_of_columns(tmp_path: Path) -> None:
    fixtures = (
        "same_row_twice.csv",
        "other_order_of_columns.csv",
        "same_row_written_otherwise.csv",
        "extra_columns.csv",
    )
    loaded = load_events(
        landing_with(tmp_path, **{f"f{number}": fixture for number, fixture in enumerate(fixtures)}), tmp_path / "w"
    )

    assert sorted(loaded.column("anonymous_id")) == ["u1", "u2"]
    assert loaded.counts[DAY][2:] == (7, 0, 5)


def test_of_copies_the_one_with_further_columns_stays_then_the_last_path(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "a.csv", f"{HEADER};x", f"{row('u1')};1", f"{row('u1')};2")
    write_file(root, "b.csv", HEADER, row("u1"), row("u2"))
    write_file(root, "c.csv", HEADER, row("u2"))

    loaded = load_events(root, tmp_path / "w")

    found = {event["anonymous_id"]: (event["_extra"], event["source_path"]) for event in loaded.accepted}
    assert found == {"u1": ('{"x":"2"}', "mobile_events/a.csv"), "u2": (None, "mobile_events/c.csv")}


@pytest.mark.parametrize(
    "other",
    [
        row().replace("Centro", ""),
        row().replace("Centro;3.1.0", "Centro3.1.0;"),
        row().replace("Centro;3.1.0", ";Centro3.1.0"),
        row().replace("Centro", "centro"),
        row().replace("D1", "d1"),
        row().replace("10:00:02.5", "10:00:02.501"),
        row().replace("2020-01-31 10:00:02.5", ""),
        row("=u1"),
    ],
)
def test_another_value_or_another_place_is_another_event(other: str, tmp_path: Path) -> None:
    assert len(set(ids(landing_with(tmp_path), row(), other))) == 2


def test_an_empty_value_and_an_absent_column_are_the_same_nothing(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    empty = ids(root, "u1;;;D1;;Ride;;2020-01-31 10:00:00")

    absent = ids(root, "2020-01-31 10:00:00;D1;Ride;u1", header="created_at;context_device_id;event_name;anonymous_id")

    assert empty == absent


# --- days ---


def test_the_day_is_the_utc_day_of_created_at(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    times = ("2020-01-30 23:59:59.999", "2020-01-31 00:00:00", "2020-02-01T00:59:00+01:00", "2020-02-01 00:00:00")
    write_file(root, "a.csv", HEADER, *(row(f"u{number}", time) for number, time in enumerate(times)))

    loaded = load_events(root, tmp_path / "w", one_day(DAY))

    assert sorted(loaded.column("anonymous_id")) == ["u1", "u2"]
    assert loaded.counts[DAY][2:] == (2, 0, 0)


def test_a_rejected_row_with_a_day_counts_on_it(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "2020-02-01.csv", HEADER, row(event_name=""), row().replace("10:00:02.5", "soon"))

    assert [row["day"] for row in load_events(root, tmp_path / "w").rejected] == [DAY] * 2


def test_a_row_without_a_day_counts_on_the_date_in_the_path(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_file(root, "2020-01-30.csv", HEADER, row(), row(created_at="soon"))

    assert [row["day"] for row in load_events(root, tmp_path / "w").rejected] == [date(2020, 1, 30)]


def test_a_row_without_a_day_counts_on_the_earliest_day_of_its_whole_file(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    earlier = f"{row('u2', '2020-01-30 10:00:00')};1"
    write_file(root, "a.csv", HEADER, "broken", row(), f"{HEADER};x", earlier)

    for window in (one_day(date(2020, 1, 30)), DayWindow(date(2020, 1, 29), date(2020, 2, 2))):
        assert [row["day"] for row in load_events(root, tmp_path / "w", window).rejected] == [date(2020, 1, 30)]
    assert load_events(root, tmp_path / "w", one_day(DAY)).rejected == []


def test_a_file_without_any_day_counts_where_it_was_first_seen(tmp_path: Path) -> None:
    root = landing_with(tmp_path, a="no_header.csv")
    index = FileIndex()

    first = load_events(root, tmp_path / "w", one_day(DAY), index=index)
    known = {row["source_path"]: {row["day"]} for row in first.rejected}
    again = load_events(root, tmp_path / "w", one_day(date(2020, 1, 30)), index=index, known_undated_days=known)

    assert known == {"mobile_events/a.csv": {DAY}}
    assert (again.rejected, again.files_read) == ([], ())


def test_a_day_opens_only_files_that_may_hold_it(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    late = f"{row('u2', '2020-01-29 10:00:00')};1"
    write_file(root, "a.csv", HEADER, row(), f"{HEADER};x", late)
    write_file(root, "b.csv", HEADER, row("u3", "2020-01-29 11:00:00"))
    index = FileIndex()

    opened = [
        load_events(root, tmp_path / "w", one_day(day), index=index).files_read
        for day in (DAY, DAY, date(2020, 1, 29), date(2020, 1, 28))
    ]

    a, b = "mobile_events/a.csv", "mobile_events/b.csv"
    assert opened == [(a, b), (a,), (a, b), ()]


def test_an_appended_file_is_opened_again_and_one_that_went_is_forgotten(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    path = write_file(root, "a.csv", HEADER, row("u1", "2020-01-29 10:00:00"))
    index = FileIndex()
    load_events(root, tmp_path / "w", one_day(DAY), index=index)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(row("late") + "\n")

    loaded = load_events(root, tmp_path / "w", one_day(DAY), index=index)
    path.unlink()
    load_events(root, tmp_path / "w", one_day(DAY), index=index)

    assert loaded.column("anonymous_id") == ["late"]
    assert index.files == {}
