"""`make release SOURCE=… [DAY=… [TO=…]] REASON=…`: held days are let through, and what is downstream is built.

Belongs here: the command's arguments and its closing lines. Not here: the run (`range_run.py`) or the release itself
(see `lake/held_days.py`).
"""

import argparse
import sys
from datetime import timedelta

from engagement_assets.commands.backfill import day_argument
from engagement_assets.commands.downstream import and_downstream, datasets_meant
from engagement_assets.commands.exit_process import exit_process
from engagement_assets.commands.load_settings import load_settings
from engagement_assets.commands.range_run import run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.commands.summary import print_summary
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.per_source import SOURCES
from engagement_assets.shown_text import shown_lines


def main() -> int:
    """Run the command; 0 when every step passed, 1 when one failed, 2 when the arguments make no sense."""
    parser = argparse.ArgumentParser(description="Let held days through on purpose, and build what is downstream.")
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source of the held days")
    parser.add_argument("--day", dest="first", type=day_argument, help="held day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=day_argument, help="last day of a range, inclusive")
    parser.add_argument("--dataset", help="a dataset without days that is held")
    parser.add_argument("--reason", required=True, type=_reason, help="why they are let through; it is kept")
    arguments = parser.parse_args()
    settings = load_settings()
    try:
        datasets = datasets_meant(arguments.source, arguments.dataset, has_day=arguments.first is not None)
        selection = and_downstream(settings, datasets)
        first = arguments.first or settings.start_date
        window = DayWindow(first, (arguments.last or first) + timedelta(days=1))
        with with_services(settings) as with_sandbox:
            run = run_range(with_sandbox, window, selection, release_reason=arguments.reason)
    except ValueError as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 2
    print_summary(settings, run)
    return 0 if run.success else 1


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a sentence, since it is kept in audit.ingestion_loads")
    return text.strip()


if __name__ == "__main__":
    exit_process(main())
