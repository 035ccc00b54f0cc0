"""`make replay SOURCE=… [FROM=… TO=…] [DATASET=…] [REASON=…]`: quarantined records are read again after a fix.

Belongs here: the command's arguments, the days that have such records, its closing lines. Not here: the run
(`range_run.py`) or the replay itself (see `lake/replay.py`).
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import takewhile

from engagement_assets.commands.backfill import day_argument
from engagement_assets.commands.downstream import and_downstream, datasets_meant
from engagement_assets.commands.exit_process import exit_process
from engagement_assets.commands.load_settings import load_settings
from engagement_assets.commands.range_run import run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.commands.summary import print_summary
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.per_source import SOURCES
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines


def main() -> int:
    """Run the command; 0 when every step passed, 1 when one failed, 2 when the arguments make no sense."""
    parser = argparse.ArgumentParser(description="Read quarantined records again, and build what is downstream.")
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source of the records")
    parser.add_argument("--from", dest="first", type=day_argument, help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=day_argument, help="last day, inclusive")
    parser.add_argument("--dataset", default="", help="one dataset of the source; without days it needs no range")
    parser.add_argument("--reason", default="", help="a reason code of audit.rejected_records; without it all")
    arguments = parser.parse_args()
    settings = load_settings()
    try:
        datasets = datasets_meant(arguments.source, arguments.dataset or None, has_day=arguments.first is not None)
        days = _days_with_records(settings, datasets, arguments.first, arguments.last or arguments.first)
        if not days:
            print("nothing to replay: the quarantine holds no record of this; see audit.rejected_records")
            return 0
        window = DayWindow(days[0], days[-1] + timedelta(days=1))
        selection = and_downstream(settings, datasets)
        with with_services(settings) as with_sandbox:
            run = run_range(with_sandbox, window, selection, replay=Choice(arguments.dataset, arguments.reason))
    except ValueError as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 2
    print_summary(settings, run)
    return 0 if run.success else 1


def _days_with_records(
    settings: Settings, datasets: Sequence[Dataset], first: date | None, last: date | None
) -> list[date]:
    """The days of the range that have quarantined records, with the loaded ones right before and after them.

    A record may belong to another day now, which has to be in the run, too. A range may reach over days that were never
    loaded, that are held or that were removed: of these nothing can be replayed.

    Raises:
        ValueError: the range ends before it begins.
    """
    if first is None or last is None:
        # Any day: the run needs one, the datasets have none.
        return [settings.start_date]
    lake = Lake(settings.lake_uri)
    days = DayWindow(first, last + timedelta(days=1)).days()
    with_records = [day for day in days if any(lake.exists(lake.quarantine_key(item, day)) for item in datasets)]
    if not with_records:
        return []
    held = {day for item in datasets for day in lake.held_days(item.load_name)}

    def can_be_replayed(day: date) -> bool:
        return day not in held and all(lake.exists(lake.day_key(item, day)) for item in datasets)

    before = takewhile(can_be_replayed, reversed([day for day in days if day < with_records[0]]))
    after = takewhile(can_be_replayed, (day for day in days if day > with_records[-1]))
    return [*reversed([*before]), *with_records, *after]


if __name__ == "__main__":
    exit_process(main())
