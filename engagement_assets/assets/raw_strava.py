"""Raw assets of Strava: activities and kudos observations, from one reading of the athlete's list.

Belongs here: which days are read, which checks judge them, what a limit that is reached means for the run. Not here:
how the service is read (see `extract/strava.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import (
    LoadConfig,
    door_check_specs,
    publish_or_hold,
    raw_spec,
    standard_verdicts,
)
from engagement_assets.assets.raw_release import release_held_days
from engagement_assets.assets.raw_replay import replay_quarantine
from engagement_assets.assets.retries import trying_again
from engagement_assets.checks.catalog import (
    FEW_RECORDS_ARE_GONE,
    STRAVA_CHECKS,
    STRAVA_HAS_NO_DUPLICATE_IDS,
    STRAVA_WEEKLY_COUNT_AS_EXPECTED,
    STRAVA_WEEKLY_KUDOS_AS_EXPECTED,
)
from engagement_assets.checks.raw_door import few_records_are_gone, has_no_duplicate_ids
from engagement_assets.checks.verdict import Verdict
from engagement_assets.checks.volume import rows_of_load
from engagement_assets.checks.weekly_statistics import WeeklyStatistic, weekly_statistic_as_expected
from engagement_assets.extract import strava
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.page_store import PageStore
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread, as_pages
from engagement_assets.extract.strava_api import StravaApi
from engagement_assets.lake.datasets import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.known_records import published_rows
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings

DATASETS = (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS)

WEEKLY_STATISTICS = (
    WeeklyStatistic(
        STRAVA_WEEKLY_COUNT_AS_EXPECTED,
        STRAVA_ACTIVITIES,
        aggregate="count(data.activity_id)",
        where="deleted_at is null",
        noun="activities",
    ),
    WeeklyStatistic(
        STRAVA_WEEKLY_KUDOS_AS_EXPECTED,
        STRAVA_ACTIVITIES,
        aggregate="avg(data.kudos_count)",
        where="deleted_at is null",
        noun="kudos per activity",
    ),
)


def raw_strava_assets(settings: Settings) -> dg.AssetsDefinition:
    """The two Strava datasets as one step, partitioned by the day on which an activity began."""
    partitions = daily_partitions(settings.start_date)

    @dg.multi_asset(
        name="raw_strava",
        specs=[raw_spec(dataset, partitions, settings) for dataset in DATASETS],
        check_specs=door_check_specs(
            DATASETS, *((claim, STRAVA_ACTIVITIES) for claim in (FEW_RECORDS_ARE_GONE, *STRAVA_CHECKS))
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_strava",
    )
    def raw_strava(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        if (reason := config.release_reason) is not None:
            yield from release_held_days(
                context, settings, "strava", DATASETS, window=window_of(context), reason=reason
            )
            return
        if config.replay:
            yield from _replay(context, config, settings)
            return
        with trying_again(settings, context), api_clients.strava(context.log.info) as api:
            yield from _load(context, settings, api, allow_shrink=config.allow_shrink or settings.allow_shrink)

    return raw_strava


def _replay(
    context: dg.AssetExecutionContext, config: LoadConfig, settings: Settings
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    window = window_of(context)

    def reread(load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
        pages = as_pages(records)
        reading = strava.extract(
            load.connection,
            [page for _, page in pages.values()],
            window,
            load.workdir,
            # What is published has not gone because it is on none of these pages.
            published=rows_of([], STRAVA_ACTIVITIES.columns),
            extracted_at=load.started_at,
            progress=context.log.info,
        )
        return Reread({number: page.name for number, (_, page) in pages.items()}, reading.extraction)

    yield from replay_quarantine(
        context,
        settings,
        config,
        "strava",
        DATASETS,
        window=window,
        read=reread,
        further_verdicts=lambda load: [_no_duplicates(load, _published_around(load, window))],
    )


def _published_around(load: Load, window: DayWindow) -> str:
    """The activities that the lake holds of the window; what was moved over midnight stands on the day beside it."""
    return published_rows(
        load, STRAVA_ACTIVITIES, DayWindow(window.start - timedelta(days=1), window.end + timedelta(days=1))
    )


def _no_duplicates(load: Load, published: str) -> Verdict:
    not_deleted = f"(select * from {published} where deleted_at is null)"
    return has_no_duplicate_ids(load, STRAVA_HAS_NO_DUPLICATE_IDS, STRAVA_ACTIVITIES, not_deleted)


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
        published = _published_around(load, window)
        pages = PageStore(lake.pages_folder("strava"), context.run.run_id)
        reading = strava.extract(
            load.connection,
            strava.read_pages(api, pages, window, settings.strava_place_decimals),
            window,
            load.workdir,
            published=published,
            extracted_at=load.started_at,
            progress=context.log.info,
        )
        load.write_aside(reading.extraction, reading.window)
        verdicts = [
            *standard_verdicts(load, DATASETS, settings, rows_of_load),
            _no_duplicates(load, published),
            *(weekly_statistic_as_expected(load, statistic, days.days()) for statistic in WEEKLY_STATISTICS),
        ]
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
                settings=settings,
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
