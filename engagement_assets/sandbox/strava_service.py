"""The sandbox's Strava: rotating tokens, pages of activities, two rate limits, and bad days.

Belongs here: what Strava answers, and the tokens it keeps. Not here: the activities (`strava_sample.py`), faults on the
wire (`api_faults.py`, `api_answers.py`).
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
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from engagement_assets.sandbox.api_answers import Answer, Call, Endpoint, RequestRecord
from engagement_assets.sandbox.api_faults import FaultKind, Faults
from engagement_assets.sandbox.strava_sample import ActivityHistory

if TYPE_CHECKING:
    from starlette.requests import Request

OAUTH_PATH, API_PATH = "/strava/oauth", "/strava/api/v3"
CLIENT_ID, CLIENT_SECRET = "12345", "sandbox-client-secret"
FIRST_REFRESH_TOKEN = "sandbox-first-refresh-token"  # noqa: S105 - opens nothing but the sandbox
ACCESS_TOKEN_LIFE_S = 21_600
DEFAULT_PER_PAGE, LARGEST_PER_PAGE = 30, 200
WIDEST_WINDOW = (("after", -inf), ("before", inf))
FIELD_INVALID = "invalid"


@dataclass(frozen=True)
class RateLimits:
    """Requests allowed in a quarter of an hour and in a UTC day: `overall` and for reading."""

    overall: tuple[int, int] = (200, 2_000)
    read: tuple[int, int] = (100, 1_000)


class TokenStore:
    """The valid tokens; with a path they are kept in a private file and survive a restart."""

    def __init__(self, seed: int, path: Path | None) -> None:
        """Read the file; without one, only the first refresh token is valid."""
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
        """The token to issue next, 40 characters long like Strava's."""
        return hashlib.sha256(f"{self._seed}:{kind}:{self._issued}".encode()).hexdigest()[:40]

    def issue(self, access_token: str, expires_at: int, refresh_token: str) -> None:
        """Make these tokens valid; the refresh token before them is dead at once."""
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
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        draft.replace(self._path)


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
        self.has_activity_scope = True
        self.is_inactive = False
        self.requests: list[RequestRecord] = []
        self._clock = clock
        self._used: Counter[datetime | date] = Counter()
        self._served: dict[int, dict[str, Any]] = {}
        self._shifts: Counter[tuple[str | None, ...]] = Counter()

    def endpoints(self) -> dict[str, Endpoint]:
        """Both endpoints by their paths, below `OAUTH_PATH` and `API_PATH`."""
        return {
            f"{OAUTH_PATH}/token": self._endpoint("POST", self._token),
            f"{API_PATH}/athlete/activities": self._endpoint("GET", self._activities),
        }

    def served_activities(self) -> dict[int, dict[str, Any]]:
        """The document of each activity as it was last sent in full."""
        return dict(self._served)

    def deleted_ids(self) -> frozenset[int]:
        """Ids of all activities that the athlete has deleted by now, whether served before or not."""
        return self.history.deleted_ids(self._clock())

    def _endpoint(self, method: str, answer: Callable[[Call], Answer]) -> Endpoint:
        return Endpoint(method, answer, _impossible_faults, self.faults, self._clock, self.requests)

    def _token(self, call: Call) -> Answer:
        given = dict(parse_qsl(call.body.decode(errors="replace")))
        if call.fault is FaultKind.TOO_MANY_REQUESTS:
            return self._too_many_requests("rate limit")
        if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return self._error(401, "Authorization Error", "Application", "client_id", FIELD_INVALID)
        if given.get("grant_type") != "refresh_token":
            return self._error(400, "Bad Request", "Application", "grant_type", FIELD_INVALID)
        if given.get("refresh_token") != self.tokens.refresh_token:
            return self._error(400, "Bad Request", "RefreshToken", "refresh_token", FIELD_INVALID)
        access_token = self.tokens.drawn("access")
        refresh_token = self.tokens.drawn("refresh")
        expires_at = int(self._clock().timestamp()) + ACCESS_TOKEN_LIFE_S
        content = {
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_at": expires_at,
            "expires_in": ACCESS_TOKEN_LIFE_S,
            "refresh_token": refresh_token,
        }
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
        """By how many places this list has moved since its first page was read.

        It moves as if an activity had been uploaded meanwhile: the last one of a page comes first on the next page,
        and so do those of all later pages, so that none is lost.
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
        """Requests in the quarter of an hour and the day of `now`; refused ones count too."""
        return self._used[_quarter_hour(now)], self._used[now.date()]

    def _rate_headers(self) -> dict[str, str]:
        used = _pair(self._usage(self._clock()))  # Every counted request is a read.
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


def _impossible_faults(request: "Request") -> tuple[FaultKind, ...]:
    """Only a page after the first can repeat an id of the page before."""
    return (FaultKind.REPEATED_ID,) if request.query_params.get("page", "1") == "1" else ()


def _quarter_hour(now: datetime) -> datetime:
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def _is_over(used: tuple[int, int], limit: tuple[int, int]) -> bool:
    return any(count > allowed for count, allowed in zip(used, limit, strict=True))


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]},{numbers[1]}"
