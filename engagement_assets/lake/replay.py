"""A replay: quarantined records are read and judged again, and a trace is kept of those that leave the quarantine.

Belongs here: which records are read again, what became of each, and the counts. Not here: what is told of it
(`lake/replay_trace.py`), how records are read (`extract/quarantined.py`, `extract/lines/rebuilt_records.py`, each
source's module), which checks judge the days and how it is requested (`assets/raw_replay.py`).

A replay is a load that reads the quarantine of some days instead of a landing zone. It only adds rows: a published row
stays unless a record of the same identity comes from a later path. Each record of the quarantine counts as read: it is
accepted, is a duplicate of a published one, or stays.

The text of a record is that of its place in the landing file, if its hash proves it. Where the text was kept, as older
versions did, it is read as it is, and the file may be gone. A record that has neither stays, and the trace says so.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.lake.day_files import rows_of, sql_text
from engagement_assets.lake.event_log_days import same_record
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.record_columns import QUARANTINE_COLUMNS
from engagement_assets.privacy.rejected import is_hash_of

# Texts are cut after 64 KiB or more, perhaps within a character.
_WHOLE_BELOW_BYTES = 64 * 1024 - 4
# What replaces bytes that are not UTF-8 in a text.
_UNREADABLE = "\ufffd"
# Reasons of records of which the quarantine has only the beginning.
_CUT_OFF = ("gzip_cut_off", "gzip_damaged", "line_too_long")
# What versions before 0.3.0 hid in raw texts.
_PSEUDONYMS_OF_OLDER_VERSIONS = {PersonalKind.CHILD, PersonalKind.DEVICE}
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
    its header.
    """

    by_file: bool = False
    needs_header: bool = False


@dataclass
class Replay:
    """The replay of a load's quarantined records; its temporary tables begin with `replay_`."""

    load: Load
    datasets: Sequence[Dataset]
    days: Sequence[date]
    choice: Choice
    traits: SourceTraits

    def records(self) -> list[QuarantinedRecord]:
        """The chosen records, those with a text whose whole text was kept."""
        lake, connection = self.load.lake, self.load.connection
        files = lake.present(lake.quarantine_key(dataset, day) for dataset in self.datasets for day in self.days)
        chosen = "dataset = $dataset or $dataset = ''", "reason_code = $reason_code or $reason_code = ''"
        whole = f"""
            raw_text is not null
            and strlen(raw_text) < {_WHOLE_BELOW_BYTES}
            and not contains(raw_text, '{_UNREADABLE}')
            and reason_code not in {_CUT_OFF}
            and (record is not null or not has_pseudonyms or {lake.policy.pseudonym_key is not None})
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
            else "is_chosen"
        )
        rows = connection.execute(
            f"""
            select
                number, day, dataset_key, source_path, position, case when is_whole then raw_text end,
                case when record is null then header end, record_hash
            from replay_records where {wanted} order by number
            """
        ).fetchall()
        return [
            QuarantinedRecord(*(*known, partial(is_hash_of, kept, policy=lake.policy) if kept else None))
            for *known, kept in rows
        ]

    def take(self, reread: Reread) -> list[date]:
        """Find out what became of each record.

        Returns:
            The days that change: those that a record leaves, and those to which one is added.
        """
        connection, extraction = self.load.connection, self._protected(reread)
        connection.execute(
            "create temp table replay_rebuilt as select unnest($numbers::bigint[]) as number",
            {"numbers": list(reread.paths)},
        )
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
                f"create temp table replay_found_{place} as select *{day} from ({extraction.accepted[dataset.key]})"
            )
        self._find_losers()
        connection.execute(f"create temp table replay_rejects as {extraction.rejected}")
        connection.execute(f"create temp table replay_unknown_fields as {extraction.unknown_fields}")
        connection.execute(
            f"create temp table replay_counts as "
            f"select * replace ({_DAY} as day) from ({extraction.counts}) where records_read > 0"
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

    def extraction(self, days: Collection[date]) -> Extraction:
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
            unknown_fields=f"select * from replay_unknown_fields where {in_days}",
        )

    def _find_losers(self) -> None:
        """Make `replay_losers`: the paths whose record is already published, from a later path."""
        dataset = self.datasets[0]
        published = self.load.lake.present(self.load.lake.day_key(dataset, day) for day in self.days)
        self.load.connection.execute(
            f"""
            create temp table replay_losers as
            select distinct paths.path
            from replay_found_0 as found
            inner join replay_paths as paths on found.source_path = paths.path
            inner join {rows_of(published, dataset.columns)} as old on {same_record(dataset, "found", "old")}
            where old.source_path > paths.source_path
            """
        )

    def _protected(self, reread: Reread) -> Extraction:
        """What was read again, as a load keeps it. Ids that older versions kept as pseudonyms stay as they are."""
        load, policy = self.load, self.load.lake.policy
        known = load.connection.execute(
            "select number from replay_records where record is null and has_pseudonyms"
        ).fetchall()
        paths = [sql_text(reread.paths[number]) for (number,) in known if number in reread.paths]
        if not paths:
            return load.protected(reread.extraction)
        others = replace(policy, pseudonymized=policy.pseudonymized - _PSEUDONYMS_OF_OLDER_VERSIONS)
        as_they_are = load.protected(reread.extraction, others).accepted
        # Last, since its rejected records are those that count.
        extraction = load.protected(reread.extraction)
        is_known = f"source_path in ({', '.join(paths)})"
        accepted = {
            key: f"select * from ({rows}) where not {is_known} "
            f"union all by name select * from ({as_they_are[key]}) where {is_known}"
            for key, rows in extraction.accepted.items()
        }
        return replace(extraction, accepted=accepted)

    def _rejected(self) -> str:
        """What was rejected again, under its first place; and what was not read again, unchanged."""
        own = ("position", "raw_text", "header", "has_pseudonyms", "record", "record_hash")
        columns = {name: f"rejects.{name}" for name in own}
        # What was kept of a record stays with it: without its text, it could not be read again.
        columns |= {name: f"coalesce(records.{name}, rejects.{name})" for name in ("raw_text", "record_hash")}
        is_same = "records.path = rejects.source_path"
        if self.traits.by_file:
            # A document may have other unusable parts than before; any other record is the one that was read again.
            is_same += (
                " and records.dataset_key = rejects.dataset and records.position is not distinct from rejects.position"
            )
        else:
            columns["position"] = "records.position"
        again = f"""
            select
                rejects.dataset, rejects.day, paths.source_path,
                {", ".join(f"{value} as {name}" for name, value in columns.items())},
                rejects.reason_code, rejects.message
            from replay_rejects as rejects
            inner join (select distinct path, source_path from replay_paths) as paths
                on rejects.source_path = paths.path
            left join (
                select path, dataset_key, position, max(raw_text) as raw_text, max(record_hash) as record_hash
                from replay_paths group by all
            ) as records on {is_same}
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
