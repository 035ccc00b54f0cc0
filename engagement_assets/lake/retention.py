"""What the lake removes once it is old.

Belongs here: finding and removing old days, old quarantined records and what killed loads have left; refusing loads of
days that are gone. Not here: when days are removed (see `orchestration/retention.py`), or Dagster's own records (see
`instance/run_history.py`).
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import FileChange, abandoned, commit, exclusive
from engagement_assets.lake.day_files import rows_of, sql_text, write_empty_file
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.sources import RAW_DATASETS

NAMES_SHOWN = 5


class PrunedDayError(ValueError):
    """A load covers a day that retention has removed."""


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be: what it is, how many, their bytes, and the first names."""

    what: str
    count: int
    bytes: int
    names: tuple[str, ...] = ()

    def sentence(self, *, dry_run: bool) -> str:
        """For a person."""
        named = f": {', '.join(self.names)}{' …' if self.count > len(self.names) else ''}" if self.names else ""
        return f"{self.what}: {self.count:,} {'would go' if dry_run else 'gone'}, {self.bytes:,} bytes{named}"


def pruned(what: str, sizes: dict[str, int]) -> Pruned:
    """The summary of things by name and size."""
    return Pruned(what, len(sizes), sum(sizes.values()), tuple(sorted(sizes)[:NAMES_SHOWN]))


def prune_raw_days(
    lake: Lake, dataset: Dataset, before: date, built_days: Callable[[], Callable[[date], bool]], *, dry_run: bool
) -> Pruned:
    """Remove the days before `before` from which the tables were built; each leaves a mark in its place.

    A day whose newest content is not in the tables yet stays, and so does a held day of any source. `built_days` is
    called while no load is at work: what a load has just published is not built yet.
    """

    def sizes_of_days() -> dict[date, int]:
        held, is_built = lake.all_held_days(), built_days()
        keys = {day: lake.day_key(dataset, day) for day in lake.days(dataset) if day < before and day not in held}
        return {day: lake.size(key) for day, key in keys.items() if lake.exists(key) and is_built(day)}

    sizes = sizes_of_days()
    if sizes and not dry_run:
        with exclusive(lake, dataset.load_name) as staging, duckdb.connect() as connection:
            sizes = sizes_of_days()
            changes: list[FileChange] = []
            for day in sizes:
                mark = staging / f"{day}.parquet"
                write_empty_file(connection, dataset.columns, mark)
                changes += [
                    FileChange(lake.pruned_key(dataset, day), mark),
                    FileChange(lake.day_key(dataset, day), None),
                ]
            commit(lake, dataset.load_name, changes)
    return pruned(f"days of {dataset.key}", {lake.day_key(dataset, day): size for day, size in sizes.items()})


def prune_quarantine(lake: Lake, before: datetime, *, dry_run: bool) -> Pruned:
    """Remove the records that first came into quarantine before `before` (UTC), whatever day they count on.

    Held days keep theirs. The count is of records; the bytes are those of the files that change.
    """
    old = (
        f"coalesce(first_quarantined_at, quarantined_at) < timestamp '{before.replace(tzinfo=None).isoformat(sep=' ')}'"
    )
    make_files_alike(lake)
    records = 0
    sizes: dict[str, int] = {}
    for load_name in sorted({dataset.load_name for dataset in RAW_DATASETS}):
        # `exclusive` removes what a killed load has left, which a dry run must not do.
        alone = tempfile.TemporaryDirectory() if dry_run else exclusive(lake, load_name)
        with alone as folder, lake.connect("512MB", Path(folder) / "spill") as connection:
            changes: list[FileChange] = []
            for key in (
                key for item in RAW_DATASETS if item.load_name == load_name for key in lake.quarantine_keys(item)
            ):
                rows = rows_of([lake.location(key)], QUARANTINE_COLUMNS)
                ((going, all_rows),) = connection.execute(
                    f"select count(*) filter (where {old}), count(*) from {rows}"
                ).fetchall()
                if not going:
                    continue
                records += going
                sizes[key] = lake.size(key)
                written = None
                if going < all_rows:
                    written = Path(folder) / f"{len(changes)}.parquet"
                    connection.execute(
                        f"copy (select {', '.join(QUARANTINE_COLUMNS)} from {rows} where not {old}) "
                        f"to {sql_text(str(written))} (format parquet)"
                    )
                changes.append(FileChange(key, written))
            if changes and not dry_run:
                commit(lake, load_name, changes)
    return replace(pruned("quarantined records", sizes), count=records)


def prune_abandoned(lake: Lake, published: Path, before: datetime, *, dry_run: bool) -> Pruned:
    """Remove what killed loads left staged, and what killed publications left beside the published copy."""
    drafts = [
        path for path in published.parent.glob(f".{published.name}.draft*") if path.stat().st_mtime < before.timestamp()
    ]
    with abandoned(lake, before) as folders:
        sizes = {str(path): _bytes_of(path) for path in (*folders, *drafts)}
        if not dry_run:
            for folder in folders:
                shutil.rmtree(folder)
            for draft in drafts:
                draft.unlink()
    return pruned("leftovers of killed runs", sizes)


def _bytes_of(path: Path) -> int:
    files: Sequence[Path] = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(file.stat().st_size for file in files)


def refuse_pruned_days(lake: Lake, datasets: Sequence[Dataset], days: Sequence[date]) -> None:
    """Refuse to load these days if one of them is gone: a day is not replaced by less.

    Raises:
        PrunedDayError: retention has removed a day; the message says what to do.
    """
    for dataset in datasets:
        if pruned := lake.pruned_days(dataset, days):
            mark = lake.location(lake.pruned_key(dataset, pruned[0]))
            raise PrunedDayError(
                f"{dataset.key} of {pruned[0]} ({len(pruned)} such days) was removed by RAW_RETENTION_DAYS; the "
                "tables still hold it, and what the landing zone has now may be less. Leave the day out of the "
                f"range; to load it all the same, remove {mark}"
            )
