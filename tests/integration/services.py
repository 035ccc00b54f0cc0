"""The sandbox services for a test, and clients of them that go by the sandbox's clock.

Belongs here: serving them in this process and putting clients together. Not here: what a test expects.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import dagster as dg
import duckdb

from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.commands.sandbox_services import strava_settings, user_events_settings
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.services.client import Clock
from engagement_assets.extract.strava.api import StravaApi
from engagement_assets.extract.strava.source import STRAVA
from engagement_assets.extract.user_events.api import UserEventsApi
from engagement_assets.extract.user_events.source import USER_EVENTS_SOURCE
from engagement_assets.partitions import range_tags
from engagement_assets.resources import ApiClients
from engagement_assets.sandbox.api_servers import SandboxApis, SandboxCredentials, SandboxUrls, make_apis, serve_apis
from engagement_assets.settings import Settings
from engagement_assets.sources import SOURCES

FIRST_DAY = date(2024, 1, 1)
CREDENTIALS = SandboxCredentials()
# Status, headers, body.
Canned = tuple[int, dict[str, str], bytes]


@dataclass
class Services:
    """Both services, where they listen, and what their clients said and slept."""

    apis: SandboxApis
    urls: SandboxUrls
    folder: Path
    lines: list[str] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """A client's clock: to sleep is to move the sandbox on."""

        def sleep(seconds: float) -> None:
            self.sleeps.append(seconds)
            self.apis.clock.advance(timedelta(seconds=seconds))

        return Clock(self.apis.clock.now, sleep)

    def settings(self, **changes: Any) -> Settings:
        """Settings that name the services, and a deployment in the test's folder."""
        landing = self.folder / "landing"
        landing.mkdir(exist_ok=True)
        return Settings(
            _env_file=None,
            **{
                "landing_uri": str(landing),
                "lake_uri": str(self.folder / "lake"),
                "warehouse_path": self.folder / "warehouse.duckdb",
                "published_warehouse_path": self.folder / "published.duckdb",
                "dagster_home": self.folder / "dagster_home",
                "report_dir": self.folder / "report",
                "start_date": FIRST_DAY,
                "strava_token_path": self.folder / "strava_token.json",
                **strava_settings(self.urls),
                **user_events_settings(self.urls),
                "api_retry_delay_s": 0,
                **changes,
            },
        )

    def load(
        self, first: date, last: date | None = None, config: dict[str, Any] | None = None, **changes: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialize the raw assets of both services for days inclusive, under `config`, and no model."""
        self._let_time_pass()
        settings = self.settings(**changes)
        tags = range_tags(DayWindow(first, (last or first) + timedelta(days=1)))
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [*raw_assets(STRAVA, settings), *raw_assets(USER_EVENTS_SOURCE, settings)],
                instance=instance,
                resources={"settings": settings, "api_clients": ApiClients(settings, self.clock)},
                tags=tags,
                run_config={"ops": {name: {"config": config or {}} for name in ("raw_strava", "raw_user_events")}},
                raise_on_error=False,
            )

    def load_every_source(self, first: date, last: date, **changes: Any) -> None:
        """Materialize the raw assets of all sources for days inclusive, and no model."""
        settings = self.settings(**changes)
        with dg.DagsterInstance.ephemeral() as instance:
            dg.materialize(
                [asset for source in SOURCES for asset in raw_assets(source, settings)],
                instance=instance,
                resources={"settings": settings, "api_clients": ApiClients(settings, self.clock)},
                tags=range_tags(DayWindow(first, last + timedelta(days=1))),
            )

    def run(self, first: date, last: date, selection: str, **changes: Any) -> RangeRun:
        """Run the graph for days inclusive, in this process."""
        self._let_time_pass()
        window = DayWindow(first, last + timedelta(days=1))
        return run_range(self.settings(**changes), RangeRequest(window, selection), clock=self.clock)

    def _let_time_pass(self) -> None:
        """No two loads have one time."""
        self.apis.clock.advance(timedelta(seconds=1))

    def lake_rows(self, dataset: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of a dataset of the lake, or of `records/…`, sorted."""
        files = f"{self.folder}/lake/{dataset}/*/*.parquet"
        return duckdb.execute(
            f"select {columns} from read_parquet('{files}', hive_partitioning = true, hive_types = {{'day': date}}) "
            f"where {where} order by all"
        ).fetchall()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the warehouse."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    @contextmanager
    def strava(self, **changes: Any) -> Iterator[StravaApi]:
        """A client of Strava."""
        with ApiClients(self.settings(**changes), self.clock).strava(self.lines.append) as api:
            yield api

    @contextmanager
    def user_events(self, **changes: Any) -> Iterator[UserEventsApi]:
        """A client of the user-events service."""
        with ApiClients(self.settings(**changes), self.clock).user_events(self.lines.append) as api:
            yield api


@contextmanager
def answering(*answers: Canned) -> Iterator[str]:
    """The URL of a server that gives these answers one after another, the last one for ever."""
    left, lock = list(answers), Lock()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/events"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def redirecting(location: str) -> Iterator[str]:
    """The URL of a server that answers every GET with a redirect to `location`."""

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def services(folder: Path, **options: Any) -> Iterator[Services]:
    """Both services over 60 days, on 2024-03-01 at 10:07 unless told otherwise; `options` are those of `make_apis`."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime(2024, 3, 1, 10, 7, tzinfo=UTC)
    apis = make_apis(**{"start": FIRST_DAY, "days": 60, "now": now, **options})
    apis.strava.faults.slow_s = apis.user_events.faults.slow_s = 0.01
    with serve_apis(apis) as urls:
        yield Services(apis, urls, folder)
