"""Rewriting a lake so that its ids are what the settings say: pseudonyms under another key, or of more kinds.

Belongs here: which files are rewritten, and how. Not here: when a lake must be rewritten (`lake/pseudonym_key.py`), or
why old pseudonyms are hashed once more (docs/decisions/0016-changing-the-key.md).

Each load's files change in one commit. The mark of the lake says before the first commit what the ids become, and
after the last one what they are; a rewritten file names its pseudonyms in its metadata. So a rewriting that was killed
can go on, and no load runs in between.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.installation import PROGRAM
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import FileChange, commit, exclusive
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.erasure import apply_missing
from engagement_assets.lake.lake import Lake, day_of_key
from engagement_assets.lake.load_records import keep_records
from engagement_assets.lake.pseudonym_key import (
    Mark,
    OtherPseudonymKeyError,
    Pseudonyms,
    read_mark,
    refusal_of,
    write_mark,
)
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.privacy.policy import PrivacyPolicy, columns_of_kinds
from engagement_assets.privacy.pseudonyms import pseudonym, with_pseudonyms
from engagement_assets.privacy.redaction import Redactor, with_other_pseudonyms
from engagement_assets.privacy.rejected import record_hash
from engagement_assets.privacy.shapes import shapes_sql
from engagement_assets.sources import RAW_DATASETS, SENT_FIELDS

_LOAD = "rekey"
_METADATA = "pseudonyms"


@dataclass(frozen=True)
class RewrittenLoad:
    """The files of one load that were rewritten: how many, and their days, oldest first."""

    load_name: str
    files: int
    days: tuple[date, ...]


def rekey(lake: Lake, memory_limit: str = "2GB") -> Iterator[RewrittenLoad]:
    """Rewrite what is not as the lake's policy says, load by load; yields those of which files were rewritten.

    Whoever goes on with an interrupted rewriting is told all of it: no table can have followed it yet.

    Before, persons leave who were erased and are there again, such as in a lake from a backup: no tombstone knows what
    their pseudonyms become.

    Raises:
        OtherPseudonymKeyError: the policy's key does not continue the lake's, or hides less.
        ErasureKeyError: such persons are there, and ERASURE_KEY is not set or not theirs.
        LakeBusyError: a load or another rewriting is at work and did not end in time.
        LakeFullError: there is no room for the rewritten files of a load beside the old ones.
    """
    make_files_alike(lake)
    apply_missing(lake)
    with exclusive(lake, _LOAD):
        mark = read_mark(lake) or Mark(None)
        wanted = Pseudonyms.under(lake.policy)
        _refuse(lake, mark, wanted)
        if mark != Mark(wanted):
            write_mark(lake, Mark(mark.now, becomes=wanted))
        for load_name in dict.fromkeys(dataset.load_name for dataset in RAW_DATASETS):
            with exclusive(lake, load_name) as staging, lake.connect(memory_limit, staging / "spill") as connection:
                rewriting = _Rewriting(lake, connection, staging, mark.now)
                changes = [
                    change
                    for dataset in RAW_DATASETS
                    if dataset.load_name == load_name
                    for change in rewriting.changes(dataset)
                ]
                if changes:
                    commit(lake, load_name, changes)
            keys = [change.key for change in changes] + (rewriting.rewritten_before if mark.becomes else [])
            if keys:
                yield RewrittenLoad(load_name, len(keys), tuple(sorted({day_of_key(key) for key in keys})))
        if mark != Mark(wanted):
            write_mark(lake, Mark(wanted))


def _refuse(lake: Lake, mark: Mark, wanted: Pseudonyms) -> None:
    if mark.becomes not in (None, wanted):
        raise OtherPseudonymKeyError(
            f"`{PROGRAM} rekey` was interrupted when {lake.uri} got {mark.becomes}, found settings for {wanted}; "
            "expected the same. Run it with the settings of that time first"
        )
    if mark.now and (refusal := refusal_of(mark.now, lake.policy)):
        raise OtherPseudonymKeyError(f"{lake.uri} holds {mark.now}, which cannot become {wanted}. {refusal}")


class _Rewriting:
    """Stages files of one load. `found` is what the lake's ids are; None where an older version has not said so.

    `rewritten_before` gets the keys of files that are as they should be.
    """

    def __init__(
        self, lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Path, found: Pseudonyms | None
    ) -> None:
        self._lake, self._connection, self._staging, self._policy = lake, connection, staging, lake.policy
        self._is_unknown = found is None
        self._before, self._after = found or Pseudonyms(None, frozenset()), Pseudonyms.under(lake.policy)
        # What turns pseudonyms of the lake into those of the policy.
        self._added_links = (
            None
            if self._before.key_fingerprint == self._after.key_fingerprint
            else self._policy.links_after(self._before.key_fingerprint)
        )
        landed = sorted(self._policy.landed_unneeded)
        self.rewritten_before: list[str] = []
        self._target = json.dumps([self._after.key_fingerprint, sorted(self._after.kinds), landed])

    def changes(self, dataset: Dataset) -> Iterator[FileChange]:
        """The files of a dataset that are not as they should be, rewritten; its quarantine too, and what is held."""
        for key in self._lake.all_day_keys(dataset):
            if not (rows := self._rows(dataset, key)):
                continue
            if self._is_rewritten(key):
                self.rewritten_before.append(key)
            else:
                yield self._change(key, self._with_pseudonyms(dataset, rows))
        for key in self._lake.all_quarantine_keys(dataset) if self._added_links or self._passes(dataset) else ():
            if self._is_rewritten(key):
                self.rewritten_before.append(key)
            else:
                yield self._change(key, self._quarantine(dataset, key))

    def _quarantine(self, dataset: Dataset, key: str) -> str:
        """The query for a file of the quarantine with other pseudonyms.

        Texts that hold pseudonyms go, and so do those that the policy does not keep.
        """
        file = f"read_parquet({sql_text(self._lake.location(key))}, file_row_number = true, hive_partitioning = false)"
        rows = self._connection.execute(
            f"select file_row_number, record, raw_text, header, has_pseudonyms, record_hash from {file}"
        ).fetchall()
        # Of a text without a kept record, its ids are what the lake's are.
        redactor = Redactor(dataset, SENT_FIELDS[dataset.key], PrivacyPolicy(landed_unneeded=frozenset(PersonalKind)))
        passes = self._passes(dataset)
        rewritten = []
        for number, known, text, header, has_pseudonyms, known_hash in rows:
            is_raw = known is not None or not has_pseudonyms
            found_hash = known_hash
            if known is None and text is not None and is_raw:
                found_hash = record_hash(hashlib.sha256(text.encode()).hexdigest(), self._policy)
            elif known_hash and self._added_links:
                found_hash = pseudonym(self._added_links, known_hash)
            record = redactor.record(text, header) if known is None else known
            rewritten.append(
                {
                    "file_row_number": number,
                    "record": with_other_pseudonyms(record, dataset, redactor.sent, passes),
                    "raw_text": text if is_raw and self._policy.keeps_raw_text else None,
                    "record_hash": found_hash,
                }
            )
        own = {name: QUARANTINE_COLUMNS[name] for name in ("record", "raw_text", "record_hash")}
        keep_records(self._connection, {"file_row_number": "BIGINT", **own}, rewritten)
        values = {name: f"old.{name}" for name in QUARANTINE_COLUMNS} | {name: f"new.{name}" for name in own}
        selected = ", ".join(f"{value} as {name}" for name, value in {**values, "has_pseudonyms": "true"}.items())
        return f"select {selected} from {file} as old inner join records_to_write as new using (file_row_number)"

    def _rows(self, dataset: Dataset, key: str) -> str | None:
        """The query for a file's rows without what nobody needs; None if nothing of the file is to change."""
        replaced: dict[str, str] = {}
        # Nothing says what an older version has hidden in columns that no table needs.
        dropped = sorted(dataset.unneeded) if self._is_unknown else self._policy.not_landed(dataset)
        if self._has(key, " or ".join(f"{name} is not null" for name in dropped)):
            replaced |= dict.fromkeys(dropped, "cast(null as varchar)")
        # Older versions have kept values.
        if self._is_unknown and "_extra" in dataset.columns and self._has(key, "_extra is not null"):
            replaced["_extra"] = f"case when _extra is not null then {shapes_sql('_extra')} end"
        if not replaced and not any(columns for _, columns in self._passes(dataset)):
            return None
        values = (f"{replaced.get(name, name)} as {name}" for name in dataset.columns)
        return f"select {', '.join(values)} from {self._file(key)}"

    def _passes(self, dataset: Dataset) -> list[tuple[str, list[str]]]:
        """Keys, and the columns whose values are hashed with them."""
        before = set(columns_of_kinds(dataset, self._before.kinds))
        after = set(columns_of_kinds(dataset, self._after.kinds))
        passes = ((self._added_links, after & before), (self._policy.pseudonym_key, after - before))
        return [(key, sorted(columns)) for key, columns in passes if key and columns]

    def _with_pseudonyms(self, dataset: Dataset, rows: str) -> str:
        for number, (key, columns) in enumerate(self._passes(dataset)):
            query = with_pseudonyms(self._connection, key, rows, columns, ignore_case=dataset.ids_ignore_case)
            # At once: the next pass has another key.
            self._connection.execute(f"create or replace temp table rekeyed_{number} as {query}")
            rows = f"select * from rekeyed_{number}"
        return rows

    def _has(self, key: str, condition: str) -> bool:
        if not condition:
            return False
        found = self._connection.execute(f"select 1 from {self._file(key)} where {condition} limit 1")
        return found.fetchone() is not None

    def _is_rewritten(self, key: str) -> bool:
        metadata = f"parquet_kv_metadata({sql_text(self._lake.location(key))})"
        found = f"select decode(value) from {metadata} where decode(key) = '{_METADATA}'"
        return self._connection.execute(found).fetchone() == (self._target,)

    def _file(self, key: str) -> str:
        return f"read_parquet({sql_text(self._lake.location(key))}, hive_partitioning = false)"

    def _change(self, key: str, rows: str) -> FileChange:
        staged = self._staging / key
        staged.parent.mkdir(parents=True, exist_ok=True)
        metadata = f"kv_metadata {{{_METADATA}: {sql_text(self._target)}}}"
        self._connection.execute(f"copy ({rows}) to {sql_text(str(staged))} (format parquet, {metadata})")
        return FileChange(key, staged)
