"""Dagster's SQLite storage, except that it writes events in batches and keeps its connections open.

Belongs here: how events are written and deleted. Not here: what makes Dagster use it (see `instance/home.py`).

A run over days has a planned and a materialized event for each partitioned asset and day. Dagster hands them over in
batches, but its SQLite storage writes them one by one, and opens and closes one or two files for each. That is slow:
SQLAlchemy compiles each statement again, and SQLite empties its write-ahead log at each close and waits for the disk at
each commit (docs/decisions/0004-steps-of-an-area.md). Files and schema are Dagster's own. The process may be killed at
any moment. After a power failure a log may lack its last moments, but is not damaged.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, Self

from dagster import EventLogEntry
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen

from engagement_assets.dagster_internals import (
    ASSET_EVENTS,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    ConfigurableClassData,
    DagsterSqliteStorage,
    SqliteEventLogStorage,
    event_logs_directory,
)
from engagement_assets.instance.private_files import refuse_others
from engagement_assets.settings import Settings

# Webserver and daemon read the logs of many runs.
OPEN_LOGS = 16


class BatchingEventLogStorage(SqliteEventLogStorage):
    """Writes the asset events of a batch in two transactions: to the index of all runs and to the run's own log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Keep the logs in `base_dir`."""
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction on the index or on the log of a run."""
        with self._db_lock, self._engine_of(shard).begin() as connection:
            yield connection

    def _engine_of(self, shard: str) -> Engine:
        if shard not in self._engines:
            patience = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            engine = create_engine(self.conn_string_for_shard(shard), connect_args=patience)
            listen(engine, "connect", _wait_for_the_disk_at_checkpoints)
            self._initdb(engine)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        if len(self._engines) > OPEN_LOGS:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The webserver calls this, and nobody else, before it begins to listen: it gets the guard that it lacks."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)
        guard_webserver()

    def dispose(self) -> None:
        """Close all logs."""
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()

    @cached_property
    def supports_asset_checks(self) -> bool:
        """Whether the index has a table for checks; Dagster opens the file to look for it at each check."""
        return self.has_table("asset_check_executions")

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event."""
        super().store_event(event)
        self._notify_watchers(event.run_id)

    def _notify_watchers(self, run_id: str) -> None:
        """The UI reads a run's log when its file changes, but writes first go to the write-ahead log, another file."""
        os.utime(self.path_for_shard(run_id))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run; if this fails, Dagster stores them one by one."""
        batch = [event for event in events if event.dagster_event_type in ASSET_EVENTS]
        if batch:
            inserts = [self.prepare_insert_event(event) for event in batch]
            # The index first: another process may hold its lock, and then nothing has been written.
            with self.index_transaction() as index:
                event_ids = [index.execute(insert).lastrowid for insert in inserts]
                self._store_asset_event_tags(index, batch, event_ids)
                for event, event_id in newest_of_each_asset(batch, event_ids):
                    self._store_asset_event(index, event, event_id)
            with self.run_connection(batch[0].run_id) as log:
                for insert in inserts:
                    log.execute(insert)
            self._notify_watchers(batch[0].run_id)
        for event in events:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events with their file, which would keep its size if it were only emptied."""
        super().delete_events(run_id)
        if engine := self._engines.pop(run_id, None):
            engine.dispose()
        Path(self.path_for_shard(run_id)).unlink(missing_ok=True)


def guard_webserver() -> None:
    """Have the webserver of this process answer its own pages and programs alone."""
    from engagement_assets.instance.same_origin import answer_own_pages_only  # noqa: PLC0415 - no other process needs it

    answer_own_pages_only(Settings())


def newest_of_each_asset(batch: Sequence[EventLogEntry], event_ids: Sequence[int]) -> list[tuple[EventLogEntry, int]]:
    """The events of a batch, with their ids, of which the entries of assets know; they have the newest of each kind."""
    newest = {
        (event.get_dagster_event().asset_key, event.dagster_event_type): (event, event_id)
        for event, event_id in zip(batch, event_ids, strict=True)
    }
    return list(newest.values())


def _wait_for_the_disk_at_checkpoints(connection: SqliteConnection, _record: object) -> None:
    connection.execute("pragma synchronous = normal")


class BatchingSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the event log of this module."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Keep everything in `base_dir`; what this process writes from now on is private."""
        refuse_others()
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchingEventLogStorage(event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Dagster calls this with the config in `dagster.yaml`."""
        return cls.from_local(config_value["base_dir"], inst_data)
