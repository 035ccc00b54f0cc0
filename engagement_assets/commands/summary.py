"""The result of a run, in a few lines for a person.

Belongs here: counts from the published warehouse. Not here: metrics (the marts).
"""

import sys

import duckdb

from engagement_assets.commands.range_run import RangeRun
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines
from engagement_assets.sources import AREAS


def print_summary(settings: Settings, run: RangeRun) -> None:
    """Print records per source, rows per table, checks, the path of the published copy, and failures."""
    published = settings.published_warehouse_path
    if published.exists():
        with duckdb.connect(str(published), read_only=True) as connection:
            _print_sources(connection, run.run_id)
            _print_tables(connection)
    passed, warned, failed = run.checks_counted()
    print(f"\nChecks      {passed:,} passed, {warned:,} warned, {failed:,} failed")
    for check in run.checks:
        if not check.passed:
            print(f"  {check.severity.value:<5} {check.asset_key.to_user_string()}: {check.check_name}")
    for area in run.not_published:
        print(f"Not published: {area}, because the selection leaves out some of its tables")
    if published.exists():
        print(f"Published   {published}")
    if not run.success:
        print("\nFAILED\n" + "\n".join(f"  - {shown_lines(failure)}" for failure in run.failures), file=sys.stderr)


def _print_sources(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    rows = connection.execute(
        """
        select
            source || '/' || dataset as dataset,
            cast(sum(records_read) as bigint), cast(sum(accepted) as bigint),
            cast(sum(quarantined) as bigint), cast(sum(duplicates) as bigint)
        from audit.ingestion_loads
        where run_id = $run_id
        group by all
        order by all
        """,
        {"run_id": run_id},
    ).fetchall()
    if rows:
        print(f"\n{'Source':<28}{'read':>12}{'accepted':>12}{'quarantined':>13}{'duplicates':>12}")
    for dataset, read, accepted, quarantined, duplicates in rows:
        print(f"{dataset:<28}{read:>12,}{accepted:>12,}{quarantined:>13,}{duplicates:>12,}")


def _print_tables(connection: duckdb.DuckDBPyConnection) -> None:
    tables = connection.execute(
        """
        select schema_name || '.' || table_name from duckdb_tables()
        where schema_name in (select unnest($areas)) order by all
        """,
        {"areas": list(AREAS)},
    ).fetchall()
    print(f"\n{'Table':<44}{'rows':>12}")
    for (table,) in tables:
        count = connection.execute(f"select count(*) from {table}").fetchone()
        print(f"{table:<44}{count[0] if count else 0:>12,}")
