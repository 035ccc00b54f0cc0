"""Building dbt models and running their tests in the run's own process.

Belongs here: one dbt invocation and its translation to Dagster events. Not here: which models belong together (see
`assets/dbt_models.py`).

A dbt command takes about ten seconds to start, a call in process one (docs/decisions/0003-dbt-in-process.md).
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt.asset_utils import get_asset_check_key_for_test
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_dbt.dagster_dbt_translator import DagsterDbtTranslator

from engagement_assets.contracts.check_metadata import FAILING_KEYS
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.lake.columns_of_files import make_files_alike
from engagement_assets.lake.commit import finish_commits
from engagement_assets.lake.lake import Lake
from engagement_assets.shown_text import shown
from engagement_assets.transform.data_tests import FailedTest, failing_keys, readable_sql
from engagement_assets.transform.project import invoke_dbt

RESULT_EVENTS = ("LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult")
FAILED = ("error", "fail", "runtime error")


class WarehouseLockedError(RuntimeError):
    """Another process has the warehouse open."""


def is_held_lock(error: BaseException) -> bool:
    """Whether DuckDB could not open a file because another process has it open."""
    return "Could not set lock" in str(error)


@dataclass(frozen=True)
class DbtBuild:
    """Builds models into one warehouse from one lake; `pseudonym_key` is for the failing rows that checks show."""

    manifest: Mapping[str, Any]
    translator: DagsterDbtTranslator
    warehouse_path: Path
    lake: Lake
    variables: Mapping[str, str | int]
    pseudonym_key: str | None = field(repr=False)

    def stream(self, context: dg.AssetExecutionContext, window: DayWindow | None) -> Iterator[Any]:
        """Build what the context selects, and yield its materializations and check results.

        Raises:
            dagster.Failure: a model or a blocking test failed; the description names each, with its message.
            WarehouseLockedError: another process has the warehouse open.
        """
        finish_commits(self.lake)
        make_files_alike(self.lake)
        results, failures, failed_tests = self._invoke(context, self._selection(context), window)
        row_counts = self._row_counts(results)
        evidence = self._evidence(context, failed_tests)
        for message in results:
            for event in message.to_default_asset_events(
                manifest=self.manifest, dagster_dbt_translator=self.translator, context=context
            ):
                unique_id = _unique_id(message)
                yield _completed(event, row_counts.get(unique_id), evidence.get(unique_id))
        if failures:
            raise dg.Failure(f"{len(failures)} dbt nodes failed:\n" + "\n".join(failures), allow_retries=False)

    def _selection(self, context: dg.AssetExecutionContext) -> list[str]:
        """Dbt selectors of the selected models and tests, without tests that read a table which was never built."""
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
            check = get_asset_check_key_for_test(self.manifest, self.translator, unique_id, None)
            if check not in context.selected_asset_check_keys:
                continue
            missing = [parent for parent in node["depends_on"]["nodes"] if parent in nodes and parent not in readable]
            if missing:
                context.log.info(f"{node['name']} is left out: {nodes[missing[0]]['name']} has never been built")
            else:
                selected.add(unique_id)
        return ["fqn:" + ".".join(node["fqn"]) for unique_id, node in nodes.items() if unique_id in selected]

    def _relations_built_before(self) -> set[str]:
        """The models and seeds that the warehouse holds, by their ids."""
        if not self.warehouse_path.exists():
            return set()
        with duckdb.connect(str(self.warehouse_path), read_only=True) as connection:
            there = set(connection.execute("select table_schema, table_name from information_schema.tables").fetchall())
        return {
            unique_id for unique_id, node in self.manifest["nodes"].items() if (node["schema"], node["alias"]) in there
        }

    def _invoke(
        self, context: dg.AssetExecutionContext, selection: Sequence[str], window: DayWindow | None
    ) -> tuple[list[DbtCoreCliEventMessage], list[str], dict[str, FailedTest]]:
        from dbt_common.events.functions import msg_to_dict  # noqa: PLC0415

        results: list[DbtCoreCliEventMessage] = []

        def keep_results(event: Any) -> None:
            if event.info.name not in RESULT_EVENTS:
                return  # dbt tells some thousand debugging events a run
            message = DbtCoreCliEventMessage(raw_event=msg_to_dict(event), event_history_metadata={})
            if message.is_result_event:
                results.append(message)
                # A passing test is no news; it stands among the checks.
                log = context.log.debug if _status(message) == "pass" else context.log.info
                log(_progress_line(message))

        variables: dict[str, Any] = {"lake_uri": self.lake.uri, **self.variables}
        if window is not None:
            variables |= {"window_start": window.start.isoformat(), "window_end": window.end.isoformat()}
        arguments = ["build", "--no-write-json", "--cache-selected-only", "--indirect-selection", "empty"]
        arguments += ["--exclude-resource-type", "unit_test", "--vars", json.dumps(variables), "--select", *selection]
        with tempfile.TemporaryDirectory(prefix="dbt-") as target:
            outcome = invoke_dbt(arguments, Path(target), self.warehouse_path, self.lake.uri, [keep_results])
        if outcome.exception is not None:
            if is_held_lock(outcome.exception):
                raise WarehouseLockedError(str(outcome.exception)) from outcome.exception
            raise dg.Failure(f"dbt stopped: {outcome.exception}", allow_retries=False) from outcome.exception
        node_results = list(outcome.result or ())
        failed = [result for result in node_results if result.status in FAILED]
        failures = [f"  {result.node.name}: {result.status}: {result.message}" for result in failed]
        if not outcome.success and not failures:
            failures = ["  dbt reports a failure and names no node"]
        failed_tests = {
            result.node.unique_id: FailedTest(
                node=self.manifest["nodes"][result.node.unique_id],
                status=str(result.status),
                failing_rows=result.failures or 0,
                message=result.message or "",
                sql=readable_sql(result.node.compiled_code or "", result.node.database),
            )
            for result in node_results
            if result.node.resource_type == "test" and result.status in {*FAILED, "warn"}
        }
        return results, failures, failed_tests

    def _evidence(
        self, context: dg.AssetExecutionContext, failed_tests: Mapping[str, FailedTest]
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """Per failed test what failed, in one sentence, and the metadata that shows it; dbt has let the file go."""
        if not failed_tests:
            return {}
        found = {}
        with duckdb.connect(str(self.warehouse_path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            self.lake.lend_file_system(connection)
            for unique_id, test in failed_tests.items():
                check = get_asset_check_key_for_test(self.manifest, self.translator, unique_id, None)
                if check is None:
                    continue  # no check of any asset: dbt's own message is all that there is to tell
                table = ".".join(check.asset_key.path)
                metadata = test.evidence()
                if test.has_outcome:
                    try:
                        keys = failing_keys(connection, test, self.manifest, table, self.pseudonym_key)
                        metadata[FAILING_KEYS] = keys
                    except duckdb.Error as error:
                        # The outcome stands without them.
                        context.log.warning(f"{check.name}: its failing rows cannot be read: {shown(str(error))}")
                found[unique_id] = (test.sentence(table), metadata)
        return found

    def _row_counts(self, results: Sequence[DbtCoreCliEventMessage]) -> dict[str, int]:
        """Rows of each table that was built; views are left out, since counting them would run them."""
        built = [_unique_id(item) for item in results if _status(item) == "success"]
        counts = [
            f"select '{unique_id}', count(*) from {node['schema']}.{node['alias']}"
            for unique_id, node in ((unique_id, self.manifest["nodes"][unique_id]) for unique_id in built)
            if node["resource_type"] in {"model", "seed"} and node["config"]["materialized"] != "view"
        ]
        if not counts:
            return {}
        with duckdb.connect(str(self.warehouse_path), read_only=True) as connection:
            return dict(connection.execute(" union all ".join(counts)).fetchall())


def _unique_id(message: DbtCoreCliEventMessage) -> str:
    return str(message.raw_event["data"]["node_info"]["unique_id"])


def _status(message: DbtCoreCliEventMessage) -> str:
    return str(message.raw_event["data"]["node_info"]["node_status"])


def _progress_line(message: DbtCoreCliEventMessage) -> str:
    seconds = float(message.raw_event["data"].get("execution_time", 0))
    return f"{_unique_id(message).split('.')[2]}: {_status(message)} in {seconds:.2f} s"


def _completed(event: Any, row_count: int | None, evidence: tuple[str, dict[str, Any]] | None) -> Any:
    """A materialization with its row count, or a check result with the evidence why it failed."""
    if isinstance(event, dg.Output) and row_count is not None:
        return event.with_metadata({**event.metadata, "dagster/row_count": row_count})
    if not isinstance(event, dg.AssetCheckResult) or evidence is None:
        return event
    description, metadata = evidence
    return dg.AssetCheckResult(
        passed=event.passed,
        asset_key=event.asset_key,
        check_name=event.check_name,
        severity=event.severity,
        description=description,
        metadata={**event.metadata, **metadata},
    )
