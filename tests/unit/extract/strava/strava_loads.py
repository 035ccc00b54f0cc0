"""Pages of Strava's activities, read as a load reads them.

Belongs here: records, and the reading of pages against what is published. Not here: tests.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.services.client import ApiLimitReachedError
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import Listing
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES
from tests.unit.extract.services.api_loads import NOW, Loaded, loaded

DAY_1, DAY_2, DAY_3, DAY_4 = (date(2024, 3, number) for number in (1, 2, 3, 4))
MARCH = DayWindow(DAY_1, date(2024, 3, 11))
BEFORE = datetime(2024, 3, 9, 8)
LIMIT = ApiLimitReachedError("the daily limit is used up", datetime(2024, 3, 11, tzinfo=UTC))


def activity(activity_id: Any, started: str | None = "2024-03-02T07:00:00Z", **changes: Any) -> dict[str, Any]:
    whole = {"id": activity_id, "start_date": started, "name": "Run", "distance": 5000.5, "kudos_count": 3}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def known(activity_id: int, started: datetime, deleted_at: datetime | None = None) -> dict[str, Any]:
    return {"activity_id": activity_id, "started_at": started, "deleted_at": deleted_at, "extracted_at": BEFORE}


class Reader:
    """Reads pages as a load does, against what is published."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, workdir: Path) -> None:
        self.connection, self.workdir = connection, workdir
        self.lines: list[str] = []
        self.asked_again: list[tuple[datetime, datetime]] = []

    def read(
        self,
        *pages: Sequence[Any],
        published: Sequence[dict[str, Any]] = (),
        elsewhere: Sequence[dict[str, Any]] = (),
        limit: bool = False,
        between: Sequence[Any] | ApiLimitReachedError = (),
        places: KeptPlaces = KeptPlaces.NONE,
    ) -> tuple[strava.StravaOutcome, Loaded]:
        types = ", ".join(f"{name} {kind}" for name, kind in {**STRAVA_ACTIVITIES.columns, "day": "DATE"}.items())
        for table, rows in (("lake", published), ("other_days", elsewhere)):
            self.connection.execute(f"create or replace temp table {table} ({types})")
            for row in ({**row, "day": row["started_at"].date()} for row in rows):
                self.connection.execute(
                    f"insert into {table} ({', '.join(row)}) values ({', '.join('?' for _ in row)})",
                    list(row.values()),
                )

        def all_pages() -> Iterator[Page]:
            for number, records in enumerate(pages, 1):
                yield Page(f"page-{number}", records, 10)
            if limit:
                raise LIMIT
            yield Page("page-last", [], 2)

        def read_between(first: datetime, last: datetime) -> Iterator[Page]:
            self.asked_again.append((first, last))
            if isinstance(between, ApiLimitReachedError):
                raise between
            yield Page("starts-page-1", between, 10)

        reading = strava.extract(
            ServiceReading(self.connection, MARCH, self.workdir, NOW, self.lines.append),
            Listing(all_pages(), read_between),
            "lake",
            SeasonPlaces(places, str(self.workdir / "places.json")),
            lambda: "other_days",
        )
        return reading, loaded(self.connection, reading.extraction)


def activities(found: Loaded) -> list[tuple[int, date, datetime | None]]:
    return [(row["activity_id"], row["day"], row["deleted_at"]) for row in found.accepted[STRAVA_ACTIVITIES.key]]
