"""The files of one load rewritten without some records: days, held days, and the quarantines of both.

Belongs here: what changes, and the records of it. Not here: whose records go (`privacy/tombstones.py`), or when
(`lake/erasure.py`, `lake/deleted_activities.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.lake.commit import FileChange
from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.lake import Lake, day_of_key
from engagement_assets.lake.load_records import ERASED, held_records, partition_date, write_records
from engagement_assets.lake.record_columns import HELD_COLUMNS, LOAD_COLUMNS, QUARANTINE_COLUMNS
from engagement_assets.privacy.erasure import find_ids, in_found_ids
from engagement_assets.privacy.tombstones import ErasedPersons, followers_of, takes_all, tokens

_HELD = "held/"
# A file of one day can be published in one version and held in another, whose person is somebody else.
_OF_DOCUMENT = "(day, source_path, is_held) in (select (day, source_path, is_held) from erasure_documents)"


@dataclass
class _Gone:
    """What leaves one day of a dataset, published or held: `own` of it came with the load that is held."""

    rows: int = 0
    rejects: int = 0
    own_rows: int = 0
    own_rejects: int = 0


@dataclass
class Rewrite:
    """Takes records out of what a load has written, for one request; staged files lie in `folder`.

    After `finished`, `gone` counts what left, and `gone_held` what of it left held days.
    """

    lake: Lake
    connection: duckdb.DuckDBPyConnection
    name: str
    datasets: Sequence[Dataset]
    request: str
    folder: Path
    gone: int = field(default=0, init=False)
    gone_held: int = field(default=0, init=False)
    _gone: dict[tuple[str, date, bool], _Gone] = field(default_factory=dict, init=False)
    _changes: list[FileChange] = field(default_factory=list, init=False)

    def rewrite_days(self, dataset: Dataset, is_gone: str) -> None:
        """Rewrite the days with a row for which the SQL `is_gone` holds; it may ask for `is_held` too."""
        for key in self.lake.all_day_keys(dataset):
            day, is_held = day_of_key(key), key.startswith(_HELD)
            rows = f"(select *, {is_held} as is_held from {rows_of([self.lake.location(key)], dataset.columns)})"
            own = f"extracted_at = {self._held_at(day)}" if is_held else "false"
            counted = self.connection.execute(
                f"select count(*), count(*) filter (where {own}) from {rows} where {is_gone}"
            ).fetchall()
            gone, gone_own = counted[0]
            if not gone:
                continue
            kept = f"select {', '.join(dataset.columns)} from {rows} where not ({is_gone})"
            self._changes.append(FileChange(key, self._written(key, kept)))
            of_day = self._gone.setdefault((dataset.key, day, is_held), _Gone())
            of_day.rows, of_day.own_rows = gone, gone_own

    def rewrite_quarantine(
        self, dataset: Dataset, is_gone: str, is_text_gone: Callable[[str], bool] = lambda _text: False
    ) -> None:
        """Rewrite the quarantines with a record for which the SQL `is_gone` holds, or `is_text_gone` of its texts.

        `is_gone` may ask for `is_held` too.
        """
        for key in self.lake.all_quarantine_keys(dataset):
            day, is_held = day_of_key(key), key.startswith(_HELD)
            own = f"quarantined_at = {self._held_at(day)}" if is_held else "false"
            file = (
                f"read_parquet([{sql_text(self.lake.location(key))}], file_row_number = true, "
                "hive_partitioning = true, hive_types = {'day': date})"
            )
            rows = self.connection.execute(
                f"select file_row_number, concat_ws(' ', raw_text, record), {is_gone}, {own} "
                f"from (select *, {is_held} as is_held from {file})"
            ).fetchall()
            gone = {number: is_own for number, text, is_it, is_own in rows if is_it or (text and is_text_gone(text))}
            if not gone:
                continue
            listed = ", ".join(map(str, sorted(gone)))
            kept = f"select {', '.join(QUARANTINE_COLUMNS)} from {file} where file_row_number not in ({listed})"
            # A day without rejected records has no file.
            staged = self._written(key, kept) if len(gone) < len(rows) else None
            self._changes.append(FileChange(key, staged))
            of_day = self._gone.setdefault((dataset.key, day, is_held), _Gone())
            of_day.rejects, of_day.own_rejects = len(gone), sum(gone.values())

    def remove(self, key: str) -> None:
        """Remove a key of the lake, if it is there."""
        if self.lake.exists(key):
            self._changes.append(FileChange(key, None))

    def finished(self) -> list[FileChange]:
        """The commit, with its records; empty if nothing is to change."""
        if not self._changes:
            return []
        self._record()
        # It names landing files and their days; the next load reads all files of its days again, and so finds other
        # persons' copies of what is gone.
        self.remove(f"index/{self.name}.json")
        return self._changes

    def _written(self, key: str, query: str) -> Path:
        path = self.folder / "rewritten" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection.execute(f"copy ({query}) to {sql_text(str(path))} (format parquet)")
        return path

    def _held_at(self, day: date) -> str:
        """When the load began that is held of a day, as an SQL literal; before all loads if a kill took its record."""
        held = self._held_records(day)
        return f"timestamp '{held[0]['held_at'] if held else '-infinity'}'"

    def _held_records(self, day: date) -> list[dict[str, Any]]:
        return held_records(self.connection, self.lake, self.name, [day]).get(day, [])

    def _record(self) -> None:
        """The records of rewritten days; a held day's own record changes, and is what a release will publish."""
        now = datetime.now(UTC)
        published = []
        for dataset in self.datasets:
            for (key, day, is_held), gone in self._gone.items():
                if key == dataset.key and not is_held:
                    published.append(self._record_of(dataset, day, gone, now))
        if published:
            key = self.lake.loads_key(self.name, self.lake.day_of_load_records(now.date()), self.request)
            path = self.folder / "loads.parquet"
            write_records(self.connection, LOAD_COLUMNS, published, path, self.lake.present([key]))
            self._changes.append(FileChange(key, path))
        for day in sorted({day for _, day, is_held in self._gone if is_held}):
            records = [self._held_record(record, day) for record in self._held_records(day)]
            if not records:
                continue
            path = self.folder / "held" / f"{day}.parquet"
            path.parent.mkdir(exist_ok=True)
            write_records(self.connection, HELD_COLUMNS, records, path, [])
            self._changes.append(FileChange(self.lake.held_record_key(self.name, day), path))
        for (_, _, is_held), of_day in self._gone.items():
            self.gone += of_day.rows + of_day.rejects
            self.gone_held += (of_day.rows + of_day.rejects) * is_held

    def _record_of(self, dataset: Dataset, day: date, gone: _Gone, now: datetime) -> dict[str, Any]:
        """What an erasure found on a day: all that lay there was read, and is accepted, quarantined or erased."""
        rows = self._count(self.lake.day_key(dataset, day)) - gone.rows
        rejects = self._count(self.lake.quarantine_key(dataset, day)) - gone.rejects
        return {
            "load_id": self.request,
            "run_id": self.request,
            "source": dataset.source,
            "dataset": dataset.name,
            "partition_date": partition_date(day),
            "status": ERASED,
            "files": 0,
            "bytes": 0,
            "records_read": rows + rejects + gone.rows + gone.rejects,
            "accepted": rows,
            "quarantined": rejects,
            "duplicates": 0,
            "erased": gone.rows + gone.rejects,
            "rows_in_day": rows,
            "seconds": 0.0,
            "loaded_at": now.replace(tzinfo=None),
        }

    def _held_record(self, record: dict[str, Any], day: date) -> dict[str, Any]:
        gone = self._gone.get((f"raw_{record['source']}/{record['dataset']}", day, True), _Gone())
        return {
            **record,
            "accepted": record["accepted"] - gone.own_rows,
            "quarantined": record["quarantined"] - gone.own_rejects,
            "erased": (record["erased"] or 0) + gone.own_rows + gone.own_rejects,
            "rows_in_day": record["rows_in_day"] - gone.rows,
        }

    def _count(self, key: str) -> int:
        if not self.lake.exists(key):
            return 0
        counted = self.connection.execute(
            f"select count(*) from read_parquet({sql_text(self.lake.location(key))})"
        ).fetchall()
        return int(counted[0][0])


@dataclass
class RewriteWithoutPersons(Rewrite):
    """Takes erased persons out; `found` has the ids by which they were recognised."""

    erased: ErasedPersons = field(kw_only=True)
    found: set[tuple[PersonalKind, str]] = field(default_factory=set, init=False)

    def changes(self) -> list[FileChange]:
        """The commit; empty if nothing names the persons."""
        self.connection.execute(
            "create or replace temp table erasure_documents (day date, source_path varchar, is_held boolean)"
        )
        is_taken = takes_all(self.erased.kinds(self.datasets[0].source))
        owners = {follower.key: owner for owner in self.datasets for follower in followers_of(owner, self.datasets)}
        for dataset in self.datasets:
            if is_taken:
                self.rewrite_days(dataset, "true")
            elif dataset.key not in owners:
                self._rewrite_owner(dataset, keeps_documents=dataset in owners.values())
        for dataset in self.datasets:
            if not is_taken and dataset.key in owners:
                self.rewrite_days(dataset, _OF_DOCUMENT)
            by_document = _OF_DOCUMENT if dataset.key in owners or dataset in owners.values() else "false"
            self.rewrite_quarantine(
                dataset, "true" if is_taken else by_document, partial(self._names_erased, dataset.source)
            )
        if is_taken:
            self.remove(self.lake.places_key(self.name))
        return self.finished()

    def _rewrite_owner(self, dataset: Dataset, *, keeps_documents: bool) -> None:
        """Rewrite the days that name a person; `keeps_documents` for the datasets that follow this one."""
        keys = self.lake.all_day_keys(dataset)
        rows = rows_of([self.lake.location(key) for key in keys], dataset.columns)
        found = find_ids(self.connection, dataset, f"select * from {rows}", self.erased)
        if not found:
            return
        self.found |= set(found)
        is_erased = in_found_ids(dataset, self.erased)
        for is_held in (False, True) if keeps_documents else ():
            files = [self.lake.location(key) for key in keys if key.startswith(_HELD) == is_held]
            self.connection.execute(
                f"insert into erasure_documents select distinct day, source_path, {is_held} "
                f"from {rows_of(files, dataset.columns)} where {is_erased}"
            )
        self.rewrite_days(dataset, is_erased)

    def _names_erased(self, source: str, text: str) -> bool:
        in_text = tokens(text)
        found = {
            (kind, value) for kind in self.erased.kinds(source) for value in self.erased.among(source, kind, in_text)
        }
        self.found |= found
        return bool(found)


def remove_pages(lake: Lake, name: str) -> None:
    """Remove the pages that a load keeps until it is published; the next try reads them again."""
    pages = lake.pages_folder(name)
    for page in pages.rglob("*") if pages.is_dir() else ():
        if page.is_file():
            page.unlink()
