"""The model of kudos as assets: trained when a complete week has arrived, and what it predicts of new activities.

Belongs here: when it is trained, what Dagster shows of it, and the table of predictions. Not here: the model and its
evaluation (`kudos/`), the examples (`dbt_project/models/marts/strava`), or how a table is published
(`transform/publish.py`).

The model has no days, so it is in no daily run: Dagster requests it by the conditions below. Predictions lie in a
schema of their own, since publishing an area replaces its schema. pandas and all that `kudos/` needs are imported by
the steps alone: they take half a second and more, and every process loads this module.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb

from engagement_assets.assets.dbt_models import WAREHOUSE_POOL, asset_tags
from engagement_assets.assets.mart_pictures import CHART
from engagement_assets.assets.raw_load import OWNERS
from engagement_assets.contracts import check_metadata
from engagement_assets.extract.strava.source import STRAVA
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown
from engagement_assets.sources import PREDICTIONS
from engagement_assets.transform.export import exports_of
from engagement_assets.transform.publish import Publisher, TableDescription, publish_table

if TYPE_CHECKING:
    import pandas as pd

    from engagement_assets.kudos.evaluation import Trained
    from engagement_assets.kudos.versions import Version, Versions

STRAVA_KUDOS_MODEL = dg.AssetKey("strava_kudos_model")
STRAVA_KUDOS_PREDICTIONS = dg.AssetKey([PREDICTIONS, "strava_kudos_predictions"])
KUDOS_ASSETS = frozenset({STRAVA_KUDOS_MODEL, STRAVA_KUDOS_PREDICTIONS})
IS_NOT_WORSE = "is_not_worse_than_baselines"
_PUBLISHED_STRAVA = dg.AssetKey(["published", STRAVA.area])
_NOT_INSTALLED = "NOT TRAINED: install the extra `model` (scikit-learn) to train it."

PREDICTIONS_TABLE = TableDescription(
    ".".join(STRAVA_KUDOS_PREDICTIONS.path),
    "One row per activity that has not had time to collect its kudos: how many it can expect, by the model in use.",
    {
        "activity_id": ("BIGINT", "Strava's number of the activity."),
        "activity_date": ("DATE", "The UTC day of its start."),
        "expected_kudos": ("DOUBLE", "How many kudos the model expects once it has had time to collect them."),
        "lower_kudos": ("BIGINT", "The lower end of an interval that holds the kudos of 90 % of activities."),
        "upper_kudos": ("BIGINT", "Its upper end."),
        "model_version": (
            "VARCHAR",
            "The model's version: the newest week that it has learnt from, and a digest.",
        ),
    },
)


def kudos_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec | dg.AssetChecksDefinition]:
    """The model with its check, and the predictions; without scikit-learn, two assets that cannot be run and say so."""
    model_spec, predictions_spec = _specs(settings)
    if find_spec("sklearn") is None:
        return [
            spec.replace_attributes(description=f"{_NOT_INSTALLED} {spec.description}", automation_condition=None)
            for spec in (model_spec, predictions_spec)
        ]
    return [_model_asset(model_spec), _model_check(), _predictions_asset(predictions_spec)]


def _specs(settings: Settings) -> tuple[dg.AssetSpec, dg.AssetSpec]:
    monday = dg.AutomationCondition.on_cron(f"0 {settings.schedule_hour} * * 1", settings.schedule_time_zone)
    columns = [dg.TableColumn(name, kind, text) for name, (kind, text) in PREDICTIONS_TABLE.columns.items()]
    return (
        dg.AssetSpec(
            STRAVA_KUDOS_MODEL,
            deps=[_PUBLISHED_STRAVA],
            group_name=PREDICTIONS,
            owners=OWNERS,
            kinds={"scikitlearn"},
            tags=asset_tags(STRAVA.area, PREDICTIONS),
            # The first publication after Monday has the week of which Sunday's activities have had seven days.
            automation_condition=monday,
            description=(
                "How many kudos an activity can expect, learnt from `strava.kudos_training_examples` when a complete "
                "week has arrived. It is judged by the newest weeks, each predicted from the weeks before it, beside "
                "two baselines. A version that is worse than one of them is kept and not used."
            ),
        ),
        dg.AssetSpec(
            STRAVA_KUDOS_PREDICTIONS,
            deps=[_PUBLISHED_STRAVA, STRAVA_KUDOS_MODEL],
            group_name=PREDICTIONS,
            owners=OWNERS,
            kinds={"duckdb"},
            tags=asset_tags(STRAVA.area, PREDICTIONS),
            automation_condition=dg.AutomationCondition.eager(),
            metadata={"dagster/column_schema": dg.TableSchema(columns)},
            description=PREDICTIONS_TABLE.meaning,
        ),
    )


def _model_asset(spec: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=STRAVA_KUDOS_MODEL.path[-1],
        specs=[spec],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=STRAVA_KUDOS_MODEL.path[-1],
    )
    def strava_kudos_model(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        from engagement_assets.kudos.evaluation import train, why_too_little  # noqa: PLC0415
        from engagement_assets.kudos.versions import Versions  # noqa: PLC0415

        versions = Versions(settings.models_dir)
        examples = _read(settings, "kudos_training_examples", "where is_week_complete")
        newest = versions.newest()
        if newest and (examples.empty or examples["week_start_date"].max().date() <= newest.trained.newest_week):
            # The model is materialized all the same: otherwise its check and the predictions would not run.
            nothing = f"no complete week has arrived since {newest.trained.newest_week}: nothing to learn"
            context.log.info(nothing)
            yield dg.MaterializeResult(metadata={"trained": nothing, **_versions_shown(versions, newest)})
            return
        if too_little := why_too_little(examples):
            context.log.info(too_little)
            yield dg.MaterializeResult(metadata={"trained": too_little})
            return
        trained, predicted = train(examples)
        version = versions.keep(trained)
        yield dg.MaterializeResult(metadata=_metadata(context, versions, version, predicted))

    return strava_kudos_model


def _metadata(
    context: dg.AssetExecutionContext, versions: "Versions", version: "Version", predicted: "pd.DataFrame"
) -> Mapping[str, Any]:
    trained = version.trained
    summary = _summary(trained)
    context.log.info(f"version {version.name}: {summary}")
    metadata: dict[str, Any] = {
        "trained": summary,
        **_versions_shown(versions, version),
        "newest_week": trained.newest_week.isoformat(),
        "examples": trained.examples,
        "predicted": trained.predicted,
        **{f"error/{name}": error for name, error in trained.errors.items()},
        "drift": dg.MetadataValue.md(_drift(trained)),
    }
    from engagement_assets.report.kudos_chart import evaluation_picture  # noqa: PLC0415

    try:
        metadata[CHART] = dg.MetadataValue.md(evaluation_picture(predicted, summary))
    except ValueError as error:
        # The model itself is fine.
        context.log.warning(f"the evaluation could not be drawn for the UI: {shown(str(error))}")
    return metadata


def _versions_shown(versions: "Versions", version: "Version") -> Mapping[str, Any]:
    used = versions.in_use()
    return {
        "version": version.name,
        "version_in_use": used.name if used else "none: no version was better than its baselines",
        "path": dg.MetadataValue.path(versions.path(version)),
    }


def _summary(trained: "Trained") -> str:
    errors = ", ".join(f"{name.replace('_', ' ')} {error:.2f}" for name, error in trained.errors.items())
    return (
        f"mean absolute error in kudos over {trained.predicted} activities of the newest {trained.weeks_predicted} "
        f"weeks: {errors}"
    )


def _drift(trained: "Trained") -> str:
    found = sorted(trained.drift.items(), key=lambda item: (-abs(item[1]), item[0]))
    rows = "\n".join(f"| {name} | {distance:+.2f} |" for name, distance in found)
    return f"| term | newest week's mean, in standard deviations from that of the weeks before |\n|---|---|\n{rows}"


def _model_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=STRAVA_KUDOS_MODEL,
        name=IS_NOT_WORSE,
        description="The newest version predicts at least as well as both baselines; a worse one is not used.",
    )
    def is_not_worse_than_baselines(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        from engagement_assets.kudos.versions import Versions  # noqa: PLC0415

        versions = Versions(settings.models_dir)
        newest, used = versions.newest(), versions.in_use()
        if newest is None:
            return dg.AssetCheckResult(
                passed=True,
                severity=dg.AssetCheckSeverity.WARN,
                description="not enough history: no version was trained yet",
                metadata={check_metadata.NOT_JUDGED: True},
            )
        is_good = newest.trained.is_good
        worse = f"version {newest.name} is not used; {used.name if used else 'none'} is"
        return dg.AssetCheckResult(
            passed=is_good,
            severity=dg.AssetCheckSeverity.WARN,
            description=None if is_good else worse,
            metadata={
                check_metadata.OBSERVED: _summary(newest.trained),
                check_metadata.EXPECTED: "an error of the model that is not larger than that of a baseline",
                check_metadata.BLOCKED: False,
            },
        )

    return is_not_worse_than_baselines


def _predictions_asset(spec: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=STRAVA_KUDOS_PREDICTIONS.path[-1],
        specs=[spec],
        backfill_policy=dg.BackfillPolicy.single_run(),
        # It replaces the published copy, as whatever publishes does.
        pool=WAREHOUSE_POOL,
    )
    def strava_kudos_predictions(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[Any]:
        from engagement_assets.kudos.versions import Versions  # noqa: PLC0415

        used = Versions(settings.models_dir).in_use()
        activities = _read(settings, "kudos_prediction_inputs")
        rows = _predicted(used, activities) if used else []
        said = f"by version {used.name}" if used else "nothing, since no model is in use"
        context.log.info(f"{len(rows)} activities predicted: {said}")
        publish_table(settings.published_warehouse_path, PREDICTIONS_TABLE, rows, Publisher(context.run.run_id))
        if exports := exports_of(settings):
            exports.follow(settings.published_warehouse_path)
        return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "predicted": said})

    return strava_kudos_predictions


def _predicted(version: "Version", activities: "pd.DataFrame") -> list[tuple[Any, ...]]:
    if activities.empty:
        return []
    expected = version.trained.model.predict(activities)
    lower, upper = version.trained.model.interval(expected)
    days = (day.date() for day in activities["activity_date"])
    return [
        (int(activity_id), day, round(float(kudos), 2), int(least), int(most), version.name)
        for activity_id, day, kudos, least, most in zip(
            activities["activity_id"], days, expected, lower, upper, strict=True
        )
    ]


def _read(settings: Settings, table: str, where: str = "") -> "pd.DataFrame":
    """The activities of a published table of the area, oldest first; none if it was never published."""
    import pandas as pd  # noqa: PLC0415

    published = settings.published_warehouse_path
    if published.exists():
        with duckdb.connect(str(published), read_only=True) as connection:
            name = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
            if connection.execute(name, [STRAVA.area, table]).fetchall():
                query = f"select * from {STRAVA.area}.{table} {where} order by activity_date, activity_id"
                return connection.execute(query).df()
    return pd.DataFrame({"week_start_date": pd.to_datetime([])})
