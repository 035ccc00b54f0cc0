"""The settings of what people and tools read: the published copy, its exports and the report.

Belongs here: these fields of `Settings`. Not here: all other settings (`settings.py`), or what acts on them.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class PublishingSettings(BaseSettings):
    """The part of a deployment's settings that is about what it hands on."""

    published_warehouse_path: Path = Field(default=Path(), description="The copy that people and tools read.")
    export_dir: str = Field(
        default="", description="Folder or s3:// URL to which each area's tables are exported as Parquet; empty: none."
    )
    export_csv: bool = Field(default=False, description="Export the tables as CSV too.")
    report_dir: Path = Field(default=Path(), description="Folder of the engagement report and of dbt's docs.")
    report_publish_mode: bool = Field(
        default=False, description="Leave numbers about few users out of the report, so that it can be published."
    )
    report_min_users: int = Field(
        default=5, ge=2, description="In publish mode: the smallest number of users behind a number."
    )
    report_max_cells: int = Field(
        default=20_000,
        ge=1,
        description="The maximum number of cells in the learning explorer; with more, its grain becomes coarser.",
    )
