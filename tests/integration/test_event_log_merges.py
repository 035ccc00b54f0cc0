"""Whatever is loaded, in whatever order: an event log is the union of what was read, by day and identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.datasets import LINGOKIDS_EVENTS, Dataset
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import DAY_1, Found, Reject, Row, event, load_time, published, quarantined, window

pytestmark = pytest.mark.integration

DAYS = [DAY_1 + timedelta(days=number) for number in range(4)]
# An identity that is missing is one like others: such a record is not to be doubled by a rerun.
IDENTITIES = st.sampled_from(["a", "b", "it's", None])
EVENTS = st.lists(st.tuples(IDENTITIES, st.sampled_from(DAYS)), max_size=6)
REJECTS = st.lists(st.sampled_from(DAYS), max_size=2)


@dataclass(frozen=True)
class _File:
    """What a landing file holds: events by identity and day, and the days of its bad records."""

    events: list[tuple[str | None, date]]
    rejects: list[date]


@dataclass(frozen=True)
class _Load:
    """The files that are there, the days that are loaded, and those of them that a check holds back."""

    files: Mapping[str, _File]
    first: int
    last: int
    held: frozenset[date]

    @property
    def days(self) -> list[date]:
        return DAYS[self.first : self.last + 1]


@st.composite
def _loads(draw: st.DrawFn) -> _Load:
    files = draw(st.dictionaries(st.sampled_from(["1", "2", "3"]), st.builds(_File, EVENTS, REJECTS), max_size=3))
    first = draw(st.integers(0, len(DAYS) - 1))
    last = draw(st.integers(first, len(DAYS) - 1))
    held = draw(st.frozensets(st.sampled_from(DAYS), max_size=1))
    return _Load(files, first, last, held)


def _found(load: _Load, number: int) -> Found:
    """What an extractor makes of the files: per identity and day the row of the last file, the rest as duplicates."""
    rows: dict[tuple[str | None, date], Row] = {}
    duplicates: dict[tuple[Dataset, date | None], int] = {(LINGOKIDS_EVENTS, day): 0 for day in load.days}
    for name, file in sorted(load.files.items()):
        for identity, day in file.events:
            if day in load.days:
                duplicates[LINGOKIDS_EVENTS, day] += (identity, day) in rows
                rows[identity, day] = event(identity, day, name, user_id=f"load {number}")
    rejects = [
        Reject(LINGOKIDS_EVENTS, day, name, position)
        for name, file in load.files.items()
        for position, day in enumerate(file.rejects)
        if day in load.days
    ]
    return Found(
        {LINGOKIDS_EVENTS: list(rows.values())},
        rejects=rejects,
        duplicates=duplicates,
        files_read=tuple(load.files),
    )


@dataclass
class _Day:
    """What is known of a day: identity → file and load of an event, and file and position of each bad record."""

    rows: dict[str | None, tuple[str, str]]
    rejects: set[tuple[str, int]]


def _merged(found: Found, load: _Load, day: date, published: _Day, held: _Day | None) -> _Day:
    """What a load makes of a day: new rows, then held ones whose file it has not read, then published ones."""
    rows = dict(published.rows)
    if held:
        rows |= {identity: row for identity, row in held.rows.items() if row[0] not in load.files}
    rows |= {
        row["event_id"]: (row["source_path"], row["user_id"])
        for row in found.rows[LINGOKIDS_EVENTS]
        if row["day"] == day
    }
    known = held or published
    rejects = {(name, position) for name, position in known.rejects if name not in load.files}
    rejects |= {(item.source_path, item.position or 0) for item in found.rejects if item.day == day}
    return _Day(rows, rejects)


@settings(deadline=None, max_examples=40)
@given(st.lists(_loads(), min_size=1, max_size=4))
def test_loads_in_any_order_give_the_union_and_always_reconcile(loads: list[_Load]) -> None:
    expected = {day: _Day({}, set()) for day in DAYS}
    held: dict[date, _Day] = {}
    with TemporaryDirectory() as folder:
        lake = Lake(str(Path(folder) / "lake"))
        for number, load in enumerate(loads):
            found = _found(load, number)
            with open_load(lake, "events", run_id=f"run-{number}", started_at=load_time(number)) as opened:
                opened.stage(
                    found.extraction(opened.started_at), window(load.days[0], load.days[-1]), take_over_held=True
                )
                counts = opened.counts()
                opened.publish({day: {"reconciles": "three are lost"} for day in load.held})
            assert [day.day for day in counts] == load.days
            assert [day.unaccounted for day in counts] == [0] * len(load.days)
            assert sum(day.accepted for day in counts) == len(found.rows[LINGOKIDS_EVENTS])

            for day in load.days:
                merged = _merged(found, load, day, expected[day], held.pop(day, None))
                (held if day in load.held else expected)[day] = merged
            assert lake.held_days("events") == sorted(held)
        rows = published(lake, LINGOKIDS_EVENTS, "event_id", "source_path", "user_id")
        rejects = quarantined(lake, "source_path", "position")
    assert {(day, identity): (name, user) for day, identity, name, user in rows} == {
        (day, identity): row for day, of_day in expected.items() for identity, row in of_day.rows.items()
    }
    assert len(rows) == sum(len(of_day.rows) for of_day in expected.values())
    assert rejects == sorted((day, *place) for day, of_day in expected.items() for place in of_day.rejects)
