"""The commands that the README gives for plain Dagster and dbt: each exists and takes these arguments."""

import re
import shlex

import click
import pytest
from dagster._cli import cli as dagster
from dagster_dg_cli.cli import cli as dg
from dbt.cli.main import cli as dbt

from engagement_assets.settings import PROJECT_ROOT

PROGRAMS: dict[str, click.Command] = {"dagster": dagster, "dg": dg, "dbt": dbt}


def _commands() -> list[str]:
    section = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8").split("## Plain Dagster and dbt")[1]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)).splitlines()
    return [line for line in lines if line.split()[0] in PROGRAMS]


def _reads(line: str) -> str:
    """The path of the command that a line calls; its arguments are parsed, and nothing is run."""
    name, *arguments = shlex.split(line, comments=True)
    command, path = PROGRAMS[name], [name]
    with click.Context(command, info_name=name) as context:
        while isinstance(command, click.Group):
            found, subcommand, arguments = command.resolve_command(context, arguments)
            assert found is not None
            assert subcommand is not None
            command, path = subcommand, [*path, str(found)]
        command.make_context(path[-1], arguments, parent=context)
    return " ".join(path)


def test_each_is_read_by_its_program() -> None:
    assert [_reads(line) for line in _commands()] == [
        "dagster asset list",
        "dagster asset materialize",
        "dagster job backfill",
        "dg list defs",
        "dg check defs",
        "dg launch",
        "dbt list",
        "dbt build",
        "dbt test",
        "dbt docs generate",
    ]


def test_an_option_that_a_program_lacks_is_found() -> None:
    with pytest.raises(click.NoSuchOption):
        _reads("dg list defs --nothing-of-this-kind 1")
