"""Raw assets of Strava: activities and kudos observations, from one reading of the athlete's list.

Belongs here: which days are read, which checks judge them, what it means for the run when a limit is reached. Not
here: how the service is read (see `extract/strava/extraction.py`).
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from engagement_assets.assets.raw_load import publish_or_hold, standard_outcomes
from engagement_assets.assets.raw_source import RawResults, RawRun, RawSource
from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.standard import has_no_duplicate_ids, service_has_not_shrunk
from engagement_assets.checks.volume import rows_of_load
from engagement_assets.checks.weekly_statistics import WeeklyStatistic, weekly_statistic_as_expected
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.load_checks import (
    HAS_NOT_SHRUNK,
    STRAVA_CHECKS,
    STRAVA_HAS_NO_DUPLICATE_IDS,
    STRAVA_WEEKLY_COUNT_AS_EXPECTED,
    STRAVA_WEEKLY_KUDOS_AS_EXPECTED,
)
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract.quarantined import as_pages
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import PageStore
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import Listing, list_activities
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import STRAVA, STRAVA_ACTIVITIES
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.known_records import published_rows
from engagement_assets.lake.load import Load
from engagement_assets.partitions import with_trailing_days
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings

WEEKLY_STATISTICS = tuple(
    WeeklyStatistic(check, STRAVA_ACTIVITIES, aggregate=aggregate, where="deleted_at is null", noun=noun)
    for check, aggregate, noun in (
        (STRAVA_WEEKLY_COUNT_AS_EXPECTED, "count(data.activity_id)", "activities"),
        (STRAVA_WEEKLY_KUDOS_AS_EXPECTED, "avg(data.kudos_count)", "kudos per activity"),
    )
)


def strava_loads(_settings: Settings) -> list[RawSource]:
    """The two Strava datasets as one step, partitioned by the day on which an activity began."""
    return [
        RawSource(
            datasets=STRAVA.datasets,
            load=_load,
            reread=_reread,
            checks=[(check, STRAVA_ACTIVITIES) for check in (HAS_NOT_SHRUNK, *STRAVA_CHECKS)],
            outcomes_of_replay=lambda run, load: [_no_duplicates(load, _published_around(load, run.window))],
            resources=frozenset({"api_clients"}),
        )
    ]


def _reread(run: RawRun, load: Load, records: Sequence[QuarantinedRecord]) -> Reread:
    pages = as_pages(records)
    # A published activity is not gone because it is on none of these pages.
    nothing_published = rows_of([], STRAVA_ACTIVITIES.columns)
    found = Listing([page for _, page in pages.values()])
    outcome = strava.extract(_reading(run, load, run.window), found, nothing_published, _places(run, load))
    return Reread({number: page.name for number, (_, page) in pages.items()}, outcome.extraction)


def _reading(run: RawRun, load: Load, window: DayWindow) -> ServiceReading:
    return ServiceReading(load.connection, window, load.workdir, load.started_at, run.progress)


def _places(run: RawRun, load: Load) -> SeasonPlaces:
    return SeasonPlaces(run.settings.strava_places, load.lake.location(load.lake.places_key(load.name)))


def _published_around(load: Load, window: DayWindow) -> str:
    """The activities that the lake holds of the window and of the days beside it: some moved over midnight."""
    a_day = timedelta(days=1)
    return published_rows(load, STRAVA_ACTIVITIES, DayWindow(window.start - a_day, window.end + a_day))


def _published_on_all_days(load: Load) -> str:
    """All activities that the lake holds: the start of some was moved by more than a day."""
    days = load.lake.days(STRAVA_ACTIVITIES)
    return published_rows(load, STRAVA_ACTIVITIES, DayWindow(min(days), max(days) + timedelta(days=1)))


def _no_duplicates(load: Load, published: str) -> CheckOutcome:
    not_deleted = f"(select * from {published} where deleted_at is null)"
    return has_no_duplicate_ids(load, STRAVA_HAS_NO_DUPLICATE_IDS, STRAVA_ACTIVITIES, not_deleted)


def _load(run: RawRun) -> RawResults:
    clients: ApiClients = run.context.resources.api_clients
    days, settings = run.window, run.settings
    window = with_trailing_days(days, settings.trailing_days_of(STRAVA), settings.start_date)
    with clients.strava(run.progress) as api, run.open_load(clock=api.http.clock.now) as load:
        published = _published_around(load, window)
        pages, places = PageStore(load.lake.pages_folder(load.name), load.run_id), _places(run, load)
        listing = list_activities(api, pages, window, places)
        found = strava.extract(
            _reading(run, load, window), listing, published, places, lambda: _published_on_all_days(load)
        )
        load.stage(found.extraction, found.window)
        outcomes = [
            *standard_outcomes(load, STRAVA.datasets, settings, rows_of_load),
            _no_duplicates(load, published),
            *(weekly_statistic_as_expected(load, statistic, days.days()) for statistic in WEEKLY_STATISTICS),
            service_has_not_shrunk(
                STRAVA_ACTIVITIES, found.missing, as_a_whole=found.window.days(), allow_shrink=run.allow_shrink
            ),
        ]
        figures = {"requests_made": api.http.requests_made}
        budget = api.limits.budget
        if budget.short_left is not None and budget.daily_left is not None:
            figures |= {"requests_left_15_minutes": budget.short_left, "requests_left_today": budget.daily_left}
        complete_before = found.complete_until.date() if found.stopped else None
        try:
            yield from publish_or_hold(run, load, outcomes, figures=figures, complete_before=complete_before)
        finally:
            pages.clear()
    if found.stopped:
        raise dg.Failure(
            f"{found.stopped}. What began before {found.complete_until} UTC is loaded; run "
            f"{max(days.start, found.complete_until.date())} to {days.days()[-1]} again then",
            allow_retries=False,
        )
