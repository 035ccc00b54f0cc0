"""dagster-dbt, imported without dbt.

Belongs here: the names of dagster-dbt that the project uses when it is loaded. Not here: those that are not public (see
`dagster_internals.py`).

dagster-dbt imports half of dbt for some enums and a version, and has enums of its own for where dbt is not installed.
So it is imported as if dbt were not: webservers, code servers, daemons and most commands never run dbt, and dbt is half
of what the definitions take to load (docs/decisions/0019-where-the-time-goes.md). What it cannot do without dbt is to
select models, to run dbt, or to fetch columns, which the project does itself.
"""

import sys
from importlib.metadata import version
from typing import Any, cast

from engagement_assets.dagster_internals import DagsterLibraryRegistry

if "dagster_dbt" not in sys.modules and "dbt.version" not in sys.modules:
    cast(dict[str, Any], sys.modules)["dbt.version"] = None  # so Python says that there is no such module
    try:
        import dagster_dbt as _dagster_dbt  # noqa: F401
    finally:
        del sys.modules["dbt.version"]
    # The UI lists the versions of libraries.
    DagsterLibraryRegistry._libraries.pop("dbt-fusion", None)
    DagsterLibraryRegistry.register("dbt-core", version("dbt-core"), is_dagster_package=False)

from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliEventMessage,
    DbtProject,
)

__all__ = ["DagsterDbtTranslator", "DagsterDbtTranslatorSettings", "DbtCliEventMessage", "DbtProject"]
