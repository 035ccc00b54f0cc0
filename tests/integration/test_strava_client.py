"""Strava's client over real sockets: pages, limits, tokens, bad days."""

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.extract.services.client import (
    ApiLimitReachedError,
    ApiRefusedError,
    ApiUnavailableError,
)
from engagement_assets.extract.strava.tokens import StravaTokens
from engagement_assets.sandbox.strava_service import RateLimits
from tests.integration.services import CREDENTIALS, Services, redirecting, services

pytestmark = pytest.mark.integration

AFTER = datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)
BEFORE = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def good_day(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path / "services") as found:
        yield found


def read_ids(running: Services, **changes: Any) -> list[int]:
    with running.strava(**changes) as api:
        return [activity["id"] for page in api.activity_pages(AFTER, BEFORE) for activity in page]


def listed_ids(running: Services) -> list[int]:
    """What the service lists now, in its order."""
    now = running.apis.clock.now()
    window = int(AFTER.timestamp()), int(BEFORE.timestamp())
    return [activity.document(now)["id"] for activity in running.apis.strava.history.visible(now, *window)]


def test_all_pages_are_read_until_the_empty_one(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=20) as running:
        ids = read_ids(running)
        assert ids == listed_ids(running)
        assert len(ids) > 1000
        pages = [request.query["page"] for request in running.apis.strava.requests if "page" in request.query]
        assert pages == [str(number) for number in range(1, -(-len(ids) // 200) + 2)]
        assert {request.query.get("per_page") for request in running.apis.strava.requests[1:]} == {"200"}


def test_a_thousand_activities_cost_seven_requests_with_the_token(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=17) as running:
        now = running.apis.clock.now()
        first_thousand = running.apis.strava.history.visible(now, 0, int(BEFORE.timestamp()))[:1000]
        before = datetime.fromisoformat(first_thousand[-1].document(now)["start_date"]) + timedelta(seconds=1)
        with running.strava() as api:
            found = [activity for page in api.activity_pages(AFTER, before) for activity in page]
        assert len(found) == 1000
        assert len(running.apis.strava.requests) == api.http.requests_made == 7


@pytest.mark.parametrize(
    "fault", ["slow", "cut_before_answer", "cut_within_body", "server_error", "unavailable", "html", "truncated_json"]
)
def test_what_heals_is_tried_again(good_day: Services, fault: str) -> None:
    good_day.apis.strava.faults.next(fault, times=3, path="/activities")
    assert read_ids(good_day) == listed_ids(good_day)
    assert len(good_day.apis.strava.requests) == (3 if fault == "slow" else 6)
    assert len(good_day.sleeps) == (0 if fault == "slow" else 3)
    assert all(0 < seconds <= 31 for seconds in good_day.sleeps)


def test_five_attempts_are_enough(good_day: Services) -> None:
    good_day.apis.strava.faults.next("unavailable", times=9, path="/activities")
    with pytest.raises(ApiUnavailableError) as failed:
        read_ids(good_day)
    assert str(failed.value) == (
        "Strava did not answer /strava/api/v3/athlete/activities in 5 attempts: status 503. It may be down: run "
        "this again later"
    )
    assert [request.status for request in good_day.apis.strava.requests] == [200, 503, 503, 503, 503, 503]


def test_a_page_that_repeats_an_id_is_handed_on_as_it_is(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=10) as running:
        running.apis.strava.faults.next("repeated_id", path="/activities")
        ids = read_ids(running)
        assert sorted(set(ids)) == sorted(listed_ids(running))
        assert len(ids) == len(set(ids)) + 1


def test_a_full_quarter_of_an_hour_is_waited_out_before_it_is_exceeded(good_day: Services) -> None:
    good_day.apis.strava.limits = RateLimits(overall=(200, 2_000), read=(1, 1_000))
    assert read_ids(good_day) == listed_ids(good_day)
    assert [request.status for request in good_day.apis.strava.requests] == [200, 200, 200]
    assert good_day.lines == [
        f"Strava's limit for 15 minutes is used up; going on in {minutes}:00 at 10:15:00 UTC"
        for minutes in range(8, 0, -1)
    ]
    assert max(good_day.sleeps) == 60
    assert good_day.apis.strava.requests[-1].at == datetime(2024, 3, 1, 10, 15, 1, tzinfo=UTC)


def test_a_429_is_waited_out_once(good_day: Services) -> None:
    good_day.apis.strava.faults.next("too_many_requests", path="/activities")
    assert read_ids(good_day) == listed_ids(good_day)
    assert good_day.lines[0] == "Strava answers 429, too many requests; going on in 8:00 at 10:15:00 UTC"
    assert sum(good_day.sleeps) == 8 * 60 + 1


def test_two_429_in_a_row_mean_the_day(good_day: Services) -> None:
    good_day.apis.strava.faults.next("too_many_requests", times=2, path="/activities")
    with pytest.raises(ApiLimitReachedError) as stopped:
        read_ids(good_day)
    assert stopped.value.go_on_at == datetime(2024, 3, 2, tzinfo=UTC)


def test_the_daily_limit_stops_at_once_and_says_when_to_go_on(tmp_path: Path) -> None:
    with services(tmp_path, activities_per_day=20) as running:
        running.apis.strava.limits = RateLimits(overall=(200, 3), read=(100, 1_000))
        pages: list[int] = []
        with running.strava() as api, pytest.raises(ApiLimitReachedError) as stopped:
            pages.extend(len(page) for page in api.activity_pages(AFTER, BEFORE))
        assert pages == [200, 200, 200]
        assert str(stopped.value) == (
            "Strava's daily limit is used up; it takes requests again from 2024-03-02 00:00 UTC on"
        )
        assert [request.status for request in running.apis.strava.requests] == [200, 200, 200, 200]
        assert running.sleeps == []
        assert (api.limits.budget.short_left, api.limits.budget.daily_left) == (97, 0)


def test_a_revoked_access_token_is_replaced_once(good_day: Services) -> None:
    read_ids(good_day)
    good_day.apis.strava.tokens.expiry_by_access_token.clear()
    assert read_ids(good_day) == listed_ids(good_day)
    assert [request.status for request in good_day.apis.strava.requests[3:]] == [401, 200, 200, 200]


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("scope", "Strava refuses the access token (status 401), also a new one; authorise the application once more"),
        ("inactive", "Strava refuses the application (status 403: "),
        (
            "client",
            "Strava does not know the application (status 401): check STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET",
        ),
        ("refresh", "Strava does not take the refresh token (status 400): authorise the application once more"),
    ],
)
def test_what_does_not_heal_fails_at_once_and_says_what_to_do(good_day: Services, trouble: str, message: str) -> None:
    changes: dict[str, Any] = {}
    match trouble:
        case "scope":
            good_day.apis.strava.has_activity_scope = False
        case "inactive":
            good_day.apis.strava.is_inactive = True
        case "client":
            changes["strava_client_id"] = "54321"
        case "refresh":
            changes["strava_refresh_token"] = "an old one"
    with pytest.raises(ApiRefusedError) as refused:
        read_ids(good_day, **changes)
    assert str(refused.value).startswith(message)
    assert good_day.sleeps == []


def test_an_access_token_serves_until_it_ends_and_the_newest_refresh_token_takes_over(good_day: Services) -> None:
    def exchanges() -> int:
        return sum(request.path.endswith("/token") for request in good_day.apis.strava.requests)

    read_ids(good_day)
    read_ids(good_day)
    assert exchanges() == 1
    good_day.apis.clock.advance(timedelta(hours=6))
    read_ids(good_day)
    assert exchanges() == 2
    stored = json.loads((good_day.folder / "strava_token.json").read_bytes())
    assert stored["refresh_token"] == good_day.apis.strava.tokens.refresh_token != CREDENTIALS.strava_refresh_token


def test_the_token_file_is_private(good_day: Services) -> None:
    read_ids(good_day)
    path = good_day.folder / "strava_token.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ApiRefusedError, match="can be read by others"):
        read_ids(good_day)


def test_a_new_authorisation_replaces_the_stored_tokens(good_day: Services) -> None:
    read_ids(good_day)
    good_day.apis.strava.tokens.refresh_token = "authorised anew"
    assert read_ids(good_day, strava_refresh_token="authorised anew") == listed_ids(good_day)


def test_a_file_that_is_no_token_file_is_left_alone(good_day: Services) -> None:
    path = good_day.folder / "strava_token.json"
    path.write_text("something else")
    path.chmod(0o600)
    with pytest.raises(ApiRefusedError, match="is not a token file of this project"):
        read_ids(good_day)
    assert path.read_text() == "something else"


@pytest.mark.parametrize("step", ["locked", "written", "synced", "renamed", "stored"])
def test_a_kill_between_any_two_steps_of_an_exchange_loses_no_token(good_day: Services, step: str) -> None:
    with good_day.strava() as api:
        tokens = api.tokens
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            dying = StravaTokens(
                tokens.path, tokens.oauth_base_url, tokens.client_id, tokens.client_secret, tokens.first_refresh_token,
                tokens.http, after_step=lambda reached: os._exit(9) if reached == step else None,
            )  # fmt: skip
            dying.access_token()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert read_ids(good_day) == listed_ids(good_day)
    exchanges = [request for request in good_day.apis.strava.requests if request.path.endswith("/token")]
    assert len(exchanges) == 1  # what the killed process was given is used, not asked for again


def test_an_answer_that_was_cut_off_on_disk_is_not_taken_for_tokens(good_day: Services) -> None:
    (good_day.folder / "strava_token.json.new").write_text('{"refresh_token": "hal')
    assert read_ids(good_day) == listed_ids(good_day)


def test_two_processes_exchange_a_token_once(good_day: Services) -> None:
    children = []
    with good_day.strava() as api:
        for _ in range(4):
            child = os.fork()
            if child == 0:  # pragma: no cover - another process
                os._exit(0 if api.tokens.access_token() else 1)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    assert len(good_day.apis.strava.requests) == 1


def test_a_redirect_does_not_get_the_token(good_day: Services) -> None:
    with services(good_day.folder / "other") as other, good_day.strava() as api:
        location = f"{other.urls.strava_api_base_url}/athlete/activities"
        with redirecting(location) as url:
            api.base_url = url
            with pytest.raises(
                ApiRefusedError, match=r"Strava redirects to 127\.0\.0\.1:\d+, where the token must not go"
            ):
                list(api.activity_pages(AFTER, BEFORE))
        assert other.apis.strava.requests == []


def test_an_answer_that_is_too_large_is_not_kept(good_day: Services) -> None:
    with good_day.strava() as api:
        api.tokens.access_token()
        api.http.max_answer_bytes = 1_000
        with pytest.raises(ApiRefusedError, match="with more than 1,000 bytes"):
            list(api.activity_pages(AFTER, BEFORE))


def test_nothing_that_can_be_printed_holds_a_secret(good_day: Services) -> None:
    with good_day.strava() as api:
        shown = f"{api!r} {api.tokens!r} {good_day.settings()!r}"
    assert CREDENTIALS.strava_client_secret not in shown
    assert CREDENTIALS.strava_refresh_token not in shown
