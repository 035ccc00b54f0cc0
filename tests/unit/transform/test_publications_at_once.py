"""Several publications at a time: one after the other, and of none anything is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock, Timeout

from engagement_assets.lake.lake import Lake
from engagement_assets.transform import publish
from engagement_assets.transform.erased_rows import publish_anew
from engagement_assets.transform.export import Exports
from engagement_assets.transform.publish import Publisher, TableDescription, publish_schemas, publish_table

PERSON = b"erased person"


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        for area in ("learning", "training", "audit"):
            connection.execute(f"create schema {area}; create table {area}.t as select '{area}' as name")
    return path


@pytest.fixture
def published(warehouse: Path, tmp_path: Path) -> Path:
    path = tmp_path / "published" / "published.duckdb"
    publish_schemas(warehouse, path, ("audit",))
    return path


@pytest.fixture
def lock(published: Path, monkeypatch: pytest.MonkeyPatch) -> FileLock:
    """The lock, as another process has it; who waits for it gives up at once."""
    monkeypatch.setattr("engagement_assets.transform.publish.FileLock", partial(FileLock, timeout=0), raising=False)
    return FileLock(published.with_name(".published.duckdb.lock"), timeout=0)


def _tables(published: Path) -> list[str]:
    with duckdb.connect(str(published), read_only=True) as connection:
        rows = connection.execute(
            "select schema_name from duckdb_tables() where table_name = 't' order by all"
        ).fetchall()
    return [name for (name,) in rows]


def _files(published: Path) -> list[str]:
    return sorted(path.name for path in published.parent.iterdir())


@pytest.mark.parametrize("of", ["schemas", "a table", "all anew"])
def test_a_publication_waits_for_another_one(
    warehouse: Path, published: Path, lock: FileLock, tmp_path: Path, of: str
) -> None:
    lake, mine = Lake(str(tmp_path / "lake")), TableDescription("mine.t", "Mine.", {"a": ("INTEGER", "A.")})
    publications: dict[str, Callable[[], object]] = {
        "schemas": lambda: publish_schemas(warehouse, published, ("learning",)),
        "a table": lambda: publish_table(published, mine, [(1,)], Publisher()),
        "all anew": lambda: publish_anew(warehouse, published, lake, Publisher()),
    }
    before = published.stat().st_ino
    with lock, pytest.raises(Timeout):
        publications[of]()
    assert published.stat().st_ino == before
    assert _files(published) == [".published.duckdb.lock", "published.duckdb"]
    publications[of]()
    assert published.stat().st_ino != before
    assert _files(published) == [".published.duckdb.lock", "published.duckdb"]


@pytest.mark.usefixtures("lock")
def test_nobody_touches_the_draft_of_a_publication_and_none_of_two_is_lost(
    warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_relation, refused = publish._copy_relation, list[Timeout]()

    def meanwhile(*given: Any) -> int:
        """What the second one does while the first has its draft open."""
        if not refused:
            with ThreadPoolExecutor(1) as other, pytest.raises(Timeout) as waits:
                other.submit(publish_schemas, warehouse, published, ("training",)).result()
            refused.append(waits.value)
        return copy_relation(*given)

    monkeypatch.setattr(publish, "_copy_relation", meanwhile)
    publish_schemas(warehouse, published, ("learning",))
    publish_schemas(warehouse, published, ("training",))
    assert len(refused) == 1
    assert _tables(published) == ["audit", "learning", "training"]


@pytest.mark.usefixtures("lock")
def test_a_copy_written_anew_has_the_areas_that_it_had_and_no_old_byte(
    warehouse: Path, published: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"update training.t set name = '{PERSON.decode()}'")
    publish_schemas(warehouse, published, ("training",))
    assert PERSON in published.read_bytes()
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update training.t set name = 'gone'")
    publish_anew(warehouse, published, Lake(str(tmp_path / "lake")), Publisher())
    assert _tables(published) == ["audit", "training"]
    assert PERSON not in published.read_bytes()


def test_an_export_waits_for_a_publication_or_another_export(published: Path, lock: FileLock, tmp_path: Path) -> None:
    exports = Exports(str(tmp_path / "exports"))
    publish_schemas(tmp_path / "warehouse.duckdb", published, ("learning",))
    with lock, pytest.raises(Timeout):
        exports.follow(published)
    assert not (tmp_path / "exports").exists()
    assert exports.follow(published) == ["learning"]
