"""`make rekey`: rewrites the lake's ids as the settings say, and names the commands that make the tables follow.

Belongs here: the command's output. Not here: the rewriting (see `lake/rekey.py`). Keys come from the settings, never
from arguments, which other users of a machine can see.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date

from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.day_ranges import in_ranges, windows_without
from engagement_assets.installation import PROGRAM
from engagement_assets.lake.commit import LakeFullError
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake, LakeBusyError
from engagement_assets.lake.pseudonym_key import OtherPseudonymKeyError, Pseudonyms
from engagement_assets.lake.rekey import RewrittenLoad, rekey
from engagement_assets.lake.tombstones import ErasureKeyError
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.sources import CROSS_SOURCE_AREA, SOURCES


def main() -> int:
    """Run the command; 0 when the lake is as the settings say, 1 when it cannot be, or a load is at work."""
    settings = load_settings()
    lake = Lake(settings.lake_uri, settings.privacy_policy)
    rewritten = []
    try:
        for done in rekey(lake, settings.duckdb_memory_limit):
            print(f"{done.load_name}: {done.files:,} files rewritten")
            rewritten.append(done)
    except (OtherPseudonymKeyError, ErasureKeyError, LakeBusyError, LakeFullError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{lake.uri} holds {Pseudonyms.under(lake.policy)}")
    if rewritten:
        print("The warehouse still holds the ids of before. Build its tables again, from the lake:")
        pruned = _pruned(rewritten, lake)
        print("\n".join(f"  {line}" for line in backfills(rewritten, lake.policy, settings.start_date, pruned)))
        for key, days in pruned.items():
            print(
                f"{key} of {', '.join(in_ranges(days))} was removed by RAW_RETENTION_DAYS and cannot be built again: "
                "the tables keep the ids of before on these days. Only a warehouse without these days has none"
            )
    return 0


def backfills(
    rewritten: Sequence[RewrittenLoad], policy: PrivacyPolicy, start_date: date, pruned: Mapping[str, list[date]]
) -> list[str]:
    """The commands that build the tables of rewritten loads, and those over all sources if ids of users changed.

    They leave out the `pruned` days of each dataset, of which no table can be built.
    """
    commands, spans = [], []
    for source in SOURCES:
        names = {dataset.load_name for dataset in source.datasets}
        if not (loads := [done for done in rewritten if done.load_name in names]):
            continue
        days = {day for done in loads for day in done.days if day != WHOLE_DATASET_DAY} or {start_date}
        gone = {day for dataset in source.datasets for day in pruned.get(dataset.key, ())}
        windows = windows_without(gone, days)
        commands += [_backfill(window.start, window.days()[-1], source.area) for window in windows]
        spans += [day for window in windows for day in window.days()]
    if spans and PersonalKind.USER in policy.pseudonymized and policy.pseudonym_key:
        commands.append(_backfill(min(spans), max(spans), CROSS_SOURCE_AREA))
    return commands


def _pruned(rewritten: Sequence[RewrittenLoad], lake: Lake) -> dict[str, list[date]]:
    """Key of a dataset → its days that retention has removed, of the sources that were rewritten."""
    names = {done.load_name for done in rewritten}
    sources = [source for source in SOURCES if names & {dataset.load_name for dataset in source.datasets}]
    partitioned = [dataset for source in sources for dataset in source.datasets if dataset.partitioned]
    return {dataset.key: days for dataset in partitioned if (days := lake.all_pruned_days(dataset))}


def _backfill(first: date, last: date, area: str) -> str:
    return f"{PROGRAM} backfill FROM={first} TO={last} SELECT='group:{area} or key:\"published/{area}\"'"


if __name__ == "__main__":
    exit_process(main())
