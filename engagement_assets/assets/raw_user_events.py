"""Raw asset of the user-events service: the events that it lists under each date.

Belongs here: which dates are read and which checks judge them. Not here: how the service is read (see
`extract/user_events.py`).
"""

from collections.abc import Iterator
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
from engagement_assets.extract import user_events
from engagement_assets.extract.page_store import PageStore
from engagement_assets.extract.user_events_api import UserEventsApi
from engagement_assets.lake.datasets import USER_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings


def raw_user_events_assets(settings: Settings) -> dg.AssetsDefinition:
    """The events, partitioned by the date under which the service lists them."""

    @dg.multi_asset(
        name="raw_user_events",
        specs=[raw_spec(USER_EVENTS, daily_partitions(settings.start_date))],
        check_specs=[
            check_spec(RECONCILES, USER_EVENTS, RECONCILES_DESCRIPTION),
            check_spec(HAS_NOT_SHRUNK, USER_EVENTS, FEW_RECORDS_ARE_GONE_DESCRIPTION),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_user_events",
    )
    def raw_user_events(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        with trying_again(settings), api_clients.user_events(context.log.info) as api:
            yield from _load(context, settings, api, allow_shrink=config.allow_shrink or settings.allow_shrink)

    return raw_user_events


def _load(
    context: dg.AssetExecutionContext, settings: Settings, api: UserEventsApi, *, allow_shrink: bool
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    days = window_of(context)
    window = with_trailing_days(days, settings.user_events_trailing_days, settings.start_date)
    lake = Lake(settings.lake_uri)
    with open_load(
        lake,
        "user_events",
        run_id=context.run.run_id,
        memory_limit=settings.duckdb_memory_limit,
        started_at=api.http.clock.now(),
    ) as load:
        pages = PageStore(lake.pages_folder("user_events"), context.run.run_id)
        extraction = user_events.extract(
            load.connection,
            user_events.read_pages(api, pages, window),
            window,
            load.workdir,
            identity=settings.user_event_identity,
            extracted_at=load.started_at,
            progress=context.log.info,
        )
        load.write_aside(extraction, window)
        verdicts = [
            reconciles(USER_EVENTS, load.counts()),
            few_records_are_gone(USER_EVENTS, load.records_missing(USER_EVENTS), allow_shrink=allow_shrink),
        ]
        figures = {
            "requests_made": api.http.requests_made,
            "rows_sharing_device_and_time": user_events.rows_sharing_device_and_time(load.connection),
        }
        try:
            yield from publish_or_hold(context, load, [USER_EVENTS], verdicts, days, figures=figures)
        finally:
            pages.clear()
