"""The dbt tests of every area: each passes on sound tables, and finds what it is for.

Belongs here: running dbt's own tests, on models and on tables. Not here: the tables and their defects (see
`learning_defects.py` and its like), or what happens between builds (see `test_learning_incremental.py` and its like).
"""

import shutil
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from tests.integration.defects import Area
from tests.integration.engagement_defects import ENGAGEMENT_TABLES
from tests.integration.learning_defects import LEARNING, LEARNING_TABLES
from tests.integration.mobility_defects import MOBILITY_TABLES
from tests.integration.product_defects import PRODUCT_TABLES
from tests.integration.strava_defects import STRAVA_TABLES
from tests.integration.training_defects import TRAINING_TABLES, TRAINING_TABLES_OF_REJECTED_STEPS
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

AREAS: Mapping[str, Area] = {
    "training": TRAINING_TABLES,
    "training_of_rejected_steps": TRAINING_TABLES_OF_REJECTED_STEPS,
    "strava": STRAVA_TABLES,
    "learning": LEARNING_TABLES,
    "product": PRODUCT_TABLES,
    "mobility": MOBILITY_TABLES,
    "engagement": ENGAGEMENT_TABLES,
}


class Built(NamedTuple):
    """An area as it was built, and the SQL of its data tests."""

    warehouse: WarehouseBuilder
    data_tests: Mapping[str, str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Callable[[str], Built]:
    """The sound tables of an area, built once."""

    @cache
    def build(name: str) -> Built:
        warehouse = WarehouseBuilder(tmp_path_factory.mktemp(name), manifest)
        AREAS[name].build(warehouse)
        return Built(warehouse, warehouse.compiled_tests(AREAS[name].data_tests))

    return build


@pytest.mark.parametrize("name", [name for name, area in AREAS.items() if area.unit_tests])
def test_the_unit_tests_of_the_models_pass(built: Callable[[str], Built], name: str) -> None:
    assert built(name).warehouse.failing_tests(AREAS[name].unit_tests) == {}


@pytest.mark.parametrize("name", AREAS)
def test_every_data_test_passes_on_sound_tables(built: Callable[[str], Built], name: str) -> None:
    assert built(name).warehouse.failing_tests(AREAS[name].data_tests) == {}
    assert built(name).warehouse.failing_with(built(name).data_tests, AREAS[name].schema, ()) == []


@pytest.mark.parametrize(
    ("name", "defect"), [(name, defect) for name, area in AREAS.items() for defect in area.defects]
)
def test_the_data_tests_find_a_defect(built: Callable[[str], Built], name: str, defect: str) -> None:
    statements, found_by = AREAS[name].defects[defect]
    warehouse, data_tests = built(name)
    assert warehouse.failing_with(data_tests, AREAS[name].schema, statements) == sorted(found_by)


@pytest.mark.parametrize("name", AREAS)
def test_dbt_finds_a_defect_that_a_build_has_left(
    built: Callable[[str], Built], tmp_path: Path, manifest: Manifest, name: str
) -> None:
    statements, found_by = next(iter(AREAS[name].defects.values()))
    folder = shutil.copytree(built(name).warehouse.warehouse_path.parent, tmp_path / "defective")
    warehouse = WarehouseBuilder(folder, manifest)
    warehouse.execute(AREAS[name].schema, statements)
    assert sorted(warehouse.failing_tests(AREAS[name].data_tests)) == sorted(found_by)


def test_a_lake_that_holds_an_event_twice_is_found(warehouse: WarehouseBuilder) -> None:
    day = date(2021, 1, 3)
    event = {"event_id": "a", "user_id": "ana", "activity_id": "song", "occurred_at": datetime.combine(day, time(10))}
    warehouse.write_day(LINGOKIDS_EVENTS, day, [event, event])
    warehouse.build(day, day, LEARNING)
    tests = {"lingokids_events_by_day_hold_an_event_once", "unique_fct__activity_exits_event_id"}
    assert set(warehouse.failing_tests(" ".join(tests))) == tests
