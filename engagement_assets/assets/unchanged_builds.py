"""Builds that are left out since their inputs are the same, and what Dagster is told instead.

Belongs here: when a step builds and when it does not, and the results of one that does not. Not here: what is compared
(see `transform/build_inputs.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
import duckdb

from engagement_assets.shown_text import shown
from engagement_assets.transform.build import is_held_lock
from engagement_assets.transform.build_inputs import BuildInputs, begin_part_of, note_passed

BUILT_BY_RUN = "built_by_run"


def unless_unchanged(
    build: Callable[[], Iterable[Any]],
    context: dg.AssetExecutionContext,
    step: dg.AssetsDefinition,
    inputs: BuildInputs,
    *,
    always: bool,
) -> Iterator[Any]:
    """The events of a build, or of none if it would make the same tables again.

    Only the whole area is left out, and only after a build that passed all tests: a warning is looked at again. A
    person who selects some tables, or sets `BUILD_UNCHANGED`, gets them built; `always` stands for the latter.
    """
    is_whole = is_whole_step(context, step)
    if is_whole and not always and (results := _results_as_before(context, step, inputs.built_by())):
        context.log.info(f"not built again, its inputs are the same: {inputs.area}")
        yield from results
        return
    if is_whole:
        inputs.begin(context.run.run_id)
    else:
        begin_part_of(inputs.warehouse, inputs.area, context.run.run_id)
    passed = set()
    for event in build():
        if isinstance(event, dg.AssetCheckResult) and event.passed:
            passed.add((event.asset_key, event.check_name))
        yield event
    note_passed(inputs.warehouse, inputs.area, context.run.run_id, is_whole=is_whole)
    if is_whole and passed == {(check.asset_key, check.name) for check in step.check_keys}:
        with noting(context):
            inputs.note(context.run.run_id)


def is_whole_step(context: dg.AssetExecutionContext, step: dg.AssetsDefinition) -> bool:
    """Whether all tables of a step are built, and all of its checks evaluated."""
    return bool(context.selected_asset_keys == step.keys and context.selected_asset_check_keys == step.check_keys)


@contextmanager
def noting(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Go on without a note if another process has the warehouse open: the work is done, and is then done again."""
    try:
        yield
    except duckdb.IOException as error:
        if not is_held_lock(error):
            raise
        context.log.warning(f"the next run builds this again, since nothing could be noted: {shown(str(error))}")


def _results_as_before(
    context: dg.AssetExecutionContext, step: dg.AssetsDefinition, built_by: str | None
) -> list[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Each table with the metadata of its last materialization, each check as passed; nothing if one is not known."""
    if built_by is None:
        return []
    reason = f"not evaluated again: what it reads is the same as in run {built_by}, in which it passed"
    results: list[dg.MaterializeResult[Any] | dg.AssetCheckResult] = []
    # Dagster takes results only after those of what they depend on.
    parents = {spec.key: [dep.asset_key for dep in spec.deps if dep.asset_key in step.keys] for spec in step.specs}
    for key in TopologicalSorter(parents).static_order():
        event = context.instance.get_latest_materialization_event(key)
        if event is None or event.asset_materialization is None:
            return []
        metadata = {**event.asset_materialization.metadata, BUILT_BY_RUN: built_by}
        results.append(dg.MaterializeResult(asset_key=key, metadata=metadata))
    results += [
        dg.AssetCheckResult(passed=True, asset_key=check.asset_key, check_name=check.name, description=reason)
        for check in step.check_keys
    ]
    return results
