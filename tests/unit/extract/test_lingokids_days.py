"""Which day a line counts on, and which files a day's run opens."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow
from engagement_assets.extract.landing.event_files import WantedDays, date_in_path
from engagement_assets.extract.landing.files import LandingFile
from engagement_assets.extract.landing.index import FileIndex
from tests.unit.extract.lingokids_loads import event, landing_with, load_events, write_events

JANUARY_5 = date(2021, 1, 5)


def one_day(day: date) -> DayWindow:
    return DayWindow(day, day + timedelta(days=1))


@pytest.mark.parametrize(
    ("key", "day"),
    [
        ("lingokids/events/2021-01-05/a.jsonl", JANUARY_5),
        ("lingokids/events/day=2021-01-05/2022-01-01.jsonl", JANUARY_5),
        ("lingokids/events/events_20210105T1200.jsonl.gz", JANUARY_5),
        ("lingokids/events/2021-13-05/20210105.jsonl", JANUARY_5),
        ("lingokids/events/120210105.jsonl", None),
        ("lingokids/events/2021-0105.jsonl", None),
        ("lingokids/events/a.jsonl", None),
    ],
)
def test_the_first_date_in_a_path_counts(key: str, day: date | None) -> None:
    assert date_in_path(key) == day


def test_an_undated_line_counts_on_the_date_in_the_path(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "2021-01-05.jsonl", event("e1", "2021-01-02 10:00:00"), "broken")

    assert [row["day"] for row in load_events(root, tmp_path / "w").rejected] == [JANUARY_5]


def test_an_undated_line_counts_on_the_earliest_day_of_its_file(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    later = event("e1", "2021-01-09 10:00:00")
    write_events(root, "a.jsonl", "broken", later, event("e2", "2021-01-05 23:59:59"))

    for window in (one_day(JANUARY_5), DayWindow(date(2021, 1, 1), date(2021, 2, 1))):
        loaded = load_events(root, tmp_path / "w", window)
        assert [row["day"] for row in loaded.rejected] == [JANUARY_5]
    assert load_events(root, tmp_path / "w", one_day(date(2021, 1, 9))).rejected == []


@pytest.mark.parametrize(
    ("key", "pruned_days", "home"),
    [
        ("2021-01-05/a.jsonl", {5}, 6),
        ("2021-01-05/a.jsonl", {4}, 5),
        ("2021-01-05/a.jsonl", {5, 6}, 7),
        ("2021-01-05/a.jsonl", {5, 6, 7}, 5),
        ("a.jsonl", {6}, 7),
        ("a.jsonl", set(), 6),
    ],
)
def test_an_undated_line_counts_on_no_day_that_retention_has_removed_if_its_file_has_another(
    key: str, pruned_days: set[int], home: int
) -> None:
    file, index = LandingFile(f"lingokids/events/{key}", 1, "v"), FileIndex()
    index.record(file, {date(2021, 1, 6), date(2021, 1, 7)}, has_undated=True)
    days = WantedDays(
        window=DayWindow(date(2021, 1, 6), date(2021, 1, 8)),
        calendar=ALL_DAYS,
        index=index,
        pruned_days={date(2021, 1, day) for day in pruned_days},
    )
    assert days.home_of(file) == date(2021, 1, home)


def test_a_rejected_line_with_a_day_counts_on_it(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "2021-01-20.jsonl", event("e1", user_id=None), event("e2", user_id=5))

    assert [row["day"] for row in load_events(root, tmp_path / "w").rejected] == [JANUARY_5] * 2


def test_a_file_without_any_day_counts_where_it_was_first_seen(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", "broken")
    index = FileIndex()

    first = load_events(root, tmp_path / "w", one_day(JANUARY_5), index=index)
    known = {row["source_path"]: {row["day"]} for row in first.rejected}
    other_day = one_day(date(2021, 1, 3))
    again = load_events(root, tmp_path / "w", other_day, index=index, known_undated_days=known)

    assert known == {"lingokids/events/a.jsonl": {JANUARY_5}}
    assert again.rejected == []
    assert again.files_read == ()


def test_a_file_without_any_day_is_found_again_when_the_quarantine_is_lost(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", "broken")
    index = FileIndex()

    loads = [load_events(root, tmp_path / "w", one_day(JANUARY_5), index=index) for _ in range(2)]

    assert [loaded.reasons() for loaded in loads] == [[(1, "not_json")]] * 2


def test_a_day_opens_files_whose_unreadable_lines_count_on_it(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "2021-01-20.jsonl", event("e1"))
    with (root / "lingokids/events/2021-01-20.jsonl").open("ab") as stream:
        stream.write(b"\xff\n")
    index = FileIndex()
    window = one_day(date(2021, 1, 20))

    loads = [load_events(root, tmp_path / "w", window, index=index) for _ in range(2)]

    assert [loaded.reasons() for loaded in loads] == [[(2, "not_utf8")]] * 2


def test_only_records_of_the_window_are_given(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    instants = ("2021-01-04 23:59:59.999", "2021-01-05 00:00:00", "2021-01-06 00:00:00")
    rejected = (event("bad", instant, user_id="") for instant in instants)
    write_events(root, "a.jsonl", *(event(at, at) for at in instants), *rejected)

    loaded = load_events(root, tmp_path / "w", one_day(JANUARY_5))

    assert loaded.column("event_id") == ["2021-01-05 00:00:00"]
    assert loaded.reasons() == [(5, "missing_user_id")]
    assert loaded.counts[JANUARY_5][2:] == (2, 1, 0)


def test_a_day_opens_only_files_that_may_hold_it(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1"), event("e2", "2021-01-07 10:00:00"))
    write_events(root, "b.jsonl", event("e3", "2021-01-07 10:00:00"))
    index = FileIndex()

    opened = [
        load_events(root, tmp_path / "w", one_day(day), index=index).files_read
        for day in (JANUARY_5, JANUARY_5, date(2021, 1, 7), date(2021, 1, 8))
    ]

    a, b = "lingokids/events/a.jsonl", "lingokids/events/b.jsonl"
    assert opened == [(a, b), (a,), (a, b), ()]


def test_a_file_that_changed_is_opened_again(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1", "2021-01-07 10:00:00"))
    index = FileIndex()
    load_events(root, tmp_path / "w", one_day(JANUARY_5), index=index)

    write_events(root, "a.jsonl", event("e1", "2021-01-07 10:00:00"), event("late"))

    loaded = load_events(root, tmp_path / "w", one_day(JANUARY_5), index=index)
    assert loaded.column("event_id") == ["late"]


def test_a_file_that_went_is_forgotten(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    write_events(root, "a.jsonl", event("e1"))
    write_events(root, "b.jsonl", event("e2"))
    index = FileIndex()
    load_events(root, tmp_path / "w", index=index)

    (root / "lingokids/events/a.jsonl").unlink()
    load_events(root, tmp_path / "w", index=index)

    assert list(index.files) == ["lingokids/events/b.jsonl"]


def test_the_index_knows_all_days_of_a_file_after_any_window(tmp_path: Path) -> None:
    root = landing_with(tmp_path)
    other_offset = event("e3", "2021-01-09T00:30:00+02:00")
    write_events(root, "a.jsonl", event("e1"), "", event("e2", "2021-03-01 10:00:00"), other_offset)
    write_events(root, "b_2021-02-02.jsonl", "broken")
    index = FileIndex()

    load_events(root, tmp_path / "w", one_day(date(2020, 1, 1)), index=index)

    days = {key: sorted(map(str, item.days)) for key, item in index.files.items()}
    assert days == {
        "lingokids/events/a.jsonl": ["2021-01-05", "2021-01-08", "2021-03-01"],
        "lingokids/events/b_2021-02-02.jsonl": [],
    }
    assert [item.has_undated for item in index.files.values()] == [False, True]
