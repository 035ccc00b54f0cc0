"""After days of chaos every table equals one clean full build, and nothing of the chaos is left behind.

`make soak` takes 60 days and the whole graph. Without `SOAK_DAYS`, for those who change the soak itself, all sources
are loaded for six days, and the tables of one are built.
"""

import os
import sys
import time
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment, differences
from tests.integration.misbehaving_receiver import answers, misbehaving_receiver
from tests.integration.served_records import (
    assert_days_were_read_as_served,
    assert_events_are_those_served,
    assert_lake_holds_the_activities_served,
)
from tests.integration.services import Services, services
from tests.soak.alert_outbox import assert_every_alert_is_delivered_or_waits
from tests.soak.lake_volume import lake_volume
from tests.soak.run_process import RunOrder, run_as_process
from tests.soak.soak import ALL_SOURCES, FILE_SOURCES, NEW_YORK_CHANGES_ON, Profile, Soak

pytestmark = pytest.mark.integration

DAYS = int(os.environ.get("SOAK_DAYS", "0"))
ALL_AREAS = ("training", "learning", "strava", "product", "mobility", "engagement")
SHORT = Profile(
    first=date(2024, 3, 7),
    days=6,
    daily=ALL_SOURCES,
    catch_up=f"{FILE_SOURCES} or +group:mobility",
    models=f"+group:mobility and not ({ALL_SOURCES})",
    areas=("mobility",),
    kill_every=5,
    catch_up_every=3,
)
LONG = Profile(
    first=NEW_YORK_CHANGES_ON - timedelta(days=DAYS // 2),
    days=DAYS,
    daily="*",
    catch_up="*",
    models=f"* and not ({ALL_SOURCES})",
    areas=ALL_AREAS,
    kill_every=4,
    catch_up_every=7,
)
# What drips for longer takes all of its deadline, which is that of people's receivers.
SHORT_DRIP_S = 0.2
# Which of several files that hold a record is named, and when it was read, depends on when files came.
COLUMNS_OF_THE_LOAD = "source_path, extracted_at"


def records_of_files(lake: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the datasets of files, and of their quarantine, without what depends on the order of loads."""
    found = {}
    for source in ("raw_runna", "raw_lingokids", "raw_mobile"):
        for dataset in sorted((lake / source).iterdir()):
            files = f"{dataset}/*/*.parquet"
            found[f"{source}/{dataset.name}"] = duckdb.execute(
                f"select * exclude ({COLUMNS_OF_THE_LOAD}) from read_parquet('{files}', hive_partitioning = true) "
                "order by all"
            ).fetchall()
    found["rejected records"] = duckdb.execute(
        f"select dataset, source_path, position, reason_code from read_parquet('{lake}/records/rejected/*/*.parquet') "
        "where source in ('runna', 'lingokids', 'mobile') order by all"
    ).fetchall()
    return found


def run_cleanly(deployment: Deployment, profile: Profile, selection: str) -> None:
    """One run over all days, on a machine whose zone is UTC."""
    now = datetime.combine(profile.last, datetime.min.time(), UTC) + timedelta(days=3)
    end = run_as_process(RunOrder(deployment.settings, profile.first, profile.last, selection, now))
    assert end.failures == (), end.failures


def litter(deployment: Deployment) -> list[str]:
    """Files that a run leaves only when it breaks off: aside, held, journals, drafts."""
    lake = Path(deployment.settings.lake_uri)
    found = [
        path
        for folder in (".aside", ".journal", ".pages", "held")
        for path in (lake / folder).rglob("*")
        if path.is_file()
    ]
    found += [path for path in (lake / "index").iterdir() if path.suffix != ".json"]
    found += deployment.root.glob(".*.draft*")
    found += (deployment.settings.dagster_home / "range_runs").iterdir()
    return [str(path.relative_to(deployment.root)) for path in found]


def assert_every_record_is_accounted_for(lake: Path) -> None:
    loads, unaccounted = duckdb.execute(
        "select count(distinct load_id), "
        "count(*) filter (where records_read <> accepted + quarantined + duplicates) "
        f"from read_parquet('{lake}/records/loads/*/*.parquet')"
    ).fetchall()[0]
    assert loads > 0
    assert unaccounted == 0


def assert_no_run_is_left_at_work(deployment: Deployment) -> None:
    with dg.DagsterInstance.from_config(str(deployment.settings.dagster_home)) as instance:
        unfinished = [
            record.dagster_run.run_id for record in instance.get_run_records() if not record.dagster_run.is_finished
        ]
        assert unfinished == []
        slots = instance.event_log_storage
        assert {key: slots.get_concurrency_info(key).active_slot_count for key in slots.get_concurrency_keys()} == (
            dict.fromkeys(slots.get_concurrency_keys(), 0)
        )


def assert_it_came_to_what_a_clean_build_gives(soak: Soak, running: Services) -> None:
    profile = soak.profile
    soaked = Deployment(running.folder)
    tables = soaked.tables(schemas=profile.areas)
    assert all(tables.values()), "every table must hold rows, or the comparison says nothing"
    assert differences(soaked.tables(published=False, schemas=profile.areas), tables) == {}

    fresh = Deployment(running.folder / "fresh", landing=soaked.landing)
    run_cleanly(fresh, profile, FILE_SOURCES)
    expected = records_of_files(Path(fresh.settings.lake_uri))
    assert len(expected) == 8
    assert all(expected.values())
    assert differences(records_of_files(Path(soaked.settings.lake_uri)), expected) == {}

    rebuilt = Deployment(running.folder / "rebuilt", landing=soaked.landing, lake=Path(soaked.settings.lake_uri))
    rebuilt.settings = soak.settings.model_copy(
        update={
            name: getattr(rebuilt.settings, name)
            for name in ("warehouse_path", "published_warehouse_path", "dagster_home")
        }
    )
    run_cleanly(rebuilt, profile, profile.models)
    assert differences(tables, rebuilt.tables(schemas=profile.areas)) == {}
    assert_lake_holds_the_activities_served(running, profile.last - timedelta(days=soak.settings.strava_trailing_days))
    assert_days_were_read_as_served(running)
    if "product" in profile.areas:
        assert_events_are_those_served(running)

    assert_every_record_is_accounted_for(Path(soaked.settings.lake_uri))
    assert litter(soaked) == []
    assert_no_run_is_left_at_work(soaked)


def test_days_of_chaos_end_as_one_clean_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = LONG if DAYS else SHORT
    began = time.monotonic()
    complete = tmp_path / "complete"
    amounts = (
        {} if DAYS else {"runna_activities_per_day": 8, "lingokids_events_per_day": 60, "mobile_events_per_day": 60}
    )
    write_sample_landing(complete, start=profile.first, days=profile.days, **amounts)
    with (
        lake_volume(tmp_path / "soaked" / "lake") if DAYS else nullcontext(False) as has_own_volume,
        services(
            tmp_path / "soaked",
            now=None,
            start=profile.first,
            days=profile.days + 5,
            chaos=0.1,
            activities_per_day=3,
            events_per_day=60,
        ) as running,
        misbehaving_receiver(answers(drip_s=None if DAYS else SHORT_DRIP_S)) as there,
    ):
        settings = running.settings(start_date=profile.first, **there.settings)
        soak = Soak(profile, running, complete, settings, there, has_own_volume=has_own_volume)
        try:
            soak.run()
            assert_every_alert_is_delivered_or_waits(settings, there)
            assert_it_came_to_what_a_clean_build_gives(soak, running)
            files = {kind: times for kind, times in soak.injections.injected.items() if kind.startswith("a file")}
            soak.injections.survived.update(files)
        finally:
            with capsys.disabled():
                minutes = (time.monotonic() - began) / 60
                head = f"soak: {profile.days} days from {profile.first}, {soak.runs} runs, {minutes:.1f} minutes"
                sys.stdout.write(f"\n\n{head}\n{soak.injections.table()}\n")
    injected = soak.injections.injected
    assert injected == soak.injections.survived
    for kind in (
        "kill -9",
        "no room",
        "the machine's clock",
        "a service",
        "a file: late",
        "a file: cut off",
        "a file: appended to",
        "a file: unreadable",
        "a file: unreadable: of other times",
        "a receiver of alerts: 503, Retry-After",
    ):
        assert any(name.startswith(kind) for name in injected), kind
