"""A load is killed before each of its steps, and at any moment: every day is old or every day is new."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import exclusive, finish_commits
from engagement_assets.lake.held_days import release
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.sources import RAW_DATASETS
from tests.integration.killed_processes import all_at_once, killed_at_random, killed_before_step
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    Found,
    Reject,
    event,
    files_below,
    load_time,
    parquet_rows,
    publish,
    published,
    quarantined,
    records,
    window,
)

pytestmark = pytest.mark.integration

KILLS = int(os.environ.get("KILLS", "12"))
MANY_DAYS = [DAY_1 + timedelta(days=number) for number in range(12)]

Snapshot = dict[str, list[tuple[Any, ...]]]


def _load(folder: Path, generation: int) -> None:
    """Replace activities, add to an event log, reject, and hold a day; what was held before is released."""
    name = f"generation {generation}"
    days = [DAY_1, DAY_2]
    found = Found(
        {
            RUNNA_ACTIVITIES: [{"activity_id": name, "day": day, "source_path": f"{name}.json"} for day in days],
            LINGOKIDS_EVENTS: [event(name, day, f"{name}.jsonl") for day in days],
        },
        rejects=[Reject(RUNNA_ACTIVITIES, day, f"{name}.txt") for day in days if day == DAY_1 or generation != 1],
    )
    held = {DAY_1 if generation == 1 else DAY_2: ["reconciles"]}
    publish(Lake(str(folder)), found, window(DAY_1, DAY_2), generation, held=held)


def _snapshot(folder: Path) -> Snapshot:
    lake = Lake(str(folder))
    return {
        "activities": published(lake, RUNNA_ACTIVITIES, "activity_id"),
        "events": published(lake, LINGOKIDS_EVENTS, "event_id"),
        "quarantine": quarantined(lake, "dataset", "source_path"),
        "held activities": parquet_rows(folder, "held/raw_runna/*/*/*.parquet", "day", "activity_id"),
        "held events": parquet_rows(folder, "held/raw_lingokids/*/*/*.parquet", "day", "event_id"),
        "held quarantine": parquet_rows(folder, "held/records/*/*/*.parquet", "day", "dataset", "source_path"),
        "held": parquet_rows(folder, "records/held/*/*.parquet", "day", "run_id"),
        "records": records(lake, "run_id", "dataset", "partition_date", "status", "accepted", "quarantined"),
    }


def _litter(folder: Path) -> list[str]:
    return [path for path in files_below(folder) if path.startswith(".")]


def test_a_load_that_is_killed_before_any_of_its_steps_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    _load(before, 0)
    shutil.copytree(before, after)
    _load(after, 1)
    states = {"old": _snapshot(before), "new": _snapshot(after)}
    assert states["old"]["activities"] == [(DAY_1, "generation 0")]
    assert states["new"]["activities"] == [(DAY_1, "generation 0"), (DAY_2, "generation 1")]
    after_next_load = {}
    for outcome, folder in (("old", before), ("new", after)):
        shutil.copytree(folder, tmp_path / outcome)
        _load(tmp_path / outcome, 2)
        after_next_load[outcome] = _snapshot(tmp_path / outcome)

    outcomes = []
    for step in count(1):
        folder = tmp_path / f"killed before step {step}"
        shutil.copytree(before, folder)
        if not killed_before_step(step, _load, folder, 1):
            assert _snapshot(folder) == states["new"]
            break
        shutil.copytree(folder, tmp_path / "read")
        finish_commits(Lake(str(tmp_path / "read")))
        seen = _snapshot(tmp_path / "read")
        assert seen in states.values(), f"a mixture after a kill before step {step}"
        outcomes.append("new" if seen == states["new"] else "old")
        _load(folder, 2)
        assert _snapshot(folder) == after_next_load[outcomes[-1]], f"after a kill before step {step}"
        assert _litter(folder) == []
        shutil.rmtree(tmp_path / "read")

    committed = outcomes.index("new")
    assert outcomes == ["old"] * committed + ["new"] * (len(outcomes) - committed)
    # Two days of two datasets, held, published or released, the quarantine, the record, and tidying up.
    assert committed > 20
    assert len(outcomes) - committed > 30


def _release(folder: Path) -> None:
    with open_load(Lake(str(folder)), "source", run_id="run-9", started_at=load_time(9)) as load:
        release(load, [RUNNA_ACTIVITIES, LINGOKIDS_EVENTS], [DAY_1, DAY_2], "known")


def test_a_release_that_is_killed_before_any_of_its_steps_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    _load(before, 0)
    _load(before, 1)
    shutil.copytree(before, after)
    _release(after)
    old, new = _snapshot(before), _snapshot(after)
    assert (old["held"], old["activities"][0]) == ([(DAY_1, "run-1")] * 2, (DAY_1, "generation 0"))
    assert (new["held"], new["activities"][0]) == ([], (DAY_1, "generation 1"))

    outcomes = []
    for step in count(1):
        folder = tmp_path / f"killed before step {step}"
        shutil.copytree(before, folder)
        if not killed_before_step(step, _release, folder):
            break
        finish_commits(Lake(str(folder)))
        seen = _snapshot(folder)
        assert seen in (old, new), f"a mixture after a kill before step {step}"
        outcomes.append(seen == new)
        _release(folder)
        assert _snapshot(folder) == new, f"after a kill before step {step}"
        assert _litter(folder) == []
        shutil.rmtree(folder)
    assert outcomes == sorted(outcomes)
    assert {False, True} == set(outcomes)


def _load_again_and_again(folder: Path, first_generation: int) -> Iterator[None]:
    for generation in count(first_generation):
        name = f"{generation:04}"
        found = Found(
            {
                RUNNA_ACTIVITIES: [{"activity_id": name, "day": day} for day in MANY_DAYS],
                RUNNA_ACTIVITY_LAPS: [{"activity_id": name, "lap_index": 0, "day": day} for day in MANY_DAYS],
            },
            rejects=[Reject(RUNNA_ACTIVITY_LAPS, day, name) for day in MANY_DAYS],
        )
        publish(Lake(str(folder)), found, window(MANY_DAYS[0], MANY_DAYS[-1]), generation)
        yield


def _generations(lake: Lake) -> list[str]:
    """The loads that the lake tells of, the newest last; it must be that of every row."""
    loads = sorted({run_id.removeprefix("run-").zfill(4) for (run_id,) in records(lake, "run_id")})
    expected = [(day, loads[-1]) for day in MANY_DAYS] if loads else []
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == expected
    assert published(lake, RUNNA_ACTIVITY_LAPS, "activity_id") == expected
    assert quarantined(lake, "source_path") == expected
    assert len(records(lake, "run_id")) == len(loads) * len(MANY_DAYS) * 2
    return loads


def test_loads_that_are_killed_at_any_moment_leave_days_of_one_load(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    # What a kill leaves of this is removed by the next call, and not by the loads that are looked at here.
    make_files_alike(lake)
    draw = random.Random(2024)
    started = time.monotonic()
    next(_load_again_and_again(tmp_path / "elsewhere", 0))
    load_s = time.monotonic() - started
    loads: list[str] = []
    for number in range(KILLS):
        first = len(loads) + number
        folder = Path(lake.uri)
        assert killed_at_random(draw, load_s, _load_again_and_again, folder, first, after_rounds=number % 3)
        if number % 2:
            finish_commits(lake)
        else:
            with exclusive(lake, "source"):
                pass
            assert _litter(Path(lake.uri)) == []
        earlier, loads = loads, _generations(lake)
        assert loads[: len(earlier)] == earlier
    # Every third child ended one load before it was killed, and every third two.
    assert len(loads) >= KILLS // 3 * 3


def _load_some(folder: Path, name: str, dataset_key: str, numbers: range) -> None:
    dataset = next(item for item in RAW_DATASETS if item.key == dataset_key)
    for number in numbers:
        rows = [{dataset.identity[0]: f"{number}", "day": day} for day in (DAY_1, DAY_2)]
        publish(Lake(str(folder)), Found({dataset: rows}), window(DAY_1, DAY_2), number, name=name)


def test_loads_of_one_name_wait_for_each_other_and_others_do_not_disturb_them(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    exit_codes = all_at_once(
        partial(_load_some, Path(lake.uri), "events", LINGOKIDS_EVENTS.key, range(5)),
        partial(_load_some, Path(lake.uri), "events", LINGOKIDS_EVENTS.key, range(5, 10)),
        partial(_load_some, Path(lake.uri), "activities", RUNNA_ACTIVITIES.key, range(10, 15)),
        partial(make_files_alike, Lake(lake.uri)),
        partial(make_files_alike, Lake(lake.uri)),
    )
    assert exit_codes == [0, 0, 0, 0, 0]
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [
        (day, f"{number}") for day in (DAY_1, DAY_2) for number in range(10)
    ]
    assert published(lake, RUNNA_ACTIVITIES, "activity_id") == [(DAY_1, "14"), (DAY_2, "14")]
    loaded = [(run_id, day) for run_id, day in records(lake, "run_id", "partition_date") if day]
    assert sorted(loaded) == sorted((f"run-{number}", day) for number in range(15) for day in (DAY_1, DAY_2))
    assert _litter(Path(lake.uri)) == []
