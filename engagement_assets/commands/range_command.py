"""What the commands have in common that run a range of days: `make backfill`, `make release`, `make replay`.

Belongs here: what days and sources select, exit codes, the summary. Not here: the arguments (`arguments.py`), the run
itself (`range_run.py`), metrics (the marts).
"""

import sys
from collections.abc import Callable, Sequence

import duckdb

from engagement_assets.commands.process import load_settings
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines
from engagement_assets.sources import AREAS, CROSS_SOURCE_AREA
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build import is_held_lock

TABLES_OVER_ALL_SOURCES = 'group:engagement or key:"published/engagement" or key:"intermediate/int_engagement*"'


def run_command(request_of: Callable[[Settings], RangeRequest | None]) -> int:
    """Run what `request_of` asks for and print a summary; None asks for nothing.

    Returns:
        The exit code: 0 when every step passed, 1 when one failed or another process has the warehouse open, 2 when
        `request_of` or the run refused the arguments with a ValueError.
    """
    settings = load_settings()
    try:
        request = request_of(settings)
        if request is None:
            return 0
        with with_services(settings) as with_sandbox:
            run = run_range(with_sandbox, request)
    except ValueError as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 2
    except duckdb.IOException as error:
        if not is_held_lock(error):
            raise
        print(
            f"error: expected to read {settings.warehouse_path}, but another process has it open, such as a run that "
            "builds. Wait for that process, then run this again",
            file=sys.stderr,
        )
        return 1
    print_summary(settings, run)
    return 0 if run.success else 1


def and_downstream(settings: Settings, datasets: Sequence[Dataset]) -> str:
    """The raw assets and everything downstream, in Dagster's selection syntax.

    Tables over all sources are left out if they do not exist yet: whoever loads only some sources cannot build them.

    Raises:
        duckdb.IOException: the warehouse cannot be opened, such as when another process has it open.
    """
    selection = " or ".join(f'key:"{item.key}"+' for item in datasets)
    on_duckdb = settings.warehouse is WarehouseEngine.DUCKDB
    path = settings.warehouse_path if on_duckdb else settings.published_warehouse_path
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as connection:
            query = "select 1 from information_schema.tables where table_schema = ?"
            if connection.execute(query, [CROSS_SOURCE_AREA]).fetchone():
                return selection
    return f"({selection}) and not ({TABLES_OVER_ALL_SOURCES})"


def print_summary(settings: Settings, run: RangeRun) -> None:
    """Print records per source, rows per table, checks, the path of the published copy, and failures."""
    published = settings.published_warehouse_path
    if published.exists():
        with duckdb.connect(str(published), read_only=True) as connection:
            _print_sources(connection, run.run_id)
            _print_tables(connection)
    passed, warned, failed = run.checks_counted()
    print(f"\nChecks      {passed:,} passed, {warned:,} warned, {failed:,} failed")
    for (severity, name), keys in _not_passed(run).items():
        print(f"  {severity:<5} {name}: {', '.join(keys)}")
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
            sum(records_read)::bigint, sum(accepted)::bigint, sum(quarantined)::bigint, sum(duplicates)::bigint,
            coalesce(sum(erased), 0)::bigint
        from audit.ingestion_loads where run_id = $run_id group by all order by all
        """,
        {"run_id": run_id},
    ).fetchall()
    if rows:
        print(f"\n{'Source':<28}{'read':>12}{'accepted':>12}{'quarantined':>13}{'duplicates':>12}{'erased':>10}")
    for dataset, read, accepted, quarantined, duplicates, erased in rows:
        print(f"{dataset:<28}{read:>12,}{accepted:>12,}{quarantined:>13,}{duplicates:>12,}{erased:>10,}")


def _print_tables(connection: duckdb.DuckDBPyConnection) -> None:
    tables = connection.execute(
        """
        select schema_name, table_name from duckdb_tables()
        where schema_name in (select unnest($areas)) order by all
        """,
        {"areas": list(AREAS)},
    ).fetchall()
    rows: dict[str, list[int]] = {}
    for area, table in tables:
        count = connection.execute(f"select count(*) from {area}.{table}").fetchone()
        rows.setdefault(area, []).append(count[0] if count else 0)
    print(f"\n{'Schema':<28}{'tables':>12}{'rows':>12}")
    for area, counts in rows.items():
        print(f"{area:<28}{len(counts):>12,}{sum(counts):>12,}")


def _not_passed(run: RangeRun) -> dict[tuple[str, str], list[str]]:
    """The assets whose checks did not pass, by severity and name of the check."""
    found: dict[tuple[str, str], list[str]] = {}
    for check in run.checks:
        if not check.passed:
            found.setdefault((check.severity.value, check.check_name), []).append(check.asset_key.to_user_string())
    return found
