"""Both sandbox APIs on one port of this machine: in a thread for tests, or as a process of their own.

Belongs here: the clock, putting the services together and serving them. Not here: what they answer
(`strava_service.py`, `user_events_service.py`).

    python -m engagement_assets.sandbox.api_servers --start 2024-01-01 --days 60

It prints one JSON line of URLs and serves until its standard input ends.
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
from pathlib import Path
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from engagement_assets.sandbox import strava_service, user_events_service
from engagement_assets.sandbox.api_faults import Faults
from engagement_assets.sandbox.sample_data import DEFAULT_SEED
from engagement_assets.sandbox.strava_sample import ActivityHistory
from engagement_assets.sandbox.strava_service import StravaService, TokenStore
from engagement_assets.sandbox.user_events_sample import EventHistory
from engagement_assets.sandbox.user_events_service import UserEventsService

LOOPBACK = "127.0.0.1"
CHILD_ENDS_WITHIN_S = 10


@dataclass(frozen=True)
class SandboxCredentials:
    """What the sandbox accepts; the refresh token is good for the first exchange."""

    strava_client_id: str = strava_service.CLIENT_ID
    strava_client_secret: str = strava_service.CLIENT_SECRET
    strava_refresh_token: str = strava_service.FIRST_REFRESH_TOKEN
    user_events_api_token: str = user_events_service.API_TOKEN


@dataclass(frozen=True)
class SandboxUrls:
    """Where the sandbox listens; the names are those of the settings that take them."""

    strava_api_base_url: str
    strava_oauth_base_url: str
    user_events_api_url: str


class SandboxClock:
    """The sandbox's time: stands at an instant until it is moved, or runs on from where it was set."""

    def __init__(self, now: datetime | None = None) -> None:
        """A clock that stands at `now`; without one, the real time."""
        self._standing = now
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The instant, in UTC."""
        return (self._standing or datetime.now(UTC) + self._ahead).astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move it on."""
        self.set(self.now() + by)

    def set(self, instant: datetime) -> None:
        """Put it to `instant`; a running clock runs on from there."""
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
    """Both services with data of `days` days from `start`; the clock stands at `now`, or runs without it.

    Raises:
        ValueError: `now` has no time zone.
    """
    if now is not None and now.tzinfo is None:
        raise ValueError(f"the sandbox's now needs a time zone: {now}")
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
def serve_apis(apis: SandboxApis, port: int = 0) -> Iterator[SandboxUrls]:
    """Serve on a port of the loopback, by default a free one, from a thread of this process."""
    config = uvicorn.Config(
        Starlette(routes=apis.strava.routes() + apis.user_events.routes()),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # a connection that is cut on purpose is no error
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server((LOOPBACK, port)) as listening:
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        thread = Thread(target=server.run, args=([listening],), name="sandbox-apis", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the sandbox APIs did not start")
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
def sandbox_process(
    *, state_path: Path, start: date, days: int, chaos: float = 0.0, seed: int = DEFAULT_SEED
) -> Iterator[SandboxUrls]:
    """Serve from one child process, in real time, until the block ends or this process does.

    Raises:
        RuntimeError: The child ended before it served.
    """
    command = [sys.executable, "-m", "engagement_assets.sandbox.api_servers", f"--state-path={state_path}"]
    command += [f"--start={start}", f"--days={days}", f"--chaos={chaos}", f"--seed={seed}"]
    with subprocess.Popen(  # noqa: S603 - this module, by this interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None  # noqa: S101 - both are pipes
        assert child.stdout is not None  # noqa: S101
        try:
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"the sandbox APIs ended with code {child.wait()} before they served")
            yield SandboxUrls(**json.loads(line))
        finally:
            child.stdin.close()
            try:
                child.wait(CHILD_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()


def main(arguments: list[str]) -> int:
    """The command: print the URLs as one line of JSON and serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="api_servers", description="Serve the sandbox APIs until stdin ends.")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2024, 1, 1))
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--chaos", type=float, default=0.0, help="share of requests with a fault, 0 to 1")
    parser.add_argument("--state-path", type=Path, help="file that keeps the tokens over restarts")
    options = parser.parse_args(arguments)
    try:
        apis = make_apis(
            seed=options.seed,
            start=options.start,
            days=options.days,
            chaos=options.chaos,
            state_path=options.state_path,
        )
        with serve_apis(apis, options.port) as urls, suppress(KeyboardInterrupt):
            sys.stdout.write(json.dumps(asdict(urls)) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    except (ValueError, OSError) as error:
        sys.stderr.write(f"no sandbox APIs: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
