"""Held days, and putting them into the lake on purpose.

Belongs here: the release. Not here: holding a day (see `Load.publish`), its records (see
`lake/load_records.py`), or who may release (see `assets/raw_load.py`).
"""

from collections.abc import Sequence
from datetime import date

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.commit import FileChange, commit
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import held_records, partition_date


class NeverLoadedError(ValueError):
    """A day to release is neither held nor in the lake."""


def release(load: Load, datasets: Sequence[Dataset], days: Sequence[date], reason: str) -> list[date]:
    """Put the held ones of `days` into the lake, with their quarantine, and record why; in one commit.

    A day that is not held stays as it is: it was released before, or a newer load has published it. So a release can be
    repeated.

    Args:
        load: Has the name whose days are held; nothing is staged.
        datasets: What is loaded together under this name.
        days: The days to release.
        reason: Why, for those who read the records.

    Returns:
        The days that were held.

    Raises:
        NeverLoadedError: the lake has nothing of a day, neither held nor published; nothing has been released.
    """
    held = held_records(load.connection, load.lake, load.name, days)
    missing = [day for day in days if day not in held and not load.lake.exists(load.lake.day_key(datasets[0], day))]
    if missing:
        # `WHOLE_DATASET_DAY` is not a real day.
        named = ", ".join(str(day) for day in missing if day != WHOLE_DATASET_DAY) or "the dataset"
        raise NeverLoadedError(
            f"{named} of {', '.join(dataset.key for dataset in datasets)} is neither held nor loaded, expected held "
            f"days; audit.held_days lists them. Held of {load.name} now: "
            f"{', '.join(map(str, load.lake.held_days(load.name))) or 'nothing'}"
        )
    if not held:
        return []
    changes: list[FileChange] = []
    for day in held:
        for dataset in datasets:
            changes += _put_into_lake(load, dataset, day)
        # Last: an object store makes changes one by one, and the day counts as held until all of it is in the lake.
        changes.append(FileChange(load.lake.held_record_key(load.name, day), None))
    records = [
        {**record, "partition_date": partition_date(day), "status": "published", "release_reason": reason}
        for day, of_day in held.items()
        for record in of_day
    ]
    changes.append(load.record_of_load(records))
    commit(load.lake, load.name, changes)
    return sorted(held)


def _put_into_lake(load: Load, dataset: Dataset, day: date) -> list[FileChange]:
    """The changes for a held day of one dataset and its quarantine; without rejects the quarantine goes."""
    changes = []
    for key in (load.lake.day_key(dataset, day), load.lake.quarantine_key(dataset, day)):
        held_key = load.lake.held_key(key)
        staged = None
        if load.lake.exists(held_key):
            staged = load.staging / "released" / key
            staged.parent.mkdir(parents=True, exist_ok=True)
            load.lake.fetch(held_key, staged)
        changes += [FileChange(key, staged), FileChange(held_key, None)]
    return changes
