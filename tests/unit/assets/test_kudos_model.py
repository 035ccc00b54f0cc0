"""The model of kudos in Dagster: when it is trained, what is shown of it, and what it predicts."""

import ast
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import util
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest

from engagement_assets.assets import kudos_model
from engagement_assets.assets.kudos_model import (
    KUDOS_ASSETS,
    STRAVA_KUDOS_MODEL,
    STRAVA_KUDOS_PREDICTIONS,
    kudos_assets,
)
from engagement_assets.installation import PACKAGE
from engagement_assets.kudos.versions import Versions
from engagement_assets.settings import Settings
from engagement_assets.transform.publish import STORAGE_VERSION
from tests.unit.kudos.drawn_histories import Rule, drawn_history, multiplied, none
from tests.unit.kudos.trained_versions import of_week

PUBLISHED = dg.AssetKey(["published", "strava"])
LAST_WEEK = date(2024, 1, 29)
BOTH = ["strava_kudos_predictions", "strava_kudos_model"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        landing_uri=str(tmp_path / "landing"),
        warehouse_path=tmp_path / "warehouse.duckdb",
        published_warehouse_path=tmp_path / "published.duckdb",
    )


def _publish(settings: Settings, rule: Rule = multiplied, *, weeks: int = 5, awaited: int = 3) -> pd.DataFrame:
    """A published copy with examples of a drawn history; the last of its activities wait for their kudos."""
    examples = drawn_history(rule, weeks=weeks, per_week=20).assign(is_week_complete=True)
    examples["activity_date"] = examples["week_start_date"] + pd.to_timedelta(examples["iso_weekday"] - 1, unit="D")
    examples = examples.sort_values(["activity_date", "activity_id"])
    inputs = examples.tail(awaited).drop(columns=["kudos_count", "is_week_complete"])
    inputs["activity_id"] += 1_000
    with duckdb.connect() as connection:
        copy = f"'{settings.published_warehouse_path}' as copy (storage_version '{STORAGE_VERSION}')"
        connection.execute(f"attach {copy}; use copy; create schema if not exists strava")
        connection.register("examples", examples)
        connection.register("inputs", inputs)
        connection.execute("create or replace table strava.kudos_training_examples as from examples")
        connection.execute("create or replace table strava.kudos_prediction_inputs as from inputs")
    return inputs


def _run(settings: Settings, *assets: str) -> dg.ExecuteInProcessResult:
    keys = [key for key in KUDOS_ASSETS if not assets or key.path[-1] in assets]
    return dg.materialize(
        [*kudos_assets(settings), dg.AssetSpec(PUBLISHED)],
        selection=dg.AssetSelection.assets(*keys),
        resources={"settings": settings},
    )


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(key.path[-1])
    return {name: value.value for name, value in event.metadata.items()}


def _check(result: dg.ExecuteInProcessResult) -> tuple[bool, dg.AssetCheckSeverity, str | None]:
    (check,) = result.get_asset_check_evaluations()
    return check.passed, check.severity, check.description


def _predictions(settings: Settings) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.published_warehouse_path), read_only=True) as connection:
        return connection.execute("from predictions.strava_kudos_predictions order by all").fetchall()


def test_a_new_week_trains_a_version_beside_its_baselines_and_predicts(settings: Settings) -> None:
    inputs = _publish(settings)
    result = _run(settings)
    metadata, version = _metadata(result, STRAVA_KUDOS_MODEL), Versions(settings.models_dir).in_use()
    assert version is not None
    assert metadata["version"] == metadata["version_in_use"] == version.name
    assert version.trained.newest_week == LAST_WEEK
    assert metadata["examples"] == 100
    assert metadata["error/model"] < metadata["error/mean_of_workout_type"] < metadata["error/mean_of_last_four_weeks"]
    assert metadata["trained"].startswith(
        "mean absolute error in kudos over 40 activities of the newest 2 weeks: model "
    )
    assert "| log_distance | " in metadata["drift"]
    assert metadata["chart"].startswith("**Kudos of activities, and what was expected**.")
    assert Path(metadata["path"]).is_file()
    assert _check(result) == (True, dg.AssetCheckSeverity.WARN, None)

    rows = _predictions(settings)
    assert [row[0] for row in rows] == sorted(inputs["activity_id"])
    assert [row[1] for row in rows] == sorted(day.date() for day in inputs["activity_date"])
    assert all(lower <= expected <= upper for _, _, expected, lower, upper, _ in rows)
    assert {row[-1] for row in rows} == {version.name}
    assert _metadata(result, STRAVA_KUDOS_PREDICTIONS)["dagster/row_count"] == 3
    with duckdb.connect(str(settings.published_warehouse_path), read_only=True) as connection:
        listed = connection.execute("select schema_name, table_name, row_count from audit.published_tables").fetchall()
        assert listed == [("predictions", "strava_kudos_predictions", 3)]
        assert connection.execute("select count(*) from strava.kudos_training_examples").fetchone() == (100,)
        comments = connection.execute(
            "select comment from duckdb_columns() where table_name = 'strava_kudos_predictions'"
        ).fetchall()
        assert all(comment for (comment,) in comments)


def test_predictions_are_exported_with_the_published_tables(settings: Settings, tmp_path: Path) -> None:
    _publish(settings)
    exporting = settings.model_copy(update={"export_dir": str(tmp_path / "exports")})
    assert _run(exporting).success
    (file,) = (tmp_path / "exports" / "predictions").glob("*.parquet")
    with duckdb.connect() as connection:
        assert connection.execute(f"from read_parquet('{file}') order by all").fetchall() == _predictions(settings)


def test_without_a_new_week_nothing_is_trained_and_the_check_still_speaks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(settings)
    kept = Versions(settings.models_dir).keep(of_week(4))
    with monkeypatch.context() as patch:
        patch.setattr("engagement_assets.kudos.evaluation.train", lambda _: pytest.fail("it was trained"))
        result = _run(settings, "strava_kudos_model")
    assert result.success
    shown = _metadata(result, STRAVA_KUDOS_MODEL)
    assert (shown["trained"], shown["version"]) == (
        f"no complete week has arrived since {kept.trained.newest_week}: nothing to learn",
        kept.name,
    )
    assert _check(result)[0] == kept.trained.is_good
    assert Versions(settings.models_dir).newest() == kept
    _publish(settings, weeks=6)
    assert _metadata(_run(settings, "strava_kudos_model"), STRAVA_KUDOS_MODEL)["newest_week"] == "2024-02-05"


def test_weeks_that_are_not_complete_are_not_learnt_from(settings: Settings) -> None:
    _publish(settings, weeks=6)
    with duckdb.connect(str(settings.published_warehouse_path)) as connection:
        connection.execute(
            "update strava.kudos_training_examples set is_week_complete = false where week_start_date > $last",
            {"last": LAST_WEEK},
        )
    metadata = _metadata(_run(settings, "strava_kudos_model"), STRAVA_KUDOS_MODEL)
    assert (metadata["newest_week"], metadata["examples"]) == ("2024-01-29", 100)


def test_a_version_that_is_worse_than_its_baselines_warns_and_the_old_one_stays(settings: Settings) -> None:
    """There is no rule, so the mean of the last weeks is better than any model; with this seed by a little."""
    _publish(settings, none)
    old = Versions(settings.models_dir).keep(of_week(0))
    result = _run(settings)
    newest = Versions(settings.models_dir).newest()
    assert newest is not None
    assert newest.trained.newest_week == LAST_WEEK
    assert Versions(settings.models_dir).in_use() == old
    assert _metadata(result, STRAVA_KUDOS_MODEL)["version_in_use"] == old.name
    expected = f"version {newest.name} is not used; {old.name} is"
    assert _check(result) == (False, dg.AssetCheckSeverity.WARN, expected)


def test_few_activities_are_said_to_be_few_and_fail_nothing(settings: Settings) -> None:
    _publish(settings, weeks=2)
    result = _run(settings)
    assert result.success
    assert _metadata(result, STRAVA_KUDOS_MODEL)["trained"].startswith("not enough history: expected at least 30 ")
    assert _check(result) == (
        True,
        dg.AssetCheckSeverity.WARN,
        "not enough history: no version was trained yet",
    )
    assert Versions(settings.models_dir).newest() is None
    assert _metadata(result, STRAVA_KUDOS_PREDICTIONS)["predicted"] == "nothing, since no model is in use"
    assert _predictions(settings) == []


@pytest.mark.parametrize("is_published", [True, False])
def test_a_copy_without_the_tables_of_strava_has_no_history(settings: Settings, *, is_published: bool) -> None:
    if is_published:
        duckdb.connect(str(settings.published_warehouse_path)).close()
    result = _run(settings, "strava_kudos_model")
    assert "found 0 and 0 in 0 complete weeks" in _metadata(result, STRAVA_KUDOS_MODEL)["trained"]


def test_without_scikit_learn_the_assets_say_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = util.find_spec
    monkeypatch.setattr(kudos_model, "find_spec", lambda name: None if name == "sklearn" else found(name))
    specs = kudos_assets(settings)
    assert [spec.key for spec in specs if isinstance(spec, dg.AssetSpec)] == [
        STRAVA_KUDOS_MODEL,
        STRAVA_KUDOS_PREDICTIONS,
    ]
    assert len(specs) == 2
    for spec in specs:
        assert isinstance(spec, dg.AssetSpec)
        assert str(spec.description).startswith("NOT TRAINED: install the extra `model` (scikit-learn) to train it.")
        assert spec.automation_condition is None


def test_no_module_imports_scikit_learn_when_it_is_loaded() -> None:
    """A daily run would wait for it, and a deployment without it could not even load its definitions."""
    heavy = {
        path.relative_to(PACKAGE).as_posix(): module
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for module in _imported(node)
        if module.split(".")[0] in {"sklearn", "threadpoolctl", "scipy", "joblib"}
        # pandas comes with these, and every process loads the assets.
        or (module.startswith("engagement_assets.kudos") and path.parent.name in {"assets", "orchestration"})
    }
    assert heavy == {}


def _imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


class _Automation:
    """What Dagster requests at instants, from events that a test reports."""

    def __init__(self, settings: Settings) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.defs = dg.Definitions([*kudos_assets(settings), dg.AssetSpec(PUBLISHED)], resources={"settings": settings})
        self.cursor: Any = None

    def report(self, *keys: dg.AssetKey) -> None:
        for key in keys:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key))

    def requested(self, at: datetime) -> Sequence[str]:
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=at.replace(tzinfo=UTC)
        )
        self.cursor = result.cursor
        return [key.path[-1] for key in sorted(KUDOS_ASSETS) if result.get_num_requested(key)]


def test_training_is_requested_by_the_first_publication_of_a_week(settings: Settings) -> None:
    automation, sunday = _Automation(settings), datetime(2024, 3, 3, 12)
    automation.report(PUBLISHED)
    assert automation.requested(sunday) == []
    monday = sunday + timedelta(hours=18)
    # The week has begun, and nothing of it was published.
    assert automation.requested(monday) == []
    automation.report(PUBLISHED)
    assert automation.requested(monday + timedelta(hours=1)) == BOTH
    automation.report(*KUDOS_ASSETS)
    assert automation.requested(monday + timedelta(hours=3)) == []
    # On other days there are only new activities.
    automation.report(PUBLISHED)
    assert automation.requested(monday + timedelta(days=1)) == ["strava_kudos_predictions"]
    automation.report(STRAVA_KUDOS_PREDICTIONS)
    assert automation.requested(monday + timedelta(days=6)) == []
    automation.report(PUBLISHED)
    assert automation.requested(monday + timedelta(days=7)) == BOTH


def test_predictions_wait_for_the_first_model(settings: Settings) -> None:
    automation = _Automation(settings)
    automation.report(PUBLISHED)
    tuesday = datetime(2024, 3, 5, 12)
    assert automation.requested(tuesday) == []
    automation.report(STRAVA_KUDOS_MODEL)
    assert automation.requested(tuesday + timedelta(hours=1)) == ["strava_kudos_predictions"]
