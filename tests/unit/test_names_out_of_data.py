"""A hostile name in each place where names out of data are shown: no control sign, no picture, no link, no line."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import duckdb
import pytest
from dagster import AssetCheckEvaluation
from markdown_it import MarkdownIt

from engagement_assets.alerts.incidents import EVERYTHING
from engagement_assets.alerts.run_results import outcome_of
from engagement_assets.assets.raw_load import preview
from engagement_assets.assets.raw_source import LoadConfig, RawRun
from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.standard import batch_has_not_shrunk, schema_drift
from engagement_assets.commands.progress import step_lines
from engagement_assets.commands.range_command import print_summary
from engagement_assets.commands.range_run import RangeRun
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.load_records import DayCounts
from engagement_assets.settings import Settings
from engagement_assets.transform.data_tests import FailedTest, failing_keys
from tests.connected_warehouse import ConnectedWarehouse
from tests.lake_loads import DAY_1, Found, load_time, publish, window, write
from tests.unit.alerts.alert_outcomes import START, lineage

HOSTILE = "![x](http://evil.example/x.png) | <img src=//evil.example>\x1b[2J\u202e`\nnext"
VISIBLE = "![x](http://evil.example/x.png) | <img src=//evil.example>\\x1b[2J\\u202e"
ACTIVE = {"image", "link_open", "html_inline", "html_block"}


def _is_harmless(markdown: str) -> bool:
    """Nothing but text, code and lines for a real renderer, and a name of this kind in it."""
    assert "evil.example" in markdown
    assert all(sign == "\n" or sign.isprintable() for sign in markdown)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    found = {child.type for token in tokens for child in (token, *(token.children or ()))}
    return "code_inline" in found and not found & ACTIVE


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def load(lake: Lake) -> Iterator[Load]:
    old = {"activity_id": "gone", "day": DAY_1, "source_path": HOSTILE}
    publish(lake, Found({RUNNA_ACTIVITIES: [old]}), window(DAY_1), 1)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        row = {"activity_id": HOSTILE, "record_type": HOSTILE, "day": DAY_1, "source_path": "a.json"}
        write(load, Found({RUNNA_ACTIVITIES: [row]}), window(DAY_1))
        yield load


def test_the_renderer_would_make_a_picture_of_it() -> None:
    with pytest.raises(AssertionError):
        _is_harmless(HOSTILE)
    assert not _is_harmless("`code` ![x](http://evil.example/x.png)")


def test_in_the_preview_of_a_load(load: Load) -> None:
    head, rule, row = preview(load, RUNNA_ACTIVITIES, 5).splitlines()
    assert _is_harmless("\n".join((head, rule, row)))
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join((head, rule, row)))
    assert sum(token.type == "td_open" for token in tokens) == sum(token.type == "th_open" for token in tokens)


def _description(outcome: CheckOutcome, load: Load) -> str:
    result = outcome.result(load, {})
    for value in result.metadata.values():
        if isinstance(value, dg.TextMetadataValue) and value.text and "select" not in value.text:
            assert value.text.isprintable()
    assert all(key.isprintable() for key in cast(Any, result.metadata["failing_keys"]).value)
    return str(result.description)


def test_in_what_load_checks_say_of_files_and_fields(load: Load) -> None:
    shrunk = batch_has_not_shrunk(load, RUNNA_ACTIVITIES, ("a.json",), allow_shrink=False)
    counts = [DayCounts(RUNNA_ACTIVITIES.key, DAY_1, 0, 0, 1, 1, 0, 0, 1)]
    drift = schema_drift(RUNNA_ACTIVITIES, counts, {DAY_1: {HOSTILE: 1}}, (), {})
    for outcome in (shrunk, drift):
        assert _is_harmless(_description(outcome, load))


def test_in_what_is_said_of_a_failing_dbt_test() -> None:
    model: Mapping[str, Any] = {"unique_id": "model.runs", "name": "runs", "schema": "t", "columns": {}}
    model = {**model, "fqn": ["engagement_assets", "marts", "training", "runs"]}
    node = {"name": "assert_runs", "description": "Why.", "column_name": None, "attached_node": None}
    broken = FailedTest(node, "error", 0, f"Conversion Error: {HOSTILE}", "")
    assert _is_harmless(broken.sentence("t.runs"))
    with duckdb.connect() as connection:
        sql = f"select '{HOSTILE}' as note"
        failed = FailedTest(node, "fail", 1, "", sql)
        keys = failing_keys(ConnectedWarehouse(connection), failed, {"nodes": {"m": model}}, "t.runs", None)
    ((key,),) = [row.values() for row in keys]
    assert key == f"{VISIBLE}` next"


def test_in_what_alerts_read_of_a_check() -> None:
    evaluation = AssetCheckEvaluation(
        dg.AssetKey(["raw_toy", "events"]),
        "holds",
        passed=False,
        metadata={"observed": dg.MetadataValue.text(HOSTILE)},
        description=HOSTILE,
    )
    finding = outcome_of(evaluation, START, EVERYTHING, "run-1", lineage()).finding
    assert finding is not None
    assert (finding.sentence, finding.observed) == (f"{VISIBLE}`; next", f"{VISIBLE}` next")


def test_in_the_lines_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    context = SimpleNamespace(log=SimpleNamespace(info=told.append))
    RawRun(cast(Any, context), LoadConfig(), Settings(_env_file=None), cast(Any, None)).progress(f"reading {HOSTILE}")
    assert told == [f"reading {VISIBLE}` next"]
    logger = step_lines().logger_fn(cast(Any, None))
    logger.log(logging.INFO, f"first\n  {HOSTILE}")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith("  first")
    assert rest == [f"  {VISIBLE}`", "next"]


def test_in_the_summary_of_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(_env_file=None, landing_uri=str(tmp_path), published_warehouse_path=tmp_path / "none.duckdb")
    print_summary(settings, RangeRun("run", (f"raw_toy: {HOSTILE}",), (), ()))
    assert capsys.readouterr().err.splitlines()[-2:] == [f"  - raw_toy: {VISIBLE}`", "next"]
