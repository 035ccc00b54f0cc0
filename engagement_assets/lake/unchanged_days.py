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

    `staged_rows` gives a dataset's staged rows as SQL. Rows are compared by their number and two sums over a hash of 64
    bits each, so that a load of many days needs no memory for it.
    """
    same = set(days)
    for dataset in datasets:
        same = {day for day in same if lake.exists(lake.day_key(dataset, day))}
        if not same:
            break
        files = [lake.location(lake.day_key(dataset, day)) for day in sorted(same)]
        published = _content(dataset, rows_of(files, dataset.columns))
        staged = _content(dataset, staged_rows(dataset))
        same -= _days_of(
            connection,
            f"select day from ((({staged}) except ({published})) union all (({published}) except ({staged})))",
        )
        if dataset.newest_load_wins:
            same -= _days_of_records_elsewhere(connection, lake, dataset, staged_rows(dataset))
    return same


def _content(dataset: Dataset, rows: str) -> str:
    row = f"hash({', '.join(name for name in dataset.columns if name != 'extracted_at')})"
    return f"select day, count(*) as n, sum({row}) as total, bit_xor({row}) as mixed from {rows} group by day"


def _days_of_records_elsewhere(
    connection: duckdb.DuckDBPyConnection, lake: Lake, dataset: Dataset, staged: str
) -> set[date]:
    """The staged days with a record that also lies on another published day, where it may have been loaded since."""
    key = dataset.identity[0]
    published = rows_of(
        [lake.location(found) for found in lake.keys(f"{dataset.key}/day=*/data.parquet")], dataset.columns
    )
    return _days_of(
        connection,
        f"select distinct staged.day from {staged} as staged inner join {published} as other "
        f"on staged.{key} = other.{key} and staged.day <> other.day",
    )


def _days_of(connection: duckdb.DuckDBPyConnection, query: str) -> set[date]:
    return {day for (day,) in connection.execute(query).fetchall()}
