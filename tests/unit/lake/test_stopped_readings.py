"""What a reading of Strava that stopped at the daily limit leaves in quarantine."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.checks.standard import reconciles
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import Listing
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import ID_OF_REJECTED, STRAVA_ACTIVITIES
from engagement_assets.lake.known_records import published_rows
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.privacy.policy import PrivacyPolicy
from tests.lake_loads import FIRST_LOAD, parquet_rows
from tests.unit.extract.strava.strava_loads import DAY_1, DAY_2, LIMIT, activity

WINDOW = DayWindow(DAY_1, date(2024, 3, 4))
READ_FIRST = [activity(1, "2024-03-01T06:00:00Z"), activity(2, "2024-03-02T06:00:00Z")]
BROKEN = activity(4, "2024-03-02T19:00:00Z", distance=-1)
WITHOUT_ID = activity(None, "2024-03-02T20:00:00Z")
WITHOUT_START = activity(5, None)
ALL = [(DAY_1, 5), (DAY_2, 4), (DAY_2, None)]


@pytest.fixture(params=[None, "k" * 32], ids=["no key", "key"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), PrivacyPolicy(request.param))


def load(lake: Lake, number: int, records: Sequence[Any], *, stops: bool) -> list[tuple[date, int | None]]:
    """Load a page, and the end of the list or the limit; returns the day and the id of all in quarantine."""

    def pages() -> Iterator[Page]:
        yield Page(f"load-{number}-page-1", records, 10)
        if stops:
            raise LIMIT
        yield Page(f"load-{number}-page-2", [], 2)

    with open_load(lake, "strava", run_id="run", started_at=FIRST_LOAD + timedelta(days=number)) as at_work:
        found = strava.extract(
            ServiceReading(at_work.connection, WINDOW, at_work.workdir, at_work.started_at, lambda _: None),
            Listing(pages()),
            published_rows(at_work, STRAVA_ACTIVITIES, WINDOW),
            SeasonPlaces(KeptPlaces.NONE, lake.location(lake.places_key("strava"))),
        )
        at_work.stage(found.extraction, found.window)
        counts = at_work.counts_of(STRAVA_ACTIVITIES)
        assert reconciles(STRAVA_ACTIVITIES, counts).findings == {}
        assert sum(of_day.records_read for of_day in counts) == len(records)
        at_work.publish({})
    rows = parquet_rows(Path(lake.root), "records/rejected/**/*.parquet", "day", ID_OF_REJECTED)
    return sorted(rows, key=lambda row: (row[0], row[1] or 10))


@pytest.mark.parametrize(
    ("read_now", "stay"),
    [
        (READ_FIRST, ALL),
        ([*READ_FIRST, WITHOUT_ID], ALL),
        ([*READ_FIRST, activity(4, "2024-03-02T19:00:00Z")], [(DAY_1, 5), (DAY_2, None)]),
        ([*READ_FIRST, activity(4, "2024-03-02T19:00:00Z", distance="far")], ALL),
    ],
    ids=["not reached", "rejected again", "mended", "rejected otherwise"],
)
def test_a_rejected_record_that_a_stopped_reading_did_not_reach_stays_in_quarantine(
    lake: Lake, read_now: list[Any], stay: list[tuple[date, int | None]]
) -> None:
    assert load(lake, 1, [*READ_FIRST, BROKEN, WITHOUT_ID, WITHOUT_START], stops=False) == ALL
    assert load(lake, 2, read_now, stops=True) == stay


def test_a_whole_reading_replaces_the_quarantine_also_after_one_that_stopped(lake: Lake) -> None:
    load(lake, 1, [*READ_FIRST, BROKEN, WITHOUT_ID], stops=False)
    load(lake, 2, READ_FIRST, stops=True)
    assert load(lake, 3, [*READ_FIRST, BROKEN], stops=False) == [(DAY_2, 4)]
