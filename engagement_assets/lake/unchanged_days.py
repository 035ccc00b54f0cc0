"""Which staged days hold what the lake already has, so that their files stay.

Belongs here: comparing a load's days with the published ones. Not here: writing or publishing them (see
`lake/load.py`), or what a build leaves out because files have stayed (see `transform/build_inputs.py`).
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date

import duckdb

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import Lake


def unchanged_days(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    datasets: Sequence[Dataset],
    days: Collection[date],
    staged_rows: Callable[[Dataset], str],
) -> set[date]:
    """Those of `days` whose staged rows equal the published ones in every column but `extracted_at`, in all datasets.

    `staged_rows` gives a dataset's staged rows as SQL. Rows are compared by their number and a sum of 64-bit hashes, so
    that a load of many days needs no memory for it. Where the newest load of a record wins, only a day without
    records stays. A published file that cannot be read does not stay either: the load replaces it.
    """
    same = set(days)
    for dataset in datasets:
        same = {day for day in same if lake.exists(lake.day_key(dataset, day))}
        if not same:
            break
        staged = staged_rows(dataset)
        published = rows_of([lake.location(lake.day_key(dataset, day)) for day in sorted(same)], dataset.columns)
        differing = (
            f"select day from ({_content(dataset, staged)}) as staged "
            f"full outer join ({_content(dataset, published)}) as published using (day) "
            "where (staged.n, staged.total) is distinct from (published.n, published.total)"
        )
        try:
            same -= _days_of(connection, differing)
        except duckdb.Error:
            return set()
        if dataset.newest_load_wins:
            same -= _days_of(connection, f"select distinct day from {staged}")
    return same


def _content(dataset: Dataset, rows: str) -> str:
    # A hash of a hash: values that two rows have exchanged must not cancel out in the sum.
    row = f"hash(hash({', '.join(name for name in dataset.columns if name != 'extracted_at')}))"
    return f"select day, count(*) as n, sum({row}) as total from {rows} group by day"


def _days_of(connection: duckdb.DuckDBPyConnection, query: str) -> set[date]:
    return {day for (day,) in connection.execute(query).fetchall()}
