"""Backfills of the whole graph, and small daily runs on top of them, each as a process from its start to its end.

All five sources, the report and dbt's docs: the sample data's own amounts, the sandbox in place of the services. Prints
the seconds of a backfill of each length and what they grow by, then the seconds of a daily run on each of these
histories: its cost must not grow with them.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from pydantic import SecretStr

from engagement_assets.commands.sandbox_services import strava_settings, user_events_settings
from engagement_assets.sandbox.api_servers import SandboxUrls, make_apis, serve_apis
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.sandbox.strava_service import RateLimits

FIRST_DAY = date(2022, 1, 1)


def environment_of(folder: Path, urls: SandboxUrls) -> dict[str, str]:
    services = {**strava_settings(urls), **user_events_settings(urls)}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in services.items()
    } | {
        "LANDING_URI": str(folder / "landing"),
        # One for all histories: the first refresh token is dead after the first of them.
        "STRAVA_TOKEN_PATH": str(folder / "strava_token.json"),
        "START_DATE": FIRST_DAY.isoformat(),
    }


@contextmanager
def sandbox(folder: Path, days: int) -> Iterator[dict[str, str]]:
    """Sample files and services for so many days; yields the settings that read them."""
    write_sample_landing(folder / "landing", start=FIRST_DAY, days=days)
    apis = make_apis(start=FIRST_DAY, days=days)
    apis.strava.limits = RateLimits(overall=(10**6, 10**6), read=(10**6, 10**6))
    with serve_apis(apis) as urls:
        yield environment_of(folder, urls)


def places_of(root: Path) -> dict[str, str]:
    """The settings that place a deployment below `root`."""
    return {
        "LAKE_URI": str(root / "lake"),
        "WAREHOUSE_PATH": str(root / "warehouse.duckdb"),
        "PUBLISHED_WAREHOUSE_PATH": str(root / "published.duckdb"),
        "DAGSTER_HOME": str(root / "dagster_home"),
        "REPORT_DIR": str(root / "report"),
    }


def run_days(root: Path, environment: dict[str, str], first: date, last: date) -> float:
    """Seconds of `make backfill` for these days."""
    started = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "engagement_assets.commands.backfill"),
            *("--from", first.isoformat(), "--to", last.isoformat()),
        ],
        env={**os.environ, **environment, **places_of(root)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, nargs="+", default=[30, 365, 1000], help="days of each history")
    parser.add_argument("--runs", type=int, default=5, help="daily runs on top of each, taken in turn")
    arguments = parser.parse_args()
    histories: list[int] = sorted(arguments.histories)
    folder = Path(tempfile.mkdtemp(prefix="daily-run-"))
    backfills: dict[int, float] = {}
    daily: dict[int, list[float]] = {days: [] for days in histories}
    span = histories[-1] + arguments.runs
    try:
        with sandbox(folder, span) as environment:
            for days in histories:
                last = FIRST_DAY + timedelta(days=days - 1)
                backfills[days] = run_days(folder / str(days), environment, FIRST_DAY, last)
                growth = backfills[days] / backfills[histories[0]]
                print(f"backfill of {days:>5} days: {backfills[days]:.1f} s, {growth:.2f} of the first", flush=True)
            for number in range(arguments.runs):
                for days in histories:
                    day = FIRST_DAY + timedelta(days=days + number)
                    daily[days].append(run_days(folder / str(days), environment, day, day))
    finally:
        shutil.rmtree(folder)
    medians = {days: statistics.median(values) for days, values in daily.items() if values}
    for days, median in medians.items():
        spread = f"{min(daily[days]):.1f} to {max(daily[days]):.1f}"
        ratio = median / medians[histories[0]]
        print(f"one day on top of {days:>5} days: median {median:.1f} s ({spread}), {ratio:.2f} of the first")
    print("the aims: a day under 45 s and within 1.2 of the first; 365 days under 300 s and within 4 of 30 days")


if __name__ == "__main__":
    main()
