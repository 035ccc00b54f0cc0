"""`make erase SOURCE=… KIND=… < ids`: erases persons from the lake, the tables and every copy, and proves it.

Belongs here: the command and the order of its steps. Not here: the lake (`lake/erasure.py`), tables and copies
(`erased_tables.py`), or how files (`privacy/sweep.py`) and Dagster's database (`instance/database_records.py`) are
searched.

The ids come on standard input, one a line: arguments, the environment and run config are seen by others, and are kept.
Each step can be repeated. An erasure that was killed is finished by the next one, which needs the same ids again for
the copies and the proof. An athlete is all of Strava, so the id of one need not be known.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.commands.arguments import erase_parser
from engagement_assets.commands.erased_tables import build_without, tell_done
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.strava.source import STRAVA
from engagement_assets.instance.database_records import (
    DatabaseRecordsError,
    blank_in_database,
    places_in_database,
)
from engagement_assets.kudos.versions import Versions
from engagement_assets.lake.commit import LakeFullError
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.erasure import apply_missing, erase, is_about, unfinished
from engagement_assets.lake.lake import Lake, LakeBusyError
from engagement_assets.lake.pseudonym_key import require_findable_ids
from engagement_assets.lake.tombstones import ErasureKeyError
from engagement_assets.privacy.pseudonyms import pseudonyms_ever
from engagement_assets.privacy.sweep import Search, blank_file, blank_sqlite
from engagement_assets.privacy.tombstones import ERASABLE_KINDS, columns_of
from engagement_assets.settings import Settings
from engagement_assets.sources import LANDING_PREFIXES, PREDICTIONS, RAW_DATASETS
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.export import exports_of

_SQLITE = b"SQLite format 3\0"
# What the tombstone of an athlete is made of whose id nobody knows: it takes all of Strava, whatever the id.
_THE_ATHLETE = "the athlete"


def main() -> int:
    """Run the command; 0 when nothing holds the persons any more, 1 when something does, 2 when it was refused."""
    given = erase_parser().parse_args()
    kind = PersonalKind(given.kind)
    # At a terminal the command would wait for ids that it can do without.
    lines = () if kind is PersonalKind.ATHLETE and sys.stdin.isatty() else sys.stdin
    ids = sorted({line.strip() for line in lines if line.strip()})
    settings = load_settings()
    try:
        _refuse(given.source, kind, ids)
        if kind is PersonalKind.ATHLETE:
            ids = sorted({*ids, *_known_athletes(Lake(settings.lake_uri))})
        if given.verify:
            require_findable_ids(Lake(settings.lake_uri, settings.privacy_policy))
            return _prove(settings, kind, ids)
        return _erase(settings, given.source, kind, ids)
    except (ErasureKeyError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (LakeBusyError, LakeFullError, DatabaseRecordsError) as error:
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
    if not ids and kind is not PersonalKind.ATHLETE:
        raise ValueError("no id on standard input, expected one a line")


def _erase(settings: Settings, source: str, kind: PersonalKind, ids: Sequence[str]) -> int:
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    apply_missing(lake)
    request = erase(lake, source, kind, ids or [_THE_ATHLETE], datetime.now(UTC))
    found = sum(person.was_found for person in request.persons)
    print(
        f"Request {request.number}: {len(request.persons):,} persons with their children; of {found:,} the lake had "
        f"something, of {len(request.persons) - found:,} nothing; {request.records_erased:,} records left it"
    )
    if kind is PersonalKind.ATHLETE:
        _forget_athlete(settings)
    waiting = unfinished(lake)
    if not build_without(settings, lake, waiting):
        print("error: the tables could not be built; repair what failed, then run this again", file=sys.stderr)
        return 1
    if search := _search(settings, ids):
        for path in _records_of_runs(settings):
            if search.is_in(path):
                (blank_sqlite if _is_sqlite(path) else blank_file)(path, search)
        blank_in_database(settings.dagster_home, search)
    if status := _prove(settings, kind, ids):
        return status
    proven = [each for each in waiting if each.is_of_deleted_activities or is_about(lake, each, source, kind, ids)]
    tell_done(settings, lake, proven)
    for each in waiting:
        if each not in proven:
            print(
                f"Request {each.number} of {each.requested_at:%Y-%m-%d} ({each.source}) is not proven: lake and tables "
                "are without its persons, but nobody has searched the records of runs and alerts for them. Run the "
                "command with its ids again",
                file=sys.stderr,
            )
    return 0


def _forget_athlete(settings: Settings) -> None:
    """Remove what is of the athlete outside of the lake and the tables: the token, and all that was learnt."""
    for path in settings.strava_token_path.parent.glob(f"{settings.strava_token_path.name}*"):
        path.unlink()
    if forgotten := Versions(settings.models_dir).forget():
        print(f"{forgotten:,} versions of the model of kudos are gone, which had learnt from the athlete")
    print(f"{settings.strava_token_path} is gone. Take STRAVA_REFRESH_TOKEN out of the settings, too")


def _known_athletes(lake: Lake) -> set[str]:
    """The athletes of whom the lake keeps cells; nothing else names one."""
    key = lake.places_key(STRAVA.name)
    return set(json.loads(lake.filesystem.cat_file(f"{lake.root}/{key}"))) if lake.exists(key) else set()


def _search(settings: Settings, ids: Sequence[str]) -> Search | None:
    """The search for these ids; None without any."""
    if not ids:
        return None
    key = settings.pseudonym_key_text
    return Search.of(ids, {form for value in ids for form in pseudonyms_ever(key, value)} if key else ())


def _prove(settings: Settings, kind: PersonalKind, ids: Sequence[str]) -> int:
    """Look for the ids in everything that the deployment has; landing files are listed for their owner.

    Of an athlete also all rows of Strava are looked for.
    """
    found: list[object] = list(_rows_of_strava(settings)) if kind is PersonalKind.ATHLETE else []
    if not (search := _search(settings, ids)):
        print("No id is known, so no file was searched for it: give it on standard input if you know it")
        return _verdict(found)
    found += [path for path in _own_files(settings) if search.is_in(path)]
    if exports := exports_of(settings):
        found += [name for name, path in exports.files() if search.is_in(path)]
    found += places_in_database(settings.dagster_home, search)
    landing = Landing(settings.landing_uri)
    if landing.is_local:
        root = Path(settings.landing_uri)
        for prefix in LANDING_PREFIXES:
            for path in sorted(path for path in (root / prefix).rglob("*") if path.is_file()):
                if search.is_in(path):
                    print(f"landing file still holds them, for its owner: {path}")
    return _verdict(found)


def _verdict(found: Sequence[object]) -> int:
    for place in found:
        print(f"FOUND in {place}", file=sys.stderr)
    print(f"{'FAILED' if found else 'Nothing left'}: {len(found)} places of this deployment hold something")
    return 1 if found else 0


def _rows_of_strava(settings: Settings) -> Iterator[str]:
    """The files of the lake, and the tables, that have rows of Strava."""
    lake = Lake(settings.lake_uri)
    yield from map(str, settings.models_dir.glob("*.json"))
    keys = [
        key for dataset in STRAVA.datasets for key in (*lake.all_day_keys(dataset), *lake.all_quarantine_keys(dataset))
    ]
    with tempfile.TemporaryDirectory() as folder, lake.connect("512MB", Path(folder)) as connection:
        for key in keys:
            if connection.execute(f"select 1 from {rows_of([lake.location(key)], {})} limit 1").fetchone():
                yield key
    for path in (settings.warehouse_path, settings.published_warehouse_path):
        if path.exists():
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    "select schema_name || '.' || table_name from duckdb_tables() "
                    "where schema_name in ($area, $predictions) or starts_with(table_name, $prefix) order by all",
                    {"area": STRAVA.area, "predictions": PREDICTIONS, "prefix": f"int_{STRAVA.name}_"},
                ).fetchall()
                for (table,) in tables:
                    if connection.execute(f"select 1 from {table} limit 1").fetchone():
                        yield f"{path}, table {table}"
    if exports := exports_of(settings):
        yield from exports.with_rows(STRAVA.area)


def _own_files(settings: Settings) -> Iterator[Path]:
    """All files of the deployment but tombstones, which hold hashes and pseudonyms of the persons by their purpose."""
    lake = Lake(settings.lake_uri)
    folders = [settings.dagster_home, settings.report_dir, settings.models_dir, alerts_folder(settings)]
    folders.append(lake.pages_root)
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
