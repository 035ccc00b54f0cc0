"""Erasing persons from the lake: their tombstones, then every file that still names them.

Belongs here: the request, rewriting days, quarantine and held days, and what a restored backup still lacks. Not here:
what later loads leave out (`privacy/erasure.py`), how tombstones are stored (`lake/tombstones.py`), or tables and
copies (`commands/erase.py`).

An erasure holds the locks of all loads of the source, so it waits for those at work, and later ones see its tombstones.
What it rewrites follows from the tombstones alone: one that was killed is finished by the next load or erasure.
"""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import commit, exclusive
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load_records import ERASED
from engagement_assets.lake.pseudonym_key import read_mark, refuse_lost_key, require_findable_ids
from engagement_assets.lake.record_columns import LOAD_COLUMNS
from engagement_assets.lake.rewrite import RewriteWithoutPersons, remove_pages
from engagement_assets.lake.tombstones import (
    APPLIED,
    DONE,
    ERASURES_LOCK,
    REQUESTED,
    Person,
    Request,
    names_beside,
    names_in,
    persons_of,
    requests,
    requests_beside,
    require_key,
    write_request,
)
from engagement_assets.privacy.erasure import find_ids
from engagement_assets.privacy.pseudonyms import pseudonyms_ever
from engagement_assets.privacy.tombstones import ErasedPersons, columns_of, key_check, person_hash
from engagement_assets.sources import RAW_DATASETS

_MEMORY = "1GB"


def erase(lake: Lake, source: str, kind: PersonalKind, ids: Collection[str], now: datetime) -> Request:
    """Erase persons from the lake, and keep them out of it; their children go with them.

    Raises:
        ErasureKeyError: ERASURE_KEY is not set, or not the one of earlier tombstones.
        OtherPseudonymKeyError: under the policy's keys nobody can be found in the lake.
        LakeBusyError: a load or another erasure is at work for longer than ten minutes.
    """
    require_key(lake)
    require_findable_ids(lake)
    make_files_alike(lake)
    with _alone(lake) as connection:
        _apply_missing(lake, connection)
        known = requests(connection, lake)
        persons_of(lake, known.values())
        with _locks(lake, source) as folders:
            moment = now.astimezone(UTC).replace(tzinfo=None)
            request = Request(max(known, default=0) + 1, source, (), moment)
            request = _with_persons(lake, connection, request, kind, ids)
            write_request(connection, lake, request)
            return _applied(lake, connection, request, folders)


def apply_missing(lake: Lake) -> list[Request]:
    """Finish requests that were killed, and apply those of which a restored backup knows nothing.

    Raises:
        ErasureKeyError: there are some, and ERASURE_KEY is not set or not theirs.
        OtherPseudonymKeyError: there are some, and the policy's key does not continue the lake's.
    """
    if not names_beside(lake) and not names_in(lake):
        return []
    with tempfile.TemporaryDirectory() as folder, lake.connect(_MEMORY, Path(folder)) as connection:
        if not _missing(lake, connection):
            return []
    if mark := read_mark(lake):
        refuse_lost_key(lake, mark)
    with _alone(lake) as connection:
        return _apply_missing(lake, connection)


def unfinished(lake: Lake) -> list[Request]:
    """The requests of which tables or copies may still hold somebody."""
    make_files_alike(lake)
    with _alone(lake) as connection:
        return [request for request in requests(connection, lake).values() if request.state != DONE]


def is_about(lake: Lake, request: Request, source: str, kind: PersonalKind, ids: Collection[str]) -> bool:
    """Whether these ids are all that a request was made for; children follow from their users."""
    if kind is PersonalKind.ATHLETE:
        return any(person.kind is kind for person in request.persons)
    hashes = {person_hash(require_key(lake), source, kind, value) for value in ids}
    return request.source == source and all(
        person.hash in hashes if person.kind is kind else (kind, person.kind) == (PersonalKind.USER, PersonalKind.CHILD)
        for person in request.persons
    )


def finish(lake: Lake, request: Request, now: datetime) -> Request:
    """Record that nothing holds the persons of a request any more."""
    with _alone(lake) as connection:
        done = replace(request, state=DONE, finished_at=now.astimezone(UTC).replace(tzinfo=None))
        write_request(connection, lake, done)
        return done


def days_of(lake: Lake, request: Request) -> dict[str, list[date]]:
    """Dataset key → the days that a request has rewritten; for a dataset without days, the one that stands for it."""
    files = lake.keys("records/loads/day=*/*.parquet")
    with _alone(lake) as connection:
        rows = connection.execute(
            f"""
            select distinct 'raw_' || source || '/' || dataset, coalesce(partition_date, date '{WHOLE_DATASET_DAY}')
            from {rows_of([lake.location(key) for key in files], LOAD_COLUMNS)}
            where status = '{ERASED}' and load_id = $name order by all
            """,
            {"name": request.name},
        ).fetchall()
    days: dict[str, list[date]] = {}
    for key, day in rows:
        days.setdefault(key, []).append(day)
    return days


@contextmanager
def _alone(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Be the only erasure."""
    with exclusive(lake, ERASURES_LOCK) as folder, lake.connect(_MEMORY, folder / "spill") as connection:
        yield connection


@contextmanager
def _locks(lake: Lake, source: str) -> Iterator[dict[str, Path]]:
    """Keep all loads of the source away; yields their staging folders by name."""
    names = sorted({dataset.load_name for dataset in RAW_DATASETS if dataset.source == source})
    with ExitStack() as stack:
        yield {name: stack.enter_context(exclusive(lake, name)) for name in names}


def _missing(lake: Lake, connection: duckdb.DuckDBPyConnection) -> list[Request]:
    inside, beside = requests(connection, lake), requests_beside(connection, lake)
    return [request for number, request in sorted(({**beside, **inside}).items()) if _is_missing(request, inside)]


def _is_missing(request: Request, inside: Collection[int]) -> bool:
    return request.number not in inside or request.state == REQUESTED


def _apply_missing(lake: Lake, connection: duckdb.DuckDBPyConnection) -> list[Request]:
    applied = []
    beside = names_beside(lake)
    for request in requests(connection, lake).values():
        if lake.policy.erasures and request.persons and request.name not in beside:
            write_request(connection, lake, request)
    for request in _missing(lake, connection):
        with _locks(lake, request.source) as folders:
            again = replace(request, state=REQUESTED, finished_at=None)
            write_request(connection, lake, again)
            applied.append(_applied(lake, connection, again, folders))
    return applied


def _with_persons(
    lake: Lake, connection: duckdb.DuckDBPyConnection, request: Request, kind: PersonalKind, ids: Collection[str]
) -> Request:
    """The request with its tombstones: one per person, and one for each child that the lake knows of a user."""
    key = require_key(lake)

    def person(of_kind: PersonalKind, value: str) -> Person:
        ever = pseudonyms_ever(lake.policy.pseudonym_key, value) if lake.policy.pseudonym_key else ()
        known_as = tuple(sorted(ever))
        return Person(of_kind, person_hash(key, request.source, of_kind, value), known_as)

    persons = [person(kind, value) for value in sorted({value.strip() for value in ids})]
    request = replace(request, persons=tuple(persons), key_check=key_check(key))
    if kind is PersonalKind.USER and (erased := persons_of(lake, [request])):
        for child in _children(lake, connection, request.source, erased):
            # The lake may hold the child's id, or only a pseudonym.
            own = person(PersonalKind.CHILD, child)
            persons.append(replace(own, pseudonyms=(child, *own.pseudonyms) if own.pseudonyms else ()))
    return replace(request, persons=tuple(persons))


def _children(lake: Lake, connection: duckdb.DuckDBPyConnection, source: str, erased: ErasedPersons) -> list[str]:
    """The children that the lake knows of users, by their ids or pseudonyms."""
    found: set[str] = set()
    for dataset in (item for item in RAW_DATASETS if item.source == source):
        children = columns_of(dataset, [PersonalKind.CHILD])
        files = [lake.location(key) for key in lake.all_day_keys(dataset)]
        rows = rows_of(files, dataset.columns)
        if not children or not find_ids(connection, dataset, f"select * from {rows}", erased):
            continue
        users = columns_of(dataset, [PersonalKind.USER])
        of_users = " or ".join(f"{name} in (select id from erasure_ids)" for name in users)
        for child in children:
            query = f"select distinct {child} from {rows} where ({of_users}) and {child} is not null"
            found |= {value for (value,) in connection.execute(query).fetchall()}
    return sorted(found)


def _applied(lake: Lake, connection: duckdb.DuckDBPyConnection, request: Request, folders: dict[str, Path]) -> Request:
    """Rewrite what names the persons, one commit per load, and record that this is done."""
    erased = persons_of(lake, [request])
    if erased is None:
        return request
    held = 0
    for name, folder in folders.items():
        datasets = [dataset for dataset in RAW_DATASETS if dataset.load_name == name]
        rewrite = RewriteWithoutPersons(lake, connection, name, datasets, request.name, folder, erased=erased)
        if changes := rewrite.changes():
            # Before the commit: once the files are rewritten, nothing shows any more who was in them.
            request = _with_found(request, rewrite.found, erased)
            write_request(connection, lake, request)
            commit(lake, name, changes)
        remove_pages(lake, name)
        held += rewrite.gone_held
    keys = [key for name in folders for key in lake.loads_keys(name)]
    counted = connection.execute(
        f"select coalesce(sum(erased), 0)::bigint from {rows_of([lake.location(key) for key in keys], LOAD_COLUMNS)} "
        f"where status = '{ERASED}' and load_id = $name",
        {"name": request.name},
    ).fetchall()
    applied = replace(request, state=APPLIED, records_erased=int(counted[0][0]) + held)
    write_request(connection, lake, applied)
    return applied


def _with_found(request: Request, found: set[tuple[PersonalKind, str]], erased: ErasedPersons) -> Request:
    """The request, with a mark at each person of whom the lake had something."""
    persons = []
    for person in request.persons:
        place, known_as = (request.source, person.kind), frozenset(person.pseudonyms)
        alone = replace(erased, hashes={place: frozenset({person.hash})}, pseudonyms={place: known_as})
        values = [value for kind, value in found if kind is person.kind]
        is_found = person.kind is PersonalKind.ATHLETE or next(alone.among(*place, values), None) is not None
        persons.append(replace(person, was_found=person.was_found or is_found))
    return replace(request, persons=tuple(persons))
