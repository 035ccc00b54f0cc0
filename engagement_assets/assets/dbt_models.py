"""dbt models as assets: per source a staging step, a windowed step and a step for the rest.

Belongs here: which models run together, on which days. Not here: how dbt is run (see `transform/build.py`) or what a
model means (see its YAML in `dbt_project/`).

Sources have steps of their own, so that one that fails does not stop another. Only day-grained models are partitioned:
Dagster writes an event for each asset and day of a range (docs/decisions/0004-steps-of-an-area.md).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from engagement_assets.assets.retries import trying_again
from engagement_assets.lake.lake import Lake
from engagement_assets.partitions import daily_partitions, window_of, with_trailing_days
from engagement_assets.settings import Settings
from engagement_assets.transform.build import DbtBuild
from engagement_assets.transform.data_tests import check_description

WAREHOUSE_POOL = "warehouse"
WINDOWED = "windowed"


@dataclass(frozen=True)
class Area:
    """A warehouse schema, the source that feeds it, and how many days before its own a daily run loads again.

    The area that is made of the others has no source.
    """

    name: str
    source: str | None
    trailing_days: Callable[[Settings], int] = lambda _settings: 0


# The area that stands on all others. A source that fails must not stop it (see `commands/range_run.py`).
CROSS_SOURCE_AREA = Area("engagement", None)
CROSS_SOURCE_STEP = f"{CROSS_SOURCE_AREA.name}_marts"

AREAS = (
    Area("training", "runna"),
    Area("learning", "lingokids"),
    Area("strava", "strava", lambda settings: settings.strava_trailing_days),
    Area("product", "user_events", lambda settings: settings.user_events_trailing_days),
    Area("mobility", "mobile"),
    CROSS_SOURCE_AREA,
)


def dbt_model_assets(manifest: Mapping[str, Any], start_date: date) -> list[dg.AssetsDefinition]:
    """All dbt models, in steps by area and kind."""
    members: dict[str, list[str]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            members.setdefault(_step_of(node), []).append("fqn:" + ".".join(node["fqn"]))
    return [
        _step(manifest, name, " ".join(models), start_date if name.endswith(WINDOWED) else None)
        for name, models in sorted(members.items())
    ]


def _step_of(node: Mapping[str, Any]) -> str:
    """The step that builds a node, by its folder and tags.

    Raises:
        ValueError: the node lies in no folder that a step builds.
    """
    folders, tags = node["fqn"][1:-1], set(node["tags"])
    for area in AREAS:
        is_seed = node["resource_type"] == "seed" and node["name"].startswith(f"{area.source}_")
        if area.source and (is_seed or folders == ["staging", area.source]):
            return f"{area.name}_staging"
        if folders in (["intermediate", area.name], ["marts", area.name]):
            if "snapshot" in tags:
                return f"{area.name}_staging"
            return f"{area.name}_{WINDOWED if 'windowed' in tags else 'marts'}"
    if folders == ["audit"]:
        return "audit"
    raise ValueError(
        f"{node['original_file_path']} belongs to no step; expected models/staging/<source>/, "
        "models/intermediate/<area>/, models/marts/<area>/, models/audit/ or seeds/<source>_*.csv, with "
        f"an area or source of {AREAS}"
    )


class ProjectTranslator(DagsterDbtTranslator):
    """Names, groups and owners come from the dbt project; what differs is said here.

    A check says what its test claims, and why it matters. Models of a day's raw data are made of this day: between the
    two lies a view, which has no days. Dagster finds the days of a backfill of selected assets along the partitioned
    ones: without this it would leave the models out, and say that all is done.
    """

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The test as a check of `asset_spec`, None where it is another asset's."""
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


def translator() -> DagsterDbtTranslator:
    """The one translator of all steps."""
    return ProjectTranslator(
        DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=False)
    )


def _step(manifest: Mapping[str, Any], name: str, select: str, start_date: date | None) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=select,
        name=name,
        dagster_dbt_translator=translator(),
        partitions_def=daily_partitions(start_date) if start_date else None,
        # Also without partitions: the command line takes a range for assets of one policy only.
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=WAREHOUSE_POOL,
    )
    def models(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[Any]:
        lake = Lake(settings.lake_uri)
        build = DbtBuild(manifest, translator(), settings.warehouse_path, lake, {}, settings.pseudonym_key_text)
        window = None
        if start_date:
            days = next(area.trailing_days(settings) for area in AREAS if name.startswith(f"{area.name}_"))
            window = with_trailing_days(window_of(context), days, start_date)
        with trying_again(settings, context):
            yield from build.stream(context, window)

    return models
