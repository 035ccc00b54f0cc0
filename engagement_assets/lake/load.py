"""One load of a source: staged, judged, then published or held, day by day.

Belongs here: turning an extraction into the days of the lake, the quarantine and the record of the load. Not here: how
a source is read (see `extract/`), what judges a day (see `checks/standard.py`), how files are written by day
(`lake/day_files.py`) and become visible (`lake/commit.py`), what is counted (`lake/extraction_tables.py`), or what is
read again of earlier loads (`lake/load_records.py`, `lake/known_records.py`).
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import FileChange, commit, exclusive
from engagement_assets.lake.day_files import day_file, rows_of, write_days, write_empty_file
from engagement_assets.lake.erasure import apply_missing
from engagement_assets.lake.event_log_days import leave_out_older_versions, rejects_that_stay, rows_with_known_ones
from engagement_assets.lake.extraction_tables import keep_extraction, keep_first_times, refuse_strays, unknown_fields
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load_records import (
    DayCounts,
    Record,
    day_records,
    held_day_records,
    held_records,
    keep_records,
    write_records,
)
from engagement_assets.lake.pseudonym_key import require_same_key
from engagement_assets.lake.record_columns import HELD_COLUMNS, LOAD_COLUMNS, QUARANTINE_COLUMNS
from engagement_assets.lake.retention import refuse_pruned_days
from engagement_assets.lake.tombstones import erased_persons
from engagement_assets.lake.unchanged_days import unchanged_days
from engagement_assets.privacy.erasure import without_erased
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.protection import protected
from engagement_assets.sources import RAW_DATASETS, SENT_FIELDS

_DATASETS_BY_KEY = {dataset.key: dataset for dataset in RAW_DATASETS}


@dataclass
class Load:
    """A load at work; made by `open_load`. What lies in its folder `staging` can be committed."""

    lake: Lake
    name: str
    run_id: str
    started_at: datetime
    connection: duckdb.DuckDBPyConnection
    staging: Path
    # The staged days, oldest first; `WHOLE_DATASET_DAY` for a dataset without days.
    days: list[date] = field(default_factory=list, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _datasets: list[Dataset] = field(default_factory=list, init=False)
    _days_with_rejects: dict[str, set[date]] = field(default_factory=dict, init=False)

    @property
    def workdir(self) -> Path:
        """A folder for what the extractor writes; it goes when the load ends."""
        return self.staging / "work"

    @property
    def load_id(self) -> str:
        """What names this load in all its records."""
        return f"{self.name}-{self.started_at:%Y%m%dT%H%M%S%f}"

    @property
    def now(self) -> str:
        """The time of the load as an SQL literal: it marks the rows and rejects of this load."""
        return f"timestamp '{self._loaded_at.isoformat(sep=' ')}'"

    @property
    def _loaded_at(self) -> datetime:
        """The time of the load as DuckDB's timestamps have it, naive and UTC."""
        return self.started_at.replace(tzinfo=None)

    def stage(
        self, extraction: Extraction, window: DayWindow | None, *, forget: bool = False, take_over_held: bool = False
    ) -> None:
        """Stage whole days of the window; an event log keeps the rows that were not read again.

        `window` is None for a dataset without days. Every day gets a file, even without rows: a day that was read and
        is empty differs from one that was not read. `forget` drops what an event log kept from files that are gone;
        somebody must have confirmed that. `take_over_held` also keeps what only a held day of an event log has, from
        files that are now gone.

        Raises:
            ValueError: the extraction holds records of a day or a dataset that it does not load.
            PrunedDayError: retention has removed a day of the window.
        """
        extraction = self.protected(extraction)
        self._take(extraction, window.days() if window else [WHOLE_DATASET_DAY])
        refuse_pruned_days(self.lake, self._datasets, self.days)
        for dataset in self._datasets:
            keep = dataset.append_only and not forget
            take_over = keep and take_over_held
            self._write_accepted(dataset, extraction.accepted[dataset.key], keep=keep, take_over_held=take_over)
            self._write_rejected(dataset, rejects_that_stay(extraction, keep=keep), take_over_held=take_over)

    def stage_additions(self, extraction: Extraction, days: Sequence[date]) -> None:
        """Stage days that keep their published rows, with the rows that the extraction adds.

        A new row replaces a published one of the same record. The quarantine is that of the `protected` extraction.

        Raises:
            ValueError: the extraction holds records of a day or a dataset that it does not load.
        """
        self._take(extraction, days)
        for dataset in self._datasets:
            # A document that is read again replaces all that was published of it.
            kept_by = dataset if dataset.append_only else replace(dataset, identity=dataset.identity[:1])
            self._write_accepted(kept_by, extraction.accepted[dataset.key], keep=True, take_over_held=False)
            self._write_rejected(dataset, None, take_over_held=False)

    def protected(self, extraction: Extraction, policy: PrivacyPolicy | None = None) -> Extraction:
        """The extraction without what must not be kept, by the lake's policy or another one."""
        # First, while ids are those that the source sent.
        if erased := erased_persons(self.connection, self.lake):
            extraction = without_erased(self.connection, extraction, _DATASETS_BY_KEY, erased)
        return protected(self.connection, extraction, _DATASETS_BY_KEY, SENT_FIELDS, policy or self.lake.policy)

    def counts(self) -> list[DayCounts]:
        """The counts of all datasets, by day."""
        return [counts for dataset in self._datasets for counts in self.counts_of(dataset)]

    def counts_of(self, dataset: Dataset) -> list[DayCounts]:
        """The counts of one dataset, by day; accepted and quarantined are counted in the staged files."""
        found = self.connection.execute(
            f"""
            select days.day, coalesce(files, 0), coalesce(bytes, 0), coalesce(records_read, 0),
                coalesce(accepted, 0), coalesce(quarantined, 0), coalesce(duplicates, 0), coalesce(staged_rows, 0),
                coalesce(erased, 0)
            from (select unnest($days::date[]) as day) as days
            left join (select * from load_counts where dataset_key = $key) as found on days.day = found.day
            left join (
                select day, count(*) as staged_rows, count(*) filter (where extracted_at = {self.now}) as accepted
                from {self.staged_rows(dataset)}
                group by day
            ) as staged on days.day = staged.day
            left join (
                select day, count(*) as quarantined
                from {self._staged_rejects(dataset)}
                where quarantined_at = {self.now}
                group by day
            ) as rejects on days.day = rejects.day
            order by days.day
            """,
            {"days": self.days, "key": dataset.key},
        ).fetchall()
        return [DayCounts(dataset.key, *row) for row in found]

    def staged_path(self, dataset: Dataset, day: date) -> Path:
        """The staged file of one day."""
        return day_file(self.staging / dataset.key, day)

    def staged_rows(self, dataset: Dataset) -> str:
        """The staged rows, as SQL for a table."""
        return rows_of([str(self.staged_path(dataset, day)) for day in self.days], dataset.columns)

    def publish(self, held: Mapping[date, Mapping[str, str]]) -> set[date]:
        """Make the good days visible, and keep the `held` ones apart, with what failed: a check's name → its sentence.

        A day is published or held for all datasets of the load together, with its quarantine. One commit makes all of
        it visible: days, quarantine and the records of the load. Days that the lake already holds as they are keep
        their files; they are returned.
        """
        records = day_records(self.counts(), unknown_fields(self.connection), held)
        good_days = [day for day in self.days if day not in held]
        unchanged = unchanged_days(self.connection, self.lake, self._datasets, good_days, self.staged_rows)
        kept = {self.lake.day_key(dataset, day) for dataset in self._datasets for day in unchanged}
        changes: list[FileChange] = []
        for day in self.days:
            # First: an object store makes changes one by one, and new content must never lie there as held.
            if day not in held:
                changes.append(FileChange(self.lake.held_record_key(self.name, day), None))
            for key, staged in self._files_of(day).items():
                held_key = self.lake.held_key(key)
                if day in held:
                    changes.append(FileChange(held_key, staged))
                    continue
                if key not in kept:
                    changes.append(FileChange(key, staged))
                changes.append(FileChange(held_key, None))
        changes += self._records_of_held_days(held, records)
        commit(self.lake, self.name, [*changes, self.record_of_load(records)])
        return unchanged

    def publish_additions(self, trace: FileChange | None) -> None:
        """Make visible what `stage_additions` wrote, with `trace`, in one commit; held days stay held."""
        changes = [FileChange(key, staged) for day in self.days for key, staged in self._files_of(day).items()]
        records = day_records(self.counts(), unknown_fields(self.connection), held={})
        replayed = [{**record, "status": "replayed"} for record in records]
        commit(self.lake, self.name, [*changes, *([trace] if trace else []), self.record_of_load(replayed)])

    def record_of_load(self, records: Sequence[Record]) -> FileChange:
        """The records of this load, added to what the same day's loads of this name recorded."""
        key = self.lake.loads_key(self.name, self.lake.day_of_load_records(self.started_at.date()), self.load_id)
        path = self.staging / "loads.parquet"
        own = {
            "load_id": self.load_id,
            "run_id": self.run_id,
            "seconds": time.monotonic() - self._started,
            "loaded_at": self._loaded_at,
            "pseudonym_key_fingerprint": self.lake.policy.key_fingerprint,
        }
        rows = [{**record, **own} for record in records]
        write_records(self.connection, LOAD_COLUMNS, rows, path, self.lake.present([key]))
        return FileChange(key, path)

    def _records_of_held_days(
        self, held: Mapping[date, Mapping[str, str]], records: Sequence[Record]
    ) -> list[FileChange]:
        """The record of each held day; a day that was held before keeps the time since which it is."""
        days = [day for day in self.days if day in held]
        if not days:
            return []
        earlier = held_records(self.connection, self.lake, self.name, days)
        own = {"load_id": self.load_id, "run_id": self.run_id, "held_at": self._loaded_at}
        rows = held_day_records(records, held, earlier, own)
        keep_records(self.connection, {**HELD_COLUMNS, "day": "DATE"}, rows)
        folder = self.staging / "held"
        write_days(self.connection, "select * from records_to_write", HELD_COLUMNS, days, folder)
        return [FileChange(self.lake.held_record_key(self.name, day), day_file(folder, day)) for day in days]

    def _take(self, extraction: Extraction, days: Sequence[date]) -> None:
        """Keep what stands beside the rows."""
        self.days = list(days)
        self._datasets = [_DATASETS_BY_KEY[key] for key in extraction.accepted]
        quarantines = {
            dataset.key: self.lake.present(self.lake.quarantine_key(dataset, day) for day in self.days)
            + self._held(dataset, self.lake.quarantine_key)
            for dataset in self._datasets
        }
        keep_extraction(self.connection, extraction, self.run_id, self.now)
        keep_first_times(self.connection, quarantines, self.lake.policy)
        refuse_strays(self.connection, self._datasets, self.days)

    def _write_accepted(self, dataset: Dataset, accepted: str, *, keep: bool, take_over_held: bool) -> None:
        rows = accepted if dataset.partitioned else f"select *, date '{WHOLE_DATASET_DAY}' as day from ({accepted})"
        published = self.lake.present(self.lake.day_key(dataset, day) for day in self.days) if keep else []
        held = self._held(dataset, self.lake.day_key) if take_over_held else []
        if published or held:
            self.connection.execute(f"create or replace temp table load_new_rows as {rows}")
            if not dataset.partitioned:
                leave_out_older_versions(self.connection, dataset, "load_new_rows", [*held, *published])
            rows = rows_with_known_ones(self.connection, dataset, "load_new_rows", held, published)
        folder = self.staging / dataset.key
        days_with_rows = write_days(self.connection, rows, dataset.columns, self.days, folder)
        empty = folder / "empty.parquet"
        write_empty_file(self.connection, dataset.columns, empty)
        for day in self.days:
            if day not in days_with_rows:
                path = self.staged_path(dataset, day)
                path.parent.mkdir()
                shutil.copyfile(empty, path)

    def _write_rejected(self, dataset: Dataset, stay: str | None, *, take_over_held: bool) -> None:
        """The day's rejected records, and the earlier ones for which the condition `stay` holds."""
        earlier: list[str] = []
        if stay:
            # The quarantine of a held day has taken over that of the published day.
            earlier = self.lake.present(
                self.lake.quarantine_key(dataset, day)
                for day in self.days
                if not (take_over_held and self.lake.exists(self.lake.held_key(self.lake.day_key(dataset, day))))
            )
            earlier += self._held(dataset, self.lake.quarantine_key) if take_over_held else []
        columns = ", ".join(QUARANTINE_COLUMNS)
        self._days_with_rejects[dataset.key] = write_days(
            self.connection,
            f"""
            select {columns}, day from load_rejects
            where dataset_key = '{dataset.key}'
            union all
            select {columns}, day from {rows_of(earlier, QUARANTINE_COLUMNS)} as earlier
            where {stay or "false"}
            """,
            QUARANTINE_COLUMNS,
            self.days,
            self._rejected_folder(dataset),
        )

    def _files_of(self, day: date) -> dict[str, Path | None]:
        """Key → staged file, of all that the load stages of a day; None for a quarantine without records."""
        files: dict[str, Path | None] = {}
        for dataset in self._datasets:
            has_rejects = day in self._days_with_rejects[dataset.key]
            files[self.lake.day_key(dataset, day)] = self.staged_path(dataset, day)
            files[self.lake.quarantine_key(dataset, day)] = (
                day_file(self._rejected_folder(dataset), day) if has_rejects else None
            )
        return files

    def _rejected_folder(self, dataset: Dataset) -> Path:
        return self.staging / "rejected" / dataset.key

    def _staged_rejects(self, dataset: Dataset) -> str:
        days = sorted(self._days_with_rejects[dataset.key])
        return rows_of([str(day_file(self._rejected_folder(dataset), day)) for day in days], QUARANTINE_COLUMNS)

    def _held(self, dataset: Dataset, key_of: Callable[[Dataset, date], str]) -> list[str]:
        """Where the lake holds the held ones of the staged days, or their quarantine."""
        return self.lake.present(self.lake.held_key(key_of(dataset, day)) for day in self.days)


@contextmanager
def open_load(  # noqa: PLR0913 - each one is a choice of its own
    lake: Lake,
    name: str,
    *,
    run_id: str,
    memory_limit: str = "2GB",
    started_at: datetime | Callable[[], datetime] | None = None,
    window: DayWindow | None = None,
) -> Iterator[Load]:
    """Begin the only load called `name` at this time; nothing is visible before `Load.publish`.

    Args:
        lake: Where the load goes.
        name: What is loaded together, such as `runna` or `lingokids_users`.
        run_id: Who loads, kept in every record.
        memory_limit: What DuckDB may take before it spills.
        started_at: The time of the load, or a clock that says it, kept as `extracted_at` (UTC) in every row, and
            different from that of any other load of this name; now by default.
        window: The days that the load writes, all by default. On S3, loads of other days may be at work meanwhile.

    Raises:
        LakeBusyError: another process is at this load, and did not end in time.
        UnknownColumnsError: a newer version of this project wrote the lake.
        OtherPseudonymKeyError: the lake hides other ids than this load would, or under another key.
        ErasureKeyError: persons were erased, and nothing says by which key they are recognised.
    """
    make_files_alike(lake)
    apply_missing(lake)
    with exclusive(lake, name, window) as staging, lake.connect(memory_limit, staging / "spill") as connection:
        require_same_key(lake)
        # Not earlier: a load that had to wait is newer than the one that it waited for.
        now = (started_at() if callable(started_at) else started_at or datetime.now(UTC)).astimezone(UTC)
        load = Load(lake, name, run_id, now, connection, staging)
        load.workdir.mkdir()
        yield load
