"""A month of user events and 5,000 Strava activities from HTTP to their facts, beside a bare fetch and a naive loop.

The sandbox serves from a process of its own. The fetch asks for the same answers and throws them away. The naive loop
asks for one record after another and inserts each with a commit of its own; it runs over a sample, and its seconds are
scaled to all records. All in one run, in turn.
"""

import argparse
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import httpx

from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.commands.sandbox_services import strava_settings, user_events_settings
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.sandbox.api_servers import SandboxCredentials, SandboxUrls, make_apis, serve_apis
from engagement_assets.sandbox.strava_service import RateLimits
from engagement_assets.settings import Settings

FIRST_DAY, DAYS = date(2024, 1, 1), 30
WINDOW = DayWindow(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS))
CREDENTIALS = SandboxCredentials()


def serve(answer: Connection, events: int, activities: int) -> None:
    """The sandbox without limits; sends its URLs, serves until it is told to end, then sends how often it was asked."""
    apis = make_apis(
        start=FIRST_DAY,
        days=DAYS,
        events_per_day=events // DAYS,
        activities_per_day=activities / DAYS,
    )
    apis.strava.limits = RateLimits(overall=(10**6, 10**6), read=(10**6, 10**6))
    cached: dict[date, Any] = {}
    events_of = apis.user_events.history.events
    # Drawing events anew for every request would be measured, too.
    apis.user_events.history.events = lambda day, now: cached.setdefault(day, events_of(day, now))  # type: ignore[method-assign]
    for day in WINDOW.days():
        apis.user_events.history.events(day, apis.clock.now())
    with serve_apis(apis) as urls:
        answer.send(urls)
        while answer.recv() == "requests":
            answer.send(len(apis.strava.requests))


@contextmanager
def sandbox(events: int, activities: int) -> Iterator[tuple[SandboxUrls, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, events, activities))
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        ours.send("end")
        process.join()


def settings_in(folder: Path, urls: SandboxUrls) -> Settings:
    (folder / "landing").mkdir(parents=True)
    return Settings(
        landing_uri=str(folder / "landing"),
        lake_uri=str(folder / "lake"),
        warehouse_path=folder / "warehouse.duckdb",
        published_warehouse_path=folder / "published.duckdb",
        dagster_home=folder / "dagster_home",
        start_date=FIRST_DAY,
        # One for all runs: the first refresh token is dead after the first of them.
        strava_token_path=folder.parent / "strava_token.json",
        **strava_settings(urls),
        **user_events_settings(urls),
    )


def seconds_of_graph(settings: Settings, selection: str) -> float:
    started = time.monotonic()
    run = run_range(settings, RangeRequest(WINDOW, selection))
    if not run.success:
        raise RuntimeError(f"the graph failed: {run.failures}")
    return time.monotonic() - started


def rows_in(settings: Settings, table: str) -> int:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchall()[0][0])


def fetch_events(urls: SandboxUrls) -> tuple[float, list[Any]]:
    """Seconds for all answers, one after the other, and the first day's events."""
    headers = {"api-token": CREDENTIALS.user_events_api_token}
    started = time.monotonic()
    with httpx.Client(headers=headers, timeout=60) as client:
        answers = [client.get(urls.user_events_api_url, params={"date": str(day)}) for day in WINDOW.days()]
    return time.monotonic() - started, answers[0].json()


def access_token_of(settings: Settings) -> str:
    """The access token that the graph left behind."""
    text = settings.strava_token_path.read_text(encoding="utf-8")
    return text.split('"access_token":"')[1].split('"')[0]


def naive_events(folder: Path, events: list[Any], sample: int) -> float:
    """Seconds per event: one committed insert each."""
    with duckdb.connect(str(folder / "naive_events.duckdb")) as connection:
        connection.execute(
            "create table events (device_id varchar, user_id varchar, event_type varchar, document varchar)"
        )
        started = time.monotonic()
        for event in events[:sample]:
            row = [str(event.get(name)) for name in ("device_id", "user_id", "event_type")]
            connection.execute("insert into events values (?, ?, ?, ?)", [*row, str(event)])
        return (time.monotonic() - started) / min(sample, len(events))


def naive_activities(folder: Path, urls: SandboxUrls, access_token: str, sample: int) -> float:
    """Seconds per activity: one request and one committed insert each."""
    headers = {"Authorization": f"Bearer {access_token}"}
    after = int(datetime(2023, 12, 31, tzinfo=UTC).timestamp())
    with duckdb.connect(str(folder / "naive_activities.duckdb")) as connection, httpx.Client(headers=headers) as client:
        connection.execute("create table activities (id bigint, document varchar)")
        started = time.monotonic()
        for page in range(1, sample + 1):
            answer = client.get(
                f"{urls.strava_api_base_url}/athlete/activities", params={"after": after, "page": page, "per_page": 1}
            )
            (activity,) = answer.raise_for_status().json()
            connection.execute("insert into activities values (?, ?)", [activity["id"], str(activity)])
        return (time.monotonic() - started) / sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=250_000, help="events to draw; four of five are served")
    parser.add_argument("--activities", type=int, default=5_000)
    parser.add_argument("--sample", type=int, default=500, help="records of the naive loop")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn; medians are printed")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="api-sources-"))
    seconds: dict[str, list[float]] = {}
    try:
        with sandbox(arguments.events, arguments.activities) as (urls, channel):
            for number in range(arguments.runs):
                folder = root / str(number)
                settings = settings_in(folder, urls)
                fetch, first_day = fetch_events(urls)
                measured = {
                    "fetch of all events": fetch,
                    "user events, graph": seconds_of_graph(settings, '+key:"product/fct__user_events"'),
                }
                channel.send("requests")
                before = channel.recv()
                measured["Strava, graph"] = seconds_of_graph(settings, '+key:"strava/fct__strava_activities"')
                channel.send("requests")
                requests = channel.recv() - before
                rows = rows_in(settings, "product.fct__user_events"), rows_in(settings, "strava.fct__strava_activities")
                measured["user events, naive"] = rows[0] * naive_events(folder, first_day, arguments.sample)
                measured["Strava, naive"] = rows[1] * naive_activities(
                    folder, urls, access_token_of(settings), arguments.sample
                )
                for name, value in measured.items():
                    seconds.setdefault(name, []).append(value)
                print(f"run {number + 1}: {', '.join(f'{name} {value:.1f} s' for name, value in measured.items())}")
    finally:
        shutil.rmtree(root)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{rows[0]:,} user events: graph {median['user events, graph']:.1f} s")
    print(f"  {median['user events, graph'] / median['fetch of all events']:.1f} times the bare fetch")
    print(f"  the naive loop takes {median['user events, naive'] / median['user events, graph']:.0f} times as long")
    print(f"{rows[1]:,} activities: graph {median['Strava, graph']:.1f} s, {requests} requests with the token")
    print(f"  {1000 * requests / rows[1]:.1f} requests per thousand; the naive loop makes 1,000")
    print(f"  the naive loop takes {median['Strava, naive'] / median['Strava, graph']:.0f} times as long")


if __name__ == "__main__":
    main()
