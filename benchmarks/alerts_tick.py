"""A round of the alerts with 10,000 check evaluations of history, against a round without any.

    python benchmarks/alerts_tick.py

Prints what the history cost to read when it was new, and what a round costs after it: with nothing new, with one new
run. A round must stay below a second.
"""

import logging
import os
import tempfile
import time
from pathlib import Path

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType

from engagement_assets.alerts.alerting import SHELL, Alerting
from engagement_assets.alerts.channels import FileChannel
from engagement_assets.alerts.lineage import Links
from engagement_assets.alerts.timing import Timing
from engagement_assets.commands.dagster_home import prepare_dagster_home
from engagement_assets.settings import Settings

RUNS, CHECKS = 100, 100
LIMIT_S = 1.0
# Dagster syncs each of 10,000 events to the disk, which would take minutes and is not what is measured.
MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
TABLE = dg.AssetKey(["toy", "table"])


@dg.asset(key=TABLE)
def table() -> None: ...


def main() -> int:
    """Print the figures; 1 when a round took too long."""
    logging.disable(logging.INFO)
    graph = dg.Definitions(assets=[table]).resolve_asset_graph()
    job = dg.Definitions(assets=[table], jobs=[dg.define_asset_job("toys")]).resolve_job_def("toys")
    with tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as root:
        home = Path(root)
        prepare_dagster_home(Settings(_env_file=None, landing_uri=root, dagster_home=home))
        alerting = Alerting(
            home / "alerts", Links("http://ui", "runbook.md"), Timing(), [FileChannel(home / "a.jsonl")]
        )
        with dg.DagsterInstance.get() as instance:

            def seconds_of_a_round() -> float:
                started = time.perf_counter()
                alerting.work(instance, graph, SHELL)
                return time.perf_counter() - started

            def run(number: int) -> None:
                """A run that ended; half of its checks fail in every second run."""
                ended = instance.create_run_for_job(job, asset_selection=frozenset([TABLE]))
                for check in range(CHECKS):
                    passed = (number + check) % 2 == 0
                    evaluation = AssetCheckEvaluation(asset_key=TABLE, check_name=f"holds_{check}", passed=passed)
                    instance.report_dagster_event(
                        DagsterEvent(
                            DagsterEventType.ASSET_CHECK_EVALUATION.value, "toys", event_specific_data=evaluation
                        ),
                        ended.run_id,
                    )
                instance.report_run_canceled(ended)

            empty = seconds_of_a_round()
            print(f"a round without history           {empty:8.3f} s")
            started = time.perf_counter()
            for number in range(RUNS):
                run(number)
            print(f"writing {RUNS * CHECKS:,} evaluations        {time.perf_counter() - started:8.3f} s (Dagster)")
            print(f"reading them all, once            {seconds_of_a_round():8.3f} s")
            idle = min(seconds_of_a_round() for _ in range(5))
            run(RUNS)
            busy = seconds_of_a_round()
            print(f"a round after that, nothing new   {idle:8.3f} s   {idle / empty:.1f} times one without history")
            print(f"a round with one new run of {CHECKS}   {busy:8.3f} s")
    slowest = max(idle, busy)
    print(f"the slowest round took {slowest:.3f} s; the limit is {LIMIT_S} s")
    return int(slowest > LIMIT_S)


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    raise SystemExit(main())
