"""dbt's own page about tables, columns and lineage, as one file.

Belongs here: generating it in this process. Not here: the descriptions (YAML in `dbt_project/`).
"""

import json
import shutil
import tempfile
from pathlib import Path

from engagement_assets.transform.project import DbtProjectError, invoke_dbt, manifest


def write_dbt_docs(warehouse: Path, lake_uri: str, target: Path) -> None:
    """Write the static page to `target`; nobody else may have the warehouse open while dbt reads its catalogue.

    Raises:
        DbtProjectError: dbt could not generate it; the message is dbt's.
    """
    content = manifest()
    for node in content["nodes"].values():
        if "root_path" in node:
            node["root_path"] = None  # the path of the project on this machine is no part of its description
    with tempfile.TemporaryDirectory(prefix="dbt-docs-") as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        outcome = invoke_dbt(["docs", "generate", "--static", "--no-compile"], warehouse, lake_uri, Path(folder))
        if not outcome.success:
            raise DbtProjectError(f"dbt could not write its docs about {warehouse}: {outcome.exception}")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        shutil.copyfile(Path(folder) / "static_index.html", draft)
        draft.replace(target)
