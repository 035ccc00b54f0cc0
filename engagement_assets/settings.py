"""Every setting of the project, read from the environment or from `.env`.

Belongs here: one field per variable, with its unit, default and meaning. Not here: anything that acts on a setting.
Each variable is listed in `.env.example`; a test compares the two.
"""

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Settings of one deployment.

    Without `LANDING_URI` the project runs on the sandbox's sample data, and everything that it writes lies in
    `data/demo/`; with it, in `data/`. So trying things out never mixes with real input.
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore")

    landing_uri: str = Field(default="", description="Folder or s3:// URL of the landing zone (runna/, lingokids/, …).")
    lake_uri: str = Field(default="", description="Folder of the lake.")
    warehouse_path: Path = Field(default=Path(), description="The DuckDB file that dbt writes; one writer at a time.")
    published_warehouse_path: Path = Field(default=Path(), description="The copy that people and tools read.")
    dagster_home: Path = Field(default=Path(), description="Where Dagster keeps its runs and events.")
    start_date: date = Field(default=date(2021, 1, 1), description="The first daily partition, a UTC day.")
    allow_shrink: bool = Field(
        default=False,
        description="Let a day whose landing files have gone replace the day that was loaded from them.",
    )
    pseudonym_key: SecretStr | None = Field(
        default=None,
        description="Key of the pseudonyms of child and device ids; unset keeps the ids.",
    )
    extract_processes: int = Field(default=2, ge=1, description="Processes that decode activity files side by side.")
    duckdb_memory_limit: str = Field(
        default="2GB",
        description="Memory that DuckDB may take for one load before it spills to disk.",
    )

    @model_validator(mode="after")
    def _fill_paths(self) -> Self:
        data = PROJECT_ROOT / "data" if self.landing_uri else PROJECT_ROOT / "data" / "demo"
        self.landing_uri = self.landing_uri or str(data / "landing")
        self.lake_uri = self.lake_uri or str(data / "lake")
        if self.warehouse_path == Path():
            self.warehouse_path = data / "warehouse.duckdb"
        if self.published_warehouse_path == Path():
            self.published_warehouse_path = data / "published.duckdb"
        if self.dagster_home == Path():
            self.dagster_home = data / "dagster_home"
        return self

    @cached_property
    def pseudonym_key_text(self) -> str | None:
        """The pseudonym key in clear, for the extractors only."""
        return self.pseudonym_key.get_secret_value() if self.pseudonym_key else None
