"""The dbt project: where it lies, and its manifest, prepared when a dbt file has changed.

Belongs here: parsing, the only preparation when the definitions are loaded, how dbt is called, and dbt's own page. Not
here: running models (see `transform/build.py`).
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from engagement_assets.settings import PROJECT_ROOT
from engagement_assets.transform import column_lineage as lineage_module
from engagement_assets.transform.column_lineage import ColumnParents, column_parents
from engagement_assets.transform.data_tests import readable_sql

DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
TARGET_DIR = DBT_PROJECT_DIR / "target"
SOURCE_FOLDERS = ("models", "macros", "seeds", "tests")

# Runs beside each other parse into the same folder; one instance, so that it can be taken twice by one caller.
_PARSE_LOCK = FileLock(TARGET_DIR / "parse.lock")


class DbtProjectError(RuntimeError):
    """The dbt project cannot be parsed."""


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
    """The manifest as a mapping, parsed anew, and whole, only when a dbt file has changed since the last time."""
    with _parsing_alone():
        fingerprint_file, manifest_file = TARGET_DIR / "fingerprint", TARGET_DIR / "manifest.json"
        fingerprint = _fingerprint()
        prepared = fingerprint_file.read_text(encoding="utf-8") if fingerprint_file.exists() else ""
        if not manifest_file.exists() or prepared != fingerprint:
            parsed_manifest.cache_clear()
            # Of a singular test whose SQL has changed, a partial parse forgets the YAML: severity, reason, table.
            (TARGET_DIR / "partial_parse.msgpack").unlink(missing_ok=True)
            manifest_file.unlink(missing_ok=True)
            parsed_manifest()
            fingerprint_file.write_text(fingerprint, encoding="utf-8")
        content: dict[str, Any] = json.loads(manifest_file.read_text(encoding="utf-8"))
    return content


@cache
def parsed_manifest(database: str = "warehouse") -> Any:
    """The manifest as dbt's own object, for runs in this process; a partial parse where nothing has changed.

    dbt writes the name of the database, which DuckDB takes from the warehouse's file name, into every relation.

    Raises:
        DbtProjectError: a file of the dbt project is wrong; the message is dbt's.
    """
    # dbt takes two seconds to import: only those who run or parse models pay for it.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    with _parsing_alone(), warehouse_environment(Path(f"{database}.duckdb")):
        # To write what is there costs half a second of every run.
        write_json = "--no-write-json" if (TARGET_DIR / "manifest.json").exists() else "--write-json"
        outcome = dbtRunner().invoke(["parse", *dbt_arguments(TARGET_DIR), write_json])
    if not outcome.success:
        raise DbtProjectError(f"dbt could not parse {DBT_PROJECT_DIR}: {outcome.exception}")
    return outcome.result


def column_lineage(content: Mapping[str, Any]) -> dict[str, ColumnParents]:
    """The parents of the columns of the manifest's models, read off their SQL only when a dbt file has changed."""
    with _parsing_alone():
        fingerprint = _fingerprint() + hashlib.sha256(Path(lineage_module.__file__).read_bytes()).hexdigest()
        cache_file = TARGET_DIR / "column_lineage.json"
        cached = json.loads(cache_file.read_text(encoding="utf-8")) if cache_file.exists() else {}
        if cached.get("fingerprint") != fingerprint:
            cached = {"fingerprint": fingerprint, "columns": column_parents(content, _compiled_models(content))}
            cache_file.write_text(json.dumps(cached), encoding="utf-8")
    found: dict[str, ColumnParents] = cached["columns"]
    return found


def _compiled_models(content: Mapping[str, Any]) -> dict[str, str]:
    """The SQL of every model as a full build has it, without the database's name."""
    variables = {"lake_uri": "lake", "window_start": "2024-01-01", "window_end": "2024-01-02"}
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        warehouse = Path(folder) / "warehouse.duckdb"
        _create_empty_tables(content, warehouse)
        arguments = ["compile", "--no-write-json", "--full-refresh", "--vars", json.dumps(variables)]
        arguments += ["--select", "resource_type:model", "--indirect-selection", "empty"]
        outcome = invoke_dbt(arguments, Path(folder), warehouse)
    if not outcome.success:
        raise DbtProjectError(f"dbt could not compile {DBT_PROJECT_DIR}: {outcome.exception}")
    return {
        result.node.unique_id: readable_sql(result.node.compiled_code, result.node.database)
        for result in outcome.result
        if result.node.resource_type == "model"
    }


def _create_empty_tables(content: Mapping[str, Any], warehouse: Path) -> None:
    """Tables as the YAML describes them: some models read another one only where it has been built."""
    with duckdb.connect(str(warehouse)) as connection:
        for node in content["nodes"].values():
            if node["resource_type"] in {"model", "seed"} and node["columns"]:
                types = {name: column["data_type"] or "string" for name, column in node["columns"].items()}
                columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
                connection.execute(f"create schema if not exists {node['schema']}")
                connection.execute(f"create table {node['schema']}.{node['alias']} ({columns})")


@contextmanager
def _parsing_alone() -> Iterator[None]:
    TARGET_DIR.mkdir(exist_ok=True)
    with _PARSE_LOCK:
        yield


def invoke_dbt(
    arguments: Sequence[str],
    target: Path,
    warehouse: Path,
    lake_uri: str = "",
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> Any:
    """Call dbt in this process on the parsed manifest, and return its `dbtRunnerResult`; it writes to `target`."""
    # dbt takes two seconds to import: only a process that needs it pays for it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
    from dbt.adapters.factory import cleanup_connections  # noqa: PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    runner = dbtRunner(manifest=parsed_manifest(warehouse.stem), callbacks=list(callbacks))
    with warehouse_environment(warehouse, lake_uri):
        try:
            return runner.invoke([*arguments, *dbt_arguments(target)])
        finally:
            # dbt would keep its connection, which holds the lock of the warehouse, for the next call.
            cleanup_connections()
            DuckDBConnectionManager.close_all_connections()


def write_dbt_docs(warehouse: Path, lake_uri: str, target: Path) -> None:
    """Write dbt's static page about tables, columns and lineage to `target`; it needs the warehouse alone.

    Raises:
        DbtProjectError: dbt could not generate it; the message is dbt's.
    """
    content = manifest()
    for node in content["nodes"].values():
        if "root_path" in node:
            node["root_path"] = None  # where the project lies on this machine is no part of its description
    with tempfile.TemporaryDirectory(prefix="dbt-docs-") as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        outcome = invoke_dbt(["docs", "generate", "--static", "--no-compile"], Path(folder), warehouse, lake_uri)
        if not outcome.success:
            raise DbtProjectError(f"dbt could not write its docs about {warehouse}: {outcome.exception}")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        shutil.copyfile(Path(folder) / "static_index.html", draft)
        draft.replace(target)


@contextmanager
def warehouse_environment(path: Path, lake_uri: str = "") -> Iterator[None]:
    """The dbt profile takes both places from the environment: set for an invocation, then as before."""
    wanted = {"WAREHOUSE_PATH": str(path), "LAKE_URI": lake_uri}
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ |= wanted
    try:
        yield
    finally:
        for name in wanted:
            del os.environ[name]
        os.environ |= before


def _fingerprint() -> str:
    """Changes when a file of the dbt project, or dbt itself, does."""
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-duckdb')}".encode())
    files = [DBT_PROJECT_DIR / "dbt_project.yml", DBT_PROJECT_DIR / "profiles.yml"]
    for folder in SOURCE_FOLDERS:
        files += sorted(path for path in (DBT_PROJECT_DIR / folder).rglob("*") if path.is_file())
    for path in files:
        digest.update(f"{path.relative_to(DBT_PROJECT_DIR)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
