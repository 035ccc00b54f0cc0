"""What Strava no longer has leaves the lake once its grace period has ended, unless it has come back."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.deleted_activities import erase_deleted_activities
from engagement_assets.lake.erasure import days_of, finish, unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.retention import Pruned
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, Reject, parquet_rows, publish, published, records, window

NOW = datetime(2024, 6, 20, tzinfo=UTC)
DAY_4 = date(2024, 3, 4)
STAYS, GOES = NOW - timedelta(days=29), NOW - timedelta(days=31)


def _load(lake: Lake, number: int, day: date, *states: tuple[int, datetime | None], **options: Any) -> None:
    """A load of one day with activities and when they were deleted, and an observation of kudos of each."""
    rejects = [
        Reject(STRAVA_ACTIVITIES, day, "page", raw_text=f'{{"id": {name}}}') for name in options.pop("rejects", ())
    ]
    own = {"day": day, "source_path": "page"}
    activities = [
        {"activity_id": name, "deleted_at": at.replace(tzinfo=None) if at else None, **own} for name, at in states
    ]
    kudos = [{"activity_id": name, "observed_on": day, "kudos_count": 1, **own} for name, _ in states]
    found = Found({STRAVA_ACTIVITIES: activities, STRAVA_ACTIVITY_KUDOS: kudos}, rejects=rejects)
    publish(lake, found, window(day), number, name="strava", **options)


def _erase(lake: Lake, *in_tables: int, dry_run: bool = False) -> Pruned:
    return erase_deleted_activities(lake, NOW - timedelta(days=30), in_tables, now=NOW, dry_run=dry_run)


def _lake(folder: Path) -> Lake:
    lake = Lake(str(folder / "lake"))
    _load(lake, 1, DAY_2, rejects=[1, 2])
    _load(lake, 2, DAY_1, (1, GOES), (2, STAYS), (3, None), (4, GOES), (5, GOES), (7, GOES))
    # 4 has moved to this day. The record of 5 is there again, and cannot be used.
    _load(lake, 3, DAY_3, (4, None), rejects=[5])
    # 6 is missing on a held day alone, which is not believed yet. 7 is there again.
    _load(lake, 4, DAY_4, (1, GOES), (6, GOES), (7, None), held={DAY_4: ["volume"]})
    page = lake.pages_folder("strava") / "run" / "page.json"
    page.parent.mkdir(parents=True)
    page.write_text("[]", encoding="utf-8")
    return lake


def _left(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    folder = Path(lake.uri)
    held = f"held/{STRAVA_ACTIVITIES.key}/*/data.parquet"
    return {
        "activities": published(lake, STRAVA_ACTIVITIES, "activity_id"),
        "kudos": [name for _, name in published(lake, STRAVA_ACTIVITY_KUDOS, "activity_id")],
        "held": [name for (name,) in parquet_rows(folder, held, "activity_id")],
        "rejected": parquet_rows(folder, "records/rejected/*/*.parquet", "day", "record->>'$.fields.id'"),
        "pages": [path.name for path in (folder / ".pages").rglob("*.json")],
    }


def test_what_is_deleted_for_longer_leaves_everything_and_nothing_else_does(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    before = _left(lake)
    would = _erase(lake, dry_run=True)
    assert _left(lake) == before
    assert unfinished(lake) == []
    did = _erase(lake)
    assert did == would
    assert (did.count, did.what) == (1, "activities that Strava no longer has")
    assert f"raw_strava/activities/day={DAY_1}/data.parquet" in did.names
    assert _left(lake) == {
        "activities": [*((DAY_1, name) for name in (2, 3, 4, 5, 7)), (DAY_3, 4)],
        "kudos": [2, 3, 4, 5, 7, 4],
        "held": [6, 7],
        "rejected": [(DAY_2, "2"), (DAY_3, "5")],
        "pages": [],
    }


def test_it_is_recorded_and_waits_for_the_tables_and_keeps_nothing_out(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    _erase(lake)
    (request,) = unfinished(lake)
    assert (request.is_of_deleted_activities, request.state, request.records_erased) == (True, "applied", 5)
    assert days_of(lake, request)[STRAVA_ACTIVITIES.key] == [DAY_1, DAY_2]
    counted = records(lake, "status", "partition_date", "dataset", "accepted", "quarantined", "erased", "rows_in_day")
    assert [row[1:] for row in counted if row[0] == "erased"] == [
        (DAY_1, "activities", 5, 0, 1, 5),
        (DAY_1, "activity_kudos", 5, 0, 1, 5),
        (DAY_2, "activities", 0, 1, 1, 0),
    ]
    # Nothing is left to do, so there is no other request, also not for tables that are still to follow.
    assert _erase(lake, 1).count == 1
    assert _erase(lake).count == 0
    assert len(unfinished(lake)) == 1
    finish(lake, request, NOW)
    assert unfinished(lake) == []
    # No key is needed, and what comes back is new.
    _load(lake, 6, DAY_1, (1, None))
    assert published(lake, STRAVA_ACTIVITIES, "activity_id")[0] == (DAY_1, 1)
    assert _erase(lake).count == 0


def test_what_comes_back_within_the_grace_period_is_kept(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _load(lake, 1, DAY_1, (1, GOES), (2, GOES))
    _load(lake, 2, DAY_1, (1, None), (2, GOES))
    assert _erase(lake).count == 1
    assert published(lake, STRAVA_ACTIVITIES, "activity_id") == [(DAY_1, 1)]


def test_tables_of_removed_days_follow_too(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _load(lake, 1, DAY_1, (1, None))
    # The tables are older than the lake, which has 1 again.
    assert _erase(lake, 1, 8, dry_run=True).count == 1
    assert _erase(lake, 1, 8).count == 1
    (request,) = unfinished(lake)
    assert (request.records_erased, days_of(lake, request)) == (0, {})
