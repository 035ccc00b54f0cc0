"""Strava's list of activities, page by page, within the limits that its answers tell.

Belongs here: which requests are made, and what the service's refusals mean. Not here: tokens (`tokens.py`), what
is on a page (`strava/extraction.py`), what all services share (`services/client.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engagement_assets.extract.services.client import (
    Answer,
    ApiError,
    ApiLimitReachedError,
    ApiRefusedError,
    ApiUnavailableError,
    HttpApi,
    next_midnight,
    next_quarter_hour,
)
from engagement_assets.extract.strava.tokens import StravaTokens

PER_PAGE = 200
MAX_PAGES = 1_000

# Requests against the limit of all, and of those that read; each as `15 minutes,day`.
_LIMITS = (("X-RateLimit-Limit", "X-RateLimit-Usage"), ("X-ReadRateLimit-Limit", "X-ReadRateLimit-Usage"))
_UNAUTHORIZED, _FORBIDDEN, _OK = 401, 403, 200
# More are no limit, and Python refuses to read thousands of them.
_MOST_DIGITS = 18


@dataclass
class RateBudget:
    """What is left of Strava's limits, as its last answer told; None before the first one."""

    short_left: int | None = None
    daily_left: int | None = None
    learned_at: datetime | None = None

    def forget_what_has_begun_anew(self, now: datetime) -> None:
        """What an answer told of a quarter of an hour or a day that is over is true no more."""
        if self.learned_at and now >= next_quarter_hour(self.learned_at):
            self.short_left = None
        if self.learned_at and now >= next_midnight(self.learned_at):
            self.daily_left = None

    def learn(self, headers: Mapping[str, str], now: datetime) -> None:
        """Read the limits of an answer; of two pairs the tighter one counts."""
        short, daily = [], []
        for limit_name, usage_name in _LIMITS:
            limit, usage = _pair(headers.get(limit_name)), _pair(headers.get(usage_name))
            if limit and usage:
                short.append(limit[0] - usage[0])
                daily.append(limit[1] - usage[1])
        if short:
            self.short_left, self.daily_left = max(0, min(short)), max(0, min(daily))
            self.learned_at = now


@dataclass
class StravaLimits:
    """Keeps within the limits: waits to the next quarter hour at most, and stops when the day's share is used up."""

    http: HttpApi
    budget: RateBudget = field(default_factory=RateBudget)
    _refused_after_wait: bool = False

    def before_request(self) -> None:
        """Wait, or stop, when nothing is left.

        Raises:
            ApiLimitReachedError: the daily limit is used up.
        """
        self.budget.forget_what_has_begun_anew(self.http.clock.now())
        if self.budget.daily_left == 0:
            raise self._day_is_over()
        if self.budget.short_left == 0:
            self._wait("Strava's limit for 15 minutes is used up")

    def too_many_requests(self, answer: Answer) -> None:
        """Wait after a refusal; a second one, in the next quarter hour, means the day.

        Raises:
            ApiLimitReachedError: the daily limit is used up.
        """
        self.budget.learn(answer.headers, self.http.clock.now())
        if self.budget.daily_left == 0 or self._refused_after_wait:
            raise self._day_is_over()
        self._wait("Strava answers 429, too many requests")
        self._refused_after_wait = True

    def learn(self, answer: Answer) -> None:
        """Note what a granted request has left."""
        self._refused_after_wait = False
        self.budget.learn(answer.headers, self.http.clock.now())

    def _wait(self, why: str) -> None:
        # A second more, since two clocks are never the same.
        clock = self.http.clock
        clock.wait_until(next_quarter_hour(clock.now()), why, self.http.progress)
        clock.sleep(1)

    def _day_is_over(self) -> ApiLimitReachedError:
        go_on_at = next_midnight(self.http.clock.now())
        return ApiLimitReachedError(
            f"Strava's daily limit is used up; it takes requests again from {go_on_at:%Y-%m-%d %H:%M} UTC on", go_on_at
        )


@dataclass
class StravaApi:
    """The athlete's activities, as the service lists them."""

    base_url: str
    tokens: StravaTokens
    http: HttpApi
    limits: StravaLimits

    def activity_pages(self, after: datetime, before: datetime, *, first_page: int = 1) -> Iterator[list[Any]]:
        """Pages of activities with `after` < start < `before` (UTC), oldest first, from `first_page` on.

        An empty page ends the list, a short one does not.

        Raises:
            ApiLimitReachedError: the daily limit is used up; the pages before are complete.
            ApiRefusedError: the service refuses; the message says what to do.
            ApiUnavailableError: the service does not answer, or answers with something that is no list.
        """
        for page in range(first_page, first_page + MAX_PAGES):
            activities = self._page(after, before, page)
            yield activities
            if not activities:
                return
        raise ApiError(
            f"Strava gave {MAX_PAGES:,} pages between {after} and {before} and no end; choose a shorter range of days"
        )

    def _page(self, after: datetime, before: datetime, page: int) -> list[Any]:
        self.limits.before_request()
        token = self.tokens.access_token()
        answer = self._get(after, before, page, token)
        if answer.status == _UNAUTHORIZED:
            # It may have been revoked, or be older than this machine's clock says: once more with a new one.
            token = self.tokens.access_token(refused=token)
            answer = self._get(after, before, page, token)
        self.limits.learn(answer)
        if answer.status != _OK:
            raise _refusal(answer, token)
        if not isinstance(answer.document, list):
            raise ApiUnavailableError(
                f"Strava's page {page} is {type(answer.document).__name__}, expected a list of activities; run this "
                "again later"
            )
        return answer.document

    def _get(self, after: datetime, before: datetime, page: int, token: str) -> Answer:
        return self.http.request(
            "GET",
            f"{self.base_url.rstrip('/')}/athlete/activities",
            params={
                "after": int(after.timestamp()),
                "before": int(before.timestamp()),
                "page": page,
                "per_page": PER_PAGE,
            },
            headers={"Authorization": f"Bearer {token}"},
        )


def _pair(text: str | None) -> tuple[int, int] | None:
    """The two numbers of `15 minutes,day`; None where the header is absent or says something else."""
    parts = [part.strip() for part in (text or "").split(",")]
    if len(parts) != 2 or not all(part.isdecimal() and len(part) <= _MOST_DIGITS for part in parts):  # noqa: PLR2004 - a pair
        return None
    return int(parts[0]), int(parts[1])


def _refusal(answer: Answer, token: str) -> ApiRefusedError:
    """What a status that does not heal means, and what to do."""
    if answer.status == _UNAUTHORIZED:
        return ApiRefusedError(
            "Strava refuses the access token (status 401), also a new one; authorise the application once more with "
            "the scope activity:read_all and put the refresh token that this gives into STRAVA_REFRESH_TOKEN"
        )
    if answer.status == _FORBIDDEN:
        return ApiRefusedError(
            f"Strava refuses the application (status 403: {answer.shown_without(token)}); if it is inactive, its owner "
            "has to activate it in Strava's settings for developers. No other try will help before"
        )
    return ApiRefusedError(
        f"Strava refuses the request (status {answer.status}: {answer.shown_without(token)}); check STRAVA_API_BASE_URL"
    )
