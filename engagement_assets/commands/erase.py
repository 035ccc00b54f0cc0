"""`make erase SOURCE=… KIND=… < ids`: erases persons from the lake, the tables and every copy, and proves it.

Belongs here: the command and the order of its steps. Not here: the lake (`lake/erasure.py`), the warehouse
(`transform/erased_rows.py`), or how files are searched (`privacy/sweep.py`).

The ids come on standard input, one a line: arguments, the environment and run config are seen by others, and are kept.
Each step can be repeated. An erasure that was killed is finished by the next one, which needs the same ids again for
the copies and the proof.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.commands.arguments import erase_parser
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.commands.range_command import and_downstream
from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.landing.files import Landing
from engagement_assets.lake.commit import LakeBusyError
from engagement_assets.lake.erasure import apply_missing, days_of, erase, finish, unfinished
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.tombstones import ErasureKeyError, Request, persons_of
from engagement_assets.privacy.pseudonyms import pseudonyms_ever
from engagement_assets.privacy.sweep import Search, blank_file, blank_sqlite
from engagement_assets.privacy.tombstones import ERASABLE_KINDS, columns_of
from engagement_assets.settings import Settings
from engagement_assets.sources import AUDIT, LANDING_PREFIXES, RAW_DATASETS
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.erased_rows import (
    delete_erased_rows,
    forget_on_days,
    publish_anew,
    write_warehouse_anew,
)
from engagement_assets.transform.publish import publish_schemas

_SQLITE = b"SQLite format 3\0"


def main() -> int:
    """Run the command; 0 when nothing holds the persons any more, 1 when something does, 2 when it was refused."""
    given = erase_parser().parse_args()
    ids = sorted({line.strip() for line in sys.stdin if line.strip()})
    settings = load_settings()
    kind = PersonalKind(given.kind)
    try:
        _refuse(given.source, kind, ids)
        if given.verify:
            return _prove(settings, ids)
        return _erase(settings, given.source, kind, ids)
    except (ErasureKeyError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except LakeBusyError as error:
        print(f"error: {error}", file=sys.stderr)
    except duckdb.IOException as error:
        if not is_held_lock(error):
            raise
        print(
            "error: another process has the warehouse open. The lake is clean and no load brings them back. Wait "
            "for that process, then run this again with the same ids",
            file=sys.stderr,
        )
    return 1


def _refuse(source: str, kind: PersonalKind, ids: Sequence[str]) -> None:
    kinds = {
        found
        for dataset in RAW_DATASETS
        if dataset.source == source
        for found in columns_of(dataset, ERASABLE_KINDS).values()
    } or {PersonalKind.ATHLETE}
    if kind not in kinds:
        raise ValueError(f"{source} knows nobody as {kind}, expected one of {', '.join(sorted(kinds))}")
    if not ids:
        raise ValueError("no id on standard input, expected one a line")


def _erase(settings: Settings, source: str, kind: PersonalKind, ids: Sequence[str]) -> int:
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    apply_missing(lake)
    request = erase(lake, source, kind, ids, datetime.now(UTC))
    found = sum(person.was_found for person in request.persons)
    print(
        f"Request {request.number}: {len(request.persons):,} persons with their children; of {found:,} the lake had "
        f"something, of {len(request.persons) - found:,} nothing; {request.records_erased:,} records left it"
    )
    if kind is PersonalKind.ATHLETE:
        for path in settings.strava_token_path.parent.glob(f"{settings.strava_token_path.name}*"):
            path.unlink()
    waiting = unfinished(lake)
    if not all(_rebuild(settings, lake, each) for each in waiting):
        print("error: the tables could not be built; repair what failed, then run this again", file=sys.stderr)
        return 1
    _clear_tables(settings, lake, waiting)
    search = _search(settings, ids)
    for path in _records_of_runs(settings):
        if search.is_in(path):
            (blank_sqlite if _is_sqlite(path) else blank_file)(path, search)
    if status := _prove(settings, ids):
        return status
    for each in waiting:
        finish(lake, each, datetime.now(UTC))
    if settings.published_warehouse_path.exists():
        # `audit.erasures` says that it is done.
        publish_schemas(settings.warehouse_path, settings.published_warehouse_path, (AUDIT,), lake)
    return 0


def _clear_tables(settings: Settings, lake: Lake, waiting: Sequence[Request]) -> None:
    """Delete what models keep of the persons, and write the warehouse and the published copy anew."""
    warehouse = settings.warehouse_path
    if not warehouse.exists():
        return
    for request in waiting:
        if erased := persons_of(lake, [request]):
            delete_erased_rows(warehouse, request.source, erased)
    write_warehouse_anew(warehouse)
    publish_anew(warehouse, settings.published_warehouse_path, lake)


def _rebuild(settings: Settings, lake: Lake, request: Request) -> bool:
    """Build the days that a request has rewritten, and everything downstream.

    Days that retention has removed from the lake cannot be built: there the first models lose the rows by key.
    """
    datasets = [dataset for dataset in RAW_DATASETS if dataset.source == request.source]
    pruned = {day for dataset in datasets if dataset.partitioned for day in lake.all_pruned_days(dataset)}
    days = {day for found in days_of(lake, request).values() for day in found}
    if not (days or pruned) or not settings.warehouse_path.exists():
        return True
    if pruned and (erased := persons_of(lake, [request])):
        forget_on_days(settings.warehouse_path, request.source, erased, pruned)
    selection = f'({and_downstream(settings, datasets)}) and not key:"raw_*"'
    built = {
        day
        for day in days - {WHOLE_DATASET_DAY}
        if settings.start_date <= day <= settings.last_day_at(datetime.now(UTC))
    } or {day for dataset in datasets if dataset.partitioned for day in lake.days(dataset)[-1:]}
    first, last = (min(built), max(built)) if built else (settings.start_date, settings.start_date)
    return run_range(settings, RangeRequest(DayWindow(first, last + timedelta(days=1)), selection)).success


def _search(settings: Settings, ids: Sequence[str]) -> Search:
    key = settings.pseudonym_key_text
    return Search.of(ids, {form for value in ids for form in pseudonyms_ever(key, value)} if key else ())


def _prove(settings: Settings, ids: Sequence[str]) -> int:
    """Look for the ids in everything that the deployment has; landing files are listed for their owner."""
    search = _search(settings, ids)
    found = [path for path in _own_files(settings) if search.is_in(path)]
    landing = Landing(settings.landing_uri)
    if landing.is_local:
        root = Path(settings.landing_uri)
        for prefix in LANDING_PREFIXES:
            for path in sorted(path for path in (root / prefix).rglob("*") if path.is_file()):
                if search.is_in(path):
                    print(f"landing file still holds them, for its owner: {path}")
    for path in found:
        print(f"FOUND in {path}", file=sys.stderr)
    print(f"{'FAILED' if found else 'Nothing left'}: {len(found)} files of this deployment hold an id")
    return 1 if found else 0


def _own_files(settings: Settings) -> Iterator[Path]:
    """All files of the deployment but tombstones, which hold hashes and pseudonyms of the persons by their purpose."""
    lake = Lake(settings.lake_uri)
    folders = [settings.dagster_home, settings.report_dir, alerts_folder(settings)]
    if lake.is_local:
        folders.append(Path(lake.root))
    files = {path for folder in folders for path in folder.rglob("*")}
    for file in (settings.warehouse_path, settings.published_warehouse_path, settings.strava_token_path):
        files |= set(file.parent.glob(f"*{file.name}*"))
    for path in sorted(files):
        if path.is_file() and "records/erasures" not in path.as_posix():
            yield path


def _records_of_runs(settings: Settings) -> Iterator[Path]:
    """The files in which Dagster and the alerts keep what runs said."""
    for folder in sorted({settings.dagster_home, alerts_folder(settings)}):
        yield from sorted(
            path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        )


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


if __name__ == "__main__":
    exit_process(main())
