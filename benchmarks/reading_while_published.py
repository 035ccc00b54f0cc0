"""Readers of `published.duckdb` while it is swapped: whether a read ever fails, and how long it takes.

    python benchmarks/reading_while_published.py [--reads 10000] [--pause 1.0]

A read opens the published copy as a BI tool does, asks a mart for its weeks, and closes it. The same reads are timed
beside an idle copy, and beside a process that publishes the mart again and again, with a pause between two swaps. The
aims: no failed read in 10,000, and a 99th percentile within 1.5 of that of the idle copy.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb

from engagement_assets.transform.publish import publish_schemas

SCHEMA = "learning"
ROWS, WEEKS = 200_000, 52


def make_warehouse(path: Path) -> None:
    """A mart with many rows per week and country."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create schema {SCHEMA}")
        connection.execute(
            f"""
            create table {SCHEMA}.engagement_weekly as
            select
                date '2024-01-01' + cast(number % {WEEKS} as integer) * 7 as week_start_date,
                'country_' || cast(hash(number) % 20 as varchar) as country_code,
                hash(number, 1) % 50 as plays
            from range({ROWS}) as numbers (number)
            """
        )


def publish(warehouse: Path, published: Path, pause_s: float, stop: Event, swaps: "multiprocessing.Queue[int]") -> None:
    """Publish until told to stop."""
    count = 0
    while not stop.wait(pause_s):
        publish_schemas(warehouse, published, (SCHEMA,))
        count += 1
    swaps.put(count)


def read(published: Path, reads: int) -> tuple[list[float], list[str]]:
    """The seconds of each read, and what each failed one said."""
    seconds, failures = [], []
    for _ in range(reads):
        started = time.perf_counter()
        try:
            with duckdb.connect(str(published), read_only=True) as connection:
                weeks = connection.execute(
                    f"select week_start_date, sum(plays) from {SCHEMA}.engagement_weekly group by all"
                ).fetchall()
            if len(weeks) != WEEKS:
                failures.append(f"{len(weeks)} weeks, expected {WEEKS}")
        except duckdb.Error as error:
            failures.append(str(error))
        seconds.append(time.perf_counter() - started)
    return seconds, failures


def percentile_99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reads", type=int, default=10_000, help="how many, beside the idle copy and beside swaps")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two swaps")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        warehouse, published = Path(folder) / "warehouse.duckdb", Path(folder) / "published.duckdb"
        make_warehouse(warehouse)
        publish_schemas(warehouse, published, (SCHEMA,))
        read(published, 20)
        idle, idle_failures = read(published, arguments.reads)
        stop, swaps = context.Event(), context.Queue()
        publisher = context.Process(target=publish, args=(warehouse, published, arguments.pause, stop, swaps))
        publisher.start()
        busy, busy_failures = read(published, arguments.reads)
        stop.set()
        swapped = swaps.get(timeout=60)
        publisher.join()
    ratio = percentile_99(busy) / percentile_99(idle)
    print(
        f"{arguments.reads:,} reads of an idle copy: median {statistics.median(idle) * 1000:.1f} ms, 99th percentile "
        f"{percentile_99(idle) * 1000:.1f} ms, {len(idle_failures)} failed"
    )
    print(
        f"{arguments.reads:,} reads beside {swapped:,} swaps: median {statistics.median(busy) * 1000:.1f} ms, 99th "
        f"percentile {percentile_99(busy) * 1000:.1f} ms, {len(busy_failures)} failed {set(busy_failures) or ''}"
    )
    print(f"99th percentile, beside swaps / idle: {ratio:.2f} (the aim is 1.5)")


if __name__ == "__main__":
    main()
