"""A replay: quarantined records are read and judged again, and a trace is kept of those that leave the quarantine.

Belongs here: which records are read again, what became of each, and the counts. Not here: how they are read (see
`extract/quarantined.py` and each source's module), which checks judge the days and how it is requested (see
`assets/raw_replay.py`).

A replay is a load that reads the quarantine of some days instead of a landing zone. It only adds rows: a published row
stays unless a record of the same identity comes from a later path. Each record of the quarantine counts as read: it is
accepted, is a duplicate of a published one, or stays.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.lake.commit import FileChange
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.event_log_days import same_record
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import write_records
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS, REPLAY_COLUMNS
from engagement_assets.privacy.protection import protected_rows

# Texts are cut after 64 KiB or more, perhaps within a character.
_WHOLE_BELOW_BYTES = 64 * 1024 - 4
# What replaces bytes that are not UTF-8 in a text.
_UNREADABLE = "\ufffd"
# Reasons of records of which the quarantine has only the beginning.
_CUT_OFF = ("gzip_cut_off", "gzip_damaged", "line_too_long")
_DAY = f"coalesce(day, date '{WHOLE_DATASET_DAY}')"


@dataclass(frozen=True)
class Choice:
    """Which quarantined records to read; an empty text means all."""

    dataset: str = ""
    reason_code: str = ""


@dataclass(frozen=True)
class SourceTraits:
    """What the quarantined records of a source are like.

    `by_file`: a record may be a part of a document, which is read whole. `needs_header`: a line cannot be read without
    its header. `has_pseudonyms`: ids are pseudonyms now. The text must have pseudonyms too, since it is read as it is.
    """

    by_file: bool = False
    needs_header: bool = False
    has_pseudonyms: bool = False


@dataclass
class Replay:
    """The replay of a load's quarantined records; its temporary tables begin with `replay_`."""

    load: Load
    datasets: Sequence[Dataset]
    days: Sequence[date]
    choice: Choice
    traits: SourceTraits

    def records(self) -> list[QuarantinedRecord]:
        """The chosen records whose whole text is known, or whose file may still be there."""
        lake, connection = self.load.lake, self.load.connection
        files = lake.present(lake.quarantine_key(dataset, day) for dataset in self.datasets for day in self.days)
        chosen = "dataset = $dataset or $dataset = ''", "reason_code = $reason_code or $reason_code = ''"
        whole = f"""
            raw_text is not null
            and strlen(raw_text) < {_WHOLE_BELOW_BYTES}
            and not contains(raw_text, '{_UNREADABLE}')
            and reason_code not in {_CUT_OFF}
            and has_pseudonyms = {self.traits.has_pseudonyms}
            {"and header is not null" if self.traits.needs_header else ""}
            {"and position is null" if self.traits.by_file else ""}
        """
        connection.execute(
            f"""
            create temp table replay_records as
            select
                row_number() over (order by source_path, dataset, position nulls first, day) as number,
                'raw_' || source || '/' || dataset as dataset_key,
                *,
                ({chosen[0]}) and ({chosen[1]}) as is_chosen,
                {whole} as is_whole
            from {rows_of(files, QUARANTINE_COLUMNS)}
            """,
            {"dataset": self.choice.dataset, "reason_code": self.choice.reason_code},
        )
        # A document is read whole, so one of its records brings all of them.
        wanted = (
            "(source_path, day) in (select (source_path, day) from replay_records where is_chosen)"
            if self.traits.by_file
            else "is_chosen and is_whole"
        )
        rows = connection.execute(
            f"""
            select number, day, source_path, case when is_whole then raw_text end, header
            from replay_records where {wanted} order by number
            """
        ).fetchall()
        return [QuarantinedRecord(*row) for row in rows]

    def take(self, reread: Reread) -> list[date]:
        """Find out what became of each record.

        Returns:
            The days that change: those that a record leaves, and those to which one is added.
        """
        connection = self.load.connection
        numbers = [number for number, path in reread.paths.items() if path not in reread.elsewhere]
        connection.execute(
            """
            create temp table replay_paths as
            select number, path, records.* exclude (number)
            from (select unnest($numbers::bigint[]) as number, unnest($paths::varchar[]) as path)
            inner join replay_records as records using (number)
            """,
            {"numbers": numbers, "paths": [reread.paths[number] for number in numbers]},
        )
        for place, dataset in enumerate(self.datasets):
            day = "" if dataset.partitioned else f", date '{WHOLE_DATASET_DAY}' as day"
            connection.execute(
                f"create temp table replay_found_{place} as "
                f"select *{day} from ({reread.extraction.accepted[dataset.key]})"
            )
        self._find_losers()
        connection.execute(f"create temp table replay_rejects as {reread.extraction.rejected}")
        connection.execute(
            f"create temp table replay_counts as "
            f"select * replace ({_DAY} as day) from ({reread.extraction.counts}) where records_read > 0"
        )
        came = " union all ".join(
            f"select source_path as path, day from replay_found_{place} "
            "where source_path not in (select path from replay_losers)"
            for place in range(len(self.datasets))
        )
        is_same = "(rejects.dataset = paths.dataset_key and rejects.position is not distinct from paths.position)"
        connection.execute(
            f"""
            create temp table replay_left as
            select paths.*, came.accepted_on
            from replay_paths as paths
            left join (select path, min(day) as accepted_on from ({came}) group by path) as came using (path)
            where not exists (
                select 1 from replay_rejects as rejects
                where
                    rejects.source_path = paths.path
                    and {f"({is_same} or rejects.position is null)" if self.traits.by_file else "true"}
            )
            """
        )
        rows = connection.execute(
            "select day from replay_left union select accepted_on from replay_left where accepted_on is not null"
        ).fetchall()
        return sorted(day for (day,) in rows)

    def extraction(self, reread: Reread, days: Collection[date]) -> Extraction:
        """What the load stages of these days: the new rows, all that stays in quarantine, and the counts."""
        listed = ", ".join(f"date '{day}'" for day in days)
        in_days = f"{_DAY} in ({listed})"
        paths = "(select distinct path, source_path, quarantined_at from replay_paths)"
        accepted = {}
        for place, dataset in enumerate(self.datasets):
            values = {name: f"found.{name}" for name in dataset.columns} | {"source_path": "paths.source_path"}
            if "observed_on" in values:
                # A service's answer dates from when it was quarantined.
                values["observed_on"] = "cast(paths.quarantined_at as date)"
            if dataset.partitioned:
                values["day"] = "found.day"
            accepted[dataset.key] = f"""
                select {", ".join(f"{value} as {name}" for name, value in values.items())}
                from replay_found_{place} as found
                inner join {paths} as paths on found.source_path = paths.path
                where found.source_path not in (select path from replay_losers)
            """
        return Extraction(
            accepted=accepted,
            rejected=f"select * from ({self._rejected()}) where {in_days}",
            counts=f"select * from ({self._counts()}) where {in_days}",
            unknown_fields=f"select * from ({reread.extraction.unknown_fields}) where {in_days}",
        )

    def trace(self) -> FileChange:
        """The records that left the quarantine, added to those of other replays of the same day."""
        load = self.load
        key = load.lake.replays_key(load.name, load.started_at.date())
        earlier = load.lake.present([key])
        columns = [name for name in REPLAY_COLUMNS if name not in {"load_id", "run_id", "replayed_at"}]
        rows = load.connection.execute(
            f"""
            select {", ".join(columns)}
            from (
                select
                    * replace (nullif(accepted_on, date '{WHOLE_DATASET_DAY}') as accepted_on),
                    nullif(day, date '{WHOLE_DATASET_DAY}') as partition_date,
                    case when accepted_on is null then 'duplicate' else 'accepted' end as became
                from replay_left
            )
            order by number
            """
        ).fetchall()
        own = {
            "load_id": load.load_id,
            "run_id": load.run_id,
            "replayed_at": load.started_at.replace(tzinfo=None),
        }
        path = load.staging / "replayed.parquet"
        records = [{**dict(zip(columns, row, strict=True)), **own} for row in rows]
        write_records(load.connection, REPLAY_COLUMNS, records, path, earlier)
        return FileChange(key, path)

    def figures(self) -> dict[str, dict[str, int]]:
        """Per dataset: how many records were in quarantine, could be read again, left it, and were accepted."""
        rows = self.load.connection.execute(
            """
            select
                dataset_key,
                count(*),
                count(*) filter (where number in (select number from replay_paths)),
                count(*) filter (where number in (select number from replay_left)),
                count(*) filter (where number in (select number from replay_left where accepted_on is not null))
            from replay_records
            group by dataset_key
            """
        ).fetchall()
        counts_of = {key: counts for key, *counts in rows}
        names = ("in_quarantine_before", "put_through", "left_quarantine", "became_accepted")
        return {
            dataset.key: dict(zip(names, counts_of.get(dataset.key, [0] * len(names)), strict=True))
            for dataset in self.datasets
        }

    def _find_losers(self) -> None:
        """Make `replay_losers`: the paths whose record is already published, from a later path."""
        dataset = self.datasets[0]
        # Published ids may be pseudonyms.
        found = protected_rows(self.load.connection, dataset, "from replay_found_0", self.load.lake.policy)
        published = self.load.lake.present(self.load.lake.day_key(dataset, day) for day in self.days)
        self.load.connection.execute(
            f"""
            create temp table replay_losers as
            select distinct paths.path
            from ({found}) as found
            inner join replay_paths as paths on found.source_path = paths.path
            inner join {rows_of(published, dataset.columns)} as old on {same_record(dataset, "found", "old")}
            where old.source_path > paths.source_path
            """
        )

    def _rejected(self) -> str:
        """What was rejected again, under its first place; and what was not read again, unchanged."""
        own = ("position", "raw_text", "header", "has_pseudonyms")
        # A document may have other unusable parts than before; any other record is the one that was read again.
        columns = {name: f"paths.{name}" for name in own}
        if self.traits.by_file:
            columns |= {"position": "rejects.position", "raw_text": "rejects.raw_text"}
        again = f"""
            select distinct
                rejects.dataset, rejects.day, paths.source_path,
                {", ".join(f"{value} as {name}" for name, value in columns.items())},
                rejects.reason_code, rejects.message
            from replay_rejects as rejects
            inner join replay_paths as paths on rejects.source_path = paths.path
        """
        return f"""
            {again}
            union all
            select dataset_key, day, source_path, {", ".join(own)}, reason_code, message
            from replay_records
            where number not in (select number from replay_paths)
        """

    def _counts(self) -> str:
        """The counts of the extractor, and of records that it was not given; losers count as duplicates."""
        lost = " union all ".join(
            f"""
            select '{dataset.key}' as dataset, day, 0 as files, 0 as bytes, 0 as records_read, 0 as quarantined,
                count(*) as duplicates
            from replay_found_{place}
            where source_path in (select path from replay_losers)
            group by day
            """
            for place, dataset in enumerate(self.datasets)
        )
        return f"""
            select
                dataset, day, sum(files)::bigint as files, sum(bytes)::bigint as bytes,
                sum(records_read)::bigint as records_read, sum(quarantined)::bigint as quarantined,
                sum(duplicates)::bigint as duplicates
            from (
                select dataset, day, files, bytes, records_read, quarantined, duplicates from replay_counts
                union all
                {lost}
                union all
                select dataset_key, day, 0, 0, count(*), count(*), 0
                from replay_records
                where number not in (select number from replay_paths)
                group by dataset_key, day
            )
            group by dataset, day
        """
