"""The sandbox's Strava: tokens that rotate, pages of activities, two rate windows, bad days.

Belongs here: what Strava answers, and the token state it keeps. Not here: the activities
(`strava_sample.py`), faults on the wire (`api_faults.py`, `api_answers.py`).
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.routing import Route

from engagement_assets.sandbox.api_answers import Answer, Call, Endpoint, RequestRecord
from engagement_assets.sandbox.api_faults import FaultKind, Faults
from engagement_assets.sandbox.strava_sample import ActivityHistory

OAUTH_PATH, API_PATH = "/strava/oauth", "/strava/api/v3"
CLIENT_ID, CLIENT_SECRET = "12345", "sandbox-client-secret"
FIRST_REFRESH_TOKEN = "sandbox-first-refresh-token"  # noqa: S105 - as above
ACCESS_TOKEN_LIFE_S = 21_600
DEFAULT_PER_PAGE, LARGEST_PER_PAGE = 30, 200
WIDEST_WINDOW = (("after", -inf), ("before", inf))
FIELD_INVALID = "invalid"


@dataclass(frozen=True)
class RateLimits:
    """Requests allowed in a quarter hour and in a UTC day: of any kind, and of those that read."""

    overall: tuple[int, int] = (200, 2_000)
    read: tuple[int, int] = (100, 1_000)


class TokenStore:
    """Which tokens are valid; kept in a private file if there is a path, so that a restart keeps them."""

    def __init__(self, seed: int, path: Path | None) -> None:
        """The state of the file; without one, the first refresh token and no access token."""
        self.refresh_token = FIRST_REFRESH_TOKEN
        self.expiry_by_access_token: dict[str, int] = {}
        self._issued = 0
        self._seed = seed
        self._path = path
        if path is not None and path.exists():
            state = json.loads(path.read_bytes())
            self.refresh_token, self._issued = state["refresh_token"], state["issued"]
            self.expiry_by_access_token = state["expiry_by_access_token"]

    def drawn(self, kind: str) -> str:
        """The token that is issued next, 40 characters as Strava's."""
        return hashlib.sha256(f"{self._seed}:{kind}:{self._issued}".encode()).hexdigest()[:40]

    def issue(self, access_token: str, expires_at: int, refresh_token: str) -> None:
        """Make the tokens valid from now on; another refresh token is dead at once."""
        self.refresh_token = refresh_token
        self.expiry_by_access_token[access_token] = expires_at
        self._issued += 1
        if self._path is None:
            return
        state = {
            "refresh_token": self.refresh_token,
            "issued": self._issued,
            "expiry_by_access_token": self.expiry_by_access_token,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f"{self._path.name}.new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        aside.replace(self._path)


class StravaService:
    """Answers as Strava does; its public attributes may be set at any time."""

    def __init__(
        self, history: ActivityHistory, clock: Callable[[], datetime], faults: Faults, tokens: TokenStore
    ) -> None:
        """A service on a good day, with Strava's default limits."""
        self.history = history
        self.faults = faults
        self.tokens = tokens
        self.limits = RateLimits()
        self.rotates_refresh_token = True
        # Else a refresh token is replaced only when the whole answer has been sent.
        self.rotates_before_answering = False
        self.has_activity_scope = True
        self.is_inactive = False
        self.requests: list[RequestRecord] = []
        self._clock = clock
        self._used: Counter[datetime | date] = Counter()
        self._served: dict[int, dict[str, Any]] = {}
        self._shifts: Counter[tuple[str | None, ...]] = Counter()

    def routes(self) -> list[Route]:
        """Both routes, below `OAUTH_PATH` and `API_PATH`."""
        return [
            Route(f"{OAUTH_PATH}/token", self._endpoint(self._token), methods=["POST"]),
            Route(f"{API_PATH}/athlete/activities", self._endpoint(self._activities), methods=["GET"]),
        ]

    def served_activities(self) -> dict[int, dict[str, Any]]:
        """The document of each activity as it was sent last, whole."""
        return dict(self._served)

    def deleted_ids(self) -> frozenset[int]:
        """Ids of activities that the athlete has deleted by now, served before or not."""
        return self.history.deleted_ids(self._clock())

    def _endpoint(self, answer: Callable[[Call], Answer]) -> Endpoint:
        return Endpoint(answer, _impossible_faults, self.faults, self._clock, self.requests)

    def _token(self, call: Call) -> Answer:
        given = _token_parameters(call)
        if call.fault is FaultKind.TOO_MANY_REQUESTS:
            return self._too_many_requests("rate limit")
        if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return self._error(401, "Authorization Error", "Application", "client_id", FIELD_INVALID)
        if given.get("grant_type") != "refresh_token":
            return self._error(400, "Bad Request", "Application", "grant_type", FIELD_INVALID)
        if given.get("refresh_token") != self.tokens.refresh_token:
            return self._error(400, "Bad Request", "RefreshToken", "refresh_token", FIELD_INVALID)
        access_token = self.tokens.drawn("access")
        refresh_token = self.tokens.drawn("refresh") if self.rotates_refresh_token else self.tokens.refresh_token
        expires_at = int(self._clock().timestamp()) + ACCESS_TOKEN_LIFE_S
        content = {
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_at": expires_at,
            "expires_in": ACCESS_TOKEN_LIFE_S,
            "refresh_token": refresh_token,
        }
        if self.rotates_before_answering:
            self.tokens.issue(access_token, expires_at, refresh_token)
            return Answer(200, content, self._rate_headers())
        return Answer(
            200,
            content,
            self._rate_headers(),
            on_sent=lambda: self.tokens.issue(access_token, expires_at, refresh_token),
        )

    def _activities(self, call: Call) -> Answer:
        now = self._clock()
        self._used.update((_quarter_hour(now), now.date()))
        refusal = self._refusal(call)
        if refusal is not None:
            return refusal
        query = call.request.query_params
        try:
            after, before = (int(query[name]) if name in query else none for name, none in WIDEST_WINDOW)
            page, per_page = int(query.get("page", "1")), int(query.get("per_page", str(DEFAULT_PER_PAGE)))
        except ValueError:
            return self._error(400, "Bad Request", "Activity", "before, after, page, per_page", FIELD_INVALID)
        if page < 1 or not 1 <= per_page <= LARGEST_PER_PAGE:
            return self._error(400, "Bad Request", "Application", "page, per_page", FIELD_INVALID)
        listed = self.history.visible(now, after, before)
        if "after" not in query:
            listed.reverse()
        offset = (page - 1) * per_page - self._shift(call, page)
        documents = [activity.document(now) for activity in listed[offset : offset + per_page]]
        return Answer(
            200,
            documents,
            self._rate_headers(),
            on_sent=lambda: self._served.update((document["id"], document) for document in documents),
        )

    def _shift(self, call: Call, page: int) -> int:
        """By how many activities this list has moved on since its first page was read.

        As when one is uploaded meanwhile: the last one of a page comes first on the next, and all
        later pages move with it, so that none is lost.
        """
        query = call.request.query_params
        listing = tuple(query.get(name) for name in ("before", "after", "per_page"))
        if page == 1:
            self._shifts[listing] = 0
        elif call.fault is FaultKind.REPEATED_ID:
            self._shifts[listing] = 1
        return self._shifts[listing]

    def _refusal(self, call: Call) -> Answer | None:
        scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
        expires_at = self.tokens.expiry_by_access_token.get(token, 0) if scheme == "Bearer" else 0
        now = self._clock()
        if expires_at <= now.timestamp() or "access_token" in call.request.query_params:
            return self._error(401, "Authorization Error", "Athlete", "access_token", FIELD_INVALID)
        if self.is_inactive:
            return self._error(403, "Forbidden", "Application", "Status", "Inactive")
        if not self.has_activity_scope:
            return self._error(401, "Authorization Error", "AccessToken", "activity:read_permission", "missing")
        used = self._usage(now)
        if call.fault is FaultKind.TOO_MANY_REQUESTS or _is_over(used, self.limits.overall):
            return self._too_many_requests("rate limit")
        return self._too_many_requests("read rate limit") if _is_over(used, self.limits.read) else None

    def _usage(self, now: datetime) -> tuple[int, int]:
        """Requests in the quarter hour and the day of `now`; refused ones count as well."""
        return self._used[_quarter_hour(now)], self._used[now.date()]

    def _rate_headers(self) -> dict[str, str]:
        used = _pair(self._usage(self._clock()))  # every counted request reads
        return {
            "X-RateLimit-Limit": _pair(self.limits.overall),
            "X-RateLimit-Usage": used,
            "X-ReadRateLimit-Limit": _pair(self.limits.read),
            "X-ReadRateLimit-Usage": used,
        }

    def _too_many_requests(self, limit: str) -> Answer:
        return self._error(429, "Rate Limit Exceeded", "Application", limit, "exceeded")

    def _error(self, status: int, message: str, resource: str, field: str, code: str) -> Answer:
        content = {"message": message, "errors": [{"resource": resource, "field": field, "code": code}]}
        return Answer(status, content, self._rate_headers())


def _impossible_faults(request: Request) -> tuple[FaultKind, ...]:
    """Only a page after the first can repeat an id of the one before."""
    return (FaultKind.REPEATED_ID,) if request.query_params.get("page", "1") == "1" else ()


def _token_parameters(call: Call) -> dict[str, str]:
    """What was posted, as a form or as JSON; nothing, if it is neither."""
    if call.request.headers.get("content-type", "").startswith("application/json"):
        try:
            given = json.loads(call.body)
        except ValueError:
            return {}
        return {name: str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    return dict(parse_qsl(call.body.decode(errors="replace")))


def _quarter_hour(now: datetime) -> datetime:
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def _is_over(used: tuple[int, int], limit: tuple[int, int]) -> bool:
    return any(count > allowed for count, allowed in zip(used, limit, strict=True))


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]},{numbers[1]}"
