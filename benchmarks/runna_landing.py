"""How fast a day of Runna activity files lands, against the floor of merely decoding them.

    python benchmarks/runna_landing.py [--files 3000] [--rounds 5] [--dir FOLDER]

Makes files of about 270 kB (18 laps, 1,800 waypoints, every file different), then measures in turns, with the files in
the page cache:

- the floor: two processes read each file and decode it into typed structs, the waypoints passed over; no rows, no
  output. Once from the start of these processes on, and once more when they are running;
- landing: `extract` from its call on, the start of its second process included, and the three relations copied to
  Parquet by day.

Prints the medians, the ratios (landing rate / floor rate; the aim is at least 0.5 with the start of the processes
counted on both sides) and the peak memory of landing, both processes together (the aim is below 500 MB).
"""

import argparse
import json
import multiprocessing
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.documents import Activity
from engagement_assets.lake.day_files import write_days
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings

PROCESSES = 2
MEMORY_LIMIT = Settings.model_fields["runna_memory_limit"].default
LAPS = 18
DAYS = (date(2024, 1, 5), date(2024, 1, 6))
POINTS_PER_BLOCK = 50
BLOCKS_PER_FILE = 36
BLOCKS = 200
KIB = 1024
MB = 1_000_000


def main() -> None:
    """Run the whole benchmark, or one landing in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=3_000, help="how many files to make")
    parser.add_argument("--rounds", type=int, default=5, help="the median of how many")
    parser.add_argument("--dir", type=Path, help="where to make (and keep) the files")
    parser.add_argument("--land", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.land:
        print(json.dumps(land(options.dir)))
    elif options.dir:
        compare(options.dir, options.files, options.rounds)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), options.files, options.rounds)


def compare(folder: Path, files: int, rounds: int) -> None:
    paths = make_files(folder, files)
    size = sum(path.stat().st_size for path in paths)
    print(f"{files:,} files of {size / files / KIB:,.0f} KiB, {PROCESSES} processes, {rounds} rounds")
    shares = [[str(path) for path in paths[start::PROCESSES]] for start in range(PROCESSES)]
    decode_files([str(path) for path in paths])  # into the page cache
    seconds: dict[str, list[float]] = {"floor": [], "floor, running": [], "landing": []}
    peaks = []
    for _ in range(rounds):
        started = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            pool.map(decode_files, shares, chunksize=1)
            running = time.perf_counter()
            pool.map(decode_files, shares, chunksize=1)
            seconds["floor"].append(running - started)
            seconds["floor, running"].append(time.perf_counter() - running)
        command = [sys.executable, __file__, "--land", "--dir", str(folder)]
        landed = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        if landed["rows"] != [files, files * LAPS, files * LAPS]:
            raise SystemExit(f"expected {files} activities with {LAPS} laps and steps each: {landed}")
        seconds["landing"].append(landed["seconds"])
        peaks.append(landed["peak_bytes"])

    median = {name: statistics.median(each) for name, each in seconds.items()}
    print(f"{'':15} {'seconds':>8} {'files/s':>8} {'MB/s':>6} {'ratio':>6}  all rounds (s)")
    for name, each in seconds.items():
        print(
            f"{name:15} {median[name]:8.2f} {files / median[name]:8,.0f} {size / MB / median[name]:6,.0f} "
            f"{median[name] / median['landing']:6.2f}  {' '.join(f'{value:.2f}' for value in each)}"
        )
    print(f"peak memory of landing: {max(peaks) / MB:,.0f} MB")


def decode_files(paths: list[str]) -> None:
    decoder = msgspec.json.Decoder(Activity)
    for path in paths:
        with open(path, "rb") as file:  # noqa: PTH123 - the floor goes without what it can
            decoder.decode(file.read())


def land(folder: Path) -> dict[str, object]:
    rows = []
    with (
        tempfile.TemporaryDirectory() as work,
        Lake(work).connect(MEMORY_LIMIT, Path(work) / "spill") as connection,
    ):
        started = time.perf_counter()
        (parts := Path(work) / "parts").mkdir()
        reading = runna.BatchReading(
            connection,
            Landing(str(folder)),
            DayWindow(DAYS[0], DAYS[-1] + timedelta(days=1)),
            parts,
            calendar=ALL_DAYS,
            extracted_at=datetime.now(UTC),
            processes=PROCESSES,
            progress=lambda _: None,
        )
        extraction = runna.extract(reading)
        for dataset, _ in runna.DATASET_PARTS:
            target = Path(work) / dataset.key
            write_days(connection, extraction.accepted[dataset.key], dataset.columns, DAYS, target)
        seconds = time.perf_counter() - started
        for dataset, _ in runna.DATASET_PARTS:
            counted = connection.execute(f"select count(*) from '{work}/{dataset.key}/*/*.parquet'").fetchall()
            rows.append(counted[0][0])
    # The readers are this process and its only child.
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": rows,
        "seconds": seconds,
        "peak_bytes": (own + (PROCESSES - 1) * largest_child) * KIB,
    }


def make_files(folder: Path, count: int) -> list[Path]:
    """Activity files with the shape of a watch's, half of them on each day; existing ones stay."""
    draw = random.Random(20240105)
    blocks = [_waypoints(draw) for _ in range(BLOCKS)]
    paths = []
    for number in range(count):
        batch = folder / "runna" / "activities" / DAYS[number % len(DAYS)].isoformat()
        path = batch / f"activity-{number:06d}.json"
        paths.append(path)
        if path.exists():
            continue
        batch.mkdir(parents=True, exist_ok=True)
        document = document_text(draw, number)
        waypoints = ",".join(draw.choices(blocks, k=BLOCKS_PER_FILE))
        path.write_text(f'{document[:-1]},"waypoints":[{waypoints}]}}', encoding="utf-8")
    return paths


def document_text(draw: random.Random, number: int) -> str:
    """An activity without its waypoints."""
    return json.dumps(_document(draw, number), separators=(",", ":"))


def _waypoints(draw: random.Random) -> str:
    start = draw.randrange(1_700_000_000_000, 1_705_000_000_000, 1_000)
    points = [
        {
            "cadence": draw.randrange(150, 200),
            "distance": round(draw.uniform(0, 10_000), 2),
            "elevation": draw.uniform(30, 70),
            "heartRate": draw.randrange(110, 180),
            "movingTime": second * 1_000,
            "speed": round(draw.uniform(2, 4), 3),
            "timestamp": start + second * 1_000,
            "power": draw.randrange(0, 300),
        }
        for second in range(POINTS_PER_BLOCK)
    ]
    return json.dumps(points, separators=(",", ":"))[1:-1]


def _document(draw: random.Random, number: int) -> dict[str, object]:
    start = draw.randrange(1_700_000_000_000, 1_705_000_000_000, 1_000)
    laps = [
        {
            "averageCadence": draw.randrange(160, 190),
            "averageHeartRate": draw.randrange(130, 160) + 0.5,
            "averageSpeed": round(draw.uniform(2.2, 4), 3),
            "distance": round(draw.uniform(150, 2_000), 2),
            "elevationGain": draw.randrange(0, 12),
            "maxCadence": draw.randrange(185, 200),
            "maxElevation": draw.uniform(40, 70),
            "minElevation": draw.uniform(30, 40),
            "maxHeartRate": draw.randrange(150, 180),
            "minHeartRate": draw.randrange(100, 130),
            "maxSpeed": round(draw.uniform(4, 6), 3),
            "movingTime": draw.randrange(40_000, 700_000),
            "startTimestamp": start + index * 60_000,
            "totalTime": draw.randrange(40_000, 700_000),
            "wktStepIndex": index % 4,
        }
        for index in range(LAPS)
    ]
    return {
        "userId": f"user-{draw.randrange(20_000)}",
        "activityId": f"activity-{number}",
        "workoutId": f"workout-{draw.randrange(500)}",
        "recordType": "GARMIN",
        "laps": laps,
        "createdOn": start,
        "planDetails": {"id": "HILLY_HALF", "planLength": 10},
        "weekOfPlan": draw.randrange(1, 11),
        "unitOfMeasure": "KILOMETERS",
        "plannedWorkoutMetadata": {
            "workoutType": "RUN",
            "runType": "TEMPO",
            "distance": 6.2,
            "currentEst5kTimeInSecs": draw.randrange(1_100, 2_000),
            "plannedWorkoutDate": "2024-01-05",
            "stepsV2": [
                _step("WARMUP", None),
                {
                    "type": "WorkoutRepeatStep",
                    "repeatValue": (LAPS - 2) // 2,
                    "steps": [
                        _step("ACTIVE", draw.uniform(3, 4)),
                        _step("ACTIVE", draw.uniform(2, 3)),
                    ],
                },
                _step("COOLDOWN", None),
            ],
        },
    }


def _step(intensity: str, pace: float | None) -> dict[str, object]:
    targets = {"slow": 0.97, "average": 1.0, "fast": 1.03}
    return {
        "type": "WorkoutStep",
        "intensity": intensity,
        "durationType": "DISTANCE",
        "durationValue": 0.2,
        "durationValueType": "KILOMETER",
        "targetType": None if pace is None else "PACE",
        "paces": None if pace is None else {name: {"text": "4:45", "mps": pace * by} for name, by in targets.items()},
    }


if __name__ == "__main__":
    main()
