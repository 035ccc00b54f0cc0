"""Releasing held days, as a run of the raw asset that takes them from where they are held.

Belongs here: what Dagster is told of a release. Not here: the release itself (see `lake/held_days.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from engagement_assets.checks import evidence
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.lake.datasets import Dataset
from engagement_assets.lake.held_days import NeverLoadedError, release
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from engagement_assets.settings import Settings


def release_held_days(  # noqa: PLR0913 - which days of what, and why
    context: dg.AssetExecutionContext,
    settings: Settings,
    load_name: str,
    datasets: Sequence[Dataset],
    *,
    window: DayWindow | None,
    reason: str,
) -> Iterator[dg.MaterializeResult[Any]]:
    """Put the held days of the window into the lake; the days that are not held stay as they are.

    The checks are not judged anew: each passes and says that somebody has released these days, and why.

    Raises:
        dagster.Failure: there is no reason, or the lake has nothing of a day, neither held nor published.
    """
    if not reason.strip():
        raise dg.Failure(
            "release_reason is empty, expected why the held days are let through; fill it in and launch this again. "
            "Nothing has been released",
            allow_retries=False,
        )
    days = window.days() if window else [WHOLE_DATASET_DAY]
    lake = Lake(settings.lake_uri)
    with open_load(lake, load_name, run_id=context.run.run_id, memory_limit=settings.duckdb_memory_limit) as load:
        try:
            released = release(load, datasets, days, reason)
        except NeverLoadedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
    named = [day.isoformat() for day in released if day != WHOLE_DATASET_DAY]
    told = f"released{f': {len(named)} days' if named else ''} ({reason})" if released else "nothing was held"
    context.log.info(f"{load_name}: {told}{': ' if named else ''}{', '.join(named)}")
    still_held = [day.isoformat() for day in lake.held_days(load_name) if day != WHOLE_DATASET_DAY]
    judged = {evidence.FIRST_DAY_JUDGED: days[0].isoformat(), evidence.LAST_DAY_JUDGED: days[-1].isoformat()}
    for dataset in datasets:
        asset_key = dg.AssetKey(dataset.key.split("/"))
        yield dg.MaterializeResult(
            asset_key=asset_key,
            metadata={"released_days": named, "release_reason": reason, evidence.HELD_DAYS: still_held},
            check_results=[
                dg.AssetCheckResult(
                    passed=True,
                    asset_key=asset_key,
                    check_name=check.name,
                    description=f"not judged: {told}",
                    metadata={evidence.FAILING_DAYS: [], **(judged if window else {})},
                )
                for check in sorted(context.selected_asset_check_keys)
                if check.asset_key == asset_key
            ],
        )
