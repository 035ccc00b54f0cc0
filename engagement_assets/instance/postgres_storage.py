"""Dagster's PostgreSQL storage, for the spellings of a URL that others use.

Belongs here: what makes the storage fit this project. Not here: what makes Dagster use it (`instance/home.py`).
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config

from engagement_assets.instance.postgres_database import url_for_sqlalchemy
from engagement_assets.instance.private_files import refuse_others


class PostgresStorage(DagsterPostgresStorage):
    """Keeps runs, events and schedules in one database."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Dagster calls this with the config in `dagster.yaml`; what the process writes from now on is private."""
        refuse_others()
        return cls(
            url_for_sqlalchemy(pg_url_from_config(config_value)),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )
