"""When a step builds, and what Dagster is told when it does not."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engagement_assets.assets.unchanged_builds import BUILT_BY_RUN, unless_unchanged
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.extract.mobile import MOBILE
from engagement_assets.lake.lake import Lake
from engagement_assets.transform import build_inputs
from engagement_assets.transform.build_inputs import BuildInputs

WINDOW = DayWindow(date(2024, 3, 1), date(2024, 3, 1) + timedelta(days=1))
FACT, WEEKS = dg.AssetKey(["mobility", "fact"]), dg.AssetKey(["mobility", "weeks"])


class Step:
    """Two tables and a check, as an area has them; builds are counted."""

    def __init__(self, folder: Path) -> None:
        self.passes, self.breaks, self.always, self.builds = True, False, False, 0
        self.instance = dg.DagsterInstance.ephemeral()

        @dg.multi_asset(
            specs=[dg.AssetSpec(WEEKS, deps=[FACT]), dg.AssetSpec(FACT)],
            check_specs=[dg.AssetCheckSpec("is_whole", asset=FACT)],
            can_subset=True,
        )
        def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
            lake = Lake(str(folder / "lake"))
            inputs = BuildInputs.of(folder / "warehouse.duckdb", lake, MOBILE, WINDOW, "version 1")
            yield from unless_unchanged(lambda: self._build(context), context, models, inputs, always=self.always)

        self.models = models

    def _build(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        self.builds += 1
        for key, rows in ((FACT, 7), (WEEKS, 2)):
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": rows})
        if self.breaks:
            raise dg.Failure("broken")
        if context.selected_asset_check_keys:
            yield dg.AssetCheckResult(passed=self.passes, asset_key=FACT, check_name="is_whole")

    def run(self, selection: Sequence[dg.AssetKey] | None = None) -> dg.ExecuteInProcessResult:
        return dg.materialize([self.models], instance=self.instance, selection=selection, raise_on_error=False)


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.setattr(build_inputs, "project_fingerprint", lambda: "version 1")
    return Step(tmp_path)


def test_the_second_run_builds_nothing_and_says_so_of_each_table_and_check(step: Step) -> None:
    first, second = step.run(), step.run()
    assert step.builds == 1
    tables = {event.asset_key: event.materialization.metadata for event in second.get_asset_materialization_events()}
    assert {key: metadata["dagster/row_count"].value for key, metadata in tables.items()} == {FACT: 7, WEEKS: 2}
    assert {metadata[BUILT_BY_RUN].value for metadata in tables.values()} == {first.run_id}
    (check,) = second.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("is_whole", True)
    assert check.description == (
        f"not evaluated again: what it reads is the same as in run {first.run_id}, in which it passed"
    )
    # A third run still names the one that built.
    (check,) = step.run().get_asset_check_evaluations()
    assert first.run_id in str(check.description)


def test_a_person_can_have_the_same_built_again(step: Step) -> None:
    step.run()
    step.always = True
    step.run()
    assert step.builds == 2
    step.run([FACT])
    assert step.builds == 3


def test_after_a_part_of_an_area_the_whole_is_built(step: Step) -> None:
    step.run()
    step.run([FACT])
    assert step.builds == 2
    step.run()
    assert step.builds == 3
    step.run()
    assert step.builds == 3


@pytest.mark.parametrize("fault", ["passes", "breaks"])
def test_what_failed_or_warned_is_built_until_it_passes(step: Step, fault: str) -> None:
    setattr(step, fault, fault == "breaks")
    step.run()
    step.run()
    assert step.builds == 2
    setattr(step, fault, fault != "breaks")
    step.run()
    step.run()
    assert step.builds == 3


def test_a_warehouse_that_is_locked_afterwards_costs_a_build_and_no_failure(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(_inputs: BuildInputs, _run_id: str) -> None:
        raise duckdb.IOException("IO Error: Could not set lock on file")

    with monkeypatch.context() as locked:
        locked.setattr(BuildInputs, "note", note)
        assert step.run().success
    step.run()
    step.run()
    assert step.builds == 2
    with monkeypatch.context() as full:
        full.setattr(BuildInputs, "note", lambda *_: (_ for _ in ()).throw(duckdb.IOException("no space left")))
        step.always = True
        assert not step.run().success


def test_tables_that_dagster_does_not_know_are_built(step: Step) -> None:
    step.run()
    step.instance = dg.DagsterInstance.ephemeral()
    step.run()
    assert step.builds == 2
