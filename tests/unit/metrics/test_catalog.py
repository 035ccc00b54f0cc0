"""The definitions against the dbt project: what they read exists, names nobody, and has their owner."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import duckdb
import pytest
import sqlglot

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.metrics import catalog
from engagement_assets.metrics.catalog import METRICS, metrics_of
from engagement_assets.metrics.definition import GRAINS, OWNER, Metric
from engagement_assets.metrics.question import question, sql_of
from engagement_assets.sources import SOURCES
from engagement_assets.transform import project
from engagement_assets.transform.personal_columns import kind_of

ALL = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@pytest.fixture(scope="module")
def marts() -> dict[str, dict[str, Any]]:
    """The models of the dbt project, by `schema.table`."""
    nodes = project.manifest()["nodes"].values()
    return {f"{node['schema']}.{node['name']}": node for node in nodes if node["resource_type"] == "model"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables, as the YAML describes them, without a row."""
    path = tmp_path_factory.mktemp("published") / "published.duckdb"
    project._create_empty_tables(project.manifest(), path)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@ALL
def test_every_question_is_a_query_over_columns_that_exist(
    metric: Metric, published: duckdb.DuckDBPyConnection, marts: dict[str, dict[str, Any]]
) -> None:
    dimensions = [*metric.table.dimensions]
    for grain, by in product(metric.table.grains or ("",), ([], dimensions)):
        found = published.execute(sql_of(question(metric.name, by, grain), marts))
        kinds = {name: str(kind) for name, kind, *_ in found.description or []}
        period, whole = ([grain], ["is_complete"]) if grain else ([], [])
        parts = [name for name in metric.parts if name != metric.name]
        split = dict.fromkeys([*metric.table.always_by, *by])
        assert list(kinds) == [*period, *split, metric.name, *parts, *whole]
        assert kinds.get(grain) == ("DATE" if grain else None)
        assert (kinds[metric.name] == "DOUBLE") == (metric.formula != metric.name)
        assert found.fetchall() == []


@ALL
def test_a_metric_reads_the_marts_that_it_names_and_is_split_by_nothing_personal(
    metric: Metric, marts: dict[str, dict[str, Any]]
) -> None:
    sql = sql_of(question(metric.name, [*metric.table.dimensions]), ())
    read = {f"{table.db}.{table.name}" for table in sqlglot.parse_one(sql, "duckdb").find_all(sqlglot.exp.Table)}
    assert {name for name in read if name.partition(".")[0]} == {
        *metric.table.marts,
        *(["audit.ingestion_loads"] if metric.table.source else []),
    }
    for mart in metric.table.marts:
        assert [name for name in metric.table.dimensions if kind_of(marts[mart], name)] == []
        assert marts[mart]["config"]["meta"]["dagster"]["owners"] == [metric.owner] == [OWNER]
        assert metric in metrics_of(mart)


def test_a_table_by_week_answers_by_week_alone() -> None:
    for metric in METRICS.values():
        by_week = any(mart.partition(".")[2].startswith(("weekly_", "strava_weekly")) for mart in metric.table.marts)
        # The units are those of the facts: their table by week only tells up to when they count.
        is_fact = metric.name in {"active_users", "engaged_hours"}
        assert set(metric.table.grains) <= {"week"} if by_week and not is_fact else metric.table.grains == GRAINS


def test_the_units_are_those_of_all_sources(marts: dict[str, dict[str, Any]]) -> None:
    sql = sql_of(question("active_users"), marts)
    assert [source.name for source in SOURCES if f"select '{source.name}', " not in sql] == []
    assert "from strava.fct__strava_activities where not is_deleted" in sql


def test_the_metric_of_the_guide_can_be_asked_for(
    published: duckdb.DuckDBPyConnection, marts: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (PROJECT_ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(LAPS_PER_ACTIVITY = .*?)^```$", guide, re.DOTALL | re.MULTILINE)
    names = dict(vars(catalog))
    exec(block, names)  # noqa: S102
    metric = names["LAPS_PER_ACTIVITY"]
    monkeypatch.setattr("engagement_assets.metrics.question.METRICS", {metric.name: metric})
    found = published.execute(sql_of(question("laps_per_activity", ["run_type"]), marts))
    columns = ["week", "run_type", "laps_per_activity", "lap_count", "activities", "is_complete"]
    assert [name for name, *_ in found.description or []] == columns


def test_no_two_metrics_have_the_same_title() -> None:
    titles = [metric.title for metric in METRICS.values()]
    assert len(set(titles)) == len(titles) == 20
    assert metrics_of("learning.top_activities") == []
