"""Raw assets of Strava: activities and kudos observations, from one reading of the athlete's list.

Belongs here: which days are read, which checks judge them, what a limit that is reached means for the run. Not here:
how the service is read (see `extract/strava.py`).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import LoadConfig, publish_or_hold, raw_spec, trying_again
from engagement_assets.checks.raw_door import (
    FEW_RECORDS_ARE_GONE_DESCRIPTION,
    HAS_NOT_SHRUNK,
    RECONCILES,
    RECONCILES_DESCRIPTION,
    check_spec,
    few_records_are_gone,
    reconciles,
)
from engagement_assets.extract import strava
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.page_store import PageStore
from engagement_assets.extract.strava_api import StravaApi
from engagement_assets.lake.datasets import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings

DATASETS = (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS)


def raw_strava_assets(settings: Settings) -> dg.AssetsDefinition:
    """The two Strava datasets as one step, partitioned by the day on which an activity began."""
    partitions = daily_partitions(settings.start_date)

    @dg.multi_asset(
        name="raw_strava",
        specs=[raw_spec(dataset, partitions) for dataset in DATASETS],
        check_specs=[
            *(check_spec(RECONCILES, dataset, RECONCILES_DESCRIPTION) for dataset in DATASETS),
            check_spec(HAS_NOT_SHRUNK, STRAVA_ACTIVITIES, FEW_RECORDS_ARE_GONE_DESCRIPTION),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_strava",
    )
    def raw_strava(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        with trying_again(settings), api_clients.strava(context.log.info) as api:
            yield from _load(context, settings, api, allow_shrink=config.allow_shrink or settings.allow_shrink)

    return raw_strava


def _load(
    context: dg.AssetExecutionContext, settings: Settings, api: StravaApi, *, allow_shrink: bool
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    days = window_of(context)
    window = with_trailing_days(days, settings.strava_trailing_days, settings.start_date)
    lake = Lake(settings.lake_uri)
    with open_load(
        lake,
        "strava",
        run_id=context.run.run_id,
        memory_limit=settings.duckdb_memory_limit,
        started_at=api.http.clock.now(),
    ) as load:
        pages = PageStore(lake.pages_folder("strava"), context.run.run_id)
        reading = strava.extract(
            load.connection,
            strava.read_pages(api, pages, window, settings.strava_place_decimals),
            window,
            load.workdir,
            published=load.published_rows(
                STRAVA_ACTIVITIES, DayWindow(window.start - timedelta(days=1), window.end + timedelta(days=1))
            ),
            extracted_at=load.started_at,
            progress=context.log.info,
        )
        load.write_aside(reading.extraction, reading.window)
        counts = load.counts()
        verdicts = [reconciles(dataset, [day for day in counts if day.dataset == dataset.key]) for dataset in DATASETS]
        verdicts.append(
            few_records_are_gone(
                STRAVA_ACTIVITIES,
                reading.missing,
                as_a_whole=reading.window.days(),
                allow_shrink=allow_shrink,
            )
        )
        figures = {"requests_made": api.http.requests_made}
        budget = api.limits.budget
        if budget.short_left is not None and budget.daily_left is not None:
            figures |= {"requests_left_15_minutes": budget.short_left, "requests_left_today": budget.daily_left}
        try:
            yield from publish_or_hold(
                context,
                load,
                DATASETS,
                verdicts,
                days,
                figures=figures,
                complete_before=reading.complete_until.date() if reading.stopped else None,
            )
        finally:
            pages.clear()
    if reading.stopped:
        raise dg.Failure(
            f"{reading.stopped}. What began before {reading.complete_until} UTC is loaded; run "
            f"{max(days.start, reading.complete_until.date())} to {days.days()[-1]} again then",
            allow_retries=False,
        )
