"""The dbt project: where it lies, and its manifest, prepared when a dbt file has changed.

Belongs here: parsing, the only thing that is prepared when the definitions are loaded, and invoking dbt. Not here: what
a build of models means in Dagster (see `transform/build.py`).
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import duckdb
from filelock import FileLock

from engagement_assets.installation import IS_CHECKOUT, PROJECT_ROOT
from engagement_assets.settings import Settings
from engagement_assets.transform.data_tests import readable_sql
from engagement_assets.transform.dbt_profile import DUCKDB, SPARK, DbtProfile

DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
SOURCE_FOLDERS = ("models", "macros", "seeds", "tests")
_LINEAGE_MODULE = Path(__file__).with_name("column_lineage.py")

# Per column of a model the columns `(unique_id, column)` of its parents.
ColumnParents = Mapping[str, list[tuple[str, str]]]


class DbtProjectError(RuntimeError):
    """The dbt project cannot be parsed."""


@cache
def parsed_dir() -> Path:
    """Where the parsed project is kept: beside it, or in DAGSTER_HOME, since an installed package may be read-only."""
    return DBT_PROJECT_DIR / "target" if IS_CHECKOUT else Settings().dagster_home / "dbt_target"


def dbt_arguments(target_dir: Path) -> list[str]:
    """Arguments that every dbt invocation of this project takes."""
    return [
        "--project-dir", str(DBT_PROJECT_DIR),
        "--profiles-dir", str(DBT_PROJECT_DIR),
        "--target-path", str(target_dir),
        "--log-path", str(target_dir / "logs"),
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        "--no-use-colors",
        "--quiet",
        "--log-level-file", "none",
    ]  # fmt: skip


def manifest() -> dict[str, Any]:
    """The manifest as a mapping; if a dbt file has changed since the last time, the whole project is parsed again.

    Its metadata has the `project_fingerprint` of the files.
    """
    with _parsing_alone():
        fingerprint_file = parsed_dir() / "fingerprint"
        fingerprint = project_fingerprint()
        manifest_file = _manifest_file()
        prepared = manifest_file.exists() and fingerprint_file.exists()
        if not prepared or fingerprint_file.read_text(encoding="utf-8") != fingerprint:
            parsed_manifest.cache_clear()
            # A partial parse forgets the YAML of a singular test whose SQL has changed: its severity, reason and table.
            for engine in (DUCKDB, SPARK):
                (_parsed_for(engine) / "partial_parse.msgpack").unlink(missing_ok=True)
            manifest_file.unlink(missing_ok=True)
            parsed_manifest()
            fingerprint_file.write_text(fingerprint, encoding="utf-8")
        content: dict[str, Any] = json.loads(manifest_file.read_text(encoding="utf-8"))
    content["metadata"]["project_fingerprint"] = fingerprint
    return content


@cache
def parsed_manifest(database: str = "warehouse", engine: str = DUCKDB, table_format: str = "") -> Any:
    """The manifest as dbt's own object, for runs in this process; parsed in part if nothing has changed.

    dbt writes the name of the database, which DuckDB takes from the warehouse's file name, into every relation.

    Raises:
        DbtProjectError: a file of the dbt project is wrong; the message is dbt's.
    """
    # dbt takes two seconds to import: only those who run or parse models pay for it.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    from engagement_assets.transform.dbt_events import leave_out_debugging_events  # noqa: PLC0415

    leave_out_debugging_events()
    if engine == DUCKDB:
        profile = DbtProfile.duckdb(Path(f"{database}.duckdb"))
    else:
        profile = DbtProfile(engine, database, {"SPARK_TABLE_FORMAT": table_format})
    with _parsing_alone(), profile.environment():
        # To write what is there costs half a second of every run. Only what DuckDB parses is read as JSON.
        write_json = "--no-write-json" if engine != DUCKDB or _manifest_file().exists() else "--write-json"
        outcome = dbtRunner().invoke(["parse", *dbt_arguments(_parsed_for(engine)), write_json])
    if not outcome.success:
        raise DbtProjectError(f"dbt could not parse {DBT_PROJECT_DIR}: {outcome.exception}")
    return outcome.result


def column_lineage(content: Mapping[str, Any]) -> dict[str, ColumnParents]:
    """The parents of the columns of the manifest's models, derived from their SQL again when a dbt file has changed."""
    with _parsing_alone():
        fingerprint = project_fingerprint() + hashlib.sha256(_LINEAGE_MODULE.read_bytes()).hexdigest()
        cache_file = parsed_dir() / "column_lineage.json"
        cached = json.loads(cache_file.read_text(encoding="utf-8")) if cache_file.exists() else {}
        if cached.get("fingerprint") != fingerprint:
            # It imports sqlglot, which nobody else needs.
            from engagement_assets.transform.column_lineage import column_parents  # noqa: PLC0415

            cached = {"fingerprint": fingerprint, "columns": column_parents(content, _compiled_models(content))}
            cache_file.write_text(json.dumps(cached), encoding="utf-8")
    columns: dict[str, ColumnParents] = cached["columns"]
    return columns


def _compiled_models(content: Mapping[str, Any]) -> dict[str, str]:
    """The SQL of every model as a full build runs it, without the database's name."""
    variables = {"lake_uri": "lake", "window_start": "2024-01-01", "window_end": "2024-01-02"}
    arguments = [
        "compile",
        "--no-write-json",
        "--full-refresh",
        "--vars", json.dumps(variables),
        "--select", "resource_type:model",
        "--indirect-selection", "empty",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        warehouse = Path(folder) / "warehouse.duckdb"
        _create_empty_tables(content, warehouse)
        outcome = invoke_dbt(arguments, DbtProfile.duckdb(warehouse), "", Path(folder))
    if not outcome.success:
        raise DbtProjectError(f"dbt could not compile {DBT_PROJECT_DIR}: {outcome.exception}")
    return {
        result.node.unique_id: readable_sql(result.node.compiled_code, result.node.database)
        for result in cast(Any, outcome.result)
        if result.node.resource_type == "model"
    }


def _create_empty_tables(content: Mapping[str, Any], warehouse: Path) -> None:
    """Tables as the YAML describes them: some models read another one only if it has been built."""
    with duckdb.connect(str(warehouse)) as connection:
        for node in content["nodes"].values():
            if node["resource_type"] in {"model", "seed"} and node["columns"]:
                columns = ", ".join(
                    f"{name} {column['data_type'] or 'string'}" for name, column in node["columns"].items()
                )
                connection.execute(f"create schema if not exists {node['schema']}")
                connection.execute(f"create table {node['schema']}.{node['alias']} ({columns})")


def _parsed_for(engine: str) -> Path:
    return parsed_dir() if engine == DUCKDB else parsed_dir() / engine


def _manifest_file() -> Path:
    return parsed_dir() / "manifest.json"


@contextmanager
def _parsing_alone() -> Iterator[None]:
    parsed_dir().mkdir(parents=True, exist_ok=True)
    with _parse_lock(os.getpid()):
        yield


@cache
def _parse_lock(_process: int) -> FileLock:
    """Concurrent runs parse into the same folder. One lock for a process, so that one caller can take it twice."""
    return FileLock(parsed_dir() / "parse.lock")


def invoke_dbt(
    arguments: Sequence[str],
    profile: DbtProfile,
    lake_uri: str,
    target_dir: Path,
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> Any:
    """Run a dbt command in this process, and close the warehouse: dbt would keep its lock for the next command."""
    # dbt takes two seconds to import: only those who run it pay for it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
    from dbt.adapters.factory import cleanup_connections  # noqa: PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    manifest_of_dbt = parsed_manifest(profile.database, profile.engine, profile.table_format)
    with profile.environment(lake_uri):
        try:
            runner = dbtRunner(manifest=manifest_of_dbt, callbacks=list(callbacks))
            return runner.invoke([*arguments, *dbt_arguments(target_dir)])
        finally:
            cleanup_connections()
            DuckDBConnectionManager.close_all_connections()


@contextmanager
def tagged(manifest_of_dbt: Any, unique_ids: Collection[str], tag: str) -> Iterator[None]:
    """Give nodes a tag for one invocation: dbt compares each selector with each node, and one is enough for a tag."""
    nodes = [manifest_of_dbt.nodes[unique_id] for unique_id in unique_ids]
    for node in nodes:
        node.tags.append(tag)
    try:
        yield
    finally:
        for node in nodes:
            node.tags.remove(tag)


def project_fingerprint() -> str:
    """Changes when a file of the dbt project, dbt itself or DuckDB does."""
    versions = " ".join(version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb"))
    digest = hashlib.sha256(versions.encode())
    files = [DBT_PROJECT_DIR / "dbt_project.yml", DBT_PROJECT_DIR / "profiles.yml"]
    for folder in SOURCE_FOLDERS:
        files += sorted(path for path in (DBT_PROJECT_DIR / folder).rglob("*") if path.is_file())
    for path in files:
        digest.update(f"{path.relative_to(DBT_PROJECT_DIR)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
