"""Strava's list of activities, page by page, within the limits that its answers report.

Belongs here: which requests are made, and what the service's refusals mean. Not here: tokens (`tokens.py`), what
is on a page (`strava/extraction.py`), what all services share (`services/client.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engagement_assets.extract.services.client import (
    Answer,
    ApiError,
    ApiLimitReachedError,
    ApiRefusedError,
    ApiUnavailableError,
    HttpApi,
    Request,
)
from engagement_assets.extract.strava.tokens import ERASE_INSTEAD, StravaTokens

PER_PAGE = 200
MAX_PAGES = 1_000

# Limits of all requests, and of those that read.
_LIMITS = (("X-RateLimit-Limit", "X-RateLimit-Usage"), ("X-ReadRateLimit-Limit", "X-ReadRateLimit-Usage"))
# Of 15 minutes, and of the day. A longer number is not a limit, and Python refuses to read thousands of digits.
_TWO_NUMBERS = re.compile(r"\s*(\d{1,18})\s*,\s*(\d{1,18})\s*")
_UNAUTHORIZED, _FORBIDDEN, _OK = 401, 403, 200


@dataclass
class RateBudget:
    """What is left of Strava's limits, according to its last answer; None before the first one."""

    short_left: int | None = None
    daily_left: int | None = None
    learned_at: datetime | None = None

    def forget_expired(self, now: datetime) -> None:
        """Forget what was learned in an earlier quarter of an hour, or on an earlier day."""
        if self.learned_at and now >= _next_quarter_hour(self.learned_at):
            self.short_left = None
        if self.learned_at and now >= _next_midnight(self.learned_at):
            self.daily_left = None

    def learn(self, headers: Mapping[str, str], now: datetime) -> None:
        """Read the limits of an answer; of two pairs the tighter one counts."""
        short, daily = [], []
        for limit_and_usage in _LIMITS:
            limit, usage = (_TWO_NUMBERS.fullmatch(headers.get(name, "")) for name in limit_and_usage)
            if limit and usage:
                short.append(int(limit[1]) - int(usage[1]))
                daily.append(int(limit[2]) - int(usage[2]))
        if short:
            self.short_left, self.daily_left = max(0, min(short)), max(0, min(daily))
            self.learned_at = now


@dataclass
class StravaLimits:
    """Keeps within the limits: waits for the next quarter of an hour, and stops when the day's limit is used up."""

    http: HttpApi
    budget: RateBudget = field(default_factory=RateBudget)
    _refused_after_wait: bool = False

    def before_request(self) -> None:
        """Wait if nothing is left of the 15 minutes; raise ApiLimitReachedError if nothing is left of the day."""
        self.budget.forget_expired(self.http.clock.now())
        if self.budget.daily_left == 0:
            raise self._day_is_over()
        if self.budget.short_left == 0:
            self._wait("Strava's limit for 15 minutes is used up")

    def too_many_requests(self, answer: Answer) -> None:
        """Wait after a refusal; after a second one in the next quarter of an hour raise ApiLimitReachedError."""
        self.budget.learn(answer.headers, self.http.clock.now())
        if self.budget.daily_left == 0 or self._refused_after_wait:
            raise self._day_is_over()
        self._wait("Strava answers 429, too many requests")
        self._refused_after_wait = True

    def learn(self, answer: Answer) -> None:
        """Note what an answered request has left."""
        self._refused_after_wait = False
        self.budget.learn(answer.headers, self.http.clock.now())

    def _wait(self, why: str) -> None:
        clock = self.http.clock
        clock.wait_until(_next_quarter_hour(clock.now()), why, self.http.progress)
        # Strava's clock may be a little behind.
        clock.sleep(1)

    def _day_is_over(self) -> ApiLimitReachedError:
        go_on_at = _next_midnight(self.http.clock.now())
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
            ApiUnavailableError: the service does not answer, or its answer is not a list.
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
        bounds = {"after": int(after.timestamp()), "before": int(before.timestamp())}
        query = {**bounds, "page": page, "per_page": PER_PAGE}
        url = f"{self.base_url.rstrip('/')}/athlete/activities"
        token = self.tokens.access_token()
        answer = self.http.send(Request(url, query, {"Authorization": f"Bearer {token}"}))
        if answer.status == _UNAUTHORIZED:
            # The token was revoked, or this machine's clock is behind: try once with a new one.
            token = self.tokens.access_token(refused=token)
            answer = self.http.send(Request(url, query, {"Authorization": f"Bearer {token}"}))
        self.limits.learn(answer)
        if answer.status != _OK:
            raise _refusal(answer, token)
        if not isinstance(answer.document, list):
            raise ApiUnavailableError(
                f"Strava's page {page} is {type(answer.document).__name__}, expected a list of activities; run this "
                "again later"
            )
        return answer.document


def _next_quarter_hour(moment: datetime) -> datetime:
    """The next :00, :15, :30 or :45 after `moment`."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def _next_midnight(moment: datetime) -> datetime:
    """The next 00:00 UTC after `moment`."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _refusal(answer: Answer, token: str) -> ApiRefusedError:
    """What a status means that another attempt would not change, and what to do."""
    if answer.status == _UNAUTHORIZED:
        return ApiRefusedError(
            "Strava refuses the access token (status 401), also a new one; authorise the application once more with "
            "the scope activity:read_all and put the refresh token that this gives into STRAVA_REFRESH_TOKEN. "
            f"{ERASE_INSTEAD}"
        )
    if answer.status == _FORBIDDEN:
        return ApiRefusedError(
            f"Strava refuses the application (status 403: {answer.shown_without(token)}); if it is inactive, its owner "
            "has to activate it in Strava's settings for developers. Until then every try fails"
        )
    return ApiRefusedError(
        f"Strava refuses the request (status {answer.status}: {answer.shown_without(token)}); check STRAVA_API_BASE_URL"
    )
