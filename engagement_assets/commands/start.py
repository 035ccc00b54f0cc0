"""Starts a command by its name: Dagster, dbt and the charts take a while to be imported, and nobody should wonder.

Belongs here: what is told meanwhile. Not here: what a command does. Only the standard library is imported at first.
"""

import importlib
import sys

from engagement_assets.commands.install import telling


def main() -> None:
    """Import the command that the first argument names, and run it with the others."""
    with telling("Starting"):
        command = importlib.import_module(f"engagement_assets.commands.{sys.argv[1]}")
        process = importlib.import_module("engagement_assets.commands.process")
    del sys.argv[0]
    process.exit_process(command.main())


if __name__ == "__main__":
    main()
