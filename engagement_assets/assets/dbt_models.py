"""dbt models as assets: one step per area.

Belongs here: which models run together, on which days. Not here: how dbt is run (see `transform/build.py`) or what a
model means (see its YAML in `dbt_project/`).

Each source has its own step, so that one that fails does not stop another. Only models by day are partitioned,
because Dagster writes an event for each asset and day of a range (docs/decisions/0004-steps-of-an-area.md).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from engagement_assets.assets.mart_pictures import with_pictures
from engagement_assets.assets.retrying import retrying
from engagement_assets.assets.unchanged_builds import is_whole_step, unless_unchanged
from engagement_assets.assets.warehouses import warehouse_of
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
from engagement_assets.lake.commit import finish_commits
from engagement_assets.lake.lake import Lake
from engagement_assets.metrics.catalog import metrics_of
from engagement_assets.metrics.definition import Metric
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.settings import Settings
from engagement_assets.sources import AREAS, AUDIT, CROSS_SOURCE_AREA, SOURCE_AREAS, SOURCES
from engagement_assets.spark_settings import WarehouseEngine
from engagement_assets.transform.build import DbtBuild
from engagement_assets.transform.build_inputs import BuildInputs, areas_not_passed, begin_part_of, note_passed
from engagement_assets.transform.dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject
from engagement_assets.transform.data_tests import check_description
from engagement_assets.transform.personal_columns import kind_of
from engagement_assets.transform.project import DBT_PROJECT_DIR, ColumnParents

WAREHOUSE_POOL = "warehouse"
WINDOWED = "windowed"


def step_name(area: str) -> str:
    """The step that builds all models of an area."""
    return f"{area}_models"


def asset_tags(area: str, layer: str) -> dict[str, str]:
    """Tags to search for in the UI: the area, and the layer (raw, staging, intermediate, marts, …)."""
    return {"domain": area, "layer": layer}


def personal_tag(kind: PersonalKind | None) -> dict[str, str]:
    """The tag of a personal column."""
    return {"personal": kind.value} if kind else {}


def dbt_model_assets(
    manifest: Mapping[str, Any],
    start_date: date,
    lineage: Mapping[str, ColumnParents] | None = None,
    last_day: date | None = None,
) -> list[dg.AssetsDefinition]:
    """All dbt models, in a step per area; `lineage` holds the parents of their columns.

    The partitions of windowed models begin on `start_date` and end on `last_day`, or today.
    """
    translator = ProjectTranslator(manifest, lineage or {}, daily_partitions(start_date, last_day))
    members: dict[str, list[str]] = {}
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] in {"model", "seed"}:
            members.setdefault(_area_of(node), []).append(unique_id)
    return [_step(manifest, translator, area, nodes) for area, nodes in sorted(members.items())]


def as_on(engine: WarehouseEngine, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest with the kind and the names of the tables as they are on `engine`; dbt parsed it for DuckDB."""
    if engine is WarehouseEngine.DUCKDB:
        return manifest
    # Elsewhere no file is a database around the schemas.
    nodes = {unique_id: {**node, "database": ""} for unique_id, node in manifest["nodes"].items()}
    return {**manifest, "metadata": {**manifest["metadata"], "adapter_type": engine.value}, "nodes": nodes}


def _area_of(node: Mapping[str, Any]) -> str:
    """The area of a node, by its folder.

    Raises:
        ValueError: the folder belongs to no area.
    """
    folders = node["fqn"][1:-1]
    for source in SOURCES:
        is_seed = node["resource_type"] == "seed" and node["name"].startswith(f"{source.name}_")
        if is_seed or folders == ["staging", source.name]:
            return source.area
    for area in AREAS:
        if folders in (["intermediate", area], ["marts", area]):
            return area
    if folders == [AUDIT]:
        return AUDIT
    raise ValueError(
        f"{node['original_file_path']} belongs to no step; expected models/staging/<source>/, "
        "models/intermediate/<area>/, models/marts/<area>/, models/audit/ or seeds/<source>_*.csv, with "
        f"an area of {', '.join(AREAS)} or a source of {', '.join(source.name for source in SOURCES)}"
    )


def _layer_of(node: Mapping[str, Any]) -> str:
    return "seeds" if node["resource_type"] == "seed" else str(node["fqn"][1])


class ProjectTranslator(DagsterDbtTranslator):
    """What the UI shows of a model: its area as group, layer, code and columns; for a check, what it checks and why.

    A windowed model also depends directly on its raw data. Between the two lies a view, which has no partitions, and
    Dagster finds the days of a backfill along partitioned assets: without this it would skip the models and report
    the backfill as done.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        lineage: Mapping[str, ColumnParents],
        days: dg.DailyPartitionsDefinition,
    ) -> None:
        """Take the models of `manifest`, the parents of their columns, and the days of windowed models."""
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=False))
        self._keys = {
            unique_id: self.get_asset_key(props)
            for unique_id, props in {**manifest["nodes"], **manifest["sources"]}.items()
            if props["resource_type"] in {"model", "seed", "source"}
        }
        self._lineage = lineage
        self.days = days

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A table's schema and name; dagster-dbt expects a configured schema, but ours follows from the folder."""
        if dbt_resource_props["resource_type"] in {"model", "seed"}:
            return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """What dagster-dbt provides, with the model's file, the parents of its columns, and the metrics it serves."""
        file = str(DBT_PROJECT_DIR / dbt_resource_props["original_file_path"])
        parents = {
            column: [dg.TableColumnDep(self._keys[unique_id], name) for unique_id, name in read]
            for column, read in self._lineage.get(dbt_resource_props["unique_id"], {}).items()
        }
        with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
            code = dg.CodeReferencesMetadataValue(code_references=[dg.LocalFileCodeReference(file_path=file)])
        metrics = metrics_of(f"{dbt_resource_props['schema']}.{dbt_resource_props['name']}")
        return {
            **super().get_metadata(dbt_resource_props),
            **({"metrics": dg.MetadataValue.md(_listed(metrics))} if metrics else {}),
            "dagster/code_references": code,
            "dagster/column_schema": _column_schema(dbt_resource_props, parents),
            "dagster/column_lineage": dg.TableColumnLineage(parents),
        }

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The text in the YAML. dagster-dbt would add the SQL, which would bury the columns and is a click away."""
        return str(dbt_resource_props["description"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The area, for staging and intermediate models too, so that one can follow a source through the graph."""
        if dbt_resource_props["resource_type"] == "source":
            return str(dbt_resource_props["source_name"])
        return _area_of(dbt_resource_props)

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The dbt tags, and the tags that assets of every kind have."""
        tags = super().get_tags(dbt_resource_props)
        if dbt_resource_props["resource_type"] == "source":
            return tags
        return {**tags, **asset_tags(_area_of(dbt_resource_props), _layer_of(dbt_resource_props))}

    def get_partitions_def(self, dbt_resource_props: Mapping[str, Any]) -> dg.PartitionsDefinition[Any] | None:
        """The days of a windowed model; other models have no partitions."""
        return self.days if WINDOWED in dbt_resource_props["tags"] else None

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The test as a check of `asset_spec`, or None if it belongs to another asset."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=check_description(manifest["nodes"][unique_id]))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The spec of a dbt node."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or WINDOWED not in node["tags"]:
            return spec
        views = [parent for parent in node["depends_on"]["nodes"] if parent.startswith("model.")]
        sources = {
            source
            for view in views
            for source in manifest["nodes"][view]["depends_on"]["nodes"]
            if source.startswith("source.")
        }
        raw = [self.get_asset_spec(manifest, source, project).key for source in sorted(sources)]
        return spec.replace_attributes(deps=[*spec.deps, *(dg.AssetDep(key) for key in raw)])


def _listed(metrics: Sequence[Metric]) -> str:
    return "\n".join(f"- **{each.name}** ({each.unit}): `{each.formula}`. {each.told}" for each in metrics)


def _column_schema(props: Mapping[str, Any], parents: Mapping[str, Sequence[dg.TableColumnDep]]) -> dg.TableSchema:
    """Columns with types, descriptions and parents: Dagster's open-source UI shows column lineage nowhere else."""
    columns = []
    for name, column in props["columns"].items():
        made_of = [f"`{dep.asset_key.path[-1]}.{dep.column_name}`" for dep in parents.get(name, ())]
        origin = f"\n\nFrom {', '.join(made_of)}." if made_of else ""
        text, tags = column["description"].strip() + origin, personal_tag(kind_of(props, name))
        columns.append(dg.TableColumn(name, column["data_type"] or "?", text, tags=tags))
    return dg.TableSchema(columns)


def _step(
    manifest: Mapping[str, Any], translator: ProjectTranslator, area: str, nodes: Sequence[str]
) -> dg.AssetsDefinition:
    # As `dbt_assets` does, which would have dbt select the nodes, and import it for that.
    specs = {unique_id: translator.get_asset_spec(manifest, unique_id, None) for unique_id in nodes}
    checks = (
        translator.get_asset_check_spec(spec, manifest, child, None)
        for unique_id, spec in specs.items()
        for child in dict.fromkeys(manifest["child_map"][unique_id])
        if child.startswith("test.")
    )

    @dg.multi_asset(
        name=step_name(area),
        specs=list(specs.values()),
        check_specs=[check for check in checks if check],
        can_subset=True,
        # Models without partitions need it too: Dagster's command line takes a range only if all assets have the same
        # policy.
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=WAREHOUSE_POOL,
    )
    def models(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: DuckDBResource
    ) -> Iterator[Any]:
        lake = Lake(settings.lake_uri)
        tables = warehouse_of(settings, warehouse, manifest)
        build = DbtBuild(manifest, translator, tables, lake, settings.pseudonym_key_text, settings.dbt_as_command)

        def events(window: DayWindow | None) -> Iterator[Any]:
            found = build.stream(context, window)
            # The report draws the pictures of the audit tables.
            return found if area == AUDIT else with_pictures(found, context, settings, tables, area)

        with retrying(settings, context):
            # The notes of what an area was built from lie in the file of DuckDB: on Spark it is built each time.
            has_notes = settings.warehouse is WarehouseEngine.DUCKDB
            if not context.assets_def.partitions_def:
                # Tables over all sources and records, or a part of an area.
                if has_notes:
                    if area == CROSS_SOURCE_AREA:
                        _refuse_unpassed_sources(settings)
                    begin_part_of(settings.warehouse_path, area, context.run.run_id)
                yield from events(None)
                if has_notes:
                    whole = is_whole_step(context, models)
                    note_passed(settings.warehouse_path, area, context.run.run_id, is_whole=whole)
                return
            source = next(source for source in SOURCES if source.area == area)
            trailing = settings.trailing_days_of(source)
            requested = window_of(context)
            window = with_trailing_days(requested, trailing, translator.days.start.date())
            window = readable_window(lake, source, requested, window)
            finish_commits(lake)
            if not has_notes:
                yield from events(window)
                return
            definitions = manifest["metadata"]["project_fingerprint"]
            inputs = BuildInputs.of(settings.warehouse_path, lake, source, window, definitions)
            always = settings.build_unchanged
            yield from unless_unchanged(lambda: events(window), context, models, inputs, always=always)

    return models


def _refuse_unpassed_sources(settings: Settings) -> None:
    """Refuse to build the tables over all sources from tables of a source that have not passed their tests.

    Within a run Dagster sees to it. But the tables of a run before this one may have failed.

    Raises:
        dagster.Failure: the last build of a source's area failed, was killed, or left a failed table as it was.
    """
    if refused := areas_not_passed(settings.warehouse_path, SOURCE_AREAS):
        named = ", ".join(f"{area} (run {run})" for area, run in refused.items())
        raise dg.Failure(
            f"the tables over all sources are not built from tables that have not passed their tests: {named}. Build "
            "all tables of these areas first; until then these tables and their published copy stay as they are",
            allow_retries=False,
        )


def readable_window(lake: Lake, source: Source, requested: DayWindow, window: DayWindow) -> DayWindow:
    """The window, which may begin before the `requested` days, without what retention has removed before these.

    A windowed model replaces whole days. A day that is no longer in the lake would become empty.

    Raises:
        dagster.Failure: retention has removed a requested day.
    """
    start = window.start
    for dataset in source.datasets:
        pruned = lake.pruned_days(dataset, window.days()) if dataset.partitioned else []
        if refused := [day for day in pruned if day >= requested.start]:
            raise dg.Failure(
                f"{dataset.key} of {refused[0]} ({len(refused)} such days) was removed by RAW_RETENTION_DAYS; the "
                "tables still hold its rows, and would lose them. Leave the days up to "
                f"{refused[-1]} out of the range",
                allow_retries=False,
            )
        start = max([start, *(day + timedelta(days=1) for day in pruned)])
    return DayWindow(start, window.end)
