"""Dagster's SQLite storage, with the events of many days written at once.

Belongs here: how a batch of events is written, how a run's events go. Not here: what makes Dagster use it (see
`commands/dagster_home.py`).

A run over days has a planned and a materialized event for each partitioned asset and day. Dagster hands them over in
batches, which its SQLite storage takes apart again, with a transaction and a sync to the disk or two for every event
(docs/decisions/0004-steps-of-an-area.md). Files, schema and crash safety are Dagster's own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData


class BatchingEventLogStorage(SqliteEventLogStorage):
    """Writes the asset events of a batch in two transactions: to the index of all runs, and to the run's own log."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run; if this fails, Dagster stores each of them by itself."""
        batch = [event for event in events if event.dagster_event_type in ASSET_EVENTS]
        if batch:
            inserts = [self.prepare_insert_event(event) for event in batch]
            # The index first: that is where another process can be in the way, and then nothing has been written.
            with self.index_transaction() as index:
                event_ids = [index.execute(insert).lastrowid for insert in inserts]
                self._store_asset_event_tags(index, batch, event_ids)
                # An asset's entry tells of its newest event of a kind: the others of the batch would be written over.
                newest = {
                    (event.get_dagster_event().asset_key, event.dagster_event_type): (event, event_id)
                    for event, event_id in zip(batch, event_ids, strict=True)
                }
                for event, event_id in newest.values():
                    self._store_asset_event(index, event, event_id)
            with self.run_connection(batch[0].run_id) as log:
                for insert in inserts:
                    log.execute(insert)
        for event in events:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events, with the file that they were in: emptied, it would stay as large as it was."""
        super().delete_events(run_id)
        Path(self.path_for_shard(run_id)).unlink(missing_ok=True)


class BatchingSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the event log of this module."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Keep everything in `base_dir`."""
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchingEventLogStorage(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """What Dagster calls with what `dagster.yaml` says."""
        return cls.from_local(config_value["base_dir"], inst_data)
