"""Raw asset of the user-events service: the events that it lists under each date.

Belongs here: which dates are read and which checks judge them. Not here: how the service is read (see
`extract/user_events.py`).
"""

from collections.abc import Callable, Iterator, Sequence
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
from engagement_assets.checks.catalog import FEW_RECORDS_ARE_GONE
from engagement_assets.checks.raw_door import few_records_are_gone
from engagement_assets.extract import user_events
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.page_store import PageStore
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread, as_pages
from engagement_assets.extract.user_events_api import UserEventsApi
from engagement_assets.lake.datasets import USER_EVENTS
from engagement_assets.lake.known_records import records_missing
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings


def raw_user_events_assets(settings: Settings) -> dg.AssetsDefinition:
    """The events, partitioned by the date under which the service lists them."""

    @dg.multi_asset(
        name="raw_user_events",
        specs=[raw_spec(USER_EVENTS, daily_partitions(settings.start_date), settings)],
        check_specs=door_check_specs([USER_EVENTS], (FEW_RECORDS_ARE_GONE, USER_EVENTS)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="raw_user_events",
    )
    def raw_user_events(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        settings: dg.ResourceParam[Settings],
        api_clients: dg.ResourceParam[ApiClients],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        if (reason := config.release_reason) is not None:
            yield from release_held_days(
                context, settings, "user_events", [USER_EVENTS], window=window_of(context), reason=reason
            )
            return
        if config.replay:
            window = window_of(context)
            yield from replay_quarantine(
                context,
                settings,
                config,
                "user_events",
                [USER_EVENTS],
                window=window,
                read=lambda load, records: _reread(load, records, window, settings, context.log.info),
            )
            return
        with trying_again(settings, context), api_clients.user_events(context.log.info) as api:
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
            *standard_verdicts(load, [USER_EVENTS], settings),
            few_records_are_gone(USER_EVENTS, records_missing(load, USER_EVENTS), allow_shrink=allow_shrink),
        ]
        figures = {
            "requests_made": api.http.requests_made,
            "rows_sharing_device_and_time": user_events.rows_sharing_device_and_time(load.connection),
        }
        try:
            yield from publish_or_hold(context, load, [USER_EVENTS], verdicts, days, settings=settings, figures=figures)
        finally:
            pages.clear()


def _reread(
    load: Load,
    records: Sequence[QuarantinedRecord],
    window: DayWindow,
    settings: Settings,
    progress: Callable[[str], None],
) -> Reread:
    pages = as_pages(records)
    extraction = user_events.extract(
        load.connection,
        pages.values(),
        window,
        load.workdir,
        identity=settings.user_event_identity,
        extracted_at=load.started_at,
        progress=progress,
    )
    return Reread({number: page.name for number, (_, page) in pages.items()}, extraction)
