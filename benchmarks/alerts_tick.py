"""A round of the alerts with 10,000 check evaluations of history, against a round without any.

    python benchmarks/alerts_tick.py

Prints what the history cost to read when it was new, and what a round costs after it: with nothing new, with one new
run. A round must stay below a second.
"""

import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import cast

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType, EventLogEntry

from engagement_assets.alerts.alerting import SHELL, Alerting
from engagement_assets.alerts.channels import FileChannel
from engagement_assets.alerts.lineage import Links
from engagement_assets.dagster_internals import SqliteEventLogStorage
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.settings import Settings

RUNS, CHECKS = 100, 100
LIMIT_S = 1.0
TABLE = dg.AssetKey(["toy", "table"])


@dg.asset(key=TABLE)
def table() -> None: ...


def _evaluation(run_id: str, number: int, check: int) -> EventLogEntry:
    evaluation = AssetCheckEvaluation(asset_key=TABLE, check_name=f"holds_{check}", passed=(number + check) % 2 == 0)
    kind = DagsterEventType.ASSET_CHECK_EVALUATION.value
    event = DagsterEvent(kind, "toys", event_specific_data=evaluation)
    return EventLogEntry(None, logging.INFO, "", run_id, time.time(), dagster_event=event)  # type: ignore[no-untyped-call]


def main() -> int:
    """Print the figures; 1 when a round took too long."""
    logging.disable(logging.INFO)
    graph = dg.Definitions(assets=[table]).resolve_asset_graph()
    job = dg.Definitions(assets=[table], jobs=[dg.define_asset_job("toys")]).resolve_job_def("toys")
    with tempfile.TemporaryDirectory() as root:
        home = Path(root)
        prepare_dagster_home(Settings(_env_file=None, landing_uri=root, dagster_home=home))
        alerting = Alerting(
            home / "alerts", Links("http://ui", "runbook.md"), timedelta(hours=24), [FileChannel(home / "a.jsonl")]
        )
        with dg.DagsterInstance.get() as instance:

            def seconds_of_a_round() -> float:
                started = time.perf_counter()
                alerting.work(instance, graph, SHELL)
                return time.perf_counter() - started

            def run(number: int) -> None:
                """A run that ended; half of its checks fail in every second run."""
                ended = instance.create_run_for_job(job, asset_selection=frozenset([TABLE]))
                # Into the run's own log, which the alerts read, and at once: Dagster would sync each to the disk.
                storage = cast(SqliteEventLogStorage, instance.event_log_storage)
                with storage.run_connection(ended.run_id) as log:
                    for check in range(CHECKS):
                        log.execute(storage.prepare_insert_event(_evaluation(ended.run_id, number, check)))
                instance.report_run_canceled(ended)

            empty = seconds_of_a_round()
            print(f"a round without history           {empty:8.3f} s")
            for number in range(RUNS):
                run(number)
            print(f"{RUNS * CHECKS:,} evaluations of {RUNS} runs are written")
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
    raise SystemExit(main())
