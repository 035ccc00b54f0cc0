"""One load of a source: staged, judged, then published or held, day by day.

Belongs here: turning an extraction into the days of the lake, the quarantine and the record of the
load. Not here: how a source is read (see `extract/`), what judges a day (see `checks/standard.py`),
how files are written by day (`lake/day_files.py`), where they lie (`lake/lake.py`), what is read again of the records
(`lake/load_records.py`) or of the days that are known (`lake/known_records.py`).
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import RAW_DATASETS, Dataset
from engagement_assets.contracts.extraction import DayWindow, Extraction
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.day_files import (
    day_file,
    rows_of,
    write_days,
    write_empty_file,
)
from engagement_assets.lake.event_log_days import leave_out_older_versions, not_read_now, rows_with_known_ones
from engagement_assets.lake.extraction_tables import keep_counts, keep_first_times, keep_rejects, refuse_strays
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, FileChange, Lake
from engagement_assets.lake.load_records import (
    DayCounts,
    Record,
    day_records,
    held_day_records,
    held_records,
    keep_records,
    write_records,
)
from engagement_assets.lake.record_columns import HELD_COLUMNS, LOAD_COLUMNS, QUARANTINE_COLUMNS
from engagement_assets.shown_text import markdown_table

_DATASETS_BY_KEY = {dataset.key: dataset for dataset in RAW_DATASETS}


class PrunedDayError(ValueError):
    """A day is to be loaded that retention has removed."""


@dataclass
class Load:
    """A load at work; made by `open_load`."""

    lake: Lake
    name: str
    run_id: str
    started_at: datetime
    connection: duckdb.DuckDBPyConnection
    _staging: Path
    _started: float = field(default_factory=time.monotonic, init=False)
    _days: list[date] = field(default_factory=list, init=False)
    _datasets: list[Dataset] = field(default_factory=list, init=False)
    _days_with_rejects: dict[str, set[date]] = field(default_factory=dict, init=False)

    @property
    def workdir(self) -> Path:
        """A folder for what the extractor writes; it goes when the load ends."""
        return self._staging / "work"

    @property
    def staging(self) -> Path:
        """The load's folder; what lies there can be committed."""
        return self._staging

    @property
    def days(self) -> list[date]:
        """The days that were staged, oldest first; one that is no day for a dataset without any."""
        return self._days

    @property
    def load_id(self) -> str:
        """What names this load in every record of it."""
        return f"{self.name}-{self.started_at:%Y%m%dT%H%M%S%f}"

    def stage(
        self,
        extraction: Extraction,
        window: DayWindow | None,
        *,
        forget: bool = False,
        take_over_held: bool = False,
    ) -> None:
        """Stage the window's days, whole: an event log keeps its rows that were not read again.

        `window` is None for a dataset without days. Every day gets a file, also one without rows:
        read and empty is not the same as not read. `forget` drops what an event log kept from
        files that have gone; it is for those who have been told that this is meant.
        `take_over_held` keeps, too, what only a held day of an event log has, from files that have gone since.

        Raises:
            ValueError: the extraction holds records of a day or a dataset that it does not load.
            PrunedDayError: a day was removed when it was old enough.
        """
        self._take(extraction, window.days() if window else [WHOLE_DATASET_DAY])
        self._refuse_pruned_days()
        for dataset in self._datasets:
            keep = dataset.append_only and not forget
            take_over = keep and take_over_held
            self._write_accepted(dataset, extraction.accepted[dataset.key], keep=keep, take_over_held=take_over)
            self._write_rejected(dataset, keep=keep, take_over_held=take_over)

    def stage_additions(self, extraction: Extraction, days: Sequence[date]) -> None:
        """Write days aside that keep what is published of them, with the rows that the extraction adds.

        Of two rows for one record the new one stays. The quarantine is that of the extraction.

        Raises:
            ValueError: the extraction holds records of a day or a dataset that it does not load.
        """
        self._take(extraction, days)
        for dataset in self._datasets:
            # A document that is read again replaces all that was published of it.
            kept_by = dataset if dataset.append_only else replace(dataset, identity=dataset.identity[:1])
            self._write_accepted(kept_by, extraction.accepted[dataset.key], keep=True, take_over_held=False)
            self._write_rejected(dataset, keep=False, take_over_held=False)

    def _take(self, extraction: Extraction, days: Sequence[date]) -> None:
        self._days = list(days)
        self._datasets = [_DATASETS_BY_KEY[key] for key in extraction.accepted]
        keep_rejects(self.connection, extraction, self.run_id, self.now)
        keep_counts(self.connection, extraction)
        refuse_strays(self.connection, self._datasets, self._days)
        for dataset in self._datasets:
            known = self._present(dataset, self.lake.quarantine_key) + self._present(dataset, self._held_quarantine_key)
            keep_first_times(self.connection, dataset, known)

    def _refuse_pruned_days(self) -> None:
        for dataset in self._datasets:
            if pruned := self.lake.pruned_days(dataset, self._days):
                mark = self.lake.location(self.lake.pruned_key(dataset, pruned[0]))
                raise PrunedDayError(
                    f"{dataset.key} of {pruned[0]} ({len(pruned)} such days) was removed by RAW_RETENTION_DAYS; the "
                    "tables still hold it, and what the landing zone has now may be less. Leave the day out of the "
                    f"range; to load it all the same, remove {mark}"
                )

    def counts(self) -> list[DayCounts]:
        """The counts per dataset and day; accepted and quarantined as they are staged, not as announced."""
        return [
            DayCounts(dataset.key, *row)
            for dataset in self._datasets
            for row in self.connection.execute(self._counts_query(dataset)).fetchall()
        ]

    def unknown_fields(self) -> dict[str, dict[date, dict[str, int]]]:
        """Per dataset and day the fields that no contract names, and how many records hold each."""
        found: dict[str, dict[date, dict[str, int]]] = {}
        rows = self.connection.execute(
            "select dataset, day, field, records from load_unknown_fields order by all"
        ).fetchall()
        for dataset, day, name, records in rows:
            found.setdefault(dataset, {}).setdefault(day, {})[name] = records
        return found

    def placeholders(self, dataset: Dataset) -> dict[str, int]:
        """Per field how many of its values were what a device writes for "none", and became NULL."""
        rows = self.connection.execute(
            "select field, sum(records)::bigint from load_placeholders where dataset = $key group by all order by all",
            {"key": dataset.key},
        ).fetchall()
        return dict(rows)

    def preview(self, dataset: Dataset, rows: int) -> str:
        """The first staged rows as a Markdown table, without personal columns."""
        names = [name for name in dataset.columns if name not in dataset.personal_columns]
        first = f"order by day, {', '.join(dataset.identity)} limit {rows}"
        query = f"select {', '.join(names)} from {self.staged_rows(dataset)} {first}"
        return markdown_table(names, self.connection.execute(query).fetchall())

    def staged_path(self, dataset: Dataset, day: date) -> Path:
        """The staged file of one day."""
        return day_file(self._staging / dataset.key, day)

    def publish(self, held: Mapping[date, Mapping[str, str]]) -> None:
        """Make the good days visible; keep the `held` ones aside, with what failed: a check's name → its sentence.

        A day is published or held for all datasets of the load together, and its quarantine with
        it. Everything becomes visible in one commit: days, quarantine and the records of the load.
        """
        records = day_records(self.counts(), self.unknown_fields(), held)
        changes: list[FileChange] = []
        for day in self._days:
            # Where changes are made one by one, a day must not pass for held whose content is not what was held.
            if day not in held:
                changes.append(FileChange(self.lake.held_record_key(self.name, day), None))
            for dataset in self._datasets:
                for key, written in (
                    (self.lake.day_key(dataset, day), self.staged_path(dataset, day)),
                    (self.lake.quarantine_key(dataset, day), self._rejected_path(dataset, day)),
                ):
                    held_key = self.lake.held_key(key)
                    if day in held:
                        changes.append(FileChange(held_key, written))
                    else:
                        changes += [FileChange(key, written), FileChange(held_key, None)]
        changes += self._records_of_held_days(held, records)
        changes.append(self.record_of_load(records))
        self.lake.commit(self.name, changes)

    def publish_additions(self, trace: FileChange) -> None:
        """Make visible what `stage_additions` wrote, with `trace`, in one commit; what is held of these days stays."""
        changes: list[FileChange] = []
        for day in self._days:
            for dataset in self._datasets:
                changes.append(FileChange(self.lake.day_key(dataset, day), self.staged_path(dataset, day)))
                changes.append(FileChange(self.lake.quarantine_key(dataset, day), self._rejected_path(dataset, day)))
        records = [
            {**record, "status": "replayed"} for record in day_records(self.counts(), self.unknown_fields(), held={})
        ]
        self.lake.commit(self.name, [*changes, trace, self.record_of_load(records)])

    def _write_accepted(self, dataset: Dataset, accepted: str, *, keep: bool, take_over_held: bool) -> None:
        rows = accepted
        if not dataset.partitioned:
            rows = f"select *, date '{WHOLE_DATASET_DAY}' as day from ({accepted})"
        published = self._present(dataset, self.lake.day_key) if keep else []
        held = self._present(dataset, self._held_day_key) if take_over_held else []
        if published or held:
            self.connection.execute(f"create or replace temp table load_new_rows as {rows}")
            if not dataset.partitioned:
                leave_out_older_versions(self.connection, dataset, "load_new_rows", [*held, *published])
            rows = rows_with_known_ones(self.connection, dataset, "load_new_rows", held, published)
        folder = self._staging / dataset.key
        written = write_days(self.connection, rows, dataset.columns, self._days, folder)
        empty = folder / "empty.parquet"
        write_empty_file(self.connection, dataset.columns, empty)
        for day in self._days:
            if day not in written:
                path = self.staged_path(dataset, day)
                path.parent.mkdir()
                shutil.copyfile(empty, path)

    def _write_rejected(self, dataset: Dataset, *, keep: bool, take_over_held: bool) -> None:
        """The day's rejected records; of an event log also known ones of files that were not read now."""
        known = self._present(dataset, self.lake.quarantine_key) if keep else []
        if take_over_held:
            # What is held of a day has taken over what was published of it.
            held_days = [day for day in self._days if self.lake.exists(self._held_day_key(dataset, day))]
            held = self._present(dataset, self._held_quarantine_key)
            superseded = {self.lake.location(self.lake.quarantine_key(dataset, day)) for day in held_days}
            known = [file for file in known if file not in superseded] + held
        columns = ", ".join(QUARANTINE_COLUMNS)
        self._days_with_rejects[dataset.key] = write_days(
            self.connection,
            f"""
            select {columns}, day from load_rejects
            where dataset_key = '{dataset.key}'
            union all
            select {columns}, day from {rows_of(known, QUARANTINE_COLUMNS)} as known
            where {not_read_now("known")}
            """,
            QUARANTINE_COLUMNS,
            self._days,
            self._rejected_folder(dataset),
        )

    def _held_day_key(self, dataset: Dataset, day: date) -> str:
        return self.lake.held_key(self.lake.day_key(dataset, day))

    def _held_quarantine_key(self, dataset: Dataset, day: date) -> str:
        return self.lake.held_key(self.lake.quarantine_key(dataset, day))

    def _rejected_folder(self, dataset: Dataset) -> Path:
        return self._staging / "rejected" / dataset.key

    def _rejected_path(self, dataset: Dataset, day: date) -> Path | None:
        if day not in self._days_with_rejects[dataset.key]:
            return None
        return day_file(self._rejected_folder(dataset), day)

    def _present(self, dataset: Dataset, key_of: Callable[[Dataset, date], str]) -> list[str]:
        """Where the lake holds the window's days of a dataset, or their quarantine."""
        keys = (key_of(dataset, day) for day in self._days)
        return [self.lake.location(key) for key in keys if self.lake.exists(key)]

    def staged_rows(self, dataset: Dataset) -> str:
        """The rows that are staged, as SQL for a table."""
        files = [str(self.staged_path(dataset, day)) for day in self._days]
        return rows_of(files, dataset.columns)

    def _counts_query(self, dataset: Dataset) -> str:
        rejected = [self._rejected_path(dataset, day) for day in self._days]
        rejected_files = [str(path) for path in rejected if path is not None]
        return f"""
            with

            staged_rows as (
                select
                    day,
                    count(*) as staged_rows,
                    count(*) filter (where extracted_at = {self.now}) as accepted
                from {self.staged_rows(dataset)}
                group by day
            ),

            staged_rejects as (
                select day, count(*) as quarantined
                from {rows_of(rejected_files, QUARANTINE_COLUMNS)}
                where quarantined_at = {self.now}
                group by day
            ),

            found as (
                select * from load_counts where dataset_key = '{dataset.key}'
            ),

            days as (
                select unnest({[str(day) for day in self._days]}::date[]) as day
            )

            select
                days.day,
                coalesce(found.files, 0),
                coalesce(found.bytes, 0),
                coalesce(found.records_read, 0),
                coalesce(staged_rows.accepted, 0),
                coalesce(staged_rejects.quarantined, 0),
                coalesce(found.duplicates, 0),
                coalesce(staged_rows.staged_rows, 0)
            from days
            left join found on days.day = found.day
            left join staged_rows on days.day = staged_rows.day
            left join staged_rejects on days.day = staged_rejects.day
            order by days.day
        """

    @property
    def now(self) -> str:
        """The time of the load as an SQL literal: it marks the rows and rejects of this load."""
        return f"timestamp '{self._loaded_at.isoformat(sep=' ')}'"

    def record_of_load(self, records: Sequence[Record]) -> FileChange:
        """The records of this load, added to what the same day's loads of this name recorded."""
        key = self.lake.loads_key(self.name, self.lake.day_of_load_records(self.started_at.date()))
        earlier = [self.lake.location(key)] if self.lake.exists(key) else []
        path = self._staging / "loads.parquet"
        seconds = time.monotonic() - self._started
        own = {"load_id": self.load_id, "run_id": self.run_id, "seconds": seconds, "loaded_at": self._loaded_at}
        write_records(self.connection, LOAD_COLUMNS, [{**record, **own} for record in records], path, earlier)
        return FileChange(key, path)

    def _records_of_held_days(
        self, held: Mapping[date, Mapping[str, str]], records: Sequence[Record]
    ) -> list[FileChange]:
        """What is written down of each held day; the time since which it is held stays when it is held again."""
        days = [day for day in self._days if day in held]
        if not days:
            return []
        rows = held_day_records(
            records,
            held,
            held_records(self.connection, self.lake, self.name, days),
            {"load_id": self.load_id, "run_id": self.run_id, "held_at": self._loaded_at},
        )
        keep_records(self.connection, {**HELD_COLUMNS, "day": "DATE"}, rows)
        folder = self._staging / "held"
        write_days(self.connection, "select * from records_to_write", HELD_COLUMNS, days, folder)
        return [FileChange(self.lake.held_record_key(self.name, day), day_file(folder, day)) for day in days]

    @property
    def _loaded_at(self) -> datetime:
        """The time of the load as DuckDB's timestamps have it, naive and UTC."""
        return self.started_at.replace(tzinfo=None)


@contextmanager
def open_load(
    lake: Lake,
    name: str,
    *,
    run_id: str,
    memory_limit: str = "2GB",
    started_at: datetime | None = None,
) -> Iterator[Load]:
    """Begin the only load called `name` at this time; nothing is visible before `Load.publish`.

    Args:
        lake: Where the load goes.
        name: What is loaded together, such as `runna` or `lingokids_users`.
        run_id: Who loads, kept in every record.
        memory_limit: What DuckDB may take before it spills.
        started_at: The time of the load, kept as `extracted_at` (UTC) in every row, and unlike
            that of any other load of this name; now, unless told.

    Raises:
        LakeBusyError: another process is at this load, and did not end in time.
        UnknownColumnsError: a newer version of this project wrote the lake.
    """
    make_files_alike(lake)
    with (
        lake.exclusive(name) as staging,
        lake.connect(memory_limit, staging / "spill") as connection,
    ):
        # Not before: a load that had to wait is newer than the one that it waited for.
        now = (started_at or datetime.now(UTC)).astimezone(UTC)
        load = Load(lake, name, run_id, now, connection, staging)
        load.workdir.mkdir()
        yield load
