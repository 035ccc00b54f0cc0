"""A small daily run of the whole graph, process start to end, on a short and on a long history.

Prints the seconds of both and their ratio: a daily run's cost must not grow with the history.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from engagement_assets.sandbox.sample_data import write_sample_landing

FIRST_DAY = date(2022, 1, 1)
ACTIVITIES_A_DAY = 8
EVENTS_A_DAY = 50


def run_days(root: Path, landing: Path, first: date, last: date) -> float:
    """Seconds of `make backfill` for these days, as a process of its own."""
    environment = {
        **os.environ,
        "LANDING_URI": str(landing),
        "LAKE_URI": str(root / "lake"),
        "WAREHOUSE_PATH": str(root / "warehouse.duckdb"),
        "PUBLISHED_WAREHOUSE_PATH": str(root / "published.duckdb"),
        "DAGSTER_HOME": str(root / "dagster_home"),
    }
    started = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "engagement_assets.commands.backfill"),
            *("--from", first.isoformat(), "--to", last.isoformat()),
        ],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=30, help="days of the short history")
    parser.add_argument("--long", type=int, default=1000, help="days of the long history")
    parser.add_argument("--runs", type=int, default=5, help="daily runs on top of each, taken in turn")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="daily-run-"))
    histories = {"short": arguments.short, "long": arguments.long}
    seconds: dict[str, list[float]] = {"short": [], "long": []}
    try:
        landing = folder / "landing"
        write_sample_landing(
            landing,
            start=FIRST_DAY,
            days=arguments.long + arguments.runs,
            runna_activities_per_day=ACTIVITIES_A_DAY,
            lingokids_events_per_day=EVENTS_A_DAY,
            mobile_events_per_day=EVENTS_A_DAY,
        )
        for name, days in histories.items():
            last = FIRST_DAY + timedelta(days=days - 1)
            took = run_days(folder / name, landing, FIRST_DAY, last)
            print(f"history of {days:>5} days built in {took:.1f} s", flush=True)
        for number in range(arguments.runs):
            for name, days in histories.items():
                day = FIRST_DAY + timedelta(days=days + number)
                seconds[name].append(run_days(folder / name, landing, day, day))
    finally:
        shutil.rmtree(folder)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, days in histories.items():
        spread = f"{min(seconds[name]):.1f} to {max(seconds[name]):.1f}"
        print(f"one day on top of {days:>5} days: median {medians[name]:.1f} s ({spread})")
    print(f"ratio long / short: {medians['long'] / medians['short']:.2f} (must stay under 1.2)")


if __name__ == "__main__":
    main()
