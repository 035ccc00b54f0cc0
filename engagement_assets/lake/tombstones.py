"""Tombstones in the lake: a file per request to erase persons, with a row per person and without an id.

Belongs here: writing and reading them, and the copy beside the lake. Not here: how a person is recognised
(`privacy/tombstones.py`), or what an erasure rewrites (`lake/erasure.py`, `lake/deleted_activities.py`).

A file is small, written whole, and replaced when its request has come further, so an object store can hold it. The copy
in ERASURES_PATH survives when somebody puts back an old lake: what it has and the lake has not is still to be applied.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load_records import write_records
from engagement_assets.lake.record_columns import ERASURE_COLUMNS
from engagement_assets.privacy.tombstones import ErasedPersons, key_check

# The states of a request: the lake may still hold the persons, only tables and copies may, nothing does.
REQUESTED, APPLIED, DONE = "requested", "applied", "done"
# Held by whoever writes requests.
ERASURES_LOCK = "erasures"
# What stands in place of a kind of persons.
_DELETED_ACTIVITY = "activity"


class ErasureKeyError(ValueError):
    """There are tombstones, and no key or another one to compare persons with."""


@dataclass(frozen=True)
class Person:
    """A person to erase, without the id."""

    kind: PersonalKind
    hash: str = field(repr=False)
    pseudonyms: tuple[str, ...] = field(default=(), repr=False)
    was_found: bool = False


@dataclass(frozen=True)
class Request:
    """A request to erase persons of a source, and how far it has come; `number` counts the requests of a lake.

    One without persons has erased activities that Strava no longer has. It keeps nobody out.
    """

    number: int
    source: str
    persons: tuple[Person, ...]
    requested_at: datetime
    state: str = REQUESTED
    records_erased: int = 0
    finished_at: datetime | None = None
    key_check: str = ""

    @property
    def name(self) -> str:
        """What names the request: its files and the records of the days that it has rewritten."""
        return f"erasure-{self.number:07d}"

    @property
    def is_of_deleted_activities(self) -> bool:
        """Whether it is about no person."""
        return not self.persons


def erased_persons(connection: duckdb.DuckDBPyConnection, lake: Lake) -> ErasedPersons | None:
    """Everybody who was erased; None for a lake without tombstones, for which this costs one look into a folder.

    Raises:
        ErasureKeyError: ERASURE_KEY is not set, or not the one of the tombstones.
    """
    return persons_of(lake, requests(connection, lake).values())


def persons_of(lake: Lake, of: Iterable[Request]) -> ErasedPersons | None:
    """The persons of some requests, to recognise them; None without any."""
    chosen = [request for request in of if request.persons]
    if not chosen:
        return None
    key = require_key(lake)
    if other := [request.name for request in chosen if request.key_check != key_check(key)]:
        raise ErasureKeyError(
            f"ERASURE_KEY is not the key with which {other[0]} was made, so nobody can tell who was erased: set the "
            "former key"
        )
    hashes: dict[tuple[str, PersonalKind], set[str]] = {}
    pseudonyms: dict[tuple[str, PersonalKind], set[str]] = {}
    for request in chosen:
        for person in request.persons:
            hashes.setdefault((request.source, person.kind), set()).add(person.hash)
            pseudonyms.setdefault((request.source, person.kind), set()).update(person.pseudonyms)
    return ErasedPersons(
        key,
        {place: frozenset(found) for place, found in hashes.items()},
        {place: frozenset(found) for place, found in pseudonyms.items()},
        lake.policy.pseudonym_key,
    )


def require_key(lake: Lake) -> str:
    """The erasure key.

    Raises:
        ErasureKeyError: it is not set.
    """
    if not lake.policy.erasure_key:
        raise ErasureKeyError(
            "ERASURE_KEY is not set, and erased persons are recognised by it: set the key with which they were erased; "
            "for the first erasure make one (openssl rand -hex 32). Once somebody was erased nothing is loaded without "
            "it, since they would come back"
        )
    return lake.policy.erasure_key


def requests(connection: duckdb.DuckDBPyConnection, lake: Lake) -> dict[int, Request]:
    """The requests of the lake by number, oldest first."""
    return _read(connection, lake.present(_keys(lake).values()))


def requests_beside(connection: duckdb.DuckDBPyConnection, lake: Lake) -> dict[int, Request]:
    """The requests of the copy beside the lake."""
    folder = lake.policy.erasures
    return _read(connection, sorted(map(str, folder.glob("erasure-*.parquet")))) if folder else {}


def names_beside(lake: Lake) -> set[str]:
    """The names of the requests of the copy; without opening them."""
    folder = lake.policy.erasures
    return {path.stem for path in folder.glob("erasure-*.parquet")} if folder else set()


def names_in(lake: Lake) -> set[str]:
    """The names of the requests of the lake; without opening them."""
    return set(_keys(lake))


def write_tombstones(connection: duckdb.DuckDBPyConnection, request: Request, path: Path) -> None:
    """Write a request to a file; one without persons has one row, so that it is found again."""
    of_request = {
        "request": request.number,
        "source": request.source,
        "requested_at": request.requested_at,
        "state": request.state,
        "records_erased": request.records_erased,
        "finished_at": request.finished_at,
    }
    rows = [
        {
            **of_request,
            "kind": person.kind,
            "person_hash": person.hash,
            "pseudonyms": ",".join(person.pseudonyms) or None,
            "key_check": request.key_check,
            "was_found": person.was_found,
        }
        for person in request.persons
    ]
    write_records(connection, ERASURE_COLUMNS, rows or [{**of_request, "kind": _DELETED_ACTIVITY}], path, [])


def write_request(connection: duckdb.DuckDBPyConnection, lake: Lake, request: Request) -> None:
    """Write a request beside the lake, if it keeps somebody out, and then into it; each file whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tombstones.parquet"
        write_tombstones(connection, request, path)
        if lake.policy.erasures and request.persons:
            lake.policy.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = lake.policy.erasures / f".{request.name}.new"
            shutil.copyfile(path, draft)
            draft.replace(lake.policy.erasures / f"{request.name}.parquet")
        key = request_key(request)
        if not lake.is_local:
            lake.filesystem.put_file(str(path), f"{lake.root}/{key}")
            return
        target = Path(lake.root) / key
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{request.name}.new")
        shutil.copyfile(path, draft)
        draft.replace(target)


def request_key(request: Request) -> str:
    """Where a request lies in the lake."""
    return f"records/erasures/day={request.requested_at.date()}/{request.name}.parquet"


def _keys(lake: Lake) -> dict[str, str]:
    return {
        key.rpartition("/")[2].removesuffix(".parquet"): key
        for key in lake.keys("records/erasures/day=*/erasure-*.parquet")
    }


def _read(connection: duckdb.DuckDBPyConnection, files: list[str]) -> dict[int, Request]:
    if not files:
        return {}
    # The files beside the lake lie in no folder of a day.
    rows = connection.execute(
        f"select {', '.join(ERASURE_COLUMNS)} from read_parquet($files, hive_partitioning = false) order by request",
        {"files": files},
    ).fetchall()
    found: dict[int, Request] = {}
    for values in rows:
        row = dict(zip(ERASURE_COLUMNS, values, strict=True))
        request = found.get(row["request"]) or Request(
            row["request"],
            row["source"],
            (),
            row["requested_at"],
            row["state"],
            row["records_erased"],
            row["finished_at"],
            row["key_check"] or "",
        )
        found[request.number] = request
        if row["kind"] != _DELETED_ACTIVITY:
            person = Person(
                PersonalKind(row["kind"]),
                row["person_hash"],
                tuple(filter(None, (row["pseudonyms"] or "").split(","))),
                bool(row["was_found"]),
            )
            found[request.number] = replace(request, persons=(*request.persons, person))
    return found
