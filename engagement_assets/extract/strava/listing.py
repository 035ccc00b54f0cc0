"""What Strava lists of a window, page by page.

Belongs here: the order of pages, pages that an earlier try has kept, and a part of the window that is read once more.
Not here: requests (`strava/api.py`), or what becomes of the activities (`extraction.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.services.pages import Page, PageStore
from engagement_assets.extract.strava.api import StravaApi
from engagement_assets.extract.strava.places import SeasonPlaces

# Strava's times are whole seconds.
_A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Listing:
    """What Strava lists of a window: its `pages`, the oldest activities first and an empty page last.

    `between` gives what it lists now between two starts (UTC, naive). It is asked if a published activity is missing
    between two pages, since the list may have moved meanwhile; None if nobody can be asked.
    """

    pages: Iterable[Page]
    between: Callable[[datetime, datetime], Iterable[Page]] | None = None


def list_activities(api: StravaApi, pages: PageStore, window: DayWindow, places: SeasonPlaces) -> Listing:
    """What Strava lists of a window, read when it is asked for (see `read_pages`)."""
    return Listing(
        read_pages(api, pages, window, places),
        lambda first, last: read_pages(api, pages, window, places, (first, last)),
    )


def read_pages(
    api: StravaApi,
    pages: PageStore,
    window: DayWindow,
    places: SeasonPlaces,
    starts: tuple[datetime, datetime] | None = None,
) -> Iterator[Page]:
    """The pages of a window, first those that an earlier try of this run has kept; the last one is empty.

    Before a page is kept, all places are taken out, or become coarse: no file and no record says where somebody lives.
    `starts` are the first and the last start to read (UTC, naive), if that is not the whole window.

    Raises:
        ApiLimitReachedError: the daily limit is used up; the pages before are complete.
        ApiError: the service refuses or does not answer.
    """
    first, last = starts or starts_of(window)
    page = 1
    while (kept := pages.find(_page_name(window, page, starts))) is not None:
        yield kept
        if not kept.records:
            return
        page += 1
    # Strava's bounds exclude themselves.
    after, before = (moment.replace(tzinfo=UTC) for moment in (first - _A_SECOND, last + _A_SECOND))
    for number, activities in enumerate(api.activity_pages(after, before, first_page=page), page):
        yield pages.keep(_page_name(window, number, starts), places.clean(activities))


def starts_of(window: DayWindow) -> tuple[datetime, datetime]:
    """The first and the last second in which an activity of the window may begin."""
    return datetime.combine(window.start, time()), datetime.combine(window.end, time()) - _A_SECOND


def _page_name(window: DayWindow, page: int, starts: tuple[datetime, datetime] | None = None) -> str:
    # What is read between two starts is read later, and comes later in the order of names.
    part = "-starts-{:%Y%m%dT%H%M%S}-to-{:%Y%m%dT%H%M%S}".format(*starts) if starts else ""
    return f"activities-{window.start}-to-{window.days()[-1]}{part}-page-{page:05d}"
