"""What the tables of an area were built from, and whether they passed their tests, noted in the warehouse.

So the same is not built again, and nothing is published or built from tables that did not pass.

Belongs here: the notes, and when they hold. Not here: what Dagster is told instead of a build (see
`assets/unchanged_builds.py`), or why files of the lake stay the same (see `lake/unchanged_days.py`).

A build forgets the notes of its days before it begins, and notes them again after all models and tests have passed. So
a build that failed, was killed or left something out is followed by a whole one. dbt by hand, and whatever deletes rows
from the warehouse, drops all notes (docs/decisions/0020-unchanged-builds.md). That a build has not passed stays noted
until a whole one has: dbt replaces a table before it tests it.
"""

import hashlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.source import Source
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.transform.project import project_fingerprint

NOTES = "intermediate.build_inputs"
# Areas with a build that has begun and has not passed, and the first run of such a build.
UNPASSED = "intermediate.unpassed_builds"
# Beside what a build reads: the build that has begun last, the last one of the whole area, and the last publication of
# what that one built.
_BEGUN_BY, _BUILT_BY, _PUBLISHED_BY = "begun by run", "built by run", "published by run"


_NOTE_UNPASSED = (
    f"insert into {UNPASSED} select $area, $run_id where not exists (select 1 from {UNPASSED} where area = $area)"
)


@dataclass(frozen=True)
class BuildInputs:
    """The notes of an area; `tokens` says of all that a build reads from the lake what identifies its content."""

    warehouse: Path
    area: str
    tokens: Mapping[str, str]

    @classmethod
    def of(cls, warehouse: Path, lake: Lake, source: Source, window: DayWindow, definitions: str) -> "BuildInputs":
        """What a build of the source's area over `window` reads now: files, SQL, and the versions of dbt and DuckDB.

        `definitions` is the fingerprint of the project from which the definitions were loaded. If a file of the project
        has changed since, nobody knows of which of the two the tables are, and no later build is the same.
        """
        code = f"{definitions} {project_fingerprint()} {lake.uri}"
        keys = (
            lake.day_key(dataset, day)
            for dataset in source.datasets
            for day in (window.days() if dataset.partitioned else [WHOLE_DATASET_DAY])
        )
        # Some tables end on the newest day, also when it is outside the window.
        newest = {f"newest day of {item.key}": lake.newest_day(item) for item in source.datasets if item.partitioned}
        read = {key: lake.version_of(key) for key in keys} | newest
        tokens = {name: hashlib.sha256(f"{code} {version}".encode()).hexdigest() for name, version in read.items()}
        return cls(warehouse, source.area, tokens)

    def built_by(self) -> str | None:
        """The run of the area's last build, if the tables are what a build from the same inputs would make again."""
        (built_by,) = _read(
            self.warehouse,
            f"select max(token) from {NOTES} where area = $area and input = '{_BUILT_BY}' and len($inputs) = ("
            f"select count(*) from {NOTES} as notes where area = $area "
            "and (input, token) in (select (unnest($inputs), unnest($tokens))))",
            {**self._given(), "area": self.area},
        ) or (None,)
        return built_by

    def begin(self, run_id: str) -> None:
        """Say that a build of the whole area from these inputs begins."""
        inputs = [_BEGUN_BY, _BUILT_BY, _PUBLISHED_BY, *self.tokens]
        forgotten = {"area": self.area, "inputs": inputs}
        begun = {"area": self.area, "run_id": run_id}
        _write(
            self.warehouse,
            (f"delete from {NOTES} where area = $area and list_contains($inputs, input)", forgotten),
            (f"insert into {NOTES} values ($area, '{_BEGUN_BY}', $run_id)", begun),
            (_NOTE_UNPASSED, begun),
        )

    def note(self, run_id: str) -> None:
        """Say that the whole area was built from these inputs, and that all of its tests have passed.

        If another build has begun since, or rows were deleted, nothing is noted.
        """
        noted = (
            f"insert into {NOTES} select noted.* from (select $area, unnest($inputs), unnest($tokens) "
            f"union all select $area, '{_BUILT_BY}', $run_id) as noted where exists ("
            f"select 1 from {NOTES} where area = $area and input = '{_BEGUN_BY}' and token = $run_id)"
        )
        _write(self.warehouse, (noted, {**self._given(), "area": self.area, "run_id": run_id}))

    def _given(self) -> dict[str, Any]:
        return {"inputs": list(self.tokens), "tokens": list(self.tokens.values())}


def begin_part_of(warehouse: Path, area: str, run_id: str) -> None:
    """Say that a build of a part of the area begins, or of an area that is always built."""
    _write(
        warehouse,
        (f"delete from {NOTES} where area = $area", {"area": area}),
        (_NOTE_UNPASSED, {"area": area, "run_id": run_id}),
    )


def note_passed(warehouse: Path, area: str, run_id: str, *, is_whole: bool) -> None:
    """Say that the models and blocking tests of a build have passed; only a whole one makes up for earlier ones."""
    passed = f"delete from {UNPASSED} where area = $area and ($is_whole or run_id = $run_id)"
    _write(warehouse, (passed, {"area": area, "run_id": run_id, "is_whole": is_whole}))


def areas_not_passed(warehouse: Path, areas: Collection[str]) -> dict[str, str]:
    """Those of the areas of which no whole build has passed since a run's build, with the first such run."""
    if not warehouse.exists():
        return {}
    with duckdb.connect(str(warehouse), read_only=True) as connection, suppress(duckdb.CatalogException):
        query = f"select area, run_id from {UNPASSED} where list_contains($areas, area) order by area"
        return dict(connection.execute(query, {"areas": list(areas)}).fetchall())
    return {}


def last_build_and_publication(warehouse: Path, area: str) -> tuple[str | None, str | None]:
    """The run that has built the whole area last, if nothing has come after it, and the one that published that."""
    query = (
        f"select max(token) filter (input = '{_BUILT_BY}'), max(token) filter (input = '{_PUBLISHED_BY}') "
        f"from {NOTES} where area = $area"
    )
    return _read(warehouse, query, {"area": area}) or (None, None)


def note_published(warehouse: Path, area: str, built_by: str, run_id: str) -> None:
    """Say that what a run has built is published, unless another build has begun since."""
    noted = (
        f"insert into {NOTES} select area, '{_PUBLISHED_BY}', $run_id from {NOTES} "
        f"where area = $area and input = '{_BUILT_BY}' and token = $built_by"
    )
    _write(
        warehouse,
        (f"delete from {NOTES} where area = $area and input = '{_PUBLISHED_BY}'", {"area": area}),
        (noted, {"area": area, "built_by": built_by, "run_id": run_id}),
    )


def forget_all_builds(connection: duckdb.DuckDBPyConnection) -> None:
    """Say that rows are deleted otherwise than by a build, in the warehouse that is open."""
    connection.execute(f"drop table if exists {NOTES}")


def _read(warehouse: Path, query: str, given: Mapping[str, Any]) -> Any:
    """The one row of a query over the notes; None if there are no notes."""
    if not warehouse.exists():
        return None
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        try:
            return connection.execute(query, given).fetchone()
        except duckdb.CatalogException:
            return None


def _write(warehouse: Path, *statements: tuple[str, Mapping[str, Any]]) -> None:
    """Run statements one after the other; to open a warehouse takes longer than they do."""
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists intermediate")
        connection.execute(f"create table if not exists {NOTES} (area string, input string, token string)")
        connection.execute(f"create table if not exists {UNPASSED} (area string, run_id string)")
        for statement, given in statements:
            connection.execute(statement, given)
