"""Exports: whole files of the published tables, a manifest that proves them, and nothing that is not published."""

import csv
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow.parquet as pq
import pytest

from engagement_assets.transform.export import MANIFEST, Exports
from engagement_assets.transform.publish import Publisher, publish_schemas

FIRST, SECOND = datetime(2024, 3, 1, 4, tzinfo=UTC), datetime(2024, 3, 2, 4, 30, tzinfo=UTC)
KEYS = {"learning.plays": ("play_id",)}
FORMULAS = ["=1+1", " \u2003+1", "-1", "@SUM(A1)", "\t1", "\uff1d1"]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    _run(
        path,
        """
        create schema learning;
        create schema training;
        create schema audit;
        create table learning.plays as
            select i as play_id, 'a' as title, timestamp '2024-01-01 10:00:00.5' as played_at from range(3) t (i);
        create table learning."order" as select 1 as "select";
        create table training.runs as select 'r' as run_id;
        create table audit.loads as select 1 as load_id;
        comment on table learning.plays is 'One row per play.';
        comment on column learning.plays.title is 'What was played.';
        """,
    )
    return path


@pytest.fixture
def publish(warehouse: Path, tmp_path: Path) -> Callable[..., Path]:
    """Publishes schemas of the warehouse, and gives the copy."""

    def publish(*schemas: str, run: str | None = "run-1", now: datetime = FIRST) -> Path:
        published = tmp_path / "published.duckdb"
        publish_schemas(warehouse, published, schemas, publisher=Publisher(run, now, KEYS))
        return published

    return publish


@pytest.fixture(params=["local", "remote"])
def exports(request: pytest.FixtureRequest, tmp_path: Path) -> Exports:
    """Exports to a folder, and to a file system in memory, which stands for S3."""
    folder = tmp_path / "it's a folder [1]"
    return Exports(str(folder) if request.param == "local" else f"memory://{tmp_path.name}/exports")


def _run(path: Path, sql: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)


def _bytes(exports: Exports) -> dict[str, bytes]:
    filesystem, root = fsspec.core.url_to_fs(exports.uri)
    found = filesystem.find(root) if filesystem.exists(root) else []
    return {path.removeprefix(f"{root}/"): filesystem.cat_file(path) for path in found}


def _manifest(exports: Exports, area: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_bytes(exports)[f"{area}/{MANIFEST}"])
    return content


def _rows(exports: Exports, key: str, tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "read.parquet"
    path.write_bytes(_bytes(exports)[key])
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def test_each_table_of_an_area_becomes_a_file_and_the_manifest_proves_it(
    exports: Exports, publish: Callable[..., Path], tmp_path: Path
) -> None:
    assert exports.follow(publish("learning", "training", "audit")) == ["training", "learning"]
    files = _bytes(exports)
    assert sorted(files) == [
        "learning/manifest.json",
        "learning/order.parquet",
        "learning/plays.parquet",
        "training/manifest.json",
        "training/runs.parquet",
    ]
    assert _rows(exports, "learning/plays.parquet", tmp_path)[2] == {
        "play_id": 2,
        "title": "a",
        "played_at": datetime(2024, 1, 1, 10, 0, 0, 500_000),
    }
    manifest = _manifest(exports, "learning")
    order, plays = manifest.pop("tables")
    assert manifest == {"area": "learning", "published_at": "2024-03-01T04:00:00.000000Z", "run_id": "run-1"}
    content = files["learning/plays.parquet"]
    assert plays == {
        "name": "plays",
        "description": "One row per play.\n\nPrimary key: play_id.",
        "rows": 3,
        "primary_key": ["play_id"],
        "columns": [
            {"name": "play_id", "type": "BIGINT", "description": None},
            {"name": "title", "type": "VARCHAR", "description": "What was played."},
            {"name": "played_at", "type": "TIMESTAMP", "description": None},
        ],
        "files": [
            {"path": "plays.parquet", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
        ],
    }
    assert (order["name"], order["rows"], order["primary_key"]) == ("order", 1, [])


def test_what_is_as_published_is_not_written_again(exports: Exports, publish: Callable[..., Path]) -> None:
    published = publish("learning", "training")
    exports.follow(published)
    assert exports.follow(published) == []
    assert exports.follow(publish("learning", run="run-2", now=SECOND)) == ["learning"]
    assert _manifest(exports, "learning")["run_id"] == "run-2"
    assert _manifest(exports, "learning")["published_at"] == "2024-03-02T04:30:00.000000Z"
    assert _manifest(exports, "training")["run_id"] == "run-1"


def _lose_a_file(filesystem: Any, folder: str) -> None:
    filesystem.rm_file(f"{folder}/plays.parquet")


def _cut_a_file(filesystem: Any, folder: str) -> None:
    filesystem.pipe_file(f"{folder}/plays.parquet", b"PAR1")


def _lose_the_manifest(filesystem: Any, folder: str) -> None:
    filesystem.rm_file(f"{folder}/{MANIFEST}")


def _cut_the_manifest(filesystem: Any, folder: str) -> None:
    filesystem.pipe_file(f"{folder}/{MANIFEST}", b'{"area": "learning", "tables": [{"name"')


def _write_another_manifest(filesystem: Any, folder: str) -> None:
    filesystem.pipe_file(f"{folder}/{MANIFEST}", b'["of another program"]')


def _leave_a_draft(filesystem: Any, folder: str) -> None:
    filesystem.pipe_file(f"{folder}/.plays.parquet.draft", b"PAR1")


def _leave_a_table(filesystem: Any, folder: str) -> None:
    filesystem.pipe_file(f"{folder}/of_an_older_version.parquet", b"PAR1")


@pytest.mark.parametrize(
    "spoil",
    [
        _lose_a_file,
        _cut_a_file,
        _lose_the_manifest,
        _cut_the_manifest,
        _write_another_manifest,
        _leave_a_draft,
        _leave_a_table,
    ],
)
def test_whatever_differs_from_the_copy_is_put_right(
    exports: Exports, publish: Callable[..., Path], spoil: Callable[[Any, str], None]
) -> None:
    published = publish("learning", "training")
    exports.follow(published)
    before = _bytes(exports)
    filesystem, root = fsspec.core.url_to_fs(exports.uri)
    spoil(filesystem, f"{root}/learning")
    assert _bytes(exports) != before
    assert exports.follow(published) == ["learning"]
    assert _bytes(exports) == before


def test_files_that_are_not_the_projects_stay(exports: Exports, publish: Callable[..., Path]) -> None:
    published = publish("learning")
    exports.follow(published)
    filesystem, root = fsspec.core.url_to_fs(exports.uri)
    for name in ("notes.parquet", "learning/README.md"):
        filesystem.pipe_file(f"{root}/{name}", b"notes")
    assert exports.follow(published) == []
    assert {"notes.parquet", "learning/README.md"} <= _bytes(exports).keys()


def test_tables_and_areas_that_the_copy_has_no_more_are_removed(
    exports: Exports, publish: Callable[..., Path], warehouse: Path, tmp_path: Path
) -> None:
    exports.follow(publish("learning", "training"))
    _run(warehouse, 'drop table learning."order"')
    (tmp_path / "published.duckdb").unlink()
    assert exports.follow(publish("learning", now=SECOND)) == ["training", "learning"]
    assert sorted(_bytes(exports)) == ["learning/manifest.json", "learning/plays.parquet"]


def test_csv_has_formulas_escaped_and_null_apart_from_empty_text(
    publish: Callable[..., Path], warehouse: Path, tmp_path: Path
) -> None:
    texts = ", ".join(f"('{text}')" for text in [*FORMULAS, "a=1", ""])
    _run(warehouse, f"create table learning.texts as select * from (values {texts}, (null)) as t (text)")
    _run(
        warehouse, "create or replace table learning.order as select -1 as number, true as flag, date '2024-01-31' as d"
    )
    published = publish("learning")
    exports = Exports(str(tmp_path / "exports"), with_csv=True)
    assert exports.follow(published) == ["learning"]
    folder = tmp_path / "exports" / "learning"
    with (folder / "texts.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read == [["text"], *([f"'{text}"] for text in FORMULAS), ["a=1"], [""], []]
    assert (folder / "texts.csv").read_text(encoding="utf-8").endswith('a=1\n""\n\n')
    assert (folder / "order.csv").read_text(encoding="utf-8") == "number,flag,d\n-1,true,2024-01-31\n"
    assert (folder / "plays.csv").read_text(encoding="utf-8").splitlines()[1] == "0,a,2024-01-01 10:00:00.5"
    (plays,) = (table for table in _manifest(exports, "learning")["tables"] if table["name"] == "plays")
    assert [file["path"] for file in plays["files"]] == ["plays.parquet", "plays.csv"]
    # Parquet has texts as they are.
    assert pq.read_table(folder / "texts.parquet")["text"].to_pylist() == [*FORMULAS, "a=1", "", None]
    # Without the setting, the files go.
    assert Exports(str(tmp_path / "exports")).follow(published) == ["learning"]
    assert not list(folder.glob("*.csv"))


def test_a_copy_without_keys_of_an_older_version_is_exported(publish: Callable[..., Path], tmp_path: Path) -> None:
    published = publish("learning")
    _run(published, "drop table audit.primary_keys")
    exports = Exports(str(tmp_path / "exports"))
    assert exports.follow(published) == ["learning"]
    assert [table["primary_key"] for table in _manifest(exports, "learning")["tables"]] == [[], []]


def test_all_files_can_be_searched_and_those_with_rows_are_told(
    exports: Exports, publish: Callable[..., Path], warehouse: Path
) -> None:
    _run(warehouse, "delete from learning.plays")
    exports.follow(publish("learning", "training"))
    found = {name.removeprefix(exports.uri + "/"): path.read_bytes() for name, path in exports.files()}
    assert found == _bytes(exports)
    with_rows = [name.removeprefix(exports.uri + "/") for name in exports.with_rows("learning")]
    assert with_rows == ["learning/order.parquet"]
