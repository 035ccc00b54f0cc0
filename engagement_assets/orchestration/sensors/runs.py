"""What a sensor's tick knows about runs: those in progress, earlier attempts, and the runs to request now.

Belongs here: which runs are in progress, how often a day has been tried, which days come next. Not here: which days
are wanted (one module per sensor, next to this one).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce

import dagster as dg

from engagement_assets.contracts.source import Source
from engagement_assets.dagster_internals import FINISHED_STATUSES, NOT_FINISHED_STATUSES
from engagement_assets.day_ranges import blocks_of, in_ranges
from engagement_assets.instance.run_history import INTERRUPTED_TAG
from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import SourceSet
from engagement_assets.partitions import range_tags, window_of_tags
from engagement_assets.settings import Settings

SENSOR_TAG = "engagement/requested_by"
SOURCE_TAG = "engagement/source"
INPUTS_TAG = "engagement/newest_input"
FIRST_PAUSE = timedelta(hours=1)
# More than one sensor requests for one source within CATCH_UP_DAYS.
_RUNS_LOOKED_BACK_AT = 500


def sensor_status(settings: Settings) -> dg.DefaultSensorStatus:
    """Whether a sensor is on from the start."""
    return dg.DefaultSensorStatus.RUNNING if settings.schedules_on else dg.DefaultSensorStatus.STOPPED


def removed_days(lake: Lake, source: Source, days: Collection[date]) -> set[date]:
    """Those of the days that retention has removed from a dataset.

    Loads and builds refuse them, and with them the other days of their run.
    """
    partitioned = (dataset for dataset in source.datasets if dataset.partitioned)
    return {day for dataset in partitioned for day in lake.pruned_days(dataset, days)}


@dataclass(frozen=True)
class Attempts:
    """How often one sensor has tried a day, and with which run last."""

    failed: int = 0
    interrupted: int = 0
    last_run_id: str = ""
    last_ended_at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))

    @property
    def next_number(self) -> int:
        """The number of the next run. Runs that somebody interrupted are no failures, but they have numbers too."""
        return self.failed + self.interrupted + 1

    def after(self, record: dg.RunRecord) -> "Attempts":
        """The same, with one more run."""
        run = record.dagster_run
        if INTERRUPTED_TAG in run.tags:
            return replace(self, interrupted=self.interrupted + 1)
        ended_at = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
        return replace(self, failed=self.failed + 1, last_run_id=run.run_id, last_ended_at=ended_at)

    def is_due(self, now: datetime) -> bool:
        """Whether the pause after the last run is over. The pause doubles with each run.

        A run that seems to have ended well in the future, because a clock was wrong, causes no pause.
        """
        pause = FIRST_PAUSE * 2 ** (self.failed - 1) if self.failed else timedelta(0)
        return not -FIRST_PAUSE <= now - self.last_ended_at < pause


@dataclass(frozen=True)
class Plan:
    """What to do about the wanted days of a source: requests, days that were given up, and remarks for the UI."""

    requests: Sequence[dg.RunRequest] = ()
    given_up: Mapping[date, Attempts] = field(default_factory=dict)
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Tick:
    """One tick of a sensor.

    `in_progress` maps each run that was queued or in progress when the tick began to the assets that it builds,
    whoever started it. After `max_attempts` failed runs the sensor gives up a day.
    """

    sensor: str
    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    in_progress: Mapping[str, Collection[dg.AssetKey]]
    max_attempts: int
    now: datetime

    @classmethod
    def of(cls, sensor: str, context: dg.SensorEvaluationContext, settings: Settings) -> "Tick":
        """The tick that Dagster evaluates now. Begin with it: a run that ends while days are looked up still counts.

        Raises:
            DagsterInvariantViolationError: the context comes without its code location, which the daemon always gives.
        """
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError(f"the sensor {sensor} needs its code location, found none")
        runs = context.instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        return cls(
            sensor,
            context.instance,
            repository,
            in_progress={run.run_id: _keys_of(run, repository) for run in runs},
            max_attempts=settings.catch_up_attempts,
            now=datetime.now(UTC),
        )

    def run_in_progress_on(self, keys: Collection[dg.AssetKey]) -> str | None:
        """The id of a run that is queued or in progress and builds one of these assets."""
        return next((run_id for run_id, built in self.in_progress.items() if not set(keys).isdisjoint(built)), None)

    def plan(
        self,
        source_set: SourceSet,
        wanted: Mapping[date, int],
        selection: Sequence[dg.AssetKey] | None = None,
        *,
        max_requests: int = 1,
    ) -> Plan:
        """Request the oldest blocks of `wanted` days that may be tried now, unless a run builds the same assets.

        `wanted` maps each day to the number of its newest input, 0 where there is none: attempts on older input do not
        count. A day that failed too often is given up until its input changes. `selection` names the assets to build;
        None stands for the whole job of the source.
        """
        if not wanted:
            return Plan()
        tried = self._attempts_on_days(source_set, wanted)
        given_up = {day: tried[day] for day in sorted(wanted) if tried[day].failed >= self.max_attempts}
        remarks = []
        if given_up:
            ranges = ", ".join(in_ranges(given_up))
            remarks.append(f"{source_set.name} {ranges}: {self.max_attempts} runs failed, left to a person")
        left = wanted.keys() - given_up.keys()
        if left and (run_id := self.run_in_progress_on(source_set.own)):
            return Plan((), given_up, [f"{source_set.name} waits for run {run_id}", *remarks])
        blocks = blocks_of(day for day in left if tried[day].is_due(self.now))
        if left and not blocks:
            remarks.insert(0, f"{source_set.name} pauses after a failed run")
        requests = []
        for window in blocks[:max_requests]:
            days = window.days()
            newest_input = max(wanted[day] for day in days)
            number = max(tried[day].next_number for day in days)
            tags = {SENSOR_TAG: self.sensor, SOURCE_TAG: source_set.name, INPUTS_TAG: str(newest_input)}
            run_key = f"{source_set.name} {window.start}..{days[-1]} after {newest_input}, try {number}"
            tags |= range_tags(window)
            requests.append(dg.RunRequest(run_key, tags=tags, job_name=source_set.job_name, asset_selection=selection))
        return Plan(requests, given_up, remarks)

    def follow(self, newest_input: int | str, run_key: str) -> dg.RunRequest | dg.SkipReason:
        """Request the sensor's only job after its newest input, which `run_key` names; it pauses as `plan` does."""
        tags = {SENSOR_TAG: self.sensor, INPUTS_TAG: str(newest_input)}
        records = self.instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES, tags=tags), ascending=True)
        tried = reduce(Attempts.after, records, Attempts())
        if tried.failed >= self.max_attempts:
            return dg.SkipReason(f"{tried.failed} runs failed, the last is {tried.last_run_id}: left to a person")
        if not tried.is_due(self.now):
            return dg.SkipReason(f"pauses after run {tried.last_run_id} failed")
        return dg.RunRequest(f"{run_key}, try {tried.next_number}", tags=tags)

    def _attempts_on_days(self, source_set: SourceSet, wanted: Mapping[date, int]) -> dict[date, Attempts]:
        """The attempts on each of the `wanted` days since its newest input came."""
        tried = dict.fromkeys(wanted, Attempts())
        tags = {SENSOR_TAG: self.sensor, SOURCE_TAG: source_set.name}
        finished = dg.RunsFilter(statuses=FINISHED_STATUSES, tags=tags)
        records = self.instance.get_run_records(finished, limit=_RUNS_LOOKED_BACK_AT, ascending=False)
        for record in reversed(records):
            run_tags = record.dagster_run.tags
            for day in window_of_tags(run_tags).days():
                if day in wanted and int(run_tags.get(INPUTS_TAG, "0")) >= wanted[day]:
                    tried[day] = tried[day].after(record)
        return tried


def _keys_of(run: dg.DagsterRun, repository: dg.RepositoryDefinition) -> Collection[dg.AssetKey]:
    if run.asset_selection is not None:
        return run.asset_selection
    if not repository.has_job(run.job_name):
        return ()
    return repository.get_job(run.job_name).asset_layer.selected_asset_keys
