"""Tables and published copy without activities that Strava no longer has: those of a build that never had them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.assets.kudos_model import PREDICTIONS_TABLE
from engagement_assets.commands import erased_tables
from engagement_assets.commands.range_run import RangeRequest, RangeRun
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.lake.deleted_activities import erase_deleted_activities
from engagement_assets.lake.erasure import unfinished
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from engagement_assets.transform.erased_rows import activities_deleted_before
from engagement_assets.transform.publish import Publisher, publish_schemas, publish_table
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, publish, window

pytestmark = pytest.mark.integration

STRAVA, AUDIT = "+path:models/marts/strava", "path:models/audit"
NOW = datetime.now(UTC)
# Activity, day, how many days ago it was deleted.
ACTIVITIES = [(1, DAY_1, 31), (2, DAY_1, None), (3, DAY_2, 31), (4, DAY_3, 29), (5, DAY_3, 31)]


def _load(folder: Path, activities: Sequence[tuple[int, object, int | None]]) -> None:
    own = {"source_path": "page"}
    found = {
        STRAVA_ACTIVITIES: [
            {
                "activity_id": number,
                "day": day,
                "activity_name": f"Run around number {number}",
                "sport_type": "Run",
                "started_at": f"{day} 10:00:00",
                "kudos_count": number,
                "deleted_at": (NOW - timedelta(days=ago)).replace(tzinfo=None) if ago else None,
                **own,
            }
            for number, day, ago in activities
        ],
        STRAVA_ACTIVITY_KUDOS: [
            {
                "activity_id": number,
                "day": day,
                "observed_on": day,
                "kudos_count": number,
                "started_at": f"{day} 10:00:00",
                **own,
            }
            for number, day, _ in activities
        ],
    }
    publish(Lake(str(folder / "lake")), Found(found), window(DAY_1, DAY_3), 1, name="strava")


def _tables(warehouse: WarehouseBuilder) -> dict[str, list[dict[str, object]]]:
    names = warehouse.query(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name = 'strava' or starts_with(table_name, 'int_strava_')"
    )
    return warehouse.tables([str(name) for (name,) in names])


def test_tables_are_those_of_a_build_that_never_had_them(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(tmp_path, ACTIVITIES)
    warehouse = WarehouseBuilder(tmp_path, manifest)
    warehouse.build(DAY_1, DAY_3 + timedelta(days=1), f"{STRAVA} {AUDIT}")
    settings = Settings(
        _env_file=None,
        landing_uri=str(tmp_path),
        lake_uri=str(tmp_path / "lake"),
        warehouse_path=warehouse.warehouse_path,
        published_warehouse_path=tmp_path / "published.duckdb",
        start_date=DAY_1,
    )
    publish_schemas(settings.warehouse_path, settings.published_warehouse_path, ("strava", "audit"))
    predicted = [(number, DAY_1, 1.0, 0, 3, "version") for number in (1, 2)]
    publish_table(settings.published_warehouse_path, PREDICTIONS_TABLE, predicted, Publisher())
    lake = Lake(settings.lake_uri)
    # Retention has removed the second day; its tables stay.
    for dataset in (STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS):
        path = Path(lake.location(lake.day_key(dataset, DAY_2)))
        path.unlink()
        path.with_name("pruned.json").write_text("{}", encoding="utf-8")
    built: list[RangeRequest] = []

    def build(_settings: Settings, request: RangeRequest) -> RangeRun:
        """The same models as the run over the range, without Dagster."""
        built.append(request)
        warehouse.build(request.window.start, request.window.end, STRAVA)
        return RangeRun("run", (), (), ())

    monkeypatch.setattr(erased_tables, "run_range", build)
    before = NOW - timedelta(days=30)
    in_tables = activities_deleted_before(settings.published_warehouse_path, before)
    assert in_tables == {1, 3, 5}
    assert erase_deleted_activities(lake, before, in_tables, now=NOW, dry_run=False).count == 3
    assert erased_tables.follow_deleted_activities(settings) == 0
    # A model refuses to be built over the day that retention has removed.
    assert [request.window for request in built] == [window(DAY_1), window(DAY_3)]
    assert unfinished(lake) == []

    clean = WarehouseBuilder(tmp_path / "clean", manifest)
    _load(tmp_path / "clean", [each for each in ACTIVITIES if each[0] in {2, 4}])
    clean.build(DAY_1, DAY_3 + timedelta(days=1), STRAVA)
    expected = _tables(clean)
    assert len(expected) == 13
    # The other is deleted, too.
    assert [row["activity_id"] for row in expected["strava.kudos_prediction_inputs"]] == [2]
    assert _tables(warehouse) == expected
    with duckdb.connect(str(settings.published_warehouse_path), read_only=True) as connection:
        names = connection.execute("select activity_name from strava.fct__strava_activities order by all").fetchall()
        # They are made again from what is left.
        predicted_tables = connection.execute("from duckdb_tables() where schema_name = 'predictions'").fetchall()
        audit = connection.execute("select kind, state, records_erased, persons from audit.erasures").fetchall()
    assert predicted_tables == []
    assert names == [("Run around number 2",), ("Run around number 4",)]
    # 1 and 5, each with its kudos.
    assert audit == [("activity", "done", 4, 0)]
    for number, is_there in ((1, False), (3, False), (4, True), (5, False)):
        text = f"Run around number {number}".encode()
        found = [path for path in tmp_path.glob("*.duckdb") if text in path.read_bytes()]
        assert bool(found) == is_there
    # Nothing is left to do.
    assert erased_tables.follow_deleted_activities(settings) == 0
    assert len(built) == 2
