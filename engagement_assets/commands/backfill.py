"""`make backfill FROM=… TO=… [SELECT=…]`: one run over a range of days, ends non-zero when something failed.

Belongs here: the command's arguments and its closing lines. Not here: the run itself (`range_run.py`).
"""

import argparse
import sys
from datetime import date, timedelta

from engagement_assets.commands.exit_process import exit_process
from engagement_assets.commands.load_settings import load_settings
from engagement_assets.commands.range_run import run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.commands.summary import print_summary
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.shown_text import shown_lines


def main() -> int:
    """Run the command; 0 when every step passed, 1 when one failed, 2 when the arguments make no sense."""
    parser = argparse.ArgumentParser(description="Materialize a range of days as one run.")
    parser.add_argument("--from", dest="first", type=day_argument, required=True, help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=day_argument, required=True, help="last day, inclusive")
    parser.add_argument("--select", default="*", help="assets, in Dagster's selection syntax")
    parser.add_argument("--allow-shrink", action="store_true", help="let days whose landing files are gone shrink")
    arguments = parser.parse_args()
    settings = load_settings()
    try:
        window = DayWindow(arguments.first, arguments.last + timedelta(days=1))
        with with_services(settings) as with_sandbox:
            run = run_range(with_sandbox, window, arguments.select, allow_shrink=arguments.allow_shrink)
    except ValueError as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 2
    print_summary(settings, run)
    return 0 if run.success else 1


def day_argument(text: str) -> date:
    """A day of the command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; expected YYYY-MM-DD") from error


if __name__ == "__main__":
    exit_process(main())
