"""Runs in which nothing new came build and publish nothing, and the tables stay right whatever comes in between."""

import json
import random
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import given

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.transform.build_inputs import BuildInputs
from tests.integration.build_sequences import draws, sequences
from tests.integration.deployment import Deployment
from tests.integration.mobile_timelines import BYTES_AN_EVENT, EVENTS_A_USER, TimedEvent, timelines
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.lake_loads import Found, load_time

pytestmark = pytest.mark.integration

FIRST, DAYS = date(2024, 1, 1), 3
LAST = FIRST + timedelta(days=DAYS - 1)
STEPS, USERS = 5, 60
MOBILITY = "+group:mobility"
MODELS = "+path:models/marts/mobility"
TABLES = (
    "mobility.fct__mobile_sessions",
    "mobility.bdg__mobile_session_to_events",
    "mobility.weekly_booking_conversion",
)
NOT_AGAIN = "not evaluated again"


def _build(deployment: Deployment) -> int:
    """The number of the invocation of dbt that has built the sessions last."""
    query = "select change_number from intermediate.consumed_changes where consumer = 'mobility.fct__mobile_sessions'"
    ((number,),) = deployment.query(query, published=False)
    return int(number)


def _published(deployment: Deployment) -> set[tuple[str, str]]:
    query = "select run_id, published_at from audit.published_tables where schema_name = 'mobility'"
    return set(deployment.query(query))


def _sample(folder: Path) -> Path:
    write_sample_landing(folder, start=FIRST, days=DAYS, mobile_events_per_day=40)
    return folder


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("unchanged")
    deployment = Deployment(folder / "deployment", landing=_sample(folder / "landing"))
    assert deployment.run(FIRST, LAST, MOBILITY).failures == ()
    return deployment


def test_a_run_without_news_builds_and_publishes_nothing_and_its_checks_say_so(deployment: Deployment) -> None:
    tables, build, published = deployment.tables(schemas=["mobility"]), _build(deployment), _published(deployment)
    again = deployment.run(FIRST, LAST, MOBILITY)
    assert again.failures == ()
    assert _build(deployment) == build
    assert _published(deployment) == published
    assert deployment.tables(schemas=["mobility"]) == tables
    of_tables = [check for check in again.checks if check.asset_key.path[0] in ("mobility", "intermediate")]
    assert of_tables
    assert {check.passed for check in of_tables} == {True}
    assert all(str(check.description).startswith(NOT_AGAIN) for check in of_tables)
    # The load was made and judged.
    of_load = [check for check in again.checks if check.asset_key.path[0] == "raw_mobile"]
    assert of_load
    assert not any(str(check.description).startswith(NOT_AGAIN) for check in of_load)
    # It is in the copy that people read.
    ((loads,),) = deployment.query("select count(distinct load_id) from audit.ingestion_loads")
    assert loads == 2


def test_a_run_without_news_exports_what_is_published_and_not_exported_yet(
    deployment: Deployment, tmp_path: Path
) -> None:
    published = _published(deployment)
    settings = deployment.settings
    deployment.settings = settings.model_copy(update={"export_dir": str(tmp_path / "exports")})
    deployment.run(FIRST, LAST, MOBILITY)
    deployment.settings = settings
    assert _published(deployment) == published
    ((run_id, published_at),) = published
    manifest = json.loads((tmp_path / "exports" / "mobility" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["run_id"], manifest["published_at"]) == (run_id, f"{published_at:%Y-%m-%dT%H:%M:%S.%f}Z")
    assert {f"mobility.{table['name']}": table["rows"] for table in manifest["tables"]} == {
        name: len(rows) for name, rows in deployment.tables(schemas=["mobility"]).items()
    }
    keys = {table["name"]: table["primary_key"] for table in manifest["tables"]}
    assert keys == {
        "bdg__mobile_session_to_events": ["event_id"],
        "fct__mobile_sessions": ["session_id"],
        "weekly_booking_conversion": ["week_start_date", "zone", "os_name"],
    }


def test_a_setting_has_the_same_built_and_published_again(deployment: Deployment) -> None:
    build, published = _build(deployment), _published(deployment)
    deployment.settings = deployment.settings.model_copy(update={"build_unchanged": True})
    deployment.run(FIRST, FIRST, MOBILITY)
    deployment.settings = deployment.settings.model_copy(update={"build_unchanged": False})
    assert _build(deployment) > build
    assert _published(deployment) != published


def test_after_a_table_without_days_was_built_alone_the_area_is_built_and_published(deployment: Deployment) -> None:
    deployment.run(FIRST, LAST, MOBILITY)
    build, published = _build(deployment), _published(deployment)
    assert deployment.run(FIRST, LAST, 'key:"mobility/weekly_booking_conversion"').failures == ()
    assert _published(deployment) == published
    deployment.run(FIRST, LAST, MOBILITY)
    assert _build(deployment) > build
    assert _published(deployment) != published


def test_after_dbt_was_run_by_hand_the_area_is_built(deployment: Deployment, manifest: Manifest) -> None:
    WarehouseBuilder(deployment.root, manifest, Path(deployment.settings.lake_uri)).build(
        FIRST, LAST, "fct__mobile_sessions"
    )
    build = _build(deployment)
    deployment.run(FIRST, LAST, MOBILITY)
    assert _build(deployment) > build


class _Area:
    """Mobility's lake and warehouse: loads of what is there in a step, and builds unless the inputs are the same."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.built = self.left_out = 0
        self._number = 0
        self._builder = WarehouseBuilder(folder / "pieces", manifest, folder / "lake")

    def load(self, events: Sequence[TimedEvent], window: DayWindow) -> None:
        """Replace the window's days by these events; a load of its own time."""
        self._number += 1
        rows = [{**event.row, "day": event.day} for event in events if event.day in window.days()]
        with open_load(self.lake, "mobile_events", run_id="run", started_at=load_time(self._number)) as load:
            load.stage(Found({MOBILE_EVENTS: rows}).extraction(load.started_at), window, forget=True)
            load.publish({})

    def build(self, window: DayWindow, *, breaks: bool = False) -> None:
        """What the step of the area does; a build that breaks leaves its last models as they were."""
        inputs = BuildInputs.of(self._builder.warehouse_path, self.lake, MOBILE, window, "version 1")
        if inputs.built_by():
            self.left_out += 1
            return
        self.built += 1
        inputs.begin(f"run {self.built}")
        models = "+int_mobile_events_sessionized" if breaks else MODELS
        self._builder.build(window.start, window.end, models, variables={"keep_build_inputs": True})
        if not breaks:
            inputs.note(f"run {self.built}")

    def tables(self) -> dict[str, list[dict[str, object]]]:
        return {table: self._builder.rows(table) for table in TABLES}


def test_loads_and_builds_with_and_without_news_in_any_order_give_the_tables_of_one_full_build(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    """Days change or not, and are loaded and built in any grouping; some builds break. Longer: UNCHANGED_SEQUENCES."""

    @sequences("UNCHANGED_SEQUENCES")
    @given(draw=draws)
    def sequence_equals_one_full_build(draw: random.Random) -> None:
        folder = tmp_path_factory.mktemp("sequence")
        area = _Area(folder, manifest)
        day_of_step = [FIRST + timedelta(days=draw.randrange(DAYS)) for _ in range(STEPS)]
        content = draw.randbytes(USERS * EVENTS_A_USER * BYTES_AN_EVENT)
        events = timelines(content, FIRST, DAYS, day_of_step)
        for step in range(STEPS):
            there = [event for event in events if event.is_there_in(step)]
            for _ in range(2):
                first = draw.randrange(DAYS)
                window = DayWindow(
                    FIRST + timedelta(days=first), FIRST + timedelta(days=draw.randrange(first, DAYS) + 1)
                )
                area.load(there, window)
                area.build(window, breaks=draw.random() < 0.2)
        whole = DayWindow(FIRST, FIRST + timedelta(days=DAYS))
        area.load(there, whole)
        area.build(whole)
        assert area.left_out > 0
        full = WarehouseBuilder(folder / "full", manifest, folder / "lake")
        full.build(whole.start, whole.end, MODELS)
        assert area.tables() == {table: full.rows(table) for table in TABLES}
        shutil.rmtree(folder)

    sequence_equals_one_full_build()
