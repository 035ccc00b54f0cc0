"""Days that should be there and are not: missing raw data, and models that are older than their raw data.

Belongs here: which days these are, and saying so when they do not come right. Not here: how a request is made
(`runs.py`) or when a day is due (`orchestration/timetable.py`).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from engagement_assets.contracts.check_metadata import EXPECTED, FAILING_DAYS, OBSERVED
from engagement_assets.day_ranges import in_ranges
from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import AssetJobs, SourceSet
from engagement_assets.orchestration.sensors.runs import Plan, RunsUnderWay, left_to_a_person, plan
from engagement_assets.orchestration.timetable import Timetable
from engagement_assets.orchestration.unreported_loads import days_loaded_unreported
from engagement_assets.settings import Settings

CATCH_UP = "catch_up"
LATE_DATA = "late_data"
IS_CAUGHT_UP = "is_caught_up"
FOLLOWS_ITS_INPUT = "follows_its_input"
# The schedule acts on its tick first; a day that it was to request is not missing yet.
GRACE = timedelta(hours=1)
INTERVAL_S = 60

Wanted = Callable[[dg.DagsterInstance, SourceSet, datetime], Mapping[date, int]]


def catch_up_sensor(settings: Settings, sets: Sequence[SourceSet], jobs: AssetJobs) -> dg.SensorDefinition:
    """Requests days whose raw data is missing, such as those of a weekend with the machine off."""
    timetable = Timetable.of(settings)

    def missing(instance: dg.DagsterInstance, item: SourceSet, now: datetime) -> dict[date, int]:
        newest = timetable.newest_due_day(now - GRACE)
        due = [newest - timedelta(days=back) for back in range(settings.catch_up_days)]
        return dict.fromkeys(days_missing(instance, item, [day for day in due if day >= settings.start_date]), 0)

    return _sensor(
        CATCH_UP,
        f"Requests days of the last {settings.catch_up_days} whose raw data is missing: one run per source, over the "
        f"oldest days first. After {settings.catch_up_attempts} failed runs a day is left to a person.",
        settings,
        sets,
        jobs,
        wanted=missing,
        selection_of=lambda _: None,
        check_of=lambda item: dg.AssetCheckKey(item.raw[0], IS_CAUGHT_UP),
    )


def late_data_sensor(settings: Settings, sets: Sequence[SourceSet], jobs: AssetJobs) -> dg.SensorDefinition:
    """Requests the models of days whose raw data was loaded after they were built."""
    lake = Lake(settings.lake_uri)

    def stale(instance: dg.DagsterInstance, item: SourceSet, now: datetime) -> dict[date, int]:
        # A load of one day has read the days before it, too.
        before = item.area.trailing_days(settings)
        since = now - timedelta(days=settings.catch_up_days)
        unreported = days_loaded_unreported(instance, lake, item.source, item.windowed, since)
        found: dict[date, int] = {}
        for day, newest_input in sorted(days_stale(instance, item, settings.start_date, unreported).items()):
            for back in range(before + 1):
                earlier = day - timedelta(days=back)
                if earlier >= settings.start_date:
                    found[earlier] = max(found.get(earlier, 0), newest_input)
        return found

    return _sensor(
        LATE_DATA,
        "Requests the models of days whose raw data was loaded after they were built, and nothing else.",
        settings,
        sets,
        jobs,
        wanted=stale,
        selection_of=lambda item: item.models,
        check_of=lambda item: dg.AssetCheckKey(item.windowed[0], FOLLOWS_ITS_INPUT),
    )


def days_missing(instance: dg.DagsterInstance, item: SourceSet, days: Collection[date]) -> list[date]:
    """Those of `days` for which one of the source's raw datasets has never been published."""
    loaded = [_newest_materializations(instance, key, days) for key in item.raw]
    return [day for day in sorted(days) if not all(day in dataset for dataset in loaded)]


def days_stale(
    instance: dg.DagsterInstance, item: SourceSet, start_date: date, unreported: Collection[date] = ()
) -> dict[date, int]:
    """Days of which a windowed model is older than the raw data → the number of the raw data's newest load.

    The days whose load is `unreported` have no number of it: they go by the newest of the source.
    """
    newest_load: dict[date, int] = {}
    for key in item.raw:
        for day, number in _newest_materializations(instance, key).items():
            newest_load[day] = max(number, newest_load.get(day, 0))
    built = [_newest_materializations(instance, key) for key in item.windowed]
    newest = max(newest_load.values(), default=0)
    return dict.fromkeys((day for day in unreported if day >= start_date), newest) | {
        day: number
        for day, number in newest_load.items()
        if day >= start_date and any(model.get(day, 0) < number for model in built)
    }


def _newest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, days: Collection[date] | None = None
) -> dict[date, int]:
    """Day → number of its newest materialization; a greater number is a later one."""
    numbers = instance.event_log_storage.get_latest_storage_id_by_partition(
        key,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        None if days is None else {day.isoformat() for day in days},
    )
    return {date.fromisoformat(day): number for day, number in numbers.items()}


def _sensor(  # noqa: PLR0913 - what the two sensors differ in
    name: str,
    description: str,
    settings: Settings,
    sets: Sequence[SourceSet],
    jobs: AssetJobs,
    *,
    wanted: Wanted,
    selection_of: Callable[[SourceSet], Sequence[dg.AssetKey] | None],
    check_of: Callable[[SourceSet], dg.AssetCheckKey],
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        description=description,
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules_on else dg.DefaultSensorStatus.STOPPED,
    )
    def days_that_should_be_there(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        under_way = RunsUnderWay.of(context)
        plans = {
            item: plan(
                context.instance,
                name,
                item,
                wanted(context.instance, item, now),
                selection=selection_of(item),
                under_way=under_way,
                attempts=settings.catch_up_attempts,
                now=now,
            )
            for item in sets
        }
        told: dict[str, list[str]] = json.loads(context.cursor or "{}")
        given_up = {item.source: [str(day) for day in found.given_up] for item, found in plans.items()}
        remarks = [found.remark for found in plans.values() if found.remark]
        remarks += [
            left_to_a_person(source, days, settings.catch_up_attempts) for source, days in given_up.items() if days
        ]
        requests = [found.request for found in plans.values() if found.request]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("; ".join(remarks) or "every day is there"),
            cursor=json.dumps(given_up),
            asset_events=[
                _evaluation(check_of(item), found, settings)
                for item, found in plans.items()
                if told.get(item.source, []) != given_up[item.source]
            ],
        )

    return days_that_should_be_there


def _evaluation(check: dg.AssetCheckKey, found: Plan, settings: Settings) -> dg.AssetCheckEvaluation:
    """What is said once when days are given up, and once when they have come right."""
    days = [str(day) for day in found.given_up]
    runs = sorted({tried.last_run_id for tried in found.given_up.values()})
    return dg.AssetCheckEvaluation(
        check_name=check.name,
        asset_key=check.asset_key,
        passed=not days,
        severity=dg.AssetCheckSeverity.ERROR,
        description=(
            f"{len(days)} days are missing or stale after {settings.catch_up_attempts} failed runs each, and are not "
            f"requested again: {', '.join(in_ranges(found.given_up))}; the last runs are {', '.join(runs)}"
            if days
            else "The days that had been given up have come right"
        ),
        metadata={
            FAILING_DAYS: days,
            OBSERVED: f"{len(days)} days given up",
            EXPECTED: "every due day loaded and built",
        },
    )
