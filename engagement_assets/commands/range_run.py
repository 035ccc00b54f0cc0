"""One run over a range of days from the shell: select, run in this process, show progress.

Belongs here: the run that several commands share. Not here: what a command prints around it.
"""

import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import dagster as dg
import duckdb
from dagster import AssetCheckEvaluation, AssetCheckSeverity

from engagement_assets.alerts.alerting import SHELL, Alerting, AlertsBusyError
from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.run_results import failure_text
from engagement_assets.alerts.store import AlertStoreError
from engagement_assets.assets.dbt_models import step_name
from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT
from engagement_assets.assets.kudos_model import KUDOS_ASSETS
from engagement_assets.commands.preflight import outside
from engagement_assets.commands.progress import Counter, silence_told, step_lines, waits_told
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.definitions import build_defs
from engagement_assets.extract.services.client import Clock
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.killed_runs import living_run, mark_killed_runs
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.orchestration.jobs import (
    DAILY_ENGAGEMENT,
    KUDOS,
    LOAD_AUDIT,
    PUBLISHED_AUDIT,
    WEEKLY_ENGAGEMENT_METRICS,
)
from engagement_assets.partitions import range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, CROSS_SOURCE_AREA, SOURCE_AREAS
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build_inputs import areas_not_passed
from engagement_assets.transform.publish import newest_load_not_shown

# A tick of the alert sensor is shorter.
ALERTS_WAIT_S = 60


class SelectionError(ValueError):
    """The selection or the range of days cannot be run."""


@dataclass(frozen=True)
class RangeRequest:
    """What a person requests: the assets of `selection` (Dagster's syntax) for the days of `window`.

    With a `release_reason` the selected raw assets read nothing; they put the held days of the window into the lake.
    With `replay` they read these quarantined records of the window again, instead of their sources.
    """

    window: DayWindow
    selection: str = "*"
    allow_shrink: bool = False
    release_reason: str = ""
    replay: Choice | None = None

    @property
    def raw_config(self) -> dict[str, Any]:
        """The config of each selected raw asset."""
        if self.release_reason:
            return {"release_reason": self.release_reason}
        if choice := self.replay:
            return {"replay": True, "replay_dataset": choice.dataset, "replay_reason_code": choice.reason_code}
        return {}


@dataclass(frozen=True)
class RangeRun:
    """The result of a run: its id, the failed steps with their messages, and every check that was evaluated."""

    run_id: str
    failures: tuple[str, ...]
    checks: tuple[AssetCheckEvaluation, ...]
    not_published: tuple[str, ...]

    @property
    def success(self) -> bool:
        """Whether every step and every blocking check passed."""
        return not self.failures

    def checks_counted(self) -> tuple[int, int, int]:
        """Checks passed, warned, failed."""
        failed = [check for check in self.checks if not check.passed]
        errors = sum(check.severity == AssetCheckSeverity.ERROR for check in failed)
        return len(self.checks) - len(failed), len(failed) - errors, errors


@silence_told()
def run_range(
    settings: Settings, request: RangeRequest, *, clock: Clock | None = None, counter: Counter | None = None
) -> RangeRun:
    """Materialize the selected assets for the days of the window, as one run; `counter` counts the tables.

    An area whose tables are all selected is published too. If no area is published after a load, a second run builds
    the audit tables. If a source fails, another run builds the tables over all sources and the report.

    Raises:
        SelectionError: the selection names nothing, or the window leaves the partitions.
    """
    if refused := next(outside(settings, request.window), None):
        raise SelectionError(refused)
    print("Preparing the run", flush=True)
    prepare_dagster_home(settings)
    # A run over named days does not ask whether today's data is there.
    changes = {"freshness_hours": PerSource(0), "allow_shrink": request.allow_shrink or settings.allow_shrink}
    settings = settings.model_copy(update=changes)
    alerting = Alerting.of(settings)
    for trouble in alerting.troubles:
        print(f"some alerts cannot be sent: {trouble}", file=sys.stderr)
    defs = dg.Definitions.merge(build_defs(settings, clock), dg.Definitions(loggers={"console": step_lines(counter)}))
    keys, not_published = _selected_keys(defs, request.selection)
    if counter:
        counter.begin(keys)
    with waits_told(), dg.DagsterInstance.get() as instance:
        shell = _Shell(instance, defs, settings)
        shell.send_alerts(alerting)
        graph = defs.resolve_asset_graph()
        raw_steps = {graph.get(key).assets_def.op.name for key in keys if key.path[0].startswith("raw_")}
        ops = {name: {"config": request.raw_config} for name in sorted(raw_steps)} if request.raw_config else {}
        job = KUDOS if keys <= KUDOS_ASSETS else DAILY_ENGAGEMENT
        results = [shell.execute(job, keys, tags=range_tags(request.window), run_config={"ops": ops})]
        if newest_load_not_shown(settings.published_warehouse_path, Lake(settings.lake_uri)):
            # No area was published: a day is held, something failed, or only raw data was selected.
            built = {event.asset_key for event in results[0].get_asset_materialization_events()}
            results.append(shell.execute(LOAD_AUDIT, shell.keys_of(LOAD_AUDIT) - built))
        # Last, since the report shows what has been published.
        if left_out := shell.cross_source_keys_left_out(keys, results[0]):
            print("something failed: the tables over all sources are built from what the sources' tables hold now")
            results.append(shell.execute(WEEKLY_ENGAGEMENT_METRICS, left_out))
        shell.send_alerts(alerting)
    return RangeRun(
        results[0].run_id,
        tuple(failure for result in results for failure in _failures(result)),
        tuple(check for result in results for check in result.get_asset_check_evaluations()),
        not_published,
    )


@dataclass(frozen=True)
class _Shell:
    """A deployment whose runs take place in this process."""

    instance: dg.DagsterInstance
    defs: dg.Definitions
    settings: Settings

    def execute(
        self,
        job_name: str,
        keys: set[dg.AssetKey],
        *,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run these assets of a job."""
        run_id = str(uuid4())
        with living_run(self.instance, self.settings.dagster_home, run_id):
            for killed in mark_killed_runs(self.instance, self.settings.dagster_home):
                print(f"run {killed} was killed; it is marked as failed, and this run continues where it stopped")
            return self.defs.resolve_job_def(job_name).execute_in_process(
                instance=self.instance,
                run_id=run_id,
                asset_selection=sorted(keys),
                run_config={"loggers": {"console": {"config": {}}}, **(run_config or {})},
                tags=dict(tags or {}),
                raise_on_error=False,
            )

    def send_alerts(self, alerting: Alerting) -> None:
        """Send the alerts of runs that have ended, in case no daemon does; trouble here never stops a load."""
        with Caught() as caught:
            alerting.work(self.instance, self.defs.resolve_asset_graph(), SHELL, wait_s=ALERTS_WAIT_S)
        if isinstance(caught.error, AlertsBusyError):
            print(f"alerts are left to the alert sensor: {caught.error}")
        elif caught.error:
            reason = str(caught.error) if isinstance(caught.error, AlertStoreError) else kind_and_place(caught.error)
            print(f"alerts cannot be sent: {reason}", file=sys.stderr)

    def keys_of(self, job_name: str) -> set[dg.AssetKey]:
        """All assets of a job."""
        return set(self.defs.resolve_job_def(job_name).asset_layer.selected_asset_keys)

    def cross_source_keys_left_out(self, keys: set[dg.AssetKey], result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
        """The selected tables over all sources, and the report, if a failure upstream has kept them from running.

        Dagster runs nothing downstream of a failure, and these are downstream of every source. A source that failed
        keeps its last good content, and the tables show which days are missing. But nothing is built from a table that
        failed its tests, now or in a run before. The report reads what is published, and shows what failed.
        """
        started = {event.step_key for event in result.all_events if event.is_step_start}
        if not started:
            return set()
        report = set() if ENGAGEMENT_REPORT.to_python_identifier() in started else keys & {ENGAGEMENT_REPORT}
        if result.success or step_name(CROSS_SOURCE_AREA) in started:
            return report
        cross_source = self.keys_of(WEEKLY_ENGAGEMENT_METRICS)
        read = dg.AssetSelection.assets(*cross_source).upstream().resolve(self.defs.resolve_asset_graph())
        tables = {key for key in read if not key.path[0].startswith("raw_")}
        failed = (check for check in result.get_asset_check_evaluations() if not check.passed)
        if any(check.severity == AssetCheckSeverity.ERROR and check.asset_key in tables for check in failed):
            return report
        # On Spark nothing is noted. If another process builds, the step looks itself.
        has_notes = self.settings.warehouse is WarehouseEngine.DUCKDB
        with suppress(duckdb.IOException):
            if has_notes and areas_not_passed(self.settings.warehouse_path, SOURCE_AREAS):
                return report
        return (keys & cross_source) - {ENGAGEMENT_REPORT} | report


def _selected_keys(defs: dg.Definitions, selection: str) -> tuple[set[dg.AssetKey], tuple[str, ...]]:
    """The selected assets with the published copies of their areas, and the areas of which tables are missing."""
    graph = defs.resolve_asset_graph()
    try:
        with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
            # Dagster's parser of selections uses a parameter that Dagster calls beta.
            # Assets that one step makes together run together.
            keys = set(dg.AssetSelection.from_string(selection).required_multi_asset_neighbors().resolve(graph))
    except dg.DagsterError as error:
        raise SelectionError(f"{selection!r} is not a selection that Dagster can read: {error}") from error
    keys = (keys & graph.executable_asset_keys) - {PUBLISHED_AUDIT}
    # The model of kudos has no days: nobody who loads days waits for it, unless there is nothing else to wait for.
    keys -= set() if keys <= KUDOS_ASSETS else KUDOS_ASSETS
    if not keys:
        raise SelectionError(
            f"{selection!r} selects no asset; try 'group:learning', '+group:training', "
            "'key:\"learning/fct__activity_exits\"' or '*'"
        )
    not_published = []
    for area in AREAS:
        tables = {key for key in graph.executable_asset_keys if key.path[0] == area}
        if tables <= keys:
            keys.add(dg.AssetKey(["published", area]))
            keys |= {key for key in graph.executable_asset_keys if key.path[0] == "audit"}
        elif tables & keys:
            not_published.append(area)
    return keys, tuple(not_published)


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    failures = [f"{event.step_key}: {failure_text(event)}" for event in result.all_events if event.is_step_failure]
    if not result.success and not failures:
        return ["the run failed before its first step; see its log in the Dagster UI"]
    return failures
