"""What the tests of the Lingokids extractor share: a landing zone, events, what a load gave."""

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import ALL_DAYS, Calendar, DayWindow, Extraction, UnreadPath
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lines.line_files import MAX_LINE_BYTES
from engagement_assets.extract.lines.readers import Snapshots
from engagement_assets.extract.lingokids import EVENT_FILES, LINGOKIDS_EVENTS
from engagement_assets.extract.reading import Reading

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lingokids"
EXTRACTED_AT = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)
DAY = date(2021, 1, 5)
JANUARY = DayWindow(date(2021, 1, 1), date(2021, 2, 1))


@dataclass(frozen=True)
class Loaded:
    """What an extraction gave, as plain rows."""

    accepted: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    counts: dict[date | None, tuple[int, int, int, int, int]]
    unknown_fields: list[tuple[Any, ...]]
    files_read: tuple[str, ...]
    never_read: tuple[UnreadPath, ...]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.accepted]

    def rejections(self) -> list[tuple[int | None, str, str]]:
        return [(row["position"], row["reason_code"], row["message"]) for row in self.rejected]

    def reasons(self) -> list[tuple[int | None, str]]:
        return [(row["position"], row["reason_code"]) for row in self.rejected]


def landing_with(tmp_path: Path, **fixtures: str) -> Path:
    """A landing zone with fixtures as event files: file name without its suffix = fixture."""
    root = tmp_path / "landing"
    (root / "lingokids/events").mkdir(parents=True)
    for name, fixture in fixtures.items():
        suffix = fixture.partition(".")[2]
        shutil.copy(FIXTURES / fixture, root / f"lingokids/events/{name}.{suffix}")
    return root


def write_events(root: Path, key: str, *lines: str | dict[str, Any]) -> None:
    """An event file of the landing zone."""
    path = root / "lingokids/events" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def event(event_id: str, occurred_at: str = "2021-01-05 10:00:00", **changes: Any) -> dict[str, Any]:
    """A whole event; `changes` replace fields of the top level."""
    whole = {
        "event_id": event_id,
        "name": "activity_exit",
        "occurred_at": occurred_at,
        "user_id": "u1",
        "child_id": "c1",
        "data": {
            "activity_id": "lk_chant_abc",
            "source": "search",
            "duration": 12.5,
            "completed": True,
            "collection_id": "",
            "loading_time": 0.371,
        },
        "context": {
            "device": {"device_id": "d1", "brand": "Apple", "model": "iPad7,6"},
            "os": {"name": "iOS", "version": "14.2"},
            "app": {"version": "7.39.0", "build": "4514"},
        },
    }
    return whole | changes


def load_events(
    root: Path | str,
    workdir: Path,
    window: DayWindow = JANUARY,
    *,
    index: FileIndex | None = None,
    known_undated_days: Mapping[str, Collection[date]] | None = None,
    calendar: Calendar = ALL_DAYS,
    max_line_bytes: int = MAX_LINE_BYTES,
    settings: Mapping[str, str] | None = None,
) -> Loaded:
    """Extract events, fetch all there is, and check that nothing is lost."""
    workdir.mkdir(exist_ok=True)
    with duckdb.cursor() as connection:
        for name, value in (settings or {}).items():
            connection.execute(f"set {name} = '{value}'")
        days = WantedDays(
            window=window,
            calendar=calendar,
            index=FileIndex() if index is None else index,
            known_undated_days=known_undated_days or {},
        )
        files = replace(EVENT_FILES, max_line_bytes=max_line_bytes)
        extraction = files.extract(reading(connection, root, workdir), days)
        loaded = fetch(connection, extraction, LINGOKIDS_EVENTS)
    assert list(loaded.counts) == window.days()
    return loaded


def reading(connection: duckdb.DuckDBPyConnection, root: Path | str, workdir: Path) -> Reading:
    """A reading of the landing zone `root` that nobody watches."""
    return Reading(
        connection=connection,
        landing=Landing(str(root)),
        workdir=workdir,
        extracted_at=EXTRACTED_AT,
        progress=lambda _: None,
    )


def fetch(connection: duckdb.DuckDBPyConnection, extraction: Extraction, dataset: Dataset) -> Loaded:
    """All rows of an extraction, after checking its columns and that nothing is lost."""
    accepted = _rows(connection, f"from ({extraction.accepted[dataset.key]}) order by all")
    loaded = Loaded(
        accepted=accepted,
        rejected=_rows(connection, f"from ({extraction.rejected}) order by source_path, position"),
        counts={
            row["day"]: tuple(row[name] for name in ("files", "bytes", "records_read", "quarantined", "duplicates"))
            for row in _rows(connection, f"from ({extraction.counts}) order by day")
        },
        unknown_fields=connection.execute(
            f"select day, field, records from ({extraction.unknown_fields}) order by all"
        ).fetchall(),
        files_read=extraction.files_read,
        never_read=extraction.never_read,
    )
    described = connection.execute(f"describe {extraction.accepted[dataset.key]}").fetchall()
    expected = dict(dataset.columns) | ({"day": "DATE"} if dataset.partitioned else {})
    assert {name: kind for name, kind, *_ in described} == expected
    for day, (_, _, read, quarantined, duplicates) in loaded.counts.items():
        of_day = [row for row in accepted if row.get("day") == day]
        assert read == len(of_day) + quarantined + duplicates, day
        assert quarantined == sum(row["day"] == day for row in loaded.rejected), day
    return loaded


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def load_snapshots(files: Snapshots, root: Path) -> Loaded:
    workdir = root.parent / "workdir"
    workdir.mkdir()
    with duckdb.cursor() as connection:
        extraction = files.extract(reading(connection, root, workdir))
        return fetch(connection, extraction, files.dataset)
