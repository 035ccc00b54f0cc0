"""A dbt test as a check in Dagster: nothing to show when it passes; rows, keys and SQL when it does not.

Belongs here: each kind of test through a real dbt step, and every test of the mechanical kinds on broken tables. Not
here: what the tests of one area find (see `test_*_checks.py`), how check metadata is put together (unit tests).
"""

import shutil
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dbt.contracts.graph.manifest import Manifest
from pydantic import SecretStr

from engagement_assets.assets.dbt_models import dbt_model_assets
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.privacy.pseudonyms import pseudonym
from engagement_assets.settings import Settings
from engagement_assets.transform.project import manifest as dbt_manifest
from engagement_assets.transform.warehouse import warehouse_resource
from tests.integration.warehouse_builder import WarehouseBuilder

pytestmark = pytest.mark.integration

DAY = date(2025, 1, 6)
NEXT_DAY = date(2025, 1, 7)
KEY = "k" * 32
READ = datetime(2025, 1, 10)
MECHANICAL_KINDS = ("not_null", "unique", "unique_combination", "accepted_values")


@pytest.fixture(scope="module")
def seven_runs(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WarehouseBuilder:
    """Seven runs on one day, each with its kudos. Built."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("seven_runs"), manifest)
    runs: list[dict[str, object]] = [
        {
            "activity_id": number,
            "activity_type": "Run",
            "sport_type": "Run",
            "started_at": datetime(2025, 1, 6, 10),
            "kudos_count": number,
            "extracted_at": READ,
        }
        for number in range(1, 8)
    ]
    kudos: list[dict[str, object]] = [
        {
            "activity_id": run["activity_id"],
            "observed_on": READ.date(),
            "kudos_count": run["kudos_count"],
            "extracted_at": READ,
        }
        for run in runs
    ]
    warehouse.write_day(STRAVA_ACTIVITIES, DAY, runs)
    warehouse.write_day(STRAVA_ACTIVITY_KUDOS, DAY, kudos)
    warehouse.build(DAY, NEXT_DAY, "+path:models/marts/strava")
    return warehouse


@pytest.fixture(scope="module")
def doubled_and_empty(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WarehouseBuilder:
    """Two equal rows and an empty one in every table: ids are doubled or missing, and no value is an accepted one."""
    warehouse = WarehouseBuilder(tmp_path_factory.mktemp("doubled_and_empty"), manifest)
    warehouse.build(DAY, NEXT_DAY)
    tested = {node["attached_node"].split(".")[2] for node in mechanical_tests()}
    with duckdb.connect(str(warehouse.warehouse_path)) as connection:
        relations = connection.execute(
            """
            select table_schema, table_name, table_type, list((column_name, data_type))
            from information_schema.tables join information_schema.columns using (table_schema, table_name)
            group by all
            """
        ).fetchall()
        for schema, name, relation_type, columns in relations:
            values = ", ".join(f"cast({literal(kind)} as {kind}) as {column}" for column, kind in columns)
            empty = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns)
            rows = f"select {values} from range(2) union all select {empty}"
            if relation_type != "VIEW":
                connection.execute(f"insert into {schema}.{name} by name {rows}")
            elif name in tested:
                connection.execute(f"create or replace view {schema}.{name} as {rows}")
    return warehouse


def mechanical_tests() -> list[Mapping[str, Any]]:
    nodes = dbt_manifest()["nodes"].values()
    return [node for node in nodes if (node.get("test_metadata") or {}).get("name") in MECHANICAL_KINDS]


def evaluations(
    warehouse: WarehouseBuilder, step: str, check: dg.AssetCheckKey | None = None, pseudonym_key: str | None = None
) -> dict[str, dg.AssetCheckEvaluation]:
    """One check of a dbt step, or all of them, evaluated by Dagster without building anything; by name."""
    settings = Settings(
        _env_file=None,
        lake_uri=str(warehouse.lake_folder),
        warehouse_path=warehouse.warehouse_path,
        pseudonym_key=SecretStr(pseudonym_key) if pseudonym_key else None,
    )
    run = dg.materialize(
        [assets for assets in dbt_model_assets(dbt_manifest(), DAY) if assets.op.name == step],
        selection=dg.AssetSelection.checks(check) if check else dg.AssetSelection.all_asset_checks(),
        resources={"settings": settings, "warehouse": warehouse_resource(settings.warehouse_path)},
        raise_on_error=False,
    )
    return {evaluation.check_name: evaluation for evaluation in run.get_asset_check_evaluations()}


def broken(
    warehouse: WarehouseBuilder, folder: Path, manifest: Manifest, defects: list[str]
) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks that do not pass on a copy of the warehouse with `defects`."""
    copy = WarehouseBuilder(shutil.copytree(warehouse.warehouse_path.parent, folder / "defective"), manifest)
    with duckdb.connect(str(copy.warehouse_path)) as connection:
        connection.execute("set schema = 'strava'")
        for defect in defects:
            connection.execute(defect)
    found = {
        name: evaluation for name, evaluation in evaluations(copy, "strava_models").items() if not evaluation.passed
    }
    for evaluation in found.values():
        metadata = failure_metadata(evaluation)
        if "failing_rows" in metadata:
            assert len(copy.query(metadata["failing_rows_sql"])) == metadata["failing_rows"]
    return found


def failure_metadata(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """The metadata by plain values, without what dagster-dbt adds by itself."""
    names = {"failing_rows", "failing_keys", "failing_rows_sql", "observed", "expected", "blocked"}
    return {name: value.value for name, value in evaluation.metadata.items() if name in names}


def summary(found: Mapping[str, dg.AssetCheckEvaluation], name: str) -> tuple[str | None, str, int, list[Any], bool]:
    evaluation = found[name]
    shown = failure_metadata(evaluation)
    assert shown["observed"].startswith(str(shown["failing_rows"]))
    return (
        evaluation.description,
        evaluation.severity.value,
        shown["failing_rows"],
        shown["failing_keys"],
        shown["blocked"],
    )


def test_a_test_that_passes_has_nothing_to_show(seven_runs: WarehouseBuilder) -> None:
    found = evaluations(seven_runs, "strava_models")
    expected = {
        spec.name
        for step in dbt_model_assets(dbt_manifest(), DAY)
        if step.op.name == "strava_models"
        for spec in step.check_specs
    }
    assert found.keys() == expected
    assert [name for name, evaluation in found.items() if not evaluation.passed] == []
    assert {evaluation.description for evaluation in found.values()} == {None}
    assert [failure_metadata(evaluation) for evaluation in found.values() if failure_metadata(evaluation)] == []


def test_tests_of_a_fact_show_which_rows_fail(seven_runs: WarehouseBuilder, tmp_path: Path, manifest: Manifest) -> None:
    found = broken(
        seven_runs,
        tmp_path,
        manifest,
        [
            "insert into fct__strava_activities from fct__strava_activities where activity_id < 7",
            "update fct__strava_activities set workout_type_name = 'fartlek' where activity_id = 4",
            "update fct__strava_activities set is_deleted = true where activity_id = 5",
        ],
    )
    assert summary(found, "unique_fct__strava_activities_activity_id") == (
        "strava.fct__strava_activities: 6 failing rows against “activity_id is unique”. "
        "A duplicate activity would be counted twice everywhere.",
        "ERROR",
        6,
        [{"activity_id": number, "n_records": 2} for number in range(1, 6)],
        True,
    )
    assert summary(found, "strava_workout_types_are_known") == (
        "strava.fct__strava_activities: 1 failing row against “strava workout types are known”. "
        "Strava has a new kind of workout, whose runs are counted under `unknown`.",
        "WARN",
        1,
        [{"workout_type_name": "fartlek", "n_records": 2}],
        False,
    )
    assert failure_metadata(found["strava_workout_types_are_known"])["expected"] == (
        "workout_type_name is one of default, race, long_run, workout"
    )
    assert summary(found, "strava_activities_are_deleted_since_an_instant")[2:] == (2, [{"activity_id": 5}], True)
    assert summary(found, "assert_every_strava_activity_is_in_the_fact_once")[2:] == (
        6,
        [{"activity_id": number, "is_accepted": True, "rows_in_fact": 2} for number in range(1, 6)],
        True,
    )


def test_tests_over_two_tables_show_which_rows_fail(
    seven_runs: WarehouseBuilder, tmp_path: Path, manifest: Manifest
) -> None:
    found = broken(
        seven_runs,
        tmp_path,
        manifest,
        [
            "insert into strava_kudos_history from strava_kudos_history where activity_id = 1",
            "update strava_kudos_history set activity_id = null where activity_id = 2",
            "update strava_kudos_history set activity_id = 99 where activity_id = 3",
            "update strava_yearly_summary set total_kudos = 0",
            "alter table strava_weekly_kudos_change drop column previous_week_total_kudos",
        ],
    )
    observed_on = READ.date().isoformat()
    assert summary(found, "strava_kudos_are_of_known_activities")[1:] == ("WARN", 1, [{"activity_id": 99}], False)
    assert summary(found, "not_null_strava_kudos_history_activity_id")[1:] == (
        "ERROR",
        1,
        [{"activity_id": None, "observed_on": observed_on}],
        True,
    )
    assert summary(found, "strava_kudos_history_holds_an_observation_once")[2:] == (
        1,
        [{"activity_id": 1, "observed_on": observed_on, "row_count": 2}],
        True,
    )
    [year] = failure_metadata(found["strava_years_add_up_to_their_months"])["failing_keys"]
    assert (year["period"], year["stored_total_kudos"], year["expected_total_kudos"]) == ("2025-01-01", 0, 28)

    unanswered = found["assert_weeks_are_compared_with_exactly_the_week_before"]
    assert unanswered.severity == dg.AssetCheckSeverity.ERROR
    assert unanswered.description is not None
    assert unanswered.description.startswith(
        "strava.strava_weekly_kudos_change: it could not be tested that weeks are compared with exactly the week before"
    )
    assert "previous_week_total_kudos" in unanswered.description
    assert failure_metadata(unanswered).keys() == {"blocked", "failing_rows_sql"}


def test_every_test_of_the_mechanical_kinds_finds_what_it_is_for(doubled_and_empty: WarehouseBuilder) -> None:
    found = doubled_and_empty.failing_tests(" ".join(f"test_name:{kind}" for kind in MECHANICAL_KINDS))
    assert {node["name"] for node in mechanical_tests()} - found.keys() == set()
    # None of them because its SQL is wrong.
    assert {message.partition(",")[0] for message in found.values()} == {"Got 1 result"}


def test_whose_rows_fail_is_shown_by_pseudonyms(doubled_and_empty: WarehouseBuilder) -> None:
    name = "unique_user_pace_adherence_user_id"
    check = dg.AssetCheckKey(dg.AssetKey(["training", "user_pace_adherence"]), name)
    found = evaluations(doubled_and_empty, "training_models", check, KEY)
    assert failure_metadata(found[name])["failing_keys"] == [
        {"user_id": pseudonym(KEY, "something")[:12], "n_records": 2}
    ]
    assert "something" not in str(found[name])


def literal(kind: str) -> str:
    """Some value of a DuckDB type."""
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "'2025-01-06'"
    return {"VARCHAR": "'something'", "BOOLEAN": "true"}.get(kind, "1")
