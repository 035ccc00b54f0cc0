"""The published copy: whole, explained, and never changed by a publication that fails."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.lake.lake import Lake
from engagement_assets.transform import publish
from engagement_assets.transform.publish import Publisher, newest_load_not_shown, publish_schemas
from tests.lake_loads import DAY_1, event, events, records, window
from tests.lake_loads import publish as load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "it's a folder"
    path.mkdir()
    return path


@pytest.fixture
def warehouse(folder: Path) -> Path:
    path = folder / "warehouse.duckdb"
    _run(
        path,
        """
        create schema learning;
        create schema training;
        create schema audit;
        create table learning.plays as select i as play_id, timestamp '2024-01-01' as played_at from range(3) t (i);
        create table learning."order" as select 1 as "select", [{'x': 1}] as nested;
        create table learning._scratch as select 1 as a;
        create table training.runs as select 'r' as run_id;
        create view audit.loads as select play_id as load_id from learning.plays where play_id > 0;
        comment on table learning.plays is 'One row per play; it''s the "fact"';
        comment on column learning.plays.play_id is 'The play''s id';
        comment on column learning."order"."select" is 'A word of SQL';
        comment on view audit.loads is 'One row per load';
        comment on column audit.loads.load_id is 'The load';
        """,
    )
    return path


@pytest.fixture
def published(folder: Path) -> Path:
    return folder / "new" / "published.duckdb"


def _run(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


def _read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _tables(path: Path) -> list[str]:
    return [
        name
        for (name,) in _read(
            path,
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_type = 'BASE TABLE' and table_name not in ('published_tables', 'primary_keys') order by all",
        )
    ]


def _files(published: Path) -> list[str]:
    return sorted(path.name for path in published.parent.iterdir() if path.suffix != ".lock")


def test_tables_and_views_of_the_schemas_are_published_as_tables(warehouse: Path, published: Path) -> None:
    rows = publish_schemas(warehouse, published, ("learning", "audit"))
    assert rows == {"learning.order": 1, "learning.plays": 3, "audit.loads": 2}
    assert _tables(published) == ["audit.loads", "learning.order", "learning.plays"]
    assert _read(published, "select * from audit.loads order by all") == [(1,), (2,)]
    assert _read(published, 'select "select", nested from learning."order"') == [(1, [{"x": 1}])]
    assert _files(published) == ["published.duckdb"]


def test_descriptions_go_with_their_tables_and_columns(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("learning", "audit"))
    mine = (
        "select table_name, comment from duckdb_tables() "
        "where table_name not in ('published_tables', 'primary_keys') order by all"
    )
    assert _read(published, mine) == [
        ("loads", "One row per load"),
        ("order", None),
        ("plays", 'One row per play; it\'s the "fact"'),
    ]
    described = (
        "select column_name, comment from duckdb_columns() "
        "where comment is not null and table_name not in ('published_tables', 'primary_keys') order by all"
    )
    assert _read(published, described) == [
        ("load_id", "The load"),
        ("play_id", "The play's id"),
        ("select", "A word of SQL"),
    ]


def test_other_schemas_of_the_copy_stay(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("training",))
    _run(warehouse, "update training.runs set run_id = 'not checked yet'; insert into learning.plays values (7, null)")
    publish_schemas(warehouse, published, ("learning",))
    assert _read(published, "select run_id from training.runs") == [("r",)]
    assert _read(published, "select count(*) from learning.plays") == [(4,)]


def test_the_copy_tells_how_many_rows_each_table_has_and_since_when(warehouse: Path, published: Path) -> None:
    first, second = datetime(2024, 3, 1, 4, tzinfo=UTC), datetime(2024, 3, 2, 4, tzinfo=UTC)
    publish_schemas(warehouse, published, ("training", "learning"), publisher=Publisher("run-1", first))
    _run(warehouse, 'delete from learning.plays; drop table learning."order"')
    publish_schemas(warehouse, published, ("learning", "audit"), publisher=Publisher("run-2", second))
    assert _read(published, "select * from audit.published_tables order by all") == [
        ("audit", "loads", 0, second.replace(tzinfo=None), "run-2"),
        ("learning", "plays", 0, second.replace(tzinfo=None), "run-2"),
        ("training", "runs", 1, first.replace(tzinfo=None), "run-1"),
    ]
    assert _undescribed(published, "published_tables") == []


def _undescribed(published: Path, table: str) -> list[tuple[Any, ...]]:
    return _read(
        published, f"select column_name from duckdb_columns() where table_name = '{table}' and comment is null"
    )


def test_the_copy_names_the_keys_of_its_tables_and_each_table_its_own(warehouse: Path, published: Path) -> None:
    keys = {"learning.plays": ("play_id", "played_at"), "training.runs": ("run_id",), "strava.absent": ("id",)}
    publish_schemas(warehouse, published, ("training", "learning"), publisher=Publisher(keys=keys))
    of_training = ("training", "runs", 1, "run_id")
    of_learning = [("learning", "plays", 1, "play_id"), ("learning", "plays", 2, "played_at")]
    assert _read(published, "from audit.primary_keys order by all") == [*of_learning, of_training]
    comments = "select comment from duckdb_tables() where schema_name = 'learning' order by table_name"
    described = 'One row per play; it\'s the "fact"\n\nPrimary key: play_id, played_at.'
    assert _read(published, comments) == [(None,), (described,)]
    # Those of the schemas that stay are told too, and those of a table that has gone are not.
    _run(warehouse, "drop table learning.plays")
    publish_schemas(warehouse, published, ("learning",), publisher=Publisher(keys=keys))
    assert _read(published, "from audit.primary_keys") == [of_training]
    assert _undescribed(published, "primary_keys") == []
    # A constraint would keep DuckDB 1.0 from opening the file.
    assert _read(published, "from duckdb_constraints() where schema_name not in ('main')") == []


def test_dropped_and_renamed_tables_leave_the_copy(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("learning",))
    _run(warehouse, 'drop table learning."order"; alter table learning.plays rename to played')
    assert publish_schemas(warehouse, published, ("learning",)) == {"learning.played": 3}
    assert _tables(published) == ["learning.played"]


def test_a_reader_goes_on_reading_the_copy_that_it_has_opened(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("learning",))
    with duckdb.connect(str(published), read_only=True) as reader:
        _run(warehouse, "delete from learning.plays")
        publish_schemas(warehouse, published, ("learning",))
        assert reader.execute("select count(*) from learning.plays").fetchall() == [(3,)]
    assert _read(published, "select count(*) from learning.plays") == [(0,)]


@pytest.fixture
def failing_publication(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: object) -> None:
        raise duckdb.IOException("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_copy_comments", fail)
        yield


@pytest.mark.usefixtures("failing_publication")
def test_a_publication_that_fails_leaves_no_copy(warehouse: Path, published: Path) -> None:
    with pytest.raises(duckdb.IOException, match="No space left"):
        publish_schemas(warehouse, published, ("learning",))
    assert not published.exists()


def test_a_schema_without_tables_leaves_the_copy_as_it_was(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("learning", "training"))
    before = published.read_bytes()
    _run(warehouse, "drop table training.runs")
    with pytest.raises(LookupError, match=r"has no table in schema training, expected .* check WAREHOUSE_PATH"):
        publish_schemas(warehouse, published, ("learning", "training"))
    assert published.read_bytes() == before


def _copy_with_a_log(path: Path, sql: str) -> None:
    """Change a database as a process does that is killed before its log is written into the file."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute(sql)
    assert path.with_name(f"{path.name}.wal").exists()


def test_what_a_killed_publication_left_does_not_come_back(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("training",))
    draft = published.parent / ".published.duckdb.draft"
    shutil.copyfile(published, draft)
    _copy_with_a_log(draft, "create table left_by_a_killed_run as select 1 as a")
    publish_schemas(warehouse, published, ("training",))
    assert _tables(published) == ["training.runs"]
    assert _files(published) == ["published.duckdb"]


def test_the_log_of_somebody_who_wrote_into_the_copy_goes_with_it(warehouse: Path, published: Path) -> None:
    publish_schemas(warehouse, published, ("training",))
    _copy_with_a_log(published, "create table notes as select 1 as a")
    publish_schemas(warehouse, published, ("training",))
    assert _tables(published) == ["training.runs"]
    assert _files(published) == ["published.duckdb"]


def test_the_copy_is_written_for_older_versions_too(warehouse: Path, published: Path) -> None:
    for _ in range(2):
        publish_schemas(warehouse, published, ("learning",))
        tags = _read(published, "select tags['storage_version'] from duckdb_databases() where not internal")
        assert tags == [("v1.0.0+",)]


def test_audit_goes_along_with_the_first_area_after_a_load(warehouse: Path, published: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))

    def also_published() -> set[str]:
        rows = publish_schemas(warehouse, published, ("learning",), lake)
        return {table.partition(".")[0] for table in rows} - {"learning"}

    assert also_published() == {"audit"}
    assert also_published() == {"audit"}  # a copy of an older version, without records of loads
    for number in (1, 2):
        load(lake, events(event("a", DAY_1)), window(DAY_1), number)
        _run(
            warehouse,
            "create or replace view audit.ingestion_loads as "
            f"select * from read_parquet('{tmp_path}/lake/records/loads/*/*.parquet')",
        )
        assert also_published() == {"audit"}
        assert also_published() == set()


def test_the_newest_load_is_not_shown_until_audit_is_published(
    warehouse: Path, published: Path, tmp_path: Path
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert newest_load_not_shown(published, lake) is None
    for number in (1, 2):
        load(lake, events(event("a", DAY_1)), window(DAY_1), number)
    first, second = sorted(load_id for (load_id,) in records(lake, "load_id"))
    _run(
        warehouse,
        "create or replace view audit.ingestion_loads as "
        f"select * from read_parquet('{tmp_path}/lake/records/loads/*/*.parquet')",
    )
    assert newest_load_not_shown(published, lake) == second > first
    publish_schemas(warehouse, published, ("learning",))
    assert newest_load_not_shown(published, lake) == second
    publish_schemas(warehouse, published, (), lake)
    assert newest_load_not_shown(published, lake) is None


def test_a_shell_that_holds_the_copy_open_for_writing_keeps_no_area_from_being_published(
    warehouse: Path, published: Path, tmp_path: Path
) -> None:
    publish_schemas(warehouse, published, ("learning",))
    shell = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", shell, str(published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        lake = Lake(str(tmp_path / "lake"))
        load(lake, events(event("a", DAY_1)), window(DAY_1), 1)
        assert newest_load_not_shown(published, lake) is not None
        rows = publish_schemas(warehouse, published, ("learning",), lake)
    assert rows["learning.plays"] == 3
