"""What the tests of the two services' extractors share: a place for rows, and what an extraction gave.

Belongs here: reading an extraction as plain rows. Not here: what a test expects.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from engagement_assets.contracts.extraction import Extraction

NOW = datetime(2024, 3, 10, 12, 30, tzinfo=UTC)
NAIVE_NOW = NOW.replace(tzinfo=None)


@dataclass(frozen=True)
class Loaded:
    """What an extraction gave: rows per dataset, rejects, and per day read, quarantined, duplicates."""

    accepted: dict[str, list[dict[str, Any]]]
    rejected: list[dict[str, Any]]
    counts: dict[tuple[str, date], tuple[int, int, int]]
    unknown_fields: list[tuple[Any, ...]]
    placeholders: list[tuple[Any, ...]]

    def reasons(self) -> list[tuple[date, int, str]]:
        return [(row["day"], row["position"], row["reason_code"]) for row in self.rejected]

    def counted(self, dataset: str) -> dict[date, tuple[int, int, int]]:
        return {day: counts for (key, day), counts in sorted(self.counts.items()) if key == dataset}


def loaded(connection: duckdb.DuckDBPyConnection, extraction: Extraction) -> Loaded:
    """The rows of an extraction, sorted by all they have."""

    def rows(query: str) -> list[dict[str, Any]]:
        found = connection.execute(f"select * from ({query}) order by all")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return Loaded(
        {key: rows(query) for key, query in extraction.accepted.items()},
        rows(extraction.rejected),
        {
            (row["dataset"], row["day"]): (row["records_read"], row["quarantined"], row["duplicates"])
            for row in rows(extraction.counts)
        },
        [tuple(row.values()) for row in rows(extraction.unknown_fields)],
        [tuple(row.values()) for row in rows(extraction.placeholders)],
    )
