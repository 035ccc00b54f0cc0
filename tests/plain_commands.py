"""The commands that the README gives for plain Dagster and dbt.

Belongs here: reading them. Not here: whether a program takes them (`tests/unit/commands/test_plain_commands.py`), or
what they do (`tests/integration/test_plain_commands_run.py`).
"""

import re

from engagement_assets.installation import PROJECT_ROOT

PROGRAMS = ("dagster", "dg", "dbt")


def readme_commands() -> list[str]:
    """The lines of the section that call one of the programs, in their order."""
    section = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8").split("## Plain Dagster and dbt")[1]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)).splitlines()
    return [line for line in lines if line.partition(" ")[0] in PROGRAMS]


def folder_of(line: str) -> str:
    """The folder, below that of the project, in which the README calls this."""
    return "dbt_project" if line.startswith("dbt ") else "."
