"""Raw asset of the user-events service: the events that it lists under each date.

Belongs here: which dates are read and which checks judge them. Not here: how the service is read (see
`extract/user_events/extraction.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import date

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.standard import service_has_not_shrunk
from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.contracts.load_checks import HAS_NOT_SHRUNK
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract.quarantined import as_pages
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import Page, PageStore
from engagement_assets.extract.user_events import extraction as user_events
from engagement_assets.extract.user_events.source import USER_EVENTS, USER_EVENTS_SOURCE
from engagement_assets.lake.known_records import records_missing
from engagement_assets.lake.load import Load
from engagement_assets.partitions import with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings


def user_events_loads(_settings: Settings) -> list[RawSource]:
    """The events, partitioned by the date under which the service lists them."""
    return [
        RawSource(
            datasets=USER_EVENTS_SOURCE.datasets,
            load=_load,
            reread=_reread,
            checks=[(HAS_NOT_SHRUNK, USER_EVENTS)],
            resources=frozenset({"api_clients"}),
        )
    ]


def _load(run: RawRun) -> RawResults:
    clients: ApiClients = run.context.resources.api_clients
    settings = run.settings
    window = with_trailing_days(run.window, settings.trailing_days_of(USER_EVENTS_SOURCE), settings.start_date)
    with clients.user_events(run.progress) as api, run.open_load(clock=api.http.clock.now) as load:
        pages = PageStore(load.lake.pages_folder(load.name), load.run_id)
        load.stage(_extract(run, load, window, user_events.read_pages(api, pages, window)), window)
        outcomes = [
            *standard_outcomes(load, [USER_EVENTS], settings),
            service_has_not_shrunk(USER_EVENTS, records_missing(load, USER_EVENTS), allow_shrink=run.allow_shrink),
        ]
        figures = {
            "requests_made": api.http.requests_made,
            "rows_sharing_device_and_time": user_events.rows_sharing_device_and_time(load.connection),
        }
        try:
            yield from publish_or_hold(run, load, outcomes, figures=figures)
        finally:
            pages.clear()


def _reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
    pages = as_pages(records)
    extraction = _extract(run, load, run.window, pages.values())
    return Reread({number: page.name for number, (_, page) in pages.items()}, extraction)


def _extract(run: RawRun, load: Load, window: DayWindow, pages: Iterable[tuple[date, Page]]) -> Extraction:
    settings = run.settings
    rules = user_events.EventRules(
        settings.user_event_identity, settings.user_events_device_id_max_length, settings.calendar_at(load.started_at)
    )
    reading = ServiceReading(load.connection, window, load.workdir, load.started_at, run.progress)
    return user_events.extract(reading, pages, rules)
