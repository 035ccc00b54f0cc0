"""Names of Dagster that the project needs and that Dagster does not offer in public.

Belongs here: each import of a private module of Dagster, why there is no other way, and the test that fails first if
Dagster changes it. Not here: what has a public name (`from dagster import …`), or what the names are used for.

An update of Dagster begins with this file. If a name is gone, its import fails here, and all other errors follow from
that. If a name has changed its meaning, the test that stands beside it fails.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from dagster import AssetCheckKey
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.event_api import EventLogCursor
from dagster._core.events import ASSET_EVENTS
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.objects import ErrorSource
from dagster._core.execution.stats import StepEventStatus
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES, FINISHED_STATUSES, NOT_FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorageMetadata
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._core.storage.sqlite_storage import _event_logs_directory as event_logs_directory
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData
from dagster_shared.libraries import DagsterLibraryRegistry

if TYPE_CHECKING:
    from dagster_dbt import DagsterDbtTranslator, DbtCliEventMessage
    from starlette.middleware import Middleware

__all__ = [  # noqa: RUF022 - by what they are for
    # Types of what public functions take and return: `Definitions.resolve_asset_graph`, `define_asset_job`, and the
    # constructor of a class that `dagster.yaml` names. They stand in annotations.
    # tests/unit/definitions/test_definitions.py::test_the_code_location_can_be_loaded
    "AssetGraph",
    "UnresolvedAssetJobDefinition",
    "ConfigurableClassData",
    # Dagster adds a status of runs now and then, and decides here which ones are at work, or over.
    # tests/unit/test_dagster_internals.py::test_a_run_is_finished_or_not_and_only_one_at_work_is_active
    "ACTIVE_RUN_STATUSES",
    "FINISHED_STATUSES",
    "NOT_FINISHED_STATUSES",
    # The newest evaluation of a check, and whether it ran: in public there are only the events of one run.
    # tests/unit/report/test_checks_and_alerts.py::test_a_run_in_progress_changes_no_state_until_it_has_evaluated
    "AssetCheckExecutionRecord",
    "AssetCheckExecutionRecordStatus",
    # What a step came to, in the answer of `get_run_step_stats`.
    # tests/unit/orchestration/test_unreported_loads.py::test_a_run_that_failed_after_its_load_has_told_of_it
    "StepEventStatus",
    # Whether all runs of a backfill have ended.
    # tests/integration/test_alerts_read_runs.py::test_a_backfill_waits_for_its_last_run_unless_it_takes_long
    "BULK_ACTION_TERMINAL_STATUSES",
    # Tells a step that somebody interrupted from one that failed.
    # tests/integration/test_alerts_read_runs.py::test_a_step_whose_run_was_cancelled_opens_nothing
    "ErrorSource",
    # Where events without a run are, and how to go on reading there.
    # tests/unit/test_dagster_internals.py::test_events_without_a_run_are_read_on_from_the_last_one
    "RUNLESS_RUN_ID",
    "EventLogCursor",
    # How long an executor waits for a slot of a pool: see `instance/pool_slots.py`.
    # tests/unit/instance/test_pool_slots.py::test_dagster_itself_would_not_sleep
    "InstanceConcurrencyContext",
    # Events that tell of assets, which a storage writes in batches.
    # tests/unit/test_dagster_internals.py::test_events_of_assets_are_those_that_runs_over_days_have_many_of
    "ASSET_EVENTS",
    # Dagster's storage in SQLite, which ours changes: see `instance/event_log.py`.
    # tests/unit/instance/test_event_log.py::test_batches_store_what_single_events_store
    "SqliteEventLogStorage",
    # tests/unit/instance/test_event_log.py::test_the_storage_lies_where_dagsters_own_would
    "DagsterSqliteStorage",
    "event_logs_directory",
    # tests/unit/test_dagster_internals.py::test_a_busy_file_is_waited_for_as_long_as_dagster_does
    "SQLITE_BUSY_TIMEOUT_SECONDS",
    # Dagster's tables, which an erasure searches in PostgreSQL.
    # tests/unit/test_dagster_internals.py::test_the_tables_of_all_storages_are_known
    "RunStorageSqlMetadata",
    "ScheduleStorageSqlMetadata",
    "SqlEventLogStorageMetadata",
    # A run launcher that says whether a run is alive: what it answers, and what it asks a code server.
    # tests/unit/instance/test_run_launcher.py::test_a_code_server_knows_whether_a_run_is_alive
    "CanCancelExecutionRequest",
    "CanCancelExecutionResult",
    "CheckRunHealthResult",
    "WorkerStatus",
    # tests/unit/instance/test_run_launcher.py::test_a_code_server_that_is_slow_says_nothing_about_the_run
    "DagsterUserCodeUnreachableError",
    # The webserver takes no middleware, and has no login: see `instance/same_origin.py`.
    # tests/integration/test_same_origin.py::test_the_webserver_answers_its_own_pages_and_programs_alone
    "add_to_webserver",
    # What dagster-dbt makes of the events of a dbt command; we have them from dbt in process.
    # tests/unit/test_dagster_internals.py::test_an_event_of_dbt_becomes_a_materialization
    "dbt_event",
    # tests/unit/transform/test_dbt_project.py::test_every_dbt_test_is_one_check_and_of_a_table_that_it_reads
    "check_key_of_test",
    # The libraries whose versions the UI lists; dagster-dbt enters another dbt if it finds none.
    # tests/unit/definitions/test_definitions.py::test_who_runs_no_dbt_does_not_import_it
    "DagsterLibraryRegistry",
    # The two ways to name a database in `dagster.yaml`.
    # tests/unit/test_dagster_internals.py::test_a_database_is_named_by_its_url_or_by_its_parts
    "postgres_url_of",
]


# Only a process that uses an integration imports it: dagster-dbt takes some seconds, and dagster-postgres is an extra.


def dbt_event(raw_event: Mapping[str, Any]) -> "DbtCliEventMessage":
    """An event of dbt as dagster-dbt reads it from the log of a dbt command."""
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage  # noqa: PLC0415

    return DbtCoreCliEventMessage(raw_event=dict(raw_event), event_history_metadata={})


def check_key_of_test(
    manifest: Mapping[str, Any], translator: "DagsterDbtTranslator", unique_id: str
) -> AssetCheckKey | None:
    """The check that a dbt test is, or None if it is of no asset."""
    from dagster_dbt.asset_utils import get_asset_check_key_for_test  # noqa: PLC0415

    return get_asset_check_key_for_test(manifest, translator, unique_id, None)


def add_to_webserver(middleware: "Middleware") -> None:
    """Have every webserver that this process makes from now on pass its requests through `middleware` first."""
    from dagster_webserver.webserver import DagsterWebserver  # noqa: PLC0415

    build = DagsterWebserver.build_middleware

    def build_with_ours(webserver: Any) -> "list[Middleware]":
        return [middleware, *build(webserver)]

    cast(Any, DagsterWebserver).build_middleware = build_with_ours


def postgres_url_of(config: Mapping[str, Any]) -> str:
    """The URL of the database in the config of Dagster's storage."""
    from dagster_postgres.utils import pg_url_from_config  # noqa: PLC0415

    return pg_url_from_config(config)
