"""`make backfill FROM=… TO=… [SELECT=…]`: one run over a range of days, ends non-zero when something failed.

Belongs here: the command's arguments. Not here: the run itself (`range_run.py`).
"""

import argparse

from engagement_assets.commands.process import exit_process
from engagement_assets.commands.range_command import add_days, inclusive, run_command
from engagement_assets.commands.range_run import RangeRequest


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Materialize a range of days as one run.")
    add_days(parser, "--from", required=True)
    parser.add_argument("--select", default="*", help="assets, in Dagster's selection syntax")
    parser.add_argument("--allow-shrink", action="store_true", help="let days whose landing files are gone shrink")
    given = parser.parse_args()
    return run_command(
        lambda _: RangeRequest(inclusive(given.first, given.last), given.select, allow_shrink=given.allow_shrink)
    )


if __name__ == "__main__":
    exit_process(main())
