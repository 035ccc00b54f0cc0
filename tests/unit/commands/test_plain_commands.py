"""The commands that the README gives for plain Dagster and dbt: each exists and takes these arguments."""

import shlex
from contextlib import chdir

import click
import pytest
from dagster._cli import cli as dagster
from dagster_dg_cli.cli import cli as dg
from dbt.cli.main import cli as dbt

from engagement_assets.installation import PROJECT_ROOT
from tests.plain_commands import PROGRAMS, folder_of, readme_commands

COMMANDS: dict[str, click.Command] = dict(zip(PROGRAMS, (dagster, dg, dbt), strict=True))


def _reads(line: str) -> str:
    """The path of the command that a line calls; its arguments are parsed, and nothing is run."""
    name, *arguments = shlex.split(line, comments=True)
    command, path = COMMANDS[name], [name]
    with chdir(PROJECT_ROOT / folder_of(line)), click.Context(command, info_name=name) as context:
        while isinstance(command, click.Group):
            found, subcommand, arguments = command.resolve_command(context, arguments)
            assert found is not None
            assert subcommand is not None
            command, path = subcommand, [*path, str(found)]
        command.make_context(path[-1], arguments, parent=context)
    return " ".join(path)


def test_each_is_read_by_its_program() -> None:
    assert [_reads(line) for line in readme_commands()] == [
        "dagster asset list",
        "dagster asset materialize",
        "dagster job backfill",
        "dg list defs",
        "dg check defs",
        "dg launch",
        "dbt ls",
        "dbt test",
        "dbt docs generate",
        "dbt build",
    ]


def test_an_option_that_a_program_lacks_is_found() -> None:
    with pytest.raises(click.NoSuchOption):
        _reads("dg list defs --nothing-of-this-kind 1")
