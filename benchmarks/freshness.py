"""How old a file is when its rows are in `published.duckdb`, while files keep landing and `make dev` works by itself.

    python -m benchmarks.freshness [--minutes 10] [--every 10]

A file of mobile events and one of learning events land every few seconds, onto a month of history; sensors are on, and
files settle for five seconds. Prints, per source, percentiles of the seconds from arrival until a reader of the copy
finds the rows, in the first and in the second half, and how many files were never seen. The aims: the 95th percentile
within 60 s, no file missed, and a second half that is not slower.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.daily_run import places_of
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.free_port import free_port

HISTORY_DAYS = 30
SETTLE_S = 5
# How long the last files may take.
PATIENCE_S = 180
# Per source the table and the column in which the name of each file arrives.
SEEN = {
    "mobile": ("mobility.fct__mobile_sessions", "anonymous_id"),
    "lingokids": ("learning.fct__activity_exits", "event_id"),
}
MOBILE_COLUMNS = (
    "anonymous_id",
    "business_zoned",
    "context_app_version",
    "context_device_id",
    "context_os_name",
    "event_name",
    "received_at",
    "created_at",
)


def land(landing: Path, number: int) -> None:
    """Write the two files of this number, each under a name that readers leave alone until it is complete."""
    now = datetime.now(UTC)
    name = f"file-{number}"
    event = {
        "event_id": name,
        "name": "activity_exit",
        "occurred_at": now.isoformat(),
        "user_id": f"user-{number % 50}",
        "data": {"activity_id": "activity-1", "duration": 60.0, "completed": True},
    }
    row = f"{name};Centro;3.1.0;d-{number};ios;Application Opened;;{now:%Y-%m-%d %H:%M:%S}"
    for path, text in (
        (landing / "mobile_events" / f"{name}.csv", f"{';'.join(MOBILE_COLUMNS)}\n{row}\n"),
        (landing / "lingokids" / "events" / f"{name}.jsonl", json.dumps(event) + "\n"),
    ):
        draft = path.parents[1] / f".{path.name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)


class Reader(threading.Thread):
    """Notes when the rows of each file are in the published copy."""

    def __init__(self, published: Path) -> None:
        """Watch this copy."""
        super().__init__(daemon=True)
        self.seen: dict[tuple[str, str], float] = {}
        self._published = published
        self._changed = 0

    def run(self) -> None:
        """Read the copy after each swap."""
        while True:
            time.sleep(0.5)
            changed = self._published.stat().st_mtime_ns
            if changed == self._changed:
                continue
            self._changed, now = changed, time.monotonic()
            with duckdb.connect(str(self._published), read_only=True) as connection:
                for source, (table, column) in SEEN.items():
                    query = f"select distinct {column} from {table} where starts_with({column}, 'file-')"
                    for (name,) in connection.execute(query).fetchall():
                        self.seen.setdefault((source, name), now)


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1] if len(values) > 1 else values[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=10, help="seconds between two arrivals")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshness-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        landing, first = folder / "landing", datetime.now(UTC).date() - timedelta(days=HISTORY_DAYS)
        write_sample_landing(landing, start=first, days=HISTORY_DAYS)
        port = str(free_port())
        environment = {
            **os.environ,
            **places_of(folder),
            "LANDING_URI": str(landing),
            "START_DATE": first.isoformat(),
            "LANDING_SETTLE_S": str(SETTLE_S),
            "SCHEDULES_ON": "true",
            "PORT": port,
        }
        module = [sys.executable, "-m", "engagement_assets.commands.backfill"]
        last = first + timedelta(days=HISTORY_DAYS - 1)
        subprocess.run(
            [*module, "--from", first.isoformat(), "--to", last.isoformat()],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with (folder / "dev.log").open("w") as log:
            dev = subprocess.Popen(
                [sys.executable, "-m", "engagement_assets.commands.dev"], env=environment, stdout=log, stderr=log
            )
            try:
                arrived, reader = follow(folder, landing, arguments.minutes * 60, arguments.every, dev)
            finally:
                dev.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    dev.wait(60)
                dev.kill()
        for source in SEEN:
            told(source, arrived, reader.seen)


def follow(
    folder: Path, landing: Path, seconds: float, every: float, dev: "subprocess.Popen[bytes]"
) -> tuple[dict[str, float], Reader]:
    """Land files for so long, and wait until the last ones are seen; the names with the times of their arrival."""
    while "Serving dagster-webserver" not in (folder / "dev.log").read_text(errors="replace"):
        if dev.poll() is not None:
            raise SystemExit((folder / "dev.log").read_text(errors="replace"))
        time.sleep(1)
    reader = Reader(folder / "published.duckdb")
    reader.start()
    arrived: dict[str, float] = {}
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        number = len(arrived)
        land(landing, number)
        arrived[f"file-{number}"] = time.monotonic()
        time.sleep(max(0.0, began + (number + 1) * every - time.monotonic()))
    end = time.monotonic() + PATIENCE_S
    while len(reader.seen) < len(SEEN) * len(arrived) and time.monotonic() < end:
        time.sleep(1)
    return arrived, reader


def told(source: str, arrived: dict[str, float], seen: dict[tuple[str, str], float]) -> None:
    """Print what became of a source's files."""
    ages = [seen[source, name] - at for name, at in arrived.items() if (source, name) in seen]
    missed = len(arrived) - len(ages)
    print(f"{source}: {len(arrived)} files, {missed} never seen")
    halves = {"all": ages, "first half": ages[: len(ages) // 2], "second half": ages[len(ages) // 2 :]}
    for name, values in halves.items():
        if values:
            middle, high = (percentile(values, share) for share in (50, 95))
            print(f"  {name}: median {middle:.1f} s, 95th percentile {high:.1f} s, at most {max(values):.1f} s")


if __name__ == "__main__":
    main()
