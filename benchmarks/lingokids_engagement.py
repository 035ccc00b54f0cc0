"""One million app events from landing to `learning.engagement_daily`, beside what DuckDB alone needs for the same.

The floor reads the same JSONL with explicit columns, writes all of them to Parquet by day, as the lake has them, joins
users and activities and groups once; nothing is validated, nothing is quarantined, no duplicate is looked for, no row
per event is kept in a database. Both run in this process, in turn.

The graph also runs on 1,000 events of the same days: that is its fixed cost, of Dagster's events, of starting dbt and
of small statements, which does not grow with the events. What grows is shown next to the total.
"""

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.settings import Settings

FIRST_DAY, DAYS = date(2024, 1, 1), 30
USERS, ACTIVITIES = 50_000, 1_500
FEW_EVENTS = 1_000

EVENT_COLUMNS = """{
    event_id: 'VARCHAR', name: 'VARCHAR', occurred_at: 'TIMESTAMP', user_id: 'VARCHAR', child_id: 'VARCHAR',
    data: 'STRUCT(activity_id VARCHAR, source VARCHAR, duration DOUBLE, completed BOOLEAN, collection_id VARCHAR,
        loading_time DOUBLE)',
    context: 'STRUCT(device STRUCT(device_id VARCHAR, brand VARCHAR, model VARCHAR),
        os STRUCT(name VARCHAR, version VARCHAR), app STRUCT(version VARCHAR, build VARCHAR))'
}"""


def write_landing(landing: Path, events: int) -> None:
    """Events of 30 days in one file a day, 50,000 users, 1,500 activities."""
    for dataset in ("events", "users", "activities"):
        (landing / "lingokids" / dataset).mkdir(parents=True)
    folder = landing / "lingokids"
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            create table events as
            select
                md5(cast(number as varchar)) || '-4a1c' as event_id,
                'activity_exit' as name,
                strftime(timestamp '{FIRST_DAY}' + to_milliseconds(
                    cast(hash(number) % {DAYS * 86_400_000} as bigint)), '%Y-%m-%d %H:%M:%S.%g') as occurred_at,
                'user-' || md5(cast(hash(number, 1) % {USERS} as varchar)) as user_id,
                'child-' || md5(cast(hash(number, 1) % {USERS} as varchar)) as child_id,
                {{
                    activity_id: 'activity_' || cast(hash(number, 2) % {ACTIVITIES} as varchar), source: 'search',
                    duration: (hash(number, 3) % 400000) / 1000.0, completed: hash(number, 4) % 10 < 6,
                    collection_id: '', loading_time: (hash(number, 5) % 4000) / 1000.0
                }} as data,
                {{
                    device: {{device_id: md5(cast(number as varchar)), brand: 'Apple', model: 'iPad7,6'}},
                    os: {{name: 'iOS', version: '14.' || cast(hash(number, 6) % 5 as varchar)}},
                    app: {{version: '7.' || cast(hash(number, 7) % 40 as varchar) || '.0', build: '4514'}}
                }} as context
            from range({events}) as numbers (number)
            """
        )
        for offset in range(DAYS):
            day = FIRST_DAY + timedelta(days=offset)
            connection.execute(
                f"copy (select * from events where starts_with(occurred_at, '{day}')) "
                f"to '{folder / 'events' / f'{day}.jsonl'}' (format json)"
            )
        connection.execute(
            f"""
            copy (
                select
                    'user-' || md5(cast(number as varchar)) as user_id, ['c'] as children_ids,
                    ['us', 'in', 'co', 'es', 'mx'][1 + number % 5] as country_code,
                    '2023-01-01 00:00:00.000000' as registration_at, '2024-01-05 00:00:00.000000' as trial_start_at,
                    '2024-01-12 00:00:00.000000' as trial_end_at
                from range({USERS}) as numbers (number)
            ) to '{folder / "users" / "users.jsonl"}' (format json)
            """
        )
        connection.execute(
            f"""
            copy (
                select
                    'activity_' || cast(number as varchar) as activity_id, 'Name' as name,
                    ['game', 'video', 'audiobook'][1 + number % 3] as type, null as subtype
                from range({ACTIVITIES}) as numbers (number)
            ) to '{folder / "activities" / "activities.jsonl"}' (format json)
            """
        )


def run_floor(landing: Path, folder: Path) -> float:
    """Seconds of DuckDB alone."""
    folder.mkdir()
    source = landing / "lingokids"
    started = time.monotonic()
    with duckdb.connect(str(folder / "floor.duckdb")) as connection:
        connection.execute(
            f"""
            copy (
                select
                    event_id, name, occurred_at, user_id, child_id, data.activity_id, data.source,
                    cast(data.duration * 1000 as bigint) as duration_ms, data.completed, data.collection_id,
                    cast(data.loading_time * 1000 as bigint) as loading_time_ms, context.device.device_id,
                    context.device.brand, context.device.model, context.os.name as os_name,
                    context.os.version as os_version, context.app.version as app_version,
                    context.app.build as app_build, cast(occurred_at as date) as day
                from read_json('{source}/events/*.jsonl', format = 'newline_delimited', columns = {EVENT_COLUMNS})
            ) to '{folder / "events"}' (format parquet, partition_by (day))
            """
        )
        connection.execute(
            f"""
            create table engagement_daily as
            select
                day, country_code, os_name, os_version, app_version,
                case when occurred_at < trial_start_at then 'free' when occurred_at < trial_end_at then 'trial'
                    else 'lapsed' end as subscription_status,
                type, collection_id, activity_id,
                count(*) as plays, count(*) filter (where completed) as completed_plays,
                sum(duration_ms) as duration_ms, sum(least(duration_ms, 3600000)) as played_ms
            from read_parquet('{folder}/events/*/*.parquet', hive_partitioning = true)
            left join read_json('{source}/users/*.jsonl', columns = {{user_id: 'VARCHAR', country_code: 'VARCHAR',
                trial_start_at: 'TIMESTAMP', trial_end_at: 'TIMESTAMP'}}) using (user_id)
            left join read_json('{source}/activities/*.jsonl', columns = {{activity_id: 'VARCHAR', type: 'VARCHAR'}})
                using (activity_id)
            group by all
            """
        )
    return time.monotonic() - started


def run_graph(landing: Path, folder: Path, events: int) -> float:
    """Seconds of the graph up to `learning.engagement_daily`, its checks included."""
    settings = Settings(
        landing_uri=str(landing),
        lake_uri=str(folder / "lake"),
        warehouse_path=folder / "warehouse.duckdb",
        published_warehouse_path=folder / "published.duckdb",
        dagster_home=folder / "dagster_home",
    )
    window = DayWindow(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS))
    started = time.monotonic()
    run = run_range(settings, RangeRequest(window, '+key:"learning/engagement_daily"'))
    seconds = time.monotonic() - started
    if not run.success:
        raise RuntimeError(f"the graph failed: {run.failures}")
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        found = connection.execute("select sum(plays) from learning.engagement_daily").fetchone()
    if found != (events,):
        raise RuntimeError(f"engagement_daily holds {found} plays, expected {events}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn; medians are printed")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="lingokids-"))
    floor, fixed, graph = [], [], []
    try:
        landing, few_landing = root / "landing", root / "few_landing"
        write_landing(landing, arguments.events)
        write_landing(few_landing, FEW_EVENTS)
        size = sum(path.stat().st_size for path in landing.rglob("*.jsonl"))
        print(f"{arguments.events:,} events, {size / 1e6:,.0f} MB of JSONL")
        # The first run of a process imports Dagster and dbt and parses the dbt project.
        run_graph(few_landing, root / "first", FEW_EVENTS)
        for number in range(arguments.runs):
            floor.append(run_floor(landing, root / f"floor{number}"))
            fixed.append(run_graph(few_landing, root / f"fixed{number}", FEW_EVENTS))
            graph.append(run_graph(landing, root / f"graph{number}", arguments.events))
            print(
                f"run {number + 1}: floor {floor[-1]:.1f} s, graph {graph[-1]:.1f} s, of which {fixed[-1]:.1f} s fixed",
                flush=True,
            )
    finally:
        shutil.rmtree(root)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = statistics.median(a / b for a, b in zip(graph, floor, strict=True))
    growing = statistics.median((a - c) / b for a, b, c in zip(graph, floor, fixed, strict=True))
    seconds = [
        f"{name} {statistics.median(runs):.1f} s"
        for name, runs in (("floor", floor), ("graph", graph), ("fixed", fixed))
    ]
    print(f"medians: {', '.join(seconds)}; peak memory {peak:,.0f} MB")
    print(f"graph / floor: {whole:.2f} (the aim is 2.5)")
    print(f"(graph - fixed) / floor: {growing:.2f}, fixed being the same graph on {FEW_EVENTS:,} events")


if __name__ == "__main__":
    main()
