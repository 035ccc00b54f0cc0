"""Sessions of five million app events, beside one plain window query over the same Parquet; then one late day more.

The models are built by dbt alone, in this process: a full build of the year, a build in which nothing has changed (the
fixed start), and a build of one day to which late events were added.

The query is the classic one, a sum over a lag, written to a table. It is asked in two ways: with each event and the
number of its session, as the state keeps them from which the bridge and the facts are made; and with one row per
session, made of three columns, which needs no more than to read and sort them. Neither makes facts or runs checks.
"""

import argparse
import json
import resource
import shutil
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.day_files import day_file, write_days
from engagement_assets.lake.lake import Lake
from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.project import dbt_arguments, parsed_manifest

FIRST_DAY, DAYS = date(2024, 1, 1), 365
YEAR = DayWindow(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS))
LATE_DAY = FIRST_DAY + timedelta(days=200)
USERS, EVENTS_PER_SESSION = 30_000, 10
MODELS = "path:models/staging/mobile path:models/intermediate/mobility path:models/marts/mobility"

EVENTS = f"""
    select
        md5(cast(session as varchar) || '.' || cast(place as varchar)) as event_id,
        'User-' || cast(hash(session) % {USERS} as varchar) as anonymous_id, 'zone-a' as business_zone,
        '4.1' as app_version, 'device-' || cast(hash(session) % {USERS} as varchar) as device_id, 'ios' as os_name,
        case place when 0 then 'Application Opened' when 5 then 'Ride Started - Successful'
            when 8 then 'Ride Done - Successful' else 'Scooter Selected - User' end as event_name,
        created_at + interval '1' second as received_at, created_at, null::varchar as _extra,
        'events.csv' as source_path, timestamp '2025-01-01' as extracted_at, cast(created_at as date) as day
    from (
        select
            session, place,
            timestamp '{FIRST_DAY}' + to_seconds(cast(hash(session, 1) % {DAYS * 86_400 - 6_000} as bigint))
            + to_seconds(place * 60 + cast(hash(session, place) % 50 as bigint)) as created_at
        from range($sessions) as sessions (session), range({EVENTS_PER_SESSION}) as places (place)
    )
"""
EVENTS_WITH_SESSIONS = """
    select *, sum(is_first) over (partition by user_id, user_device_id order by created_at) as session
    from (
        select
            lower(anonymous_id) as user_id, lower(device_id) as user_device_id, {columns},
            case when created_at - lag(created_at) over (
                partition by lower(anonymous_id), lower(device_id) order by created_at
            ) < interval '15' minute then 0 else 1 end as is_first
        from read_parquet($files)
    )
"""
STATE_COLUMNS = "event_id, event_name, app_version, os_name, business_zone, created_at, received_at, day"
PLAIN_QUERIES = {
    "query of events": EVENTS_WITH_SESSIONS.format(columns=STATE_COLUMNS),
    "query of sessions": f"""
        select
            user_id, user_device_id, session,
            count(*) as events, min(created_at) as started_at, max(created_at) as ended_at
        from ({EVENTS_WITH_SESSIONS.format(columns="created_at")})
        group by user_id, user_device_id, session
    """,
}


def write_lake(lake: Path, sessions: int) -> None:
    folder = lake / MOBILE_EVENTS.key
    with duckdb.connect() as connection:
        connection.execute(f"create temp view events as {EVENTS.replace('$sessions', str(sessions))}")
        write_days(connection, "from events", MOBILE_EVENTS.columns, YEAR.days(), folder)
    make_files_alike(Lake(str(lake)))


def add_late_events(lake: Path, number: int) -> None:
    """A hundredth more events to one day: between those of known sessions, and sessions of their own."""
    path = day_file(lake / MOBILE_EVENTS.key, LATE_DAY)
    with duckdb.connect() as connection:
        connection.execute(f"create table day as from read_parquet('{path}', hive_partitioning = false)")
        connection.execute(
            f"""
            insert into day
            select * replace (
                md5(event_id || '{number}') as event_id, created_at + interval '7' minute as created_at
            )
            from day where hash(event_id, {number}) % 100 = 0 and created_at < timestamp '{LATE_DAY} 23:50:00'
            """
        )
        connection.execute(f"copy day to '{path}' (format parquet)")


def seconds_of_build(root: Path, window: DayWindow, models: str = MODELS, warehouse: DbtProfile | None = None) -> float:
    """Build the models by dbt alone, in `root/warehouse.duckdb` or another warehouse."""
    profile = warehouse or DbtProfile.duckdb(root / "warehouse.duckdb")
    variables = {
        "lake_uri": str(root / "lake"),
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
    }
    manifest = parsed_manifest(profile.database, profile.engine, profile.table_format)
    started = time.monotonic()
    with profile.environment():
        arguments = [
            "build",
            *dbt_arguments(root / "target"),
            "--no-write-json",
            "--resource-type",
            "model",
            "--resource-type",
            "seed",
        ]
        outcome = dbtRunner(manifest=manifest).invoke(
            [*arguments, "--vars", json.dumps(variables), "--select", *models.split()]
        )
        DuckDBConnectionManager.close_all_connections()
    if not outcome.success:
        results = outcome.result.results if isinstance(outcome.result, RunExecutionResult) else ()
        failed = [f"{each.node.name}: {each.message}" for each in results if each.status == "error"]
        raise RuntimeError(f"the build failed: {outcome.exception or failed}")
    return time.monotonic() - started


def seconds_of_query(root: Path, query: str) -> float:
    files = [str(path) for path in sorted((root / "lake" / MOBILE_EVENTS.key).glob("*/data.parquet"))]
    started = time.monotonic()
    with duckdb.connect(str(root / "plain.duckdb")) as connection:
        connection.execute(f"create or replace table plain as {query}", {"files": files})
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn; medians are printed")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="mobile-sessions-"))
    seconds: dict[str, list[float]] = {}
    late = DayWindow(LATE_DAY, LATE_DAY + timedelta(days=1))
    try:
        write_lake(root / "lake", arguments.events // EVENTS_PER_SESSION)
        for number in range(arguments.runs):
            (root / "warehouse.duckdb").unlink(missing_ok=True)
            for name, query in PLAIN_QUERIES.items():
                seconds.setdefault(name, []).append(seconds_of_query(root, query))
            for name, window in (("full build", YEAR), ("nothing new", late)):
                seconds.setdefault(name, []).append(seconds_of_build(root, window))
            add_late_events(root / "lake", number)
            seconds.setdefault("one late day", []).append(seconds_of_build(root, late))
            print(f"run {number + 1}: {', '.join(f'{name} {each[-1]:.2f} s' for name, each in seconds.items())}")
        with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
            found = connection.execute(
                "select count(*), sum(event_count) from mobility.fct__mobile_sessions"
            ).fetchall()
    finally:
        shutil.rmtree(root)
    median = {name: statistics.median(each) for name, each in seconds.items()}
    share = median["full build"] / DAYS + median["nothing new"]
    print(f"{found[0][1]:,} events in {found[0][0]:,} sessions")
    for name in PLAIN_QUERIES:
        print(f"full build / {name}: {median['full build'] / median[name]:.2f} (the aim is 2.5)")
    print(f"one late day / (a day's share + the fixed start): {median['one late day'] / share:.2f} (the aim is 1.5)")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB (the aim is 4,000)")


if __name__ == "__main__":
    main()
