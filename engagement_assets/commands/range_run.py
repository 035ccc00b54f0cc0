"""One run over a range of days from the shell: select, run in this process, show progress.

Belongs here: what `make demo` and `make backfill` share. Not here: what either prints around it.
"""

import logging
import sys
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import AssetCheckEvaluation, AssetCheckSeverity

from engagement_assets.alerts.alerting import SHELL, Alerting, AlertsBusyError
from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.store import AlertStoreError
from engagement_assets.assets.dbt_models import AREAS, CROSS_SOURCE_STEP
from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.definitions import build_defs
from engagement_assets.extract.services.client import Clock
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.instance.killed_runs import living_run, mark_killed_runs
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.orchestration.jobs import (
    DAILY_ENGAGEMENT,
    LOAD_AUDIT,
    PUBLISHED_AUDIT,
    WEEKLY_ENGAGEMENT_METRICS,
)
from engagement_assets.partitions import range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines
from engagement_assets.transform.publish import newest_load_not_shown

# Longer than a round of the alert sensor takes.
ALERTS_WAIT_S = 60


class SelectionError(ValueError):
    """The selection or the range of days cannot be run."""


@dataclass(frozen=True)
class RangeRun:
    """What came of a run: its id, the failed steps with their messages, and every check that was evaluated."""

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


def run_range(  # noqa: PLR0913 - what a person can say of a run
    settings: Settings,
    window: DayWindow,
    selection: str = "*",
    *,
    allow_shrink: bool = False,
    release_reason: str = "",
    replay: Choice | None = None,
    clock: Clock | None = None,
) -> RangeRun:
    """Materialize `selection` (Dagster's syntax) for the days of `window`, as one run.

    With a `release_reason` the selected raw assets read nothing: they put the held days of the window into the lake.
    With `replay` they read these quarantined records of the window again, in place of their sources.
    An area whose tables are all selected is published too. Where a source fails, the tables over all sources are built
    in a second run; and where no area is published after a load, the audit tables are.

    Raises:
        SelectionError: the selection names nothing, or the window leaves the partitions.
    """
    _check_window(settings, window)
    if allow_shrink:
        settings = settings.model_copy(update={"allow_shrink": True})
    prepare_dagster_home(settings)
    # Whether today's data is there is not the question of a run over days that somebody names.
    settings = settings.model_copy(update={"freshness_hours": PerSource(0)})
    alerting = Alerting.of(settings)
    for trouble in alerting.troubles:
        print(f"alerts do not go everywhere: {trouble}", file=sys.stderr)
    defs = dg.Definitions.merge(build_defs(settings, clock), dg.Definitions(loggers={"console": progress_logger}))
    keys, not_published = _selected_keys(defs, selection)
    run_config = {}
    if release_reason:
        run_config = _raw_config(defs, keys, {"release_reason": release_reason})
    elif replay:
        chosen = {"replay_dataset": replay.dataset, "replay_reason_code": replay.reason_code}
        run_config = _raw_config(defs, keys, {"replay": True, **chosen})
    with dg.DagsterInstance.get() as instance:
        _tell_what_ended(instance, alerting, defs)
        results = [_execute(instance, defs, settings, DAILY_ENGAGEMENT, keys, range_tags(window), run_config)]
        left_out = _cross_source_keys_left_out(defs, keys, results[0]) | _report_left_out(keys, results[0])
        if left_out:
            print("something failed: what is made of all sources is built from what the sources' tables hold now")
            results.append(_execute(instance, defs, settings, WEEKLY_ENGAGEMENT_METRICS, left_out, {}, {}))
        if newest_load_not_shown(settings.published_warehouse_path, Lake(settings.lake_uri)):
            # No area was published: a day is held, something failed, or somebody wanted the raw data alone.
            built = {event.asset_key for result in results for event in result.get_asset_materialization_events()}
            audit = set(defs.resolve_job_def(LOAD_AUDIT).asset_layer.selected_asset_keys)
            results.append(_execute(instance, defs, settings, LOAD_AUDIT, audit - built, {}, {}))
        _tell_what_ended(instance, alerting, defs)
    return RangeRun(
        results[0].run_id,
        tuple(failure for result in results for failure in _failures(result)),
        tuple(check for result in results for check in result.get_asset_check_evaluations()),
        not_published,
    )


def _raw_config(defs: dg.Definitions, keys: set[dg.AssetKey], values: dict[str, Any]) -> dict[str, Any]:
    """The config that gives these values to the selected raw assets."""
    graph = defs.resolve_asset_graph()
    raw = {graph.get(key).assets_def.op.name for key in keys if key.path[0].startswith("raw_")}
    return {"ops": {name: {"config": values} for name in sorted(raw)}}


def _execute(  # noqa: PLR0913, PLR0917 - which assets of which deployment, and how
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    settings: Settings,
    job_name: str,
    keys: set[dg.AssetKey],
    tags: dict[str, str],
    run_config: dict[str, Any],
) -> dg.ExecuteInProcessResult:
    run_id = str(uuid4())
    with living_run(instance, settings.dagster_home, run_id):
        for killed in mark_killed_runs(instance, settings.dagster_home):
            print(f"run {killed} was killed; it is marked as failed, and this run goes on where it stopped")
        return defs.resolve_job_def(job_name).execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=sorted(keys),
            run_config={"loggers": {"console": {"config": {}}}, **run_config},
            tags=tags,
            raise_on_error=False,
        )


def _tell_what_ended(instance: dg.DagsterInstance, alerting: Alerting, defs: dg.Definitions) -> None:
    """Send the alerts of runs that have ended: there need not be a daemon that does it.

    Data is loaded whatever becomes of this; the check `alerts_are_delivered` says it, too.
    """
    with Caught() as caught:
        alerting.work(instance, defs.resolve_asset_graph(), SHELL, wait_s=ALERTS_WAIT_S)
    if isinstance(caught.error, AlertsBusyError):
        print(f"alerts are left to the alert sensor: {caught.error}")
    elif caught.error:
        told = str(caught.error) if isinstance(caught.error, AlertStoreError) else kind_and_place(caught.error)
        print(f"nobody is told of what fails: {told}", file=sys.stderr)


def _cross_source_keys_left_out(
    defs: dg.Definitions, keys: set[dg.AssetKey], result: dg.ExecuteInProcessResult
) -> set[dg.AssetKey]:
    """What is made of all sources, where it was selected and a source that failed has kept it from running.

    Dagster runs nothing downstream of a failure, and this is downstream of everything. What was not built of a source
    keeps its last good content, and the tables tell which days are missing. A table that was built and did not pass
    its tests is something else: nothing is made of it.
    """
    started = {event.step_key for event in result.all_events if event.is_step_start}
    if result.success or not started or CROSS_SOURCE_STEP in started:
        return set()
    graph = defs.resolve_asset_graph()
    cross_source = defs.resolve_job_def(WEEKLY_ENGAGEMENT_METRICS).asset_layer.selected_asset_keys
    read = dg.AssetSelection.assets(*cross_source).upstream().resolve(graph)
    raw = {key for key in read if key.path[0].startswith("raw_")}
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity == AssetCheckSeverity.ERROR and check.asset_key in read - raw:
            return set()
    return (keys & cross_source) - {ENGAGEMENT_REPORT}


def _report_left_out(keys: set[dg.AssetKey], result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
    """The report, where it was selected and a failure upstream has kept it from running.

    It is made of what is published, which a failure leaves as it was, and it shows what failed.
    """
    started = {event.step_key for event in result.all_events if event.is_step_start}
    if not started or ENGAGEMENT_REPORT.to_python_identifier() in started:
        return set()
    return keys & {ENGAGEMENT_REPORT}


def _check_window(settings: Settings, window: DayWindow) -> None:
    if window.start < settings.start_date:
        raise SelectionError(
            f"the range begins on {window.start}, before the first partition {settings.start_date}; "
            f"set START_DATE={window.start} or earlier"
        )
    today = datetime.now(UTC).date()
    if window.days()[-1] > today:
        raise SelectionError(f"the range ends on {window.days()[-1]}, but today (UTC) is {today}, the last partition")


def _selected_keys(defs: dg.Definitions, selection: str) -> tuple[set[dg.AssetKey], tuple[str, ...]]:
    """The keys that a selection names, the published copies that belong to it, and the areas that it only touches."""
    graph = defs.resolve_asset_graph()
    try:
        with warnings.catch_warnings():
            # Dagster warns of a parameter of its own that its parser of selections uses.
            warnings.simplefilter("ignore", dg.BetaWarning)
            # Assets that one step makes together run together.
            keys = set(dg.AssetSelection.from_string(selection).required_multi_asset_neighbors().resolve(graph))
    except dg.DagsterError as error:
        raise SelectionError(f"{selection!r} is no selection that Dagster reads: {error}") from error
    keys = (keys & graph.executable_asset_keys) - {PUBLISHED_AUDIT}
    if not keys:
        raise SelectionError(
            f"{selection!r} selects no asset; try 'group:learning', '+group:training', "
            "'key:\"learning/fct__activity_exits\"' or '*'"
        )
    not_published = []
    for area in AREAS:
        tables = {key for key in graph.executable_asset_keys if key.path[0] == area.name}
        if tables <= keys:
            keys.add(dg.AssetKey(["published", area.name]))
            keys |= {key for key in graph.executable_asset_keys if key.path[0] == "audit"}
        elif tables & keys:
            not_published.append(area.name)
    return keys, tuple(not_published)


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    failures = [_failure(event) for event in result.all_events if event.is_step_failure]
    if not result.success and not failures:
        return ["the run failed before its first step; see its log in the Dagster UI"]
    return failures


def _failure(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    cause = error.cause if error and error.cause else error
    user_failure = event.step_failure_data.user_failure_data
    text = user_failure.description if user_failure and user_failure.description else None
    return f"{event.step_key}: {text or (cause.message.strip() if cause else 'no message')}"


class _ProgressFormatter(logging.Formatter):
    """Time, step and message; Dagster's own format is for machines."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        step = meta.get("step_key")
        return f"{moment:%H:%M:%S}  {step + ': ' if step else ''}{shown_lines(message)}"


@dg.logger(None, description="Progress lines for a person at a terminal.")
def progress_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """Writes informational lines of the steps to standard output."""
    logger = logging.getLogger("engagement_assets.progress")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_ProgressFormatter())
    logger.handlers = [handler]
    return logger
