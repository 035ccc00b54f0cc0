"""dbt's own page about tables, columns and lineage, as one file.

Belongs here: generating it in this process. Not here: the descriptions (YAML in `dbt_project/`).
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import duckdb

from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.project import DbtProjectError, invoke_dbt, manifest, project_fingerprint


def write_dbt_docs(warehouse: Path | None, lake_uri: str, target: Path) -> None:
    """Write the static page to `target`; nobody else may have the warehouse open while dbt reads its catalogue.

    A page of the same project over the same tables and columns stays as it is. Without a file of DuckDB, the page has
    the descriptions of the tables, and no catalogue of those that exist.

    Raises:
        DbtProjectError: dbt could not generate it, or the warehouse cannot be read; the message is theirs.
    """
    made_from = target.with_name(f".{target.name}.made_from")
    state = f"{project_fingerprint()} {_columns(warehouse) if warehouse else 'no catalogue'}"
    if target.exists() and made_from.exists() and made_from.read_text(encoding="utf-8") == state:
        return
    content = manifest()
    for node in content["nodes"].values():
        if "root_path" in node:
            node["root_path"] = None  # the path of the project on this machine is no part of its description
    with tempfile.TemporaryDirectory(prefix="dbt-docs-") as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        arguments = ["docs", "generate", "--static", "--no-compile", *(() if warehouse else ("--empty-catalog",))]
        profile = DbtProfile.duckdb(warehouse or Path(folder) / "warehouse.duckdb")
        outcome = invoke_dbt(arguments, profile, lake_uri, Path(folder))
        if not outcome.success:
            raise DbtProjectError(f"dbt could not write its docs ({warehouse or 'no file'}): {outcome.exception}")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        shutil.copyfile(Path(folder) / "static_index.html", draft)
        draft.replace(target)
        made_from.write_text(state, encoding="utf-8")


def _columns(warehouse: Path) -> str:
    """A hash of the tables and views with their columns and types."""
    query = "select schema_name, table_name, column_name, data_type from duckdb_columns() order by all"
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            columns = connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise DbtProjectError(f"dbt could not write its docs about {warehouse}: {error}") from error
    return hashlib.sha256(str(columns).encode()).hexdigest()
