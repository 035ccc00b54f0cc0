"""What the UI shows of the graph before anything runs: owners, groups, columns, metrics, code."""

from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.definitions import build_defs
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics.catalog import METRICS
from engagement_assets.settings import Settings


def test_every_asset_has_an_owner_a_group_kinds_a_description_and_tags(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert list(spec.owners) == ["team:engagement-data"], name
        assert spec.group_name not in {None, "default"}, name
        assert spec.kinds, name
        assert spec.description, name
        assert "Raw SQL" not in spec.description, name
        assert {"domain", "layer"} <= spec.tags.keys(), name


def test_groups_are_sources_areas_and_the_published_copy(specs: dict[str, dg.AssetSpec]) -> None:
    areas = {"training", "learning", "strava", "product", "mobility", "engagement", "audit"}
    sources = {f"raw_{source}" for source in ("runna", "lingokids", "strava", "user_events", "mobile")}
    assert {spec.group_name for spec in specs.values()} == {*areas, *sources, "published", "predictions", "report"}
    of_mobility = {name: spec for name, spec in specs.items() if spec.tags["domain"] == "mobility"}
    assert {spec.group_name for spec in of_mobility.values()} == {"raw_mobile", "mobility", "published"}
    assert {spec.tags["layer"] for spec in of_mobility.values()} == {
        "raw",
        "staging",
        "intermediate",
        "marts",
        "published",
    }


def test_every_column_has_a_type_and_a_description(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        if spec.group_name in {"published", "report"} or name in {"audit/alerts", "strava_kudos_model"}:
            continue
        schema = spec.metadata["dagster/column_schema"]
        assert schema.columns, name
        incomplete = [column.name for column in schema.columns if not column.description or column.type == "?"]
        assert incomplete == [], name


def test_raw_columns_mean_what_staging_says(specs: dict[str, dg.AssetSpec]) -> None:
    def text(asset: str, column: str) -> str:
        schema = specs[asset].metadata["dagster/column_schema"]
        return str(next(item.description for item in schema.columns if item.name == column))

    renamed = text("staging/stg_runna__activities", "created_at")
    assert renamed == f"{text('raw_runna/activities', 'created_on')}\n\nFrom `activities.created_on`."


@pytest.mark.parametrize(
    ("asset", "column", "tags"),
    [
        ("raw_mobile/events", "device_id", {"personal": "device"}),
        ("raw_mobile/events", "event_name", {}),
        ("raw_lingokids/events", "child_id", {"personal": "child"}),
        ("records/rejected", "raw_text", {"personal": "free_text"}),
        ("staging/stg_mobile__events", "anonymous_id", {"personal": "user"}),
        ("mobility/fct__mobile_sessions", "device_id", {"personal": "device"}),
        ("mobility/fct__mobile_sessions", "session_id", {}),
    ],
)
def test_a_personal_column_has_a_tag(
    specs: dict[str, dg.AssetSpec], asset: str, column: str, tags: dict[str, str]
) -> None:
    schema = specs[asset].metadata["dagster/column_schema"]
    assert [item.tags for item in schema.columns if item.name == column] == [tags]


def test_a_mart_shows_its_metrics(specs: dict[str, dg.AssetSpec]) -> None:
    told = specs["learning/engagement_daily"].metadata["metrics"].value
    assert "- **completion_rate** (share): `completed_plays / plays`. Completed plays divided by plays, " in told
    listed = {name for name, spec in specs.items() if "metrics" in spec.metadata}
    assert listed == {mart.replace(".", "/") for metric in METRICS.values() for mart in metric.table.marts}


def test_every_column_of_a_model_is_traced_to_its_parents(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        if spec.tags["layer"] not in {"staging", "intermediate", "marts", "audit"}:
            continue
        columns = {column.name for column in spec.metadata["dagster/column_schema"].columns}
        lineage = spec.metadata["dagster/column_lineage"].deps_by_column
        assert lineage.keys() == columns, name
        found = {dep.asset_key for deps in lineage.values() for dep in deps}
        assert found <= {dep.asset_key for dep in spec.deps}, name
        assert found, name
    traced = specs["mobility/fct__mobile_sessions"].metadata["dagster/column_lineage"].deps_by_column
    assert [(dep.asset_key.path[-1], dep.column_name) for dep in traced["anonymous_id"]] == [
        ("int_mobile_sessions_summed", "anonymous_id")
    ]


def test_every_asset_links_to_its_code(settings: Settings, specs: dict[str, dg.AssetSpec]) -> None:
    code = {
        name: spec.metadata["dagster/code_references"].code_references[0]
        for name, spec in specs.items()
        if not name.startswith("records/")
    }
    assert [name for name, place in code.items() if not Path(place.file_path).is_file()] == []
    assert code["strava/fct__strava_activities"].file_path.endswith("/marts/strava/fct__strava_activities.sql")
    assert code["raw_runna/activities"].file_path.endswith("/assets/raw_runna.py")

    defs = build_defs(settings.model_copy(update={"code_git_url": "https://github.com/owner/name"}))
    for spec in defs.resolve_all_asset_specs():
        if spec.key.path[0] != "records":
            link = spec.metadata["dagster/code_references"].code_references[0].url
            place = link.removeprefix("https://github.com/owner/name/tree/main/").partition("#")[0]
            assert (PROJECT_ROOT / place).is_file(), link
