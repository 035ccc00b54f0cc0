"""Tables that are built again after `make rekey` are those of a full build under the new key."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.rekey import rekey
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.privacy.pseudonyms import pseudonym
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.lake_loads import DAY_1, DAY_2, Found, Row, publish, window

pytestmark = pytest.mark.integration

PRODUCT = "+path:models/marts/product"
OLD, NEW = "p" * 32, f"{'q' * 32},{'p' * 32}"
MARTS = ("fct__user_events", "weekly_active_users", "weekly_active_corporations", "weekly_user_event_summary")


def _lake(folder: Path, key: str) -> Lake:
    return Lake(str(folder / "lake"), PrivacyPolicy(key, frozenset({PersonalKind.USER, PersonalKind.CORPORATION})))


def _rows() -> Sequence[Row]:
    return [
        {
            "event_id": f"e{number}",
            "day": day,
            "event_time": datetime(2024, 3, 1, 8),
            "server_upload_time": datetime.combine(day, datetime.min.time()) + timedelta(hours=number),
            "user_id": user,
            "user_corporate_id": "acme",
            "user_corporate_status": "active",
            "is_user_corporate_demo": False,
            "source_path": "page",
        }
        # An event is listed again on the next day.
        for number, day, user in [(1, DAY_1, "anna"), (2, DAY_1, "ben"), (1, DAY_2, "anna"), (3, DAY_2, "anna")]
    ]


def _build(warehouse: WarehouseBuilder) -> dict[str, list[dict[str, object]]]:
    warehouse.build(DAY_1, DAY_2 + timedelta(days=1), PRODUCT)
    tables = warehouse.tables([f"product.{name}" for name in MARTS])
    return {
        name: [{key: value for key, value in row.items() if key != "extracted_at"} for row in rows]
        for name, rows in tables.items()
    }


def test_tables_built_again_are_those_of_a_full_build_under_the_new_key(tmp_path: Path, manifest: Manifest) -> None:
    publish(_lake(tmp_path, OLD), Found({USER_EVENTS: _rows()}), window(DAY_1, DAY_2), 1, name="user_events")
    warehouse = WarehouseBuilder(tmp_path, manifest)
    before = _build(warehouse)
    assert [load.files for load in rekey(_lake(tmp_path, NEW)) if load.files] == [2]
    again = _build(warehouse)

    publish(_lake(tmp_path / "clean", NEW), Found({USER_EVENTS: _rows()}), window(DAY_1, DAY_2), 1, name="user_events")
    clean = _build(WarehouseBuilder(tmp_path / "clean", manifest))
    assert again == clean
    assert {row["user_id"] for row in clean["product.fct__user_events"]} == {
        pseudonym(NEW, "anna"),
        pseudonym(NEW, "ben"),
    }
    assert {row["user_id"] for row in before["product.fct__user_events"]} == {
        pseudonym(OLD, "anna"),
        pseudonym(OLD, "ben"),
    }
