"""`make replay SOURCE=… [FROM=… TO=…] [DATASET=…] [REASON=…]`: reads quarantined records again after a fix.

Belongs here: which run the arguments ask for, and the days that have such records. Not here: the arguments
(`arguments.py`), the run (`range_run.py`) or the replay itself (see `lake/replay.py`).
"""

from collections.abc import Sequence
from datetime import date
from itertools import takewhile

from engagement_assets.commands.arguments import chosen_datasets, inclusive, replay_parser
from engagement_assets.commands.process import exit_process
from engagement_assets.commands.range_command import and_downstream, run_command
from engagement_assets.commands.range_run import RangeRequest
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.settings import Settings


def main() -> int:
    """Run the command and return its exit code."""
    given = replay_parser().parse_args()

    def request(settings: Settings) -> RangeRequest | None:
        datasets = chosen_datasets(given.source, given.dataset, has_days=given.first is not None)
        days = _days_with_records(settings, datasets, given.first, given.last or given.first)
        if not days:
            print("nothing to replay: the quarantine has no such record; see audit.rejected_records")
            return None
        choice = Choice(given.dataset or "", given.reason)
        return RangeRequest(inclusive(days[0], days[-1]), and_downstream(settings, datasets), replay=choice)

    return run_command(request)


def _days_with_records(
    settings: Settings, datasets: Sequence[Dataset], first: date | None, last: date | None
) -> list[date]:
    """The days of the range that have quarantined records, with the loaded days right before and after them.

    After the fix a record may belong to another day, which has to be in the run too. A range may include days that
    were never loaded, are held or were removed. Nothing of these can be replayed.

    Raises:
        ValueError: the range ends before it begins.
    """
    if first is None or last is None:
        # Any day will do: the run needs one, the datasets have none.
        return [settings.start_date]
    lake = Lake(settings.lake_uri)
    days = inclusive(first, last).days()
    with_records = [day for day in days if any(lake.exists(lake.quarantine_key(item, day)) for item in datasets)]
    if not with_records:
        return []
    held = {day for item in datasets for day in lake.held_days(item.load_name)}

    def can_be_replayed(day: date) -> bool:
        return day not in held and all(lake.exists(lake.day_key(item, day)) for item in datasets)

    before = list(takewhile(can_be_replayed, (day for day in reversed(days) if day < with_records[0])))
    after = takewhile(can_be_replayed, (day for day in days if day > with_records[-1]))
    return [*reversed(before), *with_records, *after]


if __name__ == "__main__":
    exit_process(main())
