"""Dagster's PostgreSQL storage, except that it writes all events in batches, and for URLs as others spell them.

Belongs here: what makes the storage fit this project. Not here: what makes Dagster use it (`instance/home.py`), or the
same for SQLite (`instance/event_log.py`).

A run over days has a planned event for each partitioned asset and day. Dagster's storage writes these one by one, each
on a connection of its own: five assets and a year took 66 s, and take 4 s in batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import EventLogEntry
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from engagement_assets.dagster_internals import ASSET_EVENTS, ConfigurableClassData, postgres_url_of
from engagement_assets.instance.event_log import guard_webserver, newest_of_each_asset
from engagement_assets.instance.postgres_database import url_for_sqlalchemy
from engagement_assets.instance.private_files import refuse_others


class BatchingPostgresEventLogStorage(PostgresEventLogStorage):
    """Writes the asset events of a batch in one transaction."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run; if this fails, nothing is stored, and Dagster stores them one by one."""
        batch = [event for event in events if event.dagster_event_type in ASSET_EVENTS]
        if batch:
            insert = self.prepare_insert_event_batch(batch)
            with self.index_transaction() as connection:
                event_ids: list[int] = list(connection.execute(insert.returning(insert.table.c.id)).scalars())
                self._store_asset_event_tags(connection, batch, event_ids)
                for event, event_id in newest_of_each_asset(batch, event_ids):
                    self._store_asset_event(connection, event, event_id)
        for event in events:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The webserver calls this, and nobody else, before it begins to listen: it gets the guard that it lacks."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)
        guard_webserver()


class PostgresStorage(DagsterPostgresStorage):
    """Keeps runs, events and schedules in one database."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        """Open the database; what this process writes to files from now on is private."""
        refuse_others()
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._event_log_storage = BatchingPostgresEventLogStorage(postgres_url, should_autocreate_tables)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Dagster calls this with the config in `dagster.yaml`."""
        return cls(
            url_for_sqlalchemy(postgres_url_of(config_value)),
            config_value.get("should_autocreate_tables", True),
            inst_data,
        )
