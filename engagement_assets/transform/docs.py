"""dbt's own page about tables, columns and lineage, as one file.

Belongs here: generating it in this process. Not here: the descriptions (YAML in `dbt_project/`).
"""

import json
import shutil
import tempfile
from pathlib import Path

from engagement_assets.transform.project import (
    DbtProjectError,
    dbt_arguments,
    manifest,
    parsed_manifest,
    warehouse_environment,
)


def write_dbt_docs(warehouse: Path, lake_uri: str, target: Path) -> None:
    """Write the static page to `target`; it needs the warehouse alone for as long as dbt reads its catalogue.

    Raises:
        DbtProjectError: dbt could not generate it; the message is dbt's.
    """
    # dbt takes two seconds to import: only who writes the page pays for it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
    from dbt.adapters.factory import cleanup_connections  # noqa: PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    content = manifest()
    for node in content["nodes"].values():
        if "root_path" in node:
            node["root_path"] = None  # where the project lies on this machine is no part of its description
    with (
        tempfile.TemporaryDirectory(prefix="dbt-docs-") as folder,
        warehouse_environment(warehouse, lake_uri),
    ):
        (Path(folder) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        arguments = ["docs", "generate", "--static", "--no-compile", *dbt_arguments(Path(folder))]
        try:
            outcome = dbtRunner(manifest=parsed_manifest(warehouse.stem)).invoke(arguments)
        finally:
            # The connection holds the lock of the warehouse.
            cleanup_connections()
            DuckDBConnectionManager.close_all_connections()
        if not outcome.success:
            raise DbtProjectError(f"dbt could not write its docs about {warehouse}: {outcome.exception}")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        shutil.copyfile(Path(folder) / "static_index.html", draft)
        draft.replace(target)
