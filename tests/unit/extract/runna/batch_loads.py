"""Loads of Runna batches in a test: what is put into a landing zone, and what is read of it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from engagement_assets.contracts.extraction import Extraction

FIXTURES = Path(__file__).parents[3] / "fixtures" / "runna"


class Loaded:
    """An extraction and the connection that its queries need."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, extraction: Extraction) -> None:
        self.connection = connection
        self.extraction = extraction

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def accepted(self, dataset: Any, columns: str) -> list[tuple[Any, ...]]:
        return self.rows(f"select {columns} from ({self.extraction.accepted[dataset.key]}) order by all")

    def rejected(self, columns: str = "day, source_path, reason_code") -> list[tuple[Any, ...]]:
        return self.rows(f"select {columns} from ({self.extraction.rejected}) order by all")

    def counts(self, day: date) -> dict[str, tuple[Any, ...]]:
        """Per dataset: files, records read, accepted, quarantined, duplicates."""
        accepted = " union all ".join(
            f"select '{key}' as dataset, day from ({query})" for key, query in self.extraction.accepted.items()
        )
        rows = self.rows(
            f"""
            select
                dataset, files, records_read,
                (
                    select count(*) from ({accepted}) as accepted
                    where accepted.dataset = counts.dataset and accepted.day = counts.day
                ),
                quarantined, duplicates
            from ({self.extraction.counts}) as counts where day = '{day}'
            """
        )
        for _, _, read, accepted_count, quarantined, duplicates in rows:
            assert read == accepted_count + quarantined + duplicates
        return {dataset.rpartition("/")[2]: tuple(figures) for dataset, *figures in rows}


def put(landing: Path, batch: date | str, name: str, content: bytes | str = "activity.json") -> str:
    """Put a file, or a fixture of that name, into a batch folder; returns its key."""
    key = f"runna/activities/{batch}/{name}"
    path = landing / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((FIXTURES / content).read_bytes() if isinstance(content, str) else content)
    return key


def activity(**fields: Any) -> bytes:
    content = json.loads((FIXTURES / "activity.json").read_bytes())
    return json.dumps(content | fields).encode()
