"""The settings about Apache Spark as the warehouse.

Belongs here: these fields of `Settings`, and what follows from them alone. Not here: all other settings
(`settings.py`), or what acts on them (`transform/spark_warehouse.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

ROWS_STAY_ON_SPARK = (
    "WAREHOUSE=spark: only tables of DuckDB forget single rows, so a person or a deleted activity would stay in those "
    "of Spark; docs/scaling.md says what to do instead (for `prune`: STRAVA_DELETED_RETENTION_DAYS=0)"
)


class WarehouseEngine(StrEnum):
    """What holds the tables."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class SparkTableFormat(StrEnum):
    """What Spark's tables are made of: tables of Parquet are written anew, the others delete and insert rows."""

    PARQUET = "parquet"
    ICEBERG = "iceberg"
    DELTA = "delta"


@dataclass(frozen=True)
class SparkEndpoint:
    """A Thrift server, and how dbt uses it; `lake_uri` is empty if Spark finds the lake where all others do."""

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    table_format: SparkTableFormat
    threads: int
    lake_uri: str

    def variables(self) -> Mapping[str, str]:
        """What `dbt_project/profiles.yml` and `dbt_project.yml` read."""
        return {
            "SPARK_THRIFT_HOST": self.host,
            "SPARK_THRIFT_PORT": str(self.port),
            "SPARK_THRIFT_USER": self.user,
            "SPARK_THRIFT_PASSWORD": self.password or "",
            "SPARK_TABLE_FORMAT": self.table_format,
            "SPARK_THREADS": str(self.threads),
        }

    def connection(self) -> Mapping[str, Any]:
        """The arguments of a connection by PyHive."""
        login = {"auth": "LDAP", "password": self.password} if self.password else {}
        return {"host": self.host, "port": self.port, "username": self.user, **login}


class SparkSettings(BaseSettings):
    """The part of a deployment's settings that is about Spark."""

    warehouse: WarehouseEngine = Field(
        default=WarehouseEngine.DUCKDB,
        description="What holds the tables: duckdb, or spark for those who have outgrown one machine.",
    )
    spark_thrift_host: str = Field(default="127.0.0.1", description="The host of Spark's Thrift server.")
    spark_thrift_port: int = Field(default=10000, ge=1, le=65535, description="Its port.")
    spark_thrift_user: str = Field(default="dbt", description="Who connects.")
    spark_thrift_password: SecretStr | None = Field(
        default=None, description="Their password; without one, the server asks for none."
    )
    spark_lake_uri: str = Field(
        default="", description="The lake as Spark finds it, if otherwise than LAKE_URI: s3a:// instead of s3://."
    )
    spark_table_format: SparkTableFormat = Field(
        default=SparkTableFormat.PARQUET, description="What the tables are made of: parquet, iceberg or delta."
    )
    spark_publish_facts: bool = Field(
        default=False,
        description="Publish facts and bridges of Spark too, a row per event or activity; without them, the published "
        "copy has the tables that people and the report read.",
    )
    spark_threads: int = Field(default=4, ge=1, description="How many models dbt builds on Spark at the same time.")

    @property
    def spark_endpoint(self) -> SparkEndpoint:
        """The Thrift server."""
        password = self.spark_thrift_password
        return SparkEndpoint(
            self.spark_thrift_host,
            self.spark_thrift_port,
            self.spark_thrift_user,
            password.get_secret_value() if password else None,
            self.spark_table_format,
            self.spark_threads,
            self.spark_lake_uri.rstrip("/"),
        )
