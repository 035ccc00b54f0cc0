"""What is kept of the answer to a refresh token, whatever it says beside the tokens."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from engagement_assets.extract.services.client import ApiRefusedError, Clock, HttpApi
from engagement_assets.extract.strava.tokens import StravaTokens

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
LATER = int(NOW.timestamp()) + 21_600


class Exchange:
    """Strava's tokens in a folder, and the refresh tokens that its service was sent."""

    def __init__(self, folder: Path, answer: dict[str, Any], status: int = 200) -> None:
        self.sent: list[str] = []
        self.path = folder / "token.json"

        def answered(request: httpx.Request) -> httpx.Response:
            self.sent.append(parse_qs(request.content.decode())["refresh_token"][0])
            return httpx.Response(status, stream=httpx.ByteStream(json.dumps(answer).encode()))

        http = HttpApi("Strava", Clock(lambda: NOW), print, lambda _: None)
        http._client = httpx.Client(transport=httpx.MockTransport(answered))
        self.tokens = StravaTokens(self.path, "https://strava.test/oauth", "1", "secret", "FIRST", http)

    def stored(self) -> tuple[str, int]:
        found = json.loads(self.path.read_bytes())
        return found["refresh_token"], found["expires_at"]


@pytest.mark.parametrize("expires_at", [LATER, float(LATER), LATER + 0.5, str(LATER)])
def test_a_token_serves_until_the_moment_that_the_answer_names(tmp_path: Path, expires_at: Any) -> None:
    exchange = Exchange(tmp_path, {"access_token": "a", "expires_at": expires_at, "refresh_token": "NEW"})
    assert [exchange.tokens.access_token() for _ in range(2)] == ["a", "a"]
    assert exchange.sent == ["FIRST"]
    assert exchange.stored() == ("NEW", LATER)


@pytest.mark.parametrize(
    "said", [{"expires_in": 21_600}, {"expires_at": None}, {"expires_at": "soon"}, {"expires_at": 1e300}]
)
def test_a_new_refresh_token_is_kept_though_nothing_readable_says_when_it_is_needed(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    exchange = Exchange(tmp_path, {"access_token": "a", "refresh_token": "NEW", **said})
    assert [exchange.tokens.access_token() for _ in range(2)] == ["a", "a"]
    assert exchange.sent == ["FIRST", "NEW"]
    assert exchange.stored() == ("NEW", 0)


@pytest.mark.parametrize(("status", "answer"), [(400, {"message": "Bad Request"}), (200, {})])
def test_an_answer_without_an_access_token_is_a_refusal(tmp_path: Path, status: int, answer: dict[str, Any]) -> None:
    exchange = Exchange(tmp_path, answer, status)
    with pytest.raises(ApiRefusedError, match=rf"Strava does not take the refresh token \(status {status}\)"):
        exchange.tokens.access_token()
    assert not exchange.path.exists()
