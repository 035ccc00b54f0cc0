"""Tables and copies that follow what erasures have taken out of the lake.

Belongs here: building them, writing the files anew, and `python -m` of it for deleted activities, which the job
`retention` runs. Not here: the lake (`lake/erasure.py`, `lake/deleted_activities.py`), the proof that nothing is left
of a person (`erase.py`), or single rows of the warehouse (`transform/erased_rows.py`).
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import duckdb

from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.range_command import and_downstream
from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.day_ranges import windows_without
from engagement_assets.lake.commit import LakeFullError
from engagement_assets.lake.deleted_activities import activity_ids
from engagement_assets.lake.erasure import days_of, finish, unfinished
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake, LakeBusyError
from engagement_assets.lake.tombstones import Request, persons_of
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, AUDIT, RAW_DATASETS
from engagement_assets.spark_settings import ROWS_STAY_ON_SPARK, WarehouseEngine
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.build_inputs import areas_not_passed
from engagement_assets.transform.data_tests import primary_keys
from engagement_assets.transform.erased_rows import (
    activities_deleted_before,
    delete_erased_rows,
    forget_activities,
    forget_on_days,
    publish_anew,
    write_warehouse_anew,
)
from engagement_assets.transform.export import exports_of
from engagement_assets.transform.project import manifest
from engagement_assets.transform.publish import Publisher, publish_schemas


def main() -> int:
    """Let the tables follow the erasure of deleted activities; 0 when they have, 1 when they could not."""
    return follow_deleted_activities(load_settings())


def follow_deleted_activities(settings: Settings) -> int:
    """Build the tables without erased activities, if an erasure waits for that; 0 when none waits any more."""
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    try:
        waiting = [request for request in unfinished(lake) if request.is_of_deleted_activities]
        if not waiting:
            return 0
        if build_without(settings, lake, waiting):
            tell_done(settings, lake, waiting)
            print("The tables and the published copy have followed")
            return 0
        print("error: the tables could not be built; repair what failed, then run this again", file=sys.stderr)
    except (LakeBusyError, LakeFullError) as error:
        print(f"error: {error}", file=sys.stderr)
    except duckdb.IOException as error:
        if not is_held_lock(error):
            raise
        print(
            "error: another process has the warehouse open, and the tables still have the activities. Wait for that "
            "process, then run this again",
            file=sys.stderr,
        )
    return 1


def build_without(settings: Settings, lake: Lake, waiting: Sequence[Request]) -> bool:
    """Build what follows from the days that requests have rewritten, and write warehouse and copies anew.

    Returns:
        False when a model could not be built; then the files are as the run has left them.
    """
    if settings.warehouse is WarehouseEngine.SPARK:
        print(f"error: {ROWS_STAY_ON_SPARK}", file=sys.stderr)
        return False
    warehouse = settings.warehouse_path
    if not warehouse.exists():
        return True
    if not all(_build(settings, lake, request) for request in waiting):
        return False
    if unpassed := areas_not_passed(warehouse, AREAS):
        print(
            f"error: tables of {', '.join(unpassed)} have not passed their tests, so the published copy cannot "
            "be written anew from them",
            file=sys.stderr,
        )
        return False
    for request in waiting:
        if erased := persons_of(lake, [request]):
            delete_erased_rows(warehouse, request.source, erased)
    write_warehouse_anew(warehouse)
    published = settings.published_warehouse_path
    publish_anew(warehouse, published, lake, Publisher(keys=primary_keys(manifest())))
    if (exports := exports_of(settings)) and published.exists():
        exports.follow(published)
    return True


def tell_done(settings: Settings, lake: Lake, waiting: Sequence[Request]) -> None:
    """Record that nothing holds what the requests are about, for readers of `audit.erasures` too."""
    for request in waiting:
        finish(lake, request, datetime.now(UTC))
    if settings.published_warehouse_path.exists():
        publisher = Publisher(keys=primary_keys(manifest()))
        publish_schemas(settings.warehouse_path, settings.published_warehouse_path, (AUDIT,), lake, publisher)


def _build(settings: Settings, lake: Lake, request: Request) -> bool:
    """Build the days that a request has rewritten, and everything downstream.

    Days that retention has removed from the lake, and those before START_DATE, cannot be built: there the first models
    lose the rows by key.
    """
    datasets = [dataset for dataset in RAW_DATASETS if dataset.source == request.source]
    pruned = {day for dataset in datasets if dataset.partitioned for day in lake.all_pruned_days(dataset)}
    days = {day for found in days_of(lake, request).values() for day in found}
    if not (days or pruned):
        return True
    last = settings.last_day_at(datetime.now(UTC))
    built = {day for day in days - {WHOLE_DATASET_DAY} - pruned if settings.start_date <= day <= last}
    beyond = pruned | (days - built - {WHOLE_DATASET_DAY})
    if request.is_of_deleted_activities:
        _forget_deleted_activities(settings, lake)
    elif beyond and (erased := persons_of(lake, [request])):
        forget_on_days(settings.warehouse_path, request.source, erased, beyond)
    selection = f'({and_downstream(settings, datasets)}) and not key:"raw_*"'
    # What is downstream of other days follows with any day.
    built = built or {day for dataset in datasets if dataset.partitioned for day in lake.days(dataset)[-1:]}
    windows = windows_without(pruned, built or {last})
    return all(run_range(settings, RangeRequest(window, selection)).success for window in windows)


def _forget_deleted_activities(settings: Settings, lake: Lake) -> None:
    """Take activities out of the first models that are deleted there for long, and of which the lake has nothing."""
    if days := settings.strava_deleted_retention_days:
        before = datetime.now(UTC) - timedelta(days=days)
        deleted = activities_deleted_before(settings.warehouse_path, before)
        forget_activities(settings.warehouse_path, deleted - activity_ids(lake))


if __name__ == "__main__":
    exit_process(main())
