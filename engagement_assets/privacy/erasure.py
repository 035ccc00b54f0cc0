"""What a load leaves out of an extraction because somebody was erased.

Belongs here: records of erased persons in accepted rows, in their copies and in rejected records, and their counts. Not
here: how an id is recognised (`tombstones.py`), or what the lake already holds (`lake/erasure.py`).

Two records of one identity may belong to two persons. An extraction hands over the one that stays; if that is an erased
person's, the best of the others takes its place, as if the erased person's had never arrived.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.privacy.tombstones import ErasedPersons, columns_of, followers_of, takes_all

_ROWS_AT_A_TIME = 10_000


def without_erased(
    connection: duckdb.DuckDBPyConnection,
    extraction: Extraction,
    datasets: Mapping[str, Dataset],
    erased: ErasedPersons,
) -> Extraction:
    """The extraction without records of erased persons; its counts say how many these were.

    Rows of a document follow it: a lap names no person, but has the `source_path` of its activity.
    """
    loaded = {key: datasets[key] for key in extraction.accepted}
    if not any(erased.kinds(dataset.source) for dataset in loaded.values()):
        return extraction
    connection.execute(
        "create or replace temp table erasure_counts (dataset varchar, day date, erased bigint, lost bigint)"
    )
    connection.execute("create or replace temp table erasure_documents (day date, source_path varchar)")
    found = _Filter(connection, extraction, erased)
    accepted = dict(extraction.accepted)
    owners = [dataset for dataset in loaded.values() if columns_of(dataset, erased.kinds(dataset.source))]
    for dataset in loaded.values():
        if takes_all(erased.kinds(dataset.source)):
            accepted[dataset.key] = found.without(dataset, "true")
    by_document: list[str] = []
    for owner in owners:
        if (is_erased := found.names_erased(owner)) is None:
            continue
        accepted[owner.key] = found.without(owner, is_erased)
        for follower in followers_of(owner, loaded.values()):
            found.note_documents(owner, is_erased)
            accepted[follower.key] = found.of_kept_documents(follower, accepted[owner.key])
            by_document += [owner.key, follower.key]
    rejected = found.rejected(loaded, by_document)
    return replace(
        extraction,
        accepted=accepted,
        copies={},
        rejected=rejected,
        counts=f"""
            select counts.* replace (counts.duplicates - coalesce(gone.lost, 0) as duplicates),
                cast(coalesce(gone.erased, 0) as bigint) as erased
            from ({extraction.counts}) as counts
            left join (
                select dataset, day, sum(erased) as erased, sum(lost)::bigint as lost from erasure_counts group by all
            ) as gone on counts.dataset = gone.dataset and counts.day is not distinct from gone.day
        """,
    )


def find_ids(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: str, erased: ErasedPersons
) -> list[tuple[PersonalKind, str]]:
    """Make `erasure_ids`: the ids of erased persons in a query's rows. Each different id is hashed once."""
    connection.execute("create or replace temp table erasure_ids (kind varchar, id varchar)")
    columns = columns_of(dataset, erased.kinds(dataset.source))
    if not columns:
        return []
    # The query is evaluated once, however many columns have ids.
    listed = ", ".join(f"{{'kind': '{kind}', 'id': {name}}}" for name, kind in columns.items())
    cursor = connection.execute(
        f"select distinct named.kind, named.id from (select unnest([{listed}]) as named from ({rows})) "
        "where named.id is not null"
    )
    ids: list[tuple[PersonalKind, str]] = []
    while found := cursor.fetchmany(_ROWS_AT_A_TIME):
        for kind in {kind for kind, _ in found}:
            candidates = [value for of_kind, value in found if of_kind == kind]
            ids += [(PersonalKind(kind), value) for value in erased.among(dataset.source, kind, candidates)]
    if ids:
        connection.execute(
            "insert into erasure_ids select unnest($kinds::varchar[]), unnest($ids::varchar[])",
            {"kinds": [kind for kind, _ in ids], "ids": [value for _, value in ids]},
        )
    return ids


def in_found_ids(dataset: Dataset, erased: ErasedPersons) -> str:
    """SQL for whether a row names one of the persons that `find_ids` has found."""
    return " or ".join(
        f"coalesce({name} in (select id from erasure_ids where kind = '{kind}'), false)"
        for name, kind in columns_of(dataset, erased.kinds(dataset.source)).items()
    )


@dataclass(frozen=True)
class _Filter:
    """What is erased of one extraction, in temporary tables that begin with `erasure_`."""

    connection: duckdb.DuckDBPyConnection
    extraction: Extraction
    erased: ErasedPersons

    def _rows(self, dataset: Dataset) -> str:
        """The accepted rows and their copies, with the `place` of each among the rows of its identity."""
        day = "" if dataset.partitioned else ", null::date as day"
        rows = f"select *, 1 as place{day} from ({self.extraction.accepted[dataset.key]})"
        if copies := self.extraction.copies.get(dataset.key):
            rows = f"{rows} union all by name select *{day} from ({copies})"
        return rows

    def names_erased(self, dataset: Dataset) -> str | None:
        """SQL for whether a row names an erased person; None if no row does."""
        found = find_ids(self.connection, dataset, self._rows(dataset), self.erased)
        return in_found_ids(dataset, self.erased) if found else None

    def without(self, dataset: Dataset, is_erased: str) -> str:
        """The rows to accept: no erased one, but the best copy in its place if another person has one."""
        self._count(dataset, is_erased)
        accepted = self.extraction.accepted[dataset.key]
        kept = f"select * from ({accepted}) where not ({is_erased})"
        if not (copies := self.extraction.copies.get(dataset.key)):
            return kept
        identity = ", ".join([*dataset.identity, *(["day"] if dataset.partitioned else [])])
        return f"""
            {kept}
            union all by name
            select * exclude (place) from ({copies})
            where not ({is_erased}) and ({identity}) in (select ({identity}) from ({accepted}) where {is_erased})
            qualify row_number() over (partition by {identity} order by place) = 1
        """

    def note_documents(self, dataset: Dataset, is_erased: str) -> None:
        """Remember the documents of erased rows."""
        self.connection.execute(
            f"""
            create or replace temp table erasure_documents as
            select distinct day, source_path from ({self._rows(dataset)}) where {is_erased}
            """
        )

    def of_kept_documents(self, follower: Dataset, accepted: str) -> str:
        """The rows of `follower` whose document is that of an `accepted` row."""
        kept = f"(day, source_path) in (select (day, source_path) from ({accepted}))"
        gone = "(day, source_path) in (select (day, source_path) from erasure_documents)"
        self.connection.execute(
            f"""
            insert into erasure_counts
            select '{follower.key}', day, count(*) filter (where {gone}),
                count(*) filter (where place > 1 and ({gone} or {kept}))
            from ({self._rows(follower)}) group by day
            """
        )
        return f"select * exclude (place) from ({self._rows(follower)}) where {kept}"

    def _count(self, dataset: Dataset, is_erased: str) -> None:
        """Count what is erased, and the copies that are no duplicates any more: erased ones, and ones that win now."""
        self.connection.execute(
            f"""
            insert into erasure_counts
            select '{dataset.key}', day, count(*) filter (where is_gone),
                count(*) filter (where place > 1 and (is_gone or new_place = 1))
            from (
                select day, place, is_gone, row_number() over (
                    partition by day, {", ".join(dataset.identity)} order by is_gone, place
                ) as new_place
                from (select *, ({is_erased}) as is_gone from ({self._rows(dataset)}))
            )
            group by day
            """
        )

    def rejected(self, datasets: Mapping[str, Dataset], by_document: Sequence[str]) -> str:
        """The rejected records that name no erased person and, of `by_document`, are of no document of one."""
        self.connection.execute(
            f"create or replace temp table erasure_rejected as select * from ({self.extraction.rejected})"
        )
        gone = list(self._rejected_of_erased({key: dataset.source for key, dataset in datasets.items()}))
        self.connection.execute(
            "create or replace temp table erasure_gone as select unnest($gone::bigint[]) as number", {"gone": gone}
        )
        self.connection.execute(
            """
            insert into erasure_gone
            select rowid from erasure_rejected
            where
                list_contains($keys, dataset) and rowid not in (select number from erasure_gone)
                and (day, source_path) in (select (day, source_path) from erasure_documents)
            """,
            {"keys": list(by_document)},
        )
        self.connection.execute(
            """
            insert into erasure_counts
            select dataset, day, count(*), 0 from erasure_rejected
            where rowid in (select number from erasure_gone) group by all
            """
        )
        return "select * from erasure_rejected where rowid not in (select number from erasure_gone)"

    def _rejected_of_erased(self, sources: Mapping[str, str]) -> Iterator[int]:
        cursor = self.connection.execute("select rowid, dataset, raw_text from erasure_rejected")
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            for number, key, text in rows:
                source = sources.get(key, "")
                if takes_all(self.erased.kinds(source)) or (text and self.erased.are_in(source, text)):
                    yield number
