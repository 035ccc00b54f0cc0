"""Sources that are down, held or failing: the tables of all others are those of a run that nothing disturbed."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from pydantic import SecretStr

from engagement_assets.commands.range_run import RangeRun
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import Extraction
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.lines.readers import EventLog
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.extract.reading import Reading
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import TIMES_OF_LOADING
from tests.integration.services import FIRST_DAY, Services, services
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

LAST_DAY = date(2024, 1, 3)
AREAS = ("training", "learning", "mobility", "strava", "product")
# Without the tables over all sources, which `test_engagement_without_a_source.py` is about.
ALL_AREAS = " or ".join(f"+group:{area}" for area in AREAS)
# Five attempts, three times.
REQUESTS_OF_A_FAILING_RUN = 15
Tables = dict[str, list[tuple[Any, ...]]]


class Scene:
    """Deployments over the same sources: each begins where the first one, with Runna's days alone, has ended."""

    def __init__(self, running: Services) -> None:
        self.running = running
        assert self.run("base", "+group:training").failures == ()

    def run(self, name: str, selection: str = ALL_AREAS, **changes: Any) -> RangeRun:
        """Run all days in the deployment called `name`."""
        folder = self.running.folder / name
        paths = {"lake_uri": str(folder / "lake"), "dagster_home": folder / "dagster_home"}
        paths |= {key: folder / f"{key}.duckdb" for key in ("warehouse_path", "published_warehouse_path")}
        if name != "base":
            shutil.copytree(self.running.folder / "base", folder)
        return self.running.run(FIRST_DAY, LAST_DAY, selection, **{**paths, **changes})

    def tables(self, name: str, file_name: str = "published_warehouse_path.duckdb") -> dict[str, Tables]:
        """Area → the rows of its published tables, without the times of loading."""
        found: dict[str, Tables] = {}
        with duckdb.connect(str(self.running.folder / name / file_name), read_only=True) as copy:
            columns = copy.execute(
                "select table_schema, table_name, list(column_name order by ordinal_position) "
                "from information_schema.columns where table_schema in $areas group by all",
                {"areas": AREAS},
            ).fetchall()
            for area, table, names in columns:
                kept = ", ".join(column for column in names if column not in TIMES_OF_LOADING)
                rows = copy.execute(f"select {kept} from {area}.{table} order by all").fetchall()
                found.setdefault(area, {})[table] = rows
        return found


def _failed_steps(run: RangeRun) -> set[str]:
    return {failure.partition(":")[0] for failure in run.failures}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("isolation")
    write_sample_landing(
        folder / "landing",
        start=FIRST_DAY,
        days=3,
        runna_activities_per_day=6,
        lingokids_events_per_day=30,
        mobile_events_per_day=30,
    )
    with services(folder, activities_per_day=2, events_per_day=20) as running:
        yield Scene(running)


@pytest.fixture(scope="module")
def undisturbed(scene: Scene, manifest: Manifest) -> dict[str, Tables]:
    """All sources loaded, and their areas built by dbt alone: a run would test and publish them too."""
    folder = scene.running.folder / "undisturbed"
    scene.running.load_every_source(FIRST_DAY, LAST_DAY, lake_uri=str(folder / "lake"))
    warehouse = WarehouseBuilder(folder, manifest)
    areas = " ".join(f"+path:models/marts/{area}" for area in AREAS)
    warehouse.build(FIRST_DAY, LAST_DAY + timedelta(days=1), areas)
    tables = scene.tables("undisturbed", warehouse.warehouse_path.name)
    assert set(tables) == set(AREAS)
    assert all(any(rows for rows in area.values()) for area in tables.values())
    return tables


def _failing_on(dataset: Dataset) -> Callable[[EventLog, Reading, WantedDays], Extraction]:
    extract = EventLog.extract

    def extract_or_fail(files: EventLog, reading: Reading, days: WantedDays) -> Extraction:
        if files.dataset is dataset:
            raise RuntimeError("the disk says no")
        return extract(files, reading, days)

    return extract_or_fail


def test_the_others_go_on_when_runna_is_held_strava_is_down_and_mobile_fails(
    scene: Scene, undisturbed: dict[str, Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventLog, "extract", _failing_on(MOBILE_EVENTS))
    scene.running.apis.strava.faults.next("unavailable", times=REQUESTS_OF_A_FAILING_RUN)
    batch = scene.running.folder / "landing/runna/activities/2024-01-02"
    aside = batch.rename(scene.running.folder / "pruned")
    try:
        run = scene.run("runna_strava_mobile")
    finally:
        aside.rename(batch)
    assert _failed_steps(run) == {"raw_runna", "raw_strava", "raw_mobile_events"}
    tables = scene.tables("runna_strava_mobile")
    for area in ("learning", "product"):
        assert tables[area] == undisturbed[area], area
    assert tables["training"] == scene.tables("base")["training"]


def test_the_others_go_on_when_lingokids_fails_and_user_events_refuses(
    scene: Scene, undisturbed: dict[str, Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventLog, "extract", _failing_on(LINGOKIDS_EVENTS))
    run = scene.run("lingokids_user_events", user_events_api_token=SecretStr("revoked"))
    assert _failed_steps(run) == {"raw_lingokids_events", "raw_user_events"}
    tables = scene.tables("lingokids_user_events")
    assert {"learning", "product"}.isdisjoint(tables)
    for area in ("training", "strava", "mobility"):
        assert tables[area] == undisturbed[area], area
