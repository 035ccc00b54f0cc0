"""Strava's pages on their way to the lake: what lies on disk, what a retry asks for, what a limit leaves."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from engagement_assets.checks.standard import reconciles
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.services.client import ApiLimitReachedError, ApiRefusedError, ApiUnavailableError
from engagement_assets.extract.services.extraction import ServiceReading
from engagement_assets.extract.services.pages import PageStore
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.listing import list_activities, read_pages
from engagement_assets.extract.strava.places import SeasonPlaces
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.known_records import published_rows
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.sandbox.strava_service import RateLimits
from tests.integration.services import Services, services
from tests.lake_loads import published

pytestmark = pytest.mark.integration

WINDOW = DayWindow(date(2024, 1, 1), date(2024, 3, 1))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path / "services", activities_per_day=10) as found:
        yield found


def places(folder: Path, kept: KeptPlaces = KeptPlaces.COARSE) -> SeasonPlaces:
    return SeasonPlaces(kept, str(folder / "places.json"))


def load(running: Services, lake: Lake, run: str = "run") -> strava.StravaOutcome:
    with (
        running.strava() as api,
        open_load(lake, "strava", run_id=run, started_at=api.http.clock.now()) as at_work,
    ):
        pages, seasons = PageStore(lake.pages_folder("strava"), run), places(Path(lake.root))
        reading = strava.extract(
            ServiceReading(at_work.connection, WINDOW, at_work.workdir, at_work.started_at, running.lines.append),
            list_activities(api, pages, WINDOW, seasons),
            published_rows(at_work, STRAVA_ACTIVITIES, WINDOW),
            seasons,
        )
        at_work.stage(reading.extraction, reading.window)
        for dataset in (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS):
            counts = at_work.counts_of(dataset)
            assert reconciles(dataset, counts).findings == {}
        at_work.publish({})
    return reading


def listed(running: Services) -> list[dict[str, Any]]:
    now = running.apis.clock.now()
    return [activity.document(now) for activity in running.apis.strava.history.visible(now)]


def in_lake(lake: Lake) -> set[int]:
    return {row[1] for row in published(lake, STRAVA_ACTIVITIES, "activity_id", "deleted_at") if row[2] is None}


@pytest.mark.parametrize(("kept", "cells"), [(KeptPlaces.NONE, 0), (KeptPlaces.COARSE, 1)])
def test_no_page_on_disk_holds_an_exact_place_or_a_route(
    running: Services, tmp_path: Path, kept: KeptPlaces, cells: int
) -> None:
    with running.strava() as api:
        list(read_pages(api, PageStore(tmp_path / "pages", "run"), WINDOW, places(tmp_path, kept)))
    pages = [path.read_text() for path in (tmp_path / "pages").rglob("*.json")]
    written = "".join(pages)
    documents = listed(running)
    exact = {str(value) for found in documents for value in [*(found["start_latlng"] or []), *found["end_latlng"]]}
    assert len(exact) > 500
    assert not [value for value in exact if value in written]
    assert "polyline" not in written
    records = [record for page in pages for record in json.loads(page)]
    assert len(records) == len(documents)
    assert len({tuple(record["start_latlng"]) for record in records if record["start_latlng"]}) == cells


def test_a_retry_of_the_run_goes_on_where_it_stopped(running: Services, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    running.apis.strava.faults.next("slow", times=2, path="/activities")
    running.apis.strava.faults.next("unavailable", times=5, path="/activities")
    with pytest.raises(ApiUnavailableError):
        load(running, lake)
    load(running, lake)
    pages = [
        request.query["page"] for request in running.apis.strava.requests if request.status == 200 and request.query
    ]
    assert pages == ["1", "2", "3", "4"]
    assert in_lake(lake) == {found["id"] for found in listed(running)}


def test_what_a_daily_limit_left_out_stays_as_it_was_until_the_next_reading(running: Services, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    load(running, lake, "first")
    before = in_lake(lake)
    gone = [found.activity_id for found in running.apis.strava.history.activities[::7]]
    running.apis.strava.history.activities = tuple(
        found for found in running.apis.strava.history.activities if found.activity_id not in gone
    )
    running.apis.clock.advance(timedelta(days=1))
    running.apis.strava.limits = RateLimits(overall=(200, 2), read=(100, 1_000))
    stopped = load(running, lake, "second")
    assert isinstance(stopped.stopped, ApiLimitReachedError)
    assert stopped.window.end < WINDOW.end
    marked = before - in_lake(lake)
    assert marked
    assert marked < set(gone)
    assert sum(missing for _, missing in stopped.missing.values()) == len(marked)

    running.apis.clock.advance(timedelta(days=1))
    running.apis.strava.limits = RateLimits()
    assert load(running, lake, "third").stopped is None
    assert in_lake(lake) == {found["id"] for found in listed(running)}


def test_a_deletion_during_the_reading_marks_no_other_activity(
    running: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, history = Lake(str(tmp_path / "lake")), running.apis.strava.history
    load(running, lake, "first")
    known = in_lake(lake)
    running.apis.clock.advance(timedelta(minutes=1))
    running.apis.strava.requests.clear()
    serve = history.visible

    def one_less_after_the_first_page(*arguments: Any) -> Any:
        found = serve(*arguments)
        return found[1:] if len(running.apis.strava.requests) else found

    monkeypatch.setattr(history, "visible", one_less_after_the_first_page)
    reading = load(running, lake, "second")
    assert in_lake(lake) == known
    assert sum(gone for _, gone in reading.missing.values()) == 0
    pages = [request.query["page"] for request in running.apis.strava.requests]
    assert pages == ["1", "2", "1", "2", "3", "4"]


def test_what_lies_between_two_starts_is_read_with_both_and_kept(running: Services, tmp_path: Path) -> None:
    starts = sorted(datetime.fromisoformat(found["start_date"]).replace(tzinfo=None) for found in listed(running))
    first, last = starts[100], starts[105]
    pages = PageStore(tmp_path / "pages", "run")
    with running.strava() as api:
        read, kept = (list(read_pages(api, pages, WINDOW, places(tmp_path), (first, last))) for _ in range(2))
        found = [record["start_date"] for page in read for record in page.records]
        assert [datetime.fromisoformat(start).replace(tzinfo=None) for start in found] == starts[100:106]
        assert [page.name for page in kept] == [page.name for page in read]
        assert api.http.requests_made == 3  # a token, a page and the empty one


@pytest.mark.parametrize(
    "broken", [{"distance": "far"}, {"id": None}, {"id": "12a"}], ids=["field", "no id", "id of words"]
)
def test_a_known_activity_with_a_broken_record_stays_in_the_lake(
    running: Services, tmp_path: Path, broken: dict[str, Any]
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    load(running, lake, "first")
    before = in_lake(lake)
    running.apis.clock.advance(timedelta(minutes=1))
    next(found for found in running.apis.strava.history.activities[100:] if not found.changes).uploaded.update(broken)
    reading = load(running, lake, "second")
    assert in_lake(lake) == before
    assert sum(gone for _, gone in reading.missing.values()) == 0


class _Answers(BaseHTTPRequestHandler):
    """A token without a new refresh token, and a refusal that repeats the header."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, b'{"access_token": "an access token", "expires_at": 4102444800}')

    def do_GET(self) -> None:
        self._send(400, json.dumps({"seen": self.headers["Authorization"]}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_token_answer_without_a_refresh_token_leaves_the_old_one_in_use(running: Services, url: str) -> None:
    with running.strava(strava_oauth_base_url=url) as api:
        assert api.tokens.access_token() == "an access token"
        stored = json.loads(api.tokens.path.read_bytes())
        assert stored["refresh_token"] == api.tokens.first_refresh_token


def test_a_refusal_that_repeats_the_access_token_is_shown_without_it(
    running: Services, url: str, tmp_path: Path
) -> None:
    with (
        running.strava(strava_oauth_base_url=url, strava_api_base_url=url) as api,
        pytest.raises(ApiRefusedError, match=r"status 400: .*Bearer …") as refused,
    ):
        list(read_pages(api, PageStore(tmp_path / "pages", "run"), WINDOW, places(tmp_path)))
    assert "an access token" not in str(refused.value)
