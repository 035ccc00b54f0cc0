"""What the commands have in common that run a range of days: `make backfill`, `make release`, `make replay`.

Belongs here: arguments for days and sources, exit codes, the closing lines. Not here: the run itself (`range_run.py`).
"""

import argparse
import sys
from collections.abc import Callable
from datetime import date, timedelta

from engagement_assets.commands.load_settings import load_settings
from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.commands.summary import print_summary
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.per_source import SOURCES
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines


def run_command(request_of: Callable[[Settings], RangeRequest | None]) -> int:
    """Run what `request_of` asks for and print a summary; None asks for nothing.

    Returns:
        The exit code: 0 when every step passed, 1 when one failed, 2 when `request_of` or the run refused the
        arguments with a ValueError.
    """
    settings = load_settings()
    try:
        request = request_of(settings)
        if request is None:
            return 0
        with with_services(settings) as with_sandbox:
            run = run_range(with_sandbox, request)
    except ValueError as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 2
    print_summary(settings, run)
    return 0 if run.success else 1


def inclusive(first: date, last: date) -> DayWindow:
    """The days from the first to the last.

    Raises:
        ValueError: the last day lies before the first.
    """
    return DayWindow(first, last + timedelta(days=1))


def add_days(parser: argparse.ArgumentParser, first: str, *, required: bool = False) -> None:
    """Add the option `first` and `--to`, for the first and the last day."""
    parser.add_argument(first, dest="first", type=_day, required=required, help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=_day, required=required, help="last day, inclusive")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options `--source` and `--dataset`."""
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source")
    parser.add_argument("--dataset", help="only this dataset of the source; a dataset without days needs no range")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; expected YYYY-MM-DD") from error
