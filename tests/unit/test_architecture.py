"""The layers: who may import or read whom, and what every model must say about itself."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from engagement_assets.commands import kept_data, metrics_page
from engagement_assets.commands.data_dictionary import DICTIONARY_PATH, render
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.sources import CROSS_SOURCE_AREA, SOURCES
from engagement_assets.transform.project import DBT_PROJECT_DIR, manifest

PACKAGE = PROJECT_ROOT / "engagement_assets"
MAX_LINES = 350
LAYERS = ("staging", "intermediate", "marts", "audit")
ALLOWED_PARENTS = {
    "staging": set(),
    "intermediate": {"staging", "intermediate", "audit"},
    "marts": {"staging", "intermediate", "marts"},
    "audit": set(),
}


@pytest.fixture(scope="module")
def dbt_manifest() -> dict[str, Any]:
    return manifest()


@pytest.fixture(scope="module")
def models(dbt_manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in dbt_manifest["nodes"].values() if node["resource_type"] == "model"]


def _imported_modules(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name:
            modules |= {f"{PACKAGE.name}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return modules


# From the ground up. A room imports from itself and from the floors below it, and from no other room of its floor.
FLOORS = (
    {"contracts"},
    {"dagster_internals", "day_ranges", "installation", "near_names", "retry_after", "shown_text"},
    {"privacy"},
    {"extract"},
    {"sources"},
    {"per_source", "lake", "sandbox"},
    {"privacy_settings", "publishing_settings", "s3_settings", "secret_files", "storage_url", "spark_settings"},
    {"settings"},
    {"metrics", "partitions", "resources", "transform"},
    {"checks", "instance", "alerts", "kudos"},
    {"report"},
    {"assets"},
    {"orchestration"},
    {"definitions"},
    {"commands"},
)
# The old places of classes that homes of version 0.1.0 name.
SHIMS = {"event_log", "run_launcher"}
ROOMS_WITHOUT_DAGSTER = ("contracts", "privacy", "extract", "kudos", "lake", "metrics", "sandbox")


def _room(module: str) -> str:
    return module.split(".")[1]


def test_rooms_import_from_the_floors_below_them() -> None:
    floor_of = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    upward = sorted(
        f"{room} imports {module}"
        for path in PACKAGE.rglob("*.py")
        if (room := path.relative_to(PACKAGE).parts[0].removesuffix(".py")) not in {"__init__", *SHIMS}
        for module in _imported_modules(path)
        if module.startswith("engagement_assets.")
        and _room(module) != room
        and floor_of[_room(module)] >= floor_of[room]
    )
    assert upward == []


def test_every_room_has_its_floor() -> None:
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }
    assert rooms - {"__init__"} - SHIMS == set().union(*FLOORS)


@pytest.mark.parametrize("room", ROOMS_WITHOUT_DAGSTER)
def test_rooms_of_plain_python_import_neither_dagster_nor_dbt(room: str) -> None:
    forbidden = {
        f"{path.name}: {module}"
        for path in (PACKAGE / room).rglob("*.py")
        for module in _imported_modules(path)
        if module.split(".")[0] in {"dagster", "dagster_dbt", "dagster_duckdb", "dbt"}
        or module == "engagement_assets.dagster_internals"
    }
    assert forbidden == set()


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        str(path.relative_to(PROJECT_ROOT))
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"__init__.py", "definitions.py"}
        and "Belongs here:" not in (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    ]
    assert silent == []


def test_layers_read_only_from_layers_before_them(dbt_manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    breaches = []
    for model in models:
        layer = model["fqn"][1]
        assert layer in LAYERS
        for parent in model["depends_on"]["nodes"]:
            kind, _, name = parent.split(".", 2)
            if kind == "source" and layer not in {"staging", "audit"}:
                breaches.append(f"{model['name']} reads source {name}")
            if kind == "model":
                parent_layer, parent_area = dbt_manifest["nodes"][parent]["fqn"][1:3]
                # The area over all sources stands on the marts of the others.
                crosses = model["fqn"][2] == CROSS_SOURCE_AREA != parent_area and parent_layer == "marts"
                if parent_layer not in ALLOWED_PARENTS[layer] and not crosses:
                    breaches.append(f"{model['name']} reads {name}")
    assert breaches == []


def test_every_engaged_source_has_its_dataset_and_its_fact(models: list[dict[str, Any]]) -> None:
    project = yaml.safe_load((DBT_PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    marts = {node["name"]: node["fqn"][2] for node in models if node["fqn"][1] == "marts"}
    engaged = project["vars"]["engaged_sources"]
    assert {name: (entry["dataset"], marts[entry["fact"]]) for name, entry in engaged.items()} == {
        source.name: (source.datasets[0].name, source.area) for source in SOURCES
    }


def test_every_model_and_column_is_described_and_states_its_grain(
    models: list[dict[str, Any]],
) -> None:
    assert [node["name"] for node in models if not node["description"].startswith("One row per")] == []
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in models
        for column in node["columns"].values()
        if not column["description"]
    ]
    assert undescribed == []
    assert [node["name"] for node in models if not node["columns"]] == []


def test_every_mart_has_its_grain_tested(dbt_manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    grain_tests = {
        test["attached_node"]
        for test in dbt_manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") in {"unique", "unique_combination"}
    }
    marts = {node["unique_id"] for node in models if node["fqn"][1] == "marts"}
    assert marts - grain_tests == set()


def test_every_model_has_an_owner(models: list[dict[str, Any]]) -> None:
    without = [
        node["name"]
        for node in models
        if node["config"]["meta"].get("dagster", {}).get("owners") != ["team:engagement-data"]
    ]
    assert without == []


def test_the_data_dictionary_is_up_to_date(dbt_manifest: dict[str, Any]) -> None:
    assert DICTIONARY_PATH.read_text(encoding="utf-8") == render(dbt_manifest), (
        "docs/data_dictionary.md is stale; run `make dictionary`"
    )


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert metrics_page.PAGE_PATH.read_text(encoding="utf-8") == metrics_page.render(), (
        "docs/metrics.md is stale; run `make dictionary`"
    )


def test_the_table_of_what_is_kept_is_up_to_date() -> None:
    text = kept_data.PRIVACY_PATH.read_text(encoding="utf-8")
    assert text == kept_data.with_table(text), "docs/privacy.md is stale; run `make dictionary`"
    assert "| raw days of `lingokids` | lake |" in text
    assert "396 days (`RAW_RETENTION_DAYS`)" in text


def test_every_decision_is_in_the_index() -> None:
    folder = PROJECT_ROOT / "docs" / "decisions"
    titles = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in folder.glob("0*.md")}
    links = [f"- [{title.removeprefix('# ')}]({name})" for name, title in sorted(titles.items())]
    index = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in index if line.startswith("- ")] == links


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    folders = ("engagement_assets", "tests", "benchmarks", "dbt_project/models", "dbt_project/macros")
    files = [
        path
        for folder in folders
        for kind in ("py", "sql", "yml")
        for path in (PROJECT_ROOT / folder).rglob(f"*.{kind}")
    ]
    lines = {str(path.relative_to(PROJECT_ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lines) > 600
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}
