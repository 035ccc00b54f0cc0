"""Days that should be there and are not: raw data that is missing, and models that are older than their raw data.

Belongs here: which days these are, and what is reported when they are given up. Not here: how runs are requested
(`runs.py`) or when a day is due (`orchestration/schedules.py`).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg

from engagement_assets.contracts.check_metadata import EXPECTED, FAILING_DAYS, OBSERVED
from engagement_assets.day_ranges import in_ranges
from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.jobs import SourceSet
from engagement_assets.orchestration.schedules import Timetable
from engagement_assets.orchestration.sensors.runs import Plan, Tick, removed_days, sensor_status
from engagement_assets.orchestration.unreported_loads import days_loaded_unreported
from engagement_assets.settings import Settings

CATCH_UP = "catch_up"
LATE_DATA = "late_data"
IS_CAUGHT_UP = "is_caught_up"
FOLLOWS_ITS_INPUT = "follows_its_input"
# The schedule ticks first: a day that it is about to request is not missing yet.
GRACE = timedelta(hours=1)
INTERVAL_S = 60


def catch_up_sensor(settings: Settings, sets: Sequence[SourceSet]) -> dg.SensorDefinition:
    """Requests days of which a raw dataset was never published, such as those of a weekend with the machine off."""
    timetable = Timetable.of(settings)
    lake = Lake(settings.lake_uri)

    def plan(tick: Tick, source_set: SourceSet) -> Plan:
        newest = min(timetable.newest_due_day(tick.now - GRACE), settings.last_day_at(tick.now))
        due = [newest - timedelta(days=back) for back in range(settings.catch_up_days)]
        due = [day for day in reversed(due) if day >= settings.start_date]
        loaded = [_newest_materializations(tick.instance, key, due) for key in source_set.raw]
        missing = {day for day in due if not all(day in dataset for dataset in loaded)}
        return tick.plan(source_set, dict.fromkeys(missing - removed_days(lake, source_set.source, missing), 0))

    return _sensor(
        CATCH_UP,
        f"Requests days of the last {settings.catch_up_days} whose raw data is missing: one run per source, the "
        f"oldest days first. After {settings.catch_up_attempts} failed runs a day is left to a person.",
        plan,
        {source_set: dg.AssetCheckKey(source_set.raw[0], IS_CAUGHT_UP) for source_set in sets if source_set.raw},
        settings,
    )


def late_data_sensor(settings: Settings, sets: Sequence[SourceSet]) -> dg.SensorDefinition:
    """Requests the models of days whose raw data was loaded after the models were built."""
    lake = Lake(settings.lake_uri)

    def plan(tick: Tick, source_set: SourceSet) -> Plan:
        since = tick.now - timedelta(days=settings.catch_up_days)
        unreported = days_loaded_unreported(tick.instance, lake, source_set.name, source_set.windowed, since)
        wanted: dict[date, int] = {}
        last_day = settings.last_day_at(tick.now)
        stale = days_stale(tick.instance, source_set, settings.start_date, unreported)
        stale = {day: number for day, number in stale.items() if day <= last_day}
        for day, number in stale.items():
            # The load of one day has also read the trailing days before it.
            for back in range(settings.trailing_days_of(source_set.source) + 1):
                earlier = day - timedelta(days=back)
                if earlier >= settings.start_date:
                    wanted[earlier] = max(wanted.get(earlier, 0), number)
        removed = removed_days(lake, source_set.source, wanted)
        wanted = {day: number for day, number in wanted.items() if day not in removed}
        planned = tick.plan(source_set, wanted, source_set.models)
        if lost := in_ranges(removed & stale.keys()):
            told = f"{source_set.name} {', '.join(lost)}: removed by RAW_RETENTION_DAYS, the tables stay as they are"
            planned = replace(planned, remarks=[*planned.remarks, told])
        return planned

    return _sensor(
        LATE_DATA,
        "Requests the models of days whose raw data was loaded after the models were built, and nothing else.",
        plan,
        {
            source_set: dg.AssetCheckKey(source_set.windowed[0], FOLLOWS_ITS_INPUT)
            for source_set in sets
            if source_set.windowed
        },
        settings,
    )


def days_stale(
    instance: dg.DagsterInstance, source_set: SourceSet, start_date: date, unreported: Collection[date] = ()
) -> dict[date, int]:
    """The days on which a windowed model is older than the raw data, with the number of the newest load.

    A day whose load is `unreported` has no number of its own. It gets the newest of the source. A dataset without days
    that is newer than every model makes the newest day stale: the models of any day take it in.
    """
    newest_load: dict[date, int] = {}
    for key in source_set.raw:
        for day, number in _newest_materializations(instance, key).items():
            newest_load[day] = max(number, newest_load.get(day, 0))
    built = [_newest_materializations(instance, key) for key in source_set.windowed]
    stale = dict.fromkeys(unreported, max(newest_load.values(), default=0)) | {
        day: number for day, number in newest_load.items() if any(model.get(day, 0) < number for model in built)
    }
    whole = [record.asset_entry for record in instance.get_asset_records(list(source_set.unpartitioned_raw))]
    newest_whole = max((entry.last_materialization_storage_id or 0 for entry in whole), default=0)
    if newest_load and any(max(model.values(), default=0) < newest_whole for model in built):
        stale[max(newest_load)] = max(newest_whole, *newest_load.values())
    return {day: number for day, number in stale.items() if day >= start_date}


def _newest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, days: Collection[date] | None = None
) -> dict[date, int]:
    """The number of each day's newest materialization; a greater number is a later one."""
    numbers = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, None if days is None else {day.isoformat() for day in days}
    )
    return {date.fromisoformat(day): number for day, number in numbers.items()}


def _sensor(
    name: str,
    description: str,
    plan: Callable[[Tick, SourceSet], Plan],
    checks: Mapping[SourceSet, dg.AssetCheckKey],
    settings: Settings,
) -> dg.SensorDefinition:
    """A sensor that plans for each source; the source's check reports the days that were given up."""

    @dg.sensor(
        name=name,
        description=description,
        jobs=[source_set.job for source_set in checks],
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(settings),
    )
    def days_that_should_be_there(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = Tick.of(name, context, settings)
        plans = {source_set: plan(tick, source_set) for source_set in checks}
        reported: dict[str, list[str]] = json.loads(context.cursor or "{}")
        given_up = {source_set.name: [str(day) for day in planned.given_up] for source_set, planned in plans.items()}
        requests = [request for planned in plans.values() for request in planned.requests]
        remarks = [remark for planned in plans.values() for remark in planned.remarks]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("; ".join(remarks) or "every day is there"),
            cursor=json.dumps(given_up),
            asset_events=[
                _evaluation(checks[source_set], planned, tick.max_attempts)
                for source_set, planned in plans.items()
                if reported.get(source_set.name, []) != given_up[source_set.name]
            ],
        )

    return days_that_should_be_there


def _evaluation(check: dg.AssetCheckKey, plan: Plan, attempts: int) -> dg.AssetCheckEvaluation:
    """What is reported once when days are given up, and once when they are there after all."""
    days = [str(day) for day in plan.given_up]
    runs = sorted({tried.last_run_id for tried in plan.given_up.values()})
    sentence = (
        f"{len(days)} days are missing or stale after {attempts} failed runs each, and are not requested again: "
        f"{', '.join(in_ranges(plan.given_up))}; the last runs are {', '.join(runs)}"
    )
    return dg.AssetCheckEvaluation(
        check_name=check.name,
        asset_key=check.asset_key,
        passed=not days,
        severity=dg.AssetCheckSeverity.ERROR,
        description=sentence if days else "No day is given up any more",
        metadata={
            FAILING_DAYS: days,
            OBSERVED: f"{len(days)} days given up",
            EXPECTED: "every due day loaded and built",
        },
    )
