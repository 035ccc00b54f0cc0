"""Whatever is put before a reader, it raises nothing, rejects with a reason, and its counts add up.

`make fuzz` goes on for `FUZZ_MINUTES`; without it each reader gets a few examples, so that the fuzz itself stays sound.
Hypothesis shrinks what fails and keeps it in `.hypothesis`, where the next run begins with it.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import Calendar, DayWindow, Extraction
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract import mobile
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.readers import EventLog, Snapshots
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.reading import Reading
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.services.documents import answer_document
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import Listing
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.lake.day_files import rows_of
from engagement_assets.sources import RAW_DATASETS
from tests.fuzz import good_records
from tests.fuzz.mutations import changed, damaged, one_of, spelled, values
from tests.unit.extract.lingokids_loads import EXTRACTED_AT

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
READERS = 7
EXAMPLES = 200 if MINUTES else 5
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
WINDOW = DayWindow(date(2020, 12, 1), date(2024, 4, 1))
CALENDAR = Calendar(WINDOW.start, WINDOW.days()[-1])
PAGES = DayWindow(date(2024, 3, 1), date(2024, 3, 11))
COLUMNS = {dataset.key: dataset.columns for dataset in RAW_DATASETS}
REASON = re.compile(r"[a-z0-9_]+")


def go_on(example: Callable[[], None], reader: str) -> None:
    """Draw examples for this reader's share of the time; the first ones in any case."""
    started, rounds = time.monotonic(), 0
    while rounds == 0 or time.monotonic() - started < MINUTES * 60 / READERS:
        example()
        rounds += 1
    print(f"{reader}: {rounds * EXAMPLES:,} examples in {time.monotonic() - started:,.0f} s")  # noqa: T201


@contextmanager
def zone(files: dict[str, bytes]) -> Iterator[tuple[Landing, Path, duckdb.DuckDBPyConnection]]:
    """A landing zone with these files, a folder to work in, and a connection."""
    folder = Path(tempfile.mkdtemp())
    (folder / "work").mkdir()
    try:
        for key, content in files.items():
            path = folder / "landing" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with duckdb.cursor() as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield Landing(str(folder / "landing")), folder / "work", connection
    finally:
        shutil.rmtree(folder)


def judge(connection: duckdb.DuckDBPyConnection, extraction: Extraction, read: dict[str, int | None]) -> None:
    """Counts add up per dataset and day, everything read is there, and each rejection says why."""
    by_day: dict[tuple[str, Any], list[int]] = {}
    for dataset, day, records, quarantined, duplicates in connection.execute(
        f"select dataset, day, records_read, quarantined, duplicates from ({extraction.counts})"
    ).fetchall():
        by_day[dataset, day] = [records, quarantined, duplicates]
    rejected: dict[tuple[str, Any], int] = {}
    for dataset, day, reason, message in connection.execute(
        f"select dataset, day, reason_code, message from ({extraction.rejected})"
    ).fetchall():
        rejected[dataset, day] = rejected.get((dataset, day), 0) + 1
        assert REASON.fullmatch(reason), reason
        assert message
    accepted: dict[tuple[str, Any], int] = {}
    for dataset, query in extraction.accepted.items():
        described = {name: kind for name, kind, *_ in connection.execute(f"describe {query}").fetchall()}
        day = described.pop("day", None)
        assert described == dict(COLUMNS[dataset])
        counted = f"select {'day' if day else 'null::date'} as day, count(*) from ({query}) group by all"
        for found, count in connection.execute(counted).fetchall():
            accepted[dataset, found] = count
    for place, (records, quarantined, duplicates) in by_day.items():
        assert quarantined == rejected.get(place, 0), place
        assert records == accepted.get(place, 0) + quarantined + duplicates, place
    assert rejected.keys() | accepted.keys() <= by_day.keys()
    for dataset, expected in read.items():
        total = sum(counts[0] for (key, _), counts in by_day.items() if key == dataset)
        assert expected is None or total == expected, dataset
    connection.execute(f"from ({extraction.unknown_fields})").fetchall()
    connection.execute(f"from ({extraction.placeholders})").fetchall()


def quiet(_line: str) -> None:
    """Nobody reads what a reader of broken records is doing."""


def reading(landing: Landing, workdir: Path, connection: duckdb.DuckDBPyConnection) -> Reading:
    return Reading(connection=connection, landing=landing, workdir=workdir, extracted_at=EXTRACTED_AT, progress=quiet)


def wanted_days() -> WantedDays:
    return WantedDays(window=WINDOW, calendar=CALENDAR, index=FileIndex())


def test_runna() -> None:
    document = one_of(good_records.activities()).flatmap(changed).flatmap(spelled)

    @FUZZ
    @given(st.lists(document, min_size=1, max_size=12))
    def example(documents: list[bytes]) -> None:
        files = {f"runna/activities/2024-01-02/{number:02}.json": content for number, content in enumerate(documents)}
        with zone(files) as (landing, workdir, connection):
            window = DayWindow(date(2024, 1, 1), date(2024, 1, 4))
            extraction = runna.extract(
                runna.BatchReading(connection, landing, window, workdir, CALENDAR, EXTRACTED_AT, quiet)
            )
            judge(connection, extraction, {"raw_runna/activities": len(files)})

    go_on(example, "runna")


def records_in(content: bytes) -> int:
    """Lines that are not blank; a carriage return at the end of one is no part of it."""
    return sum(bool(line.rstrip(b"\r").strip(b" \t")) for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def one_line(content: bytes) -> bytes:
    return content.replace(b"\n", b" ")


@pytest.mark.parametrize("dataset", ["events", "users", "activities"])
def test_lingokids(dataset: str) -> None:
    line = one_of(good_records.lines(dataset)).flatmap(changed).flatmap(spelled).map(one_line)
    readers = {reader.dataset.name: reader for reader in LINGOKIDS.readers}

    @FUZZ
    @given(st.lists(st.lists(line, min_size=1, max_size=20), min_size=1, max_size=2))
    def example(contents: list[list[bytes]]) -> None:
        files = {f"lingokids/{dataset}/{number}.jsonl": b"\n".join(lines) for number, lines in enumerate(contents)}
        with zone(files) as (landing, workdir, connection):
            match readers[dataset]:
                case EventLog() as events:
                    extraction = events.extract(reading(landing, workdir, connection), wanted_days())
                case Snapshots() as snapshots:
                    extraction = snapshots.extract(reading(landing, workdir, connection))
            judge(connection, extraction, {f"raw_lingokids/{dataset}": sum(map(records_in, files.values()))})

    go_on(example, f"lingokids {dataset}")


@st.composite
def csv_file(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A file of rows, some values changed; and whether its bytes are damaged, so that lines cannot be counted."""
    header, *rows = good_records.rows()
    texts = st.one_of(values.map(str), st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=8))
    lines = [";".join(header)]
    for row in draw(st.lists(one_of(rows), min_size=1, max_size=15)):
        cells = list(row)
        for _ in range(draw(st.integers(0, 2))):
            cells[draw(st.integers(0, len(cells) - 1))] = draw(texts).replace("\n", " ")
        lines.append(";".join(cells))
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    is_damaged = draw(st.integers(0, 3)) == 0
    return (draw(damaged(content)) if is_damaged else content), is_damaged


def test_mobile() -> None:
    @FUZZ
    @given(csv_file())
    def example(file: tuple[bytes, bool]) -> None:
        content, is_damaged = file
        with zone({"mobile_events/a.csv": content}) as (landing, workdir, connection):
            extraction = mobile.EVENT_FILES.extract(reading(landing, workdir, connection), wanted_days())
            # Without its first line, which is the header; bytes that make another header, or none, are not foreseen.
            judge(connection, extraction, {"raw_mobile/events": None if is_damaged else records_in(content) - 1})

    go_on(example, "mobile")


@st.composite
def page(draw: st.DrawFn, records: list[dict[str, Any]]) -> list[Any] | None:
    """The records of a page as the client reads them from bytes; None where it asks again."""
    found = draw(st.lists(one_of(records).flatmap(changed), max_size=12))
    document = answer_document(draw(spelled(found)))
    return document if isinstance(document, list) else None


def test_strava() -> None:
    @FUZZ
    @given(page(good_records.strava_activities()))
    def example(records: list[Any] | None) -> None:
        assume(records is not None)
        assert records is not None
        with zone({}) as (_, workdir, connection):
            reading = ServiceReading(connection, PAGES, workdir, EXTRACTED_AT, quiet)
            pages = [Page("page-1", records, 1), Page("page-2", [], 1)]
            places = SeasonPlaces(KeptPlaces.COARSE, str(workdir / "places.json"))
            found = strava.extract(reading, Listing(pages), rows_of([], STRAVA_ACTIVITIES.columns), places)
            judge(connection, found.extraction, {STRAVA_ACTIVITIES.key: len(records)})

    go_on(example, "strava")


def test_user_events() -> None:
    @FUZZ
    @given(page(good_records.user_events()), st.sampled_from(EventIdentity))
    def example(records: list[Any] | None, identity: EventIdentity) -> None:
        assume(records is not None)
        assert records is not None
        pages = [(day, Page(f"events-{day}", records if day == PAGES.start else [], 1)) for day in PAGES.days()]
        with zone({}) as (_, workdir, connection):
            reading = ServiceReading(connection, PAGES, workdir, EXTRACTED_AT, quiet)
            extraction = user_events.extract(reading, pages, user_events.EventRules(identity, 64, CALENDAR))
            judge(connection, extraction, {"raw_user_events/events": len(records)})

    go_on(example, "user events")
