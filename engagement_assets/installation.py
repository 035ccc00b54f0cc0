"""Where the project's files lie, and what its commands are called: in a checkout, or installed from a wheel.

Belongs here: what differs between the two. Not here: settings (`settings.py`), or what a wheel holds (`setup.py`).
"""

from pathlib import Path

CONSOLE_SCRIPT = "engagement-assets"
# The folder of the package: what is below it lies there in both.
PACKAGE = Path(__file__).resolve().parent
# dbt_project/, dagster.yaml and workspace.yaml lie beside the package in a checkout; a wheel has copies within it.
IS_CHECKOUT = not (PACKAGE / "dbt_project").is_dir()
PROJECT_ROOT = PACKAGE.parent if IS_CHECKOUT else PACKAGE
# Both take the same words: `make backfill FROM=… TO=…`, `engagement-assets backfill FROM=… TO=…`.
PROGRAM = "make" if IS_CHECKOUT else CONSOLE_SCRIPT
