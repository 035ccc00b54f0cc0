"""A range run is killed at several points, for real; the same run again ends as if nothing had happened."""

import os
import random
import signal
import time
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment, differences
from tests.integration.killed_processes import Command

pytestmark = pytest.mark.integration

FIRST, LAST, DAYS = date(2024, 1, 1), date(2024, 1, 8), 8
# One area goes through all that a run does: loading, building and publishing.
SELECTION = "+group:learning"
# Each kill costs most of a run; `KILLS=20` is the longer profile.
KILLS = int(os.environ.get("KILLS", "3"))


def _kill_after(run: Command, lines: int, seconds: float) -> bool:
    """Kill the run and all that it started, so long after a line of progress; False when it ended before."""
    with run.output:
        for _ in islice(run.output, lines):
            pass
        run.process.join(seconds)
        run.kill()
    assert run.process.exitcode in (0, -signal.SIGKILL)
    return bool(run.process.exitcode)


def test_a_killed_range_run_is_finished_by_the_same_run_again(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_sample_landing(landing, start=FIRST, days=DAYS, runna_activities_per_day=8, lingokids_events_per_day=60)
    undisturbed = Deployment(tmp_path / "undisturbed", landing=landing)
    started = time.monotonic()
    run = undisturbed.start(FIRST, LAST, SELECTION)
    with run.output:
        lines = len(run.output.readlines())
    run.process.join()
    assert run.process.exitcode == 0
    seconds_a_line = (time.monotonic() - started) / lines
    expected = undisturbed.tables()
    assert len(expected["learning.fct__activity_exits"]) > 300

    disturbed = Deployment(tmp_path / "disturbed", landing=landing)
    draw = random.Random(2024)
    killed = 0
    for number in range(KILLS):
        # Spread over the whole run, so that loading, building and publishing are all hit, however fast the machine is.
        line = int(lines * (number + draw.random()) / KILLS)
        killed += _kill_after(disturbed.start(FIRST, LAST, SELECTION), line, seconds_a_line * draw.random())
    assert killed >= KILLS - 1
    assert disturbed.run(FIRST, LAST, SELECTION).failures == ()
    assert differences(disturbed.tables(), expected) == {}
    litter = [
        path
        for folder in (".aside", ".journal")
        for path in (Path(disturbed.settings.lake_uri) / folder).rglob("*")
        if path.is_file()
    ]
    assert litter == []
