"""What judges a load at the door, on what was written aside, before any of it becomes visible.

Belongs here: one function per check, each named as a claim, each telling the failing days. Not here: what happens to
a failing day (see `assets/raw_load.py`), and data rules on tables (dbt tests).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from engagement_assets.lake.datasets import Dataset
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import DayCounts, Load

RECONCILES = "reconciles"
HAS_NOT_SHRUNK = "has_not_shrunk"

DAYS_IN_TEXT = 20
# A service that suddenly knows a fifth less has lost something, or is asked for somebody else.
MAX_SHARE_GONE = 0.2


@dataclass(frozen=True)
class Verdict:
    """What one blocking check found about one dataset: the failing days, each with a sentence."""

    check: str
    dataset: Dataset
    failing_days: Mapping[date, str]
    figures: Mapping[str, int] = field(default_factory=dict)

    def result(self) -> dg.AssetCheckResult:
        """The verdict as Dagster shows it; all failing days stand in the metadata, the first ones in the text."""
        sentences = [
            sentence if day == WHOLE_DATASET_DAY else f"{day}: {sentence}"
            for day, sentence in sorted(self.failing_days.items())
        ]
        shown = "\n".join(sentences[:DAYS_IN_TEXT])
        more = f"\n… and {len(sentences) - DAYS_IN_TEXT} more" if len(sentences) > DAYS_IN_TEXT else ""
        return dg.AssetCheckResult(
            passed=not self.failing_days,
            asset_key=dg.AssetKey(self.dataset.key.split("/")),
            check_name=self.check,
            severity=dg.AssetCheckSeverity.ERROR,
            description=shown + more if sentences else None,
            metadata={
                **self.figures,
                "failing_days": [day.isoformat() for day in sorted(self.failing_days) if day != WHOLE_DATASET_DAY],
            },
        )


def check_spec(check: str, dataset: Dataset, description: str) -> dg.AssetCheckSpec:
    """A blocking check of a raw dataset, evaluated by the asset itself."""
    return dg.AssetCheckSpec(check, asset=dg.AssetKey(dataset.key.split("/")), description=description, blocking=True)


RECONCILES_DESCRIPTION = (
    "Every record that was read is accepted, quarantined or a duplicate; counted in the files written aside."
)
HAS_NOT_SHRUNK_DESCRIPTION = (
    "No activity of the published batch is missing because its landing file has gone; "
    "allow_shrink says that this is meant."
)


FEW_RECORDS_ARE_GONE_DESCRIPTION = (
    "The service still knows at least four of five records that it gave before; allow_shrink says that this is meant."
)


def few_records_are_gone(
    dataset: Dataset,
    missing: Mapping[date, tuple[int, int]],
    *,
    as_a_whole: Sequence[date] = (),
    allow_shrink: bool,
) -> Verdict:
    """No more than a fifth of the records known before is gone, on each day, or else of all days `as_a_whole`.

    `missing` holds, per day, how many records were known and how many of them are missing now. Days that are judged as
    a whole fail together: what came in place of so much that is gone may be somebody else's.
    """
    known, gone = (sum(counts[place] for counts in missing.values()) for place in (0, 1))
    judged = dict.fromkeys(as_a_whole, (known, gone)) if as_a_whole else missing
    failing = {
        day: (
            f"{day_gone:,} of {day_known:,} {dataset.name} are gone; the published day is kept. See whether the "
            "service is well and still asked for the same account, or run this with allow_shrink if they are to go"
        )
        for day, (day_known, day_gone) in judged.items()
        if day_gone > MAX_SHARE_GONE * day_known and not allow_shrink
    }
    return Verdict(HAS_NOT_SHRUNK, dataset, failing, {"records_known": known, "records_gone": gone})


def reconciles(dataset: Dataset, counts: list[DayCounts]) -> Verdict:
    """Records read = accepted + quarantined + duplicates, day by day."""
    failing = {
        day.day: (
            f"{day.records_read:,} records read, but {day.accepted:,} accepted + {day.quarantined:,} quarantined + "
            f"{day.duplicates:,} duplicates; {day.unaccounted:,} unaccounted for"
        )
        for day in counts
        if day.unaccounted != 0
    }
    names = ("records_read", "accepted", "quarantined", "duplicates")
    figures = {name: sum(getattr(day, name) for day in counts) for name in names}
    return Verdict(RECONCILES, dataset, failing, figures)


def has_not_shrunk(load: Load, dataset: Dataset, files_read: tuple[str, ...], *, allow_shrink: bool) -> Verdict:
    """No record of a published day is missing from the new one because its landing file has gone.

    A renamed file does no harm, a record that arrives in another file counts as there.
    """
    lost = {} if allow_shrink else load.records_whose_files_are_gone(dataset, files_read)
    failing = {
        day: (
            f"{records:,} {dataset.name} of {files:,} landing files are gone, such as {example}; the published day is "
            "kept. Put the files back, or run this day with allow_shrink if they are meant to go"
        )
        for day, (records, files, example) in lost.items()
    }
    return Verdict(HAS_NOT_SHRUNK, dataset, failing, {"records_gone": sum(item[0] for item in lost.values())})
