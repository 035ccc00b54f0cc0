"""Both sandbox services on one port of this machine: in a thread for tests, or in a child process.

Belongs here: the clock, creating the services and serving them. Not here: what they answer (`strava_service.py`,
`user_events_service.py`).

Serving needs the packages of the extra `sandbox`; importing this module does not.
"""

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from engagement_assets.sandbox import strava_service, user_events_service
from engagement_assets.sandbox.api_faults import Faults
from engagement_assets.sandbox.sample_data import DEFAULT_SEED
from engagement_assets.sandbox.strava_sample import ActivityHistory
from engagement_assets.sandbox.strava_service import StravaService, TokenStore
from engagement_assets.sandbox.user_events_sample import EventHistory
from engagement_assets.sandbox.user_events_service import UserEventsService

LOOPBACK = "127.0.0.1"
# So many that the five weeks of the demo are enough history for the model of kudos.
_ACTIVITIES_PER_DAY_OF_DEMO = 3
CHILD_ENDS_WITHIN_S = 10
SERVER_PACKAGES = ("starlette", "uvicorn")


@dataclass(frozen=True)
class SandboxCredentials:
    """What the sandbox accepts; the refresh token is valid for the first exchange only."""

    strava_client_id: str = strava_service.CLIENT_ID
    strava_client_secret: str = strava_service.CLIENT_SECRET
    strava_refresh_token: str = strava_service.FIRST_REFRESH_TOKEN
    user_events_api_token: str = user_events_service.API_TOKEN


@dataclass(frozen=True)
class SandboxUrls:
    """Where the sandbox listens; each field has the name of the setting that takes it."""

    strava_api_base_url: str
    strava_oauth_base_url: str
    user_events_api_url: str


class SandboxClock:
    """The sandbox's time: it stands still until it is moved, or runs on from where it was set."""

    def __init__(self, now: datetime | None = None) -> None:
        """A clock that stands at `now`; without it, one that shows the real time."""
        self._standing = now
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The current instant in UTC."""
        return (self._standing or datetime.now(UTC) + self._ahead).astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move the clock forward."""
        self.set(self.now() + by)

    def set(self, instant: datetime) -> None:
        """Set the clock to `instant`; a running clock runs on from there."""
        if self._standing is None:
            self._ahead = instant - datetime.now(UTC)
        else:
            self._standing = instant


@dataclass(frozen=True)
class SandboxApis:
    """Both services and their clock."""

    clock: SandboxClock
    strava: StravaService
    user_events: UserEventsService


def make_apis(  # noqa: PLR0913 - each one is a setting of its own
    *,
    seed: int = DEFAULT_SEED,
    start: date,
    days: int,
    activities_per_day: float = 1.2,
    events_per_day: int = 200,
    chaos: float = 0.0,
    now: datetime | None = None,
    state_path: Path | None = None,
) -> SandboxApis:
    """Both services with data for `days` days from `start`; the clock stands at `now`, or runs if there is none.

    Raises:
        ValueError: `now` has no time zone, or `chaos` is not between 0 and 1.
    """
    if now is not None and now.tzinfo is None:
        raise ValueError(f"the sandbox's time needs a time zone, found {now}")
    clock = SandboxClock(now)
    return SandboxApis(
        clock,
        StravaService(
            ActivityHistory(seed, start, days, activities_per_day),
            clock.now,
            Faults(f"{seed}:strava", chaos),
            TokenStore(seed, state_path),
        ),
        UserEventsService(
            EventHistory(seed, start, days, events_per_day), clock.now, Faults(f"{seed}:user-events", chaos)
        ),
    )


@contextmanager
def serve_apis(apis: SandboxApis) -> Iterator[SandboxUrls]:
    """Serve on a free port of the loopback address, from a thread of this process.

    Raises:
        ImportError: the extra `sandbox` is not installed.
    """
    _require_server_packages()
    import uvicorn  # noqa: PLC0415 - an optional dependency
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    endpoints = {**apis.strava.endpoints(), **apis.user_events.endpoints()}
    config = uvicorn.Config(
        Starlette(routes=[Route(path, endpoint, methods=[endpoint.method]) for path, endpoint in endpoints.items()]),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # A connection that is cut on purpose is not an error.
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server((LOOPBACK, 0)) as listening:
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        thread = Thread(target=server.run, args=([listening],), name="sandbox-apis", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the sandbox services did not start")
                time.sleep(0.005)
            yield SandboxUrls(
                strava_api_base_url=url + strava_service.API_PATH,
                strava_oauth_base_url=url + strava_service.OAUTH_PATH,
                user_events_api_url=url + user_events_service.EVENTS_PATH,
            )
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def sandbox_process(*, state_path: Path, start: date, days: int) -> Iterator[SandboxUrls]:
    """Serve from a child process, in real time, until the block ends or this process does.

    Raises:
        ImportError: the extra `sandbox` is not installed.
        RuntimeError: the child ended before it served; its standard error says why.
    """
    _require_server_packages()
    command = [sys.executable, "-m", "engagement_assets.sandbox.api_servers"]
    command += [f"--state-path={state_path}", f"--start={start}", f"--days={days}"]
    with subprocess.Popen(  # noqa: S603 - this module, by this interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None  # noqa: S101 - both are pipes
        assert child.stdout is not None  # noqa: S101
        try:
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"the sandbox services ended with code {child.wait()} before they served")
            yield SandboxUrls(**json.loads(line))
        finally:
            child.stdin.close()
            try:
                child.wait(CHILD_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _require_server_packages() -> None:
    missing = [name for name in SERVER_PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"the sandbox's services cannot start without {' and '.join(missing)}: run "
            "`pip install 'engagement-assets[sandbox]'`, or name the real services in the settings"
        )


def main(arguments: list[str]) -> int:
    """The child process: print the URLs as one line of JSON and serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="api_servers", description="Serve the sandbox until standard input ends.")
    parser.add_argument("--start", type=date.fromisoformat, required=True)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--state-path", type=Path, required=True, help="file that keeps the tokens between starts")
    options = parser.parse_args(arguments)
    apis = make_apis(
        start=options.start,
        days=options.days,
        activities_per_day=_ACTIVITIES_PER_DAY_OF_DEMO,
        state_path=options.state_path,
    )
    with serve_apis(apis) as urls, suppress(KeyboardInterrupt):
        sys.stdout.write(json.dumps(asdict(urls)) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
