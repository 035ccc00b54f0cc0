"""Building dbt models and running their tests.

Belongs here: what is built, and its translation to Dagster events. Not here: how dbt is run
(`transform/invocations.py`) or which models belong together (`assets/dbt_models.py`).
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from engagement_assets.contracts.check_metadata import FAILING_KEYS
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.dagster_internals import check_key_of_test, dbt_event
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import finish_commits
from engagement_assets.lake.lake import Lake
from engagement_assets.shown_text import shown
from engagement_assets.transform.dagster_dbt import DagsterDbtTranslator, DbtCliEventMessage
from engagement_assets.transform.data_tests import FailedTest, failing_keys, readable_sql
from engagement_assets.transform.invocations import build_by_command, build_in_process
from engagement_assets.transform.warehouse import Warehouse, WarehouseError, WarehouseLockedError

FAILED = ("error", "fail", "runtime error")


def is_held_lock(error: BaseException) -> bool:
    """Whether DuckDB could not open a file because another process has it open."""
    return "Could not set lock" in str(error)


@dataclass(frozen=True)
class DbtBuild:
    """Builds models in a warehouse from a lake; checks show personal values as pseudonyms under `pseudonym_key`."""

    manifest: Mapping[str, Any]
    translator: DagsterDbtTranslator
    warehouse: Warehouse
    lake: Lake
    pseudonym_key: str | None = field(repr=False)
    as_command: bool = False

    def stream(self, context: dg.AssetExecutionContext, window: DayWindow | None) -> Iterator[Any]:
        """Build what the context selects, and yield its materializations and check results.

        Raises:
            dagster.Failure: a model or a blocking test failed; the description names each, with its message.
            WarehouseLockedError: another process builds in the warehouse, or has it open.
        """
        finish_commits(self.lake)
        make_files_alike(self.lake)
        results, failures, failed_tests = self._invoke(context, self._selection(context), window)
        row_counts = self._row_counts(results)
        failures_shown = self._failures_shown(context, failed_tests)
        for message in results:
            for event in message.to_default_asset_events(
                manifest=self.manifest, dagster_dbt_translator=self.translator, context=context
            ):
                unique_id = _unique_id(message)
                yield _with_failure(_with_row_count(event, row_counts.get(unique_id)), failures_shown.get(unique_id))
        if failures:
            raise dg.Failure(
                description=f"{len(failures)} dbt nodes failed:\n" + "\n".join(failures),
                allow_retries=False,
            )

    def _selection(self, context: dg.AssetExecutionContext) -> set[str]:
        """The models and tests that Dagster selected, and nothing else, by their ids.

        A test that also reads a table which has never been built, and is not built now, is left out.
        """
        nodes = self.manifest["nodes"]
        built = {
            unique_id
            for unique_id, node in nodes.items()
            if node["resource_type"] in {"model", "seed", "snapshot"}
            and self.translator.get_asset_spec(self.manifest, unique_id, None).key in context.selected_asset_keys
        }
        readable = built | self._relations_built_before()
        selected = set(built)
        for unique_id, node in nodes.items():
            if node["resource_type"] != "test":
                continue
            check = check_key_of_test(self.manifest, self.translator, unique_id)
            if check not in context.selected_asset_check_keys:
                continue
            missing = [parent for parent in node["depends_on"]["nodes"] if parent in nodes and parent not in readable]
            if missing:
                context.log.info(f"{node['name']} is left out: {nodes[missing[0]]['name']} has never been built")
            else:
                selected.add(unique_id)
        return selected

    def _relations_built_before(self) -> set[str]:
        """The models and seeds that the warehouse holds, by their ids."""
        there = self.warehouse.relations()
        return {
            unique_id for unique_id, node in self.manifest["nodes"].items() if (node["schema"], node["alias"]) in there
        }

    def _invoke(
        self, context: dg.AssetExecutionContext, selection: Collection[str], window: DayWindow | None
    ) -> tuple[list[DbtCliEventMessage], list[str], dict[str, FailedTest]]:
        results: list[DbtCliEventMessage] = []

        def keep(event: Mapping[str, Any]) -> None:
            message = dbt_event(event)
            if message.is_result_event:
                results.append(message)
                # A passing test is no news; Dagster shows it, and how long it took, among the checks.
                if _status(message) != "pass":
                    context.log.info(_progress_line(message))

        variables: dict[str, Any] = {"lake_uri": self.warehouse.lake_uri, "keep_build_inputs": True}
        if window is not None:
            variables["window_start"] = window.start.isoformat()
            variables["window_end"] = window.end.isoformat()
        arguments = [
            "build",
            "--cache-selected-only",
            "--indirect-selection", "empty",
            "--exclude-resource-type", "unit_test",
            "--vars", json.dumps(variables),
        ]  # fmt: skip
        profile, nodes = self.warehouse.profile, self.manifest["nodes"]
        with self.warehouse.alone(context.run.run_id):
            if self.as_command:
                selectors = ["fqn:" + ".".join(nodes[unique_id]["fqn"]) for unique_id in sorted(selection)]
                outcome = build_by_command(arguments, selectors, profile, self.lake.uri, keep)
            else:
                outcome = build_in_process(arguments, selection, profile, self.lake.uri, keep)
        if outcome.exception is not None:
            if is_held_lock(outcome.exception):
                raise WarehouseLockedError(str(outcome.exception)) from outcome.exception
            raise dg.Failure(
                description=f"dbt stopped: {outcome.exception}", allow_retries=False
            ) from outcome.exception
        failures = [
            f"  {result.name}: {result.status}: {_without_trace(result.message)}"
            for result in outcome.results
            if result.status in FAILED
        ]
        if not outcome.success and not failures:
            failures = ["  dbt reports a failure and names no node"]
        failed_tests = {
            result.unique_id: FailedTest(
                node=nodes[result.unique_id],
                status=result.status,
                failing_rows=result.failures,
                message=_without_trace(result.message),
                sql=readable_sql(result.compiled_code, profile.database),
            )
            for result in outcome.results
            if result.is_test and result.status in {*FAILED, "warn"}
        }
        return results, failures, failed_tests

    def _failures_shown(
        self, context: dg.AssetExecutionContext, failed_tests: Mapping[str, FailedTest]
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """Per failed test what failed, in a sentence, and the metadata that shows it; dbt has closed the file."""
        shown_by_id: dict[str, tuple[str, dict[str, Any]]] = {}
        for unique_id, test in failed_tests.items():
            check = check_key_of_test(self.manifest, self.translator, unique_id)
            if check is None:
                continue  # the check of no asset: only dbt's own message tells of it
            table = ".".join(check.asset_key.path)
            metadata = test.check_metadata()
            if test.has_outcome:
                try:
                    metadata[FAILING_KEYS] = failing_keys(
                        self.warehouse, test, self.manifest, table, self.pseudonym_key
                    )
                except WarehouseError as error:
                    # The outcome stands without them.
                    context.log.warning(f"{check.name}: its failing rows cannot be read: {shown(str(error))}")
            shown_by_id[unique_id] = (test.sentence(table), metadata)
        return shown_by_id

    def _row_counts(self, results: Sequence[DbtCliEventMessage]) -> dict[str, int]:
        """Rows of each table that was built; views are left out, since counting them would run them."""
        built = {
            unique_id: self.manifest["nodes"][unique_id]
            for unique_id in (_unique_id(item) for item in results if _status(item) == "success")
            if self.manifest["nodes"][unique_id]["resource_type"] in {"model", "seed"}
        }
        tables = {
            unique_id: f"{node['schema']}.{node['alias']}"
            for unique_id, node in built.items()
            if node["config"]["materialized"] != "view"
        }
        if not tables:
            return {}
        counts = " union all ".join(
            f"select '{unique_id}' as node, count(*) as row_count from {table}" for unique_id, table in tables.items()
        )
        return {row[0]: row[1] for row in self.warehouse.query(counts).values}


def _without_trace(message: str) -> str:
    """What an engine says, without the calls in its own code: Spark sends some fifty lines of them."""
    return re.split(r"\n\s+at [\w.$]+\(", message, maxsplit=1)[0]


def _unique_id(message: DbtCliEventMessage) -> str:
    return str(message.raw_event["data"]["node_info"]["unique_id"])


def _status(message: DbtCliEventMessage) -> str:
    return str(message.raw_event["data"]["node_info"]["node_status"])


def _name(message: DbtCliEventMessage) -> str:
    return _unique_id(message).split(".")[2]


def _progress_line(message: DbtCliEventMessage) -> str:
    seconds = float(message.raw_event["data"].get("execution_time", 0))
    return f"{_name(message)}: {_status(message)} in {seconds:.2f} s"


def _with_row_count(event: Any, row_count: int | None) -> Any:
    if row_count is None or not isinstance(event, dg.Output):
        return event
    return event.with_metadata({**event.metadata, "dagster/row_count": row_count})


def _with_failure(event: Any, failure: tuple[str, dict[str, Any]] | None) -> Any:
    if failure is None or not isinstance(event, dg.AssetCheckResult):
        return event
    description, metadata = failure
    return dg.AssetCheckResult(
        passed=event.passed,
        asset_key=event.asset_key,
        check_name=event.check_name,
        severity=event.severity,
        description=description,
        metadata={**event.metadata, **metadata},
    )
