"""The dbt project: where it lies, and its manifest, prepared when a dbt file has changed.

Belongs here: parsing. It is the one place that prepares anything when the definitions are loaded. Not here: running
models (see `transform/build.py`).
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from engagement_assets.settings import PROJECT_ROOT

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
        fingerprint_file = TARGET_DIR / "fingerprint"
        fingerprint = _fingerprint()
        manifest_file = TARGET_DIR / "manifest.json"
        prepared = manifest_file.exists() and fingerprint_file.exists()
        if not prepared or fingerprint_file.read_text(encoding="utf-8") != fingerprint:
            parsed_manifest.cache_clear()
            # Of a singular test whose SQL has changed, a partial parse forgets the YAML: severity, reason, table.
            (TARGET_DIR / "partial_parse.msgpack").unlink(missing_ok=True)
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
        outcome = dbtRunner().invoke(["parse", *dbt_arguments(TARGET_DIR)])
    if not outcome.success:
        raise DbtProjectError(f"dbt could not parse {DBT_PROJECT_DIR}: {outcome.exception}")
    return outcome.result


@contextmanager
def _parsing_alone() -> Iterator[None]:
    TARGET_DIR.mkdir(exist_ok=True)
    with _PARSE_LOCK:
        yield


@contextmanager
def warehouse_environment(path: Path, lake_uri: str = "") -> Iterator[None]:
    """The dbt profile takes both places from the environment: set for an invocation, then as before."""
    wanted = {"WAREHOUSE_PATH": str(path), "LAKE_URI": lake_uri}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
