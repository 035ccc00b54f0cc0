"""Runs that sensors request, and what became of those that they requested before.

Belongs here: which runs are under way, how often a day has been tried, and which block of days comes next. Not here:
which days are wanted (one module per sensor beside this one).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce

import dagster as dg

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.day_ranges import blocks_of
from engagement_assets.instance.run_history import INTERRUPTED_TAG
from engagement_assets.orchestration.jobs import SourceSet
from engagement_assets.partitions import range_tags, window_of_tags

SENSOR_TAG = "engagement/requested_by"
SOURCE_TAG = "engagement/source"
INPUTS_TAG = "engagement/newest_input"
FIRST_PAUSE = timedelta(hours=1)

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# More runs of one sensor and source than lie in any horizon.
_RUNS_LOOKED_BACK_AT = 500


@dataclass(frozen=True)
class RunsUnderWay:
    """Runs that are queued or at work, with what they make."""

    keys_by_run: Mapping[str, Collection[dg.AssetKey]]

    @classmethod
    def of(cls, context: dg.SensorEvaluationContext) -> "RunsUnderWay":
        """Those of the instance now, however they were started."""
        runs = context.instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        return cls({run.run_id: _keys_of(run, context.repository_def) for run in runs})

    def that_makes_any_of(self, keys: Iterable[dg.AssetKey]) -> str | None:
        """The id of a run that makes one of the assets."""
        wanted = set(keys)
        return next((run_id for run_id, made in self.keys_by_run.items() if not wanted.isdisjoint(made)), None)


def _keys_of(run: dg.DagsterRun, repository: dg.RepositoryDefinition | None) -> Collection[dg.AssetKey]:
    if run.asset_selection is not None:
        return run.asset_selection
    if repository is None or not repository.has_job(run.job_name):
        return ()
    return repository.get_job(run.job_name).asset_layer.selected_asset_keys


@dataclass
class Tried:
    """How often a day was tried by one sensor, and by which run last."""

    times: int = 0
    last_run_id: str = ""
    last_ended_at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))
    interrupted: int = 0

    @property
    def next_try(self) -> int:
        """The number of the next run: those that somebody interrupted are no failures, and have numbers, too."""
        return self.times + self.interrupted + 1

    def why_not_again(self, attempts: int, now: datetime) -> str | None:
        """What keeps the sensor from one more run: all `attempts` have failed, or the pause is not over."""
        if self.times >= attempts:
            return f"{self.times} runs failed, the last is {self.last_run_id}: it is left to a person"
        return None if self.is_due(now) else f"pauses after run {self.last_run_id} failed"

    def after(self, record: dg.RunRecord) -> "Tried":
        """The same with one more run."""
        run = record.dagster_run
        if INTERRUPTED_TAG in run.tags:
            return replace(self, interrupted=self.interrupted + 1)
        return replace(self, times=self.times + 1, last_run_id=run.run_id, last_ended_at=_ended_at(record))

    def is_due(self, now: datetime) -> bool:
        """Whether the pause after the last try is over; it doubles with each. One of the future, by far, ends none."""
        pause = FIRST_PAUSE * 2 ** (self.times - 1) if self.times else timedelta(0)
        return not -FIRST_PAUSE <= now - self.last_ended_at < pause


@dataclass(frozen=True)
class Plan:
    """What to do about the wanted days of a source: a request, days that were given up, and a sentence on the rest."""

    request: dg.RunRequest | None
    given_up: dict[date, Tried]
    remark: str | None


def plan(  # noqa: PLR0913 - what a decision stands on
    instance: dg.DagsterInstance,
    sensor: str,
    item: SourceSet,
    wanted: Mapping[date, int],
    *,
    selection: Sequence[dg.AssetKey] | None,
    under_way: RunsUnderWay,
    attempts: int,
    now: datetime,
) -> Plan:
    """Request the oldest block of `wanted` days that may be tried now, if no run makes the same assets.

    `selection` names the assets to make; None stands for all of the source's job. `wanted` gives per day the number of
    its newest input, 0 where there is none: tries on older input do not count. A day that failed `attempts` times is
    given up until its input changes.
    """
    tried = tries_of(instance, sensor, item, wanted)
    given_up = {day: tried[day] for day in sorted(wanted) if tried[day].times >= attempts}
    if not wanted.keys() - given_up.keys():
        return Plan(None, given_up, None)
    if run_id := under_way.that_makes_any_of(item.own):
        return Plan(None, given_up, f"{item.source} waits for run {run_id}")
    blocks = blocks_of(day for day in wanted.keys() - given_up.keys() if tried[day].is_due(now))
    if not blocks:
        return Plan(None, given_up, f"{item.source} pauses after a failed run")
    return Plan(request_of(sensor, item, blocks[0], wanted, tried, selection), given_up, None)


def request_of(  # noqa: PLR0913, PLR0917 - who asks for what, and what was tried before
    sensor: str,
    item: SourceSet,
    window: DayWindow,
    wanted: Mapping[date, int],
    tried: Mapping[date, Tried],
    selection: Sequence[dg.AssetKey] | None = None,
) -> dg.RunRequest:
    """The request for a block of `wanted` days; `plan` says what these and `selection` are."""
    newest_input = max(wanted[day] for day in window.days())
    number = max(tried[day].next_try for day in window.days())
    return dg.RunRequest(
        run_key=f"{item.source} {window.start}..{window.days()[-1]} after {newest_input}, try {number}",
        job_name=item.job_name,
        asset_selection=selection,
        tags={
            **range_tags(window),
            SENSOR_TAG: sensor,
            SOURCE_TAG: item.source,
            INPUTS_TAG: str(newest_input),
        },
    )


def left_to_a_person(source: str, days: Iterable[str], attempts: int) -> str:
    """What a tick says of days that were given up."""
    return f"{source} {', '.join(days)}: {attempts} runs failed, which is left to a person"


def tries_of(
    instance: dg.DagsterInstance, sensor: str, item: SourceSet, wanted: Mapping[date, int]
) -> dict[date, Tried]:
    """How often the sensor's runs have tried each of the `wanted` days since its newest input came."""
    tried = {day: Tried() for day in wanted}
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_FINISHED, tags={SENSOR_TAG: sensor, SOURCE_TAG: item.source}),
        limit=_RUNS_LOOKED_BACK_AT,
        ascending=False,
    )
    for record in reversed(records):
        run = record.dagster_run
        for day in window_of_tags(run.tags).days():
            if day in wanted and int(run.tags.get(INPUTS_TAG, "0")) >= wanted[day]:
                tried[day] = tried[day].after(record)
    return tried


def tries_on(instance: dg.DagsterInstance, sensor: str, newest_input: int | str) -> Tried:
    """How often the runs of a sensor without sources and days have tried to follow this input."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_FINISHED, tags={SENSOR_TAG: sensor, INPUTS_TAG: str(newest_input)}), ascending=False
    )
    return reduce(Tried.after, reversed(records), Tried())


def _ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
