"""What the commands have in common that run a range of days: `make backfill`, `make release`, `make replay`.

Belongs here: arguments for days and sources, what they select, exit codes, the summary. Not here: the run itself
(`range_run.py`), metrics (the marts).
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import duckdb

from engagement_assets.commands.process import load_settings
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.commands.sandbox_services import with_services
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.per_source import SOURCES
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown_lines
from engagement_assets.sources import AREAS, CROSS_SOURCE_AREA, RAW_DATASETS

TABLES_OVER_ALL_SOURCES = 'group:engagement or key:"published/engagement" or key:"intermediate/int_engagement*"'


def run_command(request_of: Callable[[Settings], RangeRequest | None]) -> int:
    """Run what `request_of` asks for and print a summary; None asks for nothing.

    Returns:
        The exit code: 0 when every step passed, 1 when one failed, 2 when `request_of` or the run refused the
        arguments with a ValueError.
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
    print_summary(settings, run)
    return 0 if run.success else 1


def inclusive(first: date, last: date) -> DayWindow:
    """The days from the first to the last.

    Raises:
        ValueError: the last day lies before the first.
    """
    return DayWindow(first, last + timedelta(days=1))


def add_days(parser: argparse.ArgumentParser, first: str, *, required: bool = False) -> None:
    """Add the option `first` and `--to`, for the first and the last day."""
    parser.add_argument(first, dest="first", type=_day, required=required, help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=_day, required=required, help="last day, inclusive")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options `--source` and `--dataset`."""
    parser.add_argument("--source", required=True, choices=sorted(SOURCES), help="the source")
    parser.add_argument("--dataset", help="only this dataset of the source; a dataset without days needs no range")


def chosen_datasets(source: str, dataset: str | None, *, has_days: bool) -> list[Dataset]:
    """The datasets of a source, or the named one, with days or without.

    Raises:
        ValueError: the source has no such dataset, or days are given for a dataset without days, or the reverse.
    """
    known = {item.name: item for item in RAW_DATASETS if item.source == source}
    if dataset is not None and dataset not in known:
        raise ValueError(f"{source} has no dataset {dataset!r}, expected one of {', '.join(known)}")
    chosen = [item for item in known.values() if item.partitioned == has_days and dataset in (None, item.name)]
    if not chosen:
        needed = "has no days: leave them out" if has_days else "has days: name one, such as 2024-01-31"
        raise ValueError(f"{source if dataset is None else f'{source}/{dataset}'} {needed}")
    return chosen


def and_downstream(settings: Settings, datasets: Sequence[Dataset]) -> str:
    """The raw assets and everything downstream, in Dagster's selection syntax.

    Tables over all sources are left out if they do not exist yet: whoever loads only some sources cannot build them.
    """
    selection = " or ".join(f'key:"{item.key}"+' for item in datasets)
    if settings.warehouse_path.exists():
        with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
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


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; expected YYYY-MM-DD") from error
