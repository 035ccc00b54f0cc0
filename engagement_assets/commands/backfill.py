"""`make backfill FROM=… TO=… [SELECT=…]`: one run over a range of days, ends non-zero when something failed.

Belongs here: which run the arguments ask for. Not here: the arguments (`arguments.py`), the run (`range_run.py`).
"""

from engagement_assets.commands.arguments import backfill_parser, inclusive
from engagement_assets.commands.process import exit_process
from engagement_assets.commands.range_command import run_command
from engagement_assets.commands.range_run import RangeRequest


def main() -> int:
    """Run the command and return its exit code."""
    given = backfill_parser().parse_args()
    return run_command(
        lambda _: RangeRequest(inclusive(given.first, given.last), given.select, allow_shrink=given.allow_shrink)
    )


if __name__ == "__main__":
    exit_process(main())
