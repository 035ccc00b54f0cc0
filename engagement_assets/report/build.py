"""The report from the published warehouse: its sections, its file.

Belongs here: which sections there are, and writing the page. Not here: when it is written
(`assets/engagement_report.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock

from engagement_assets.report.evidence import Evidence
from engagement_assets.report.figures import Section
from engagement_assets.report.html import render
from engagement_assets.report.sections.learning import learning
from engagement_assets.report.sections.mobility import mobility
from engagement_assets.report.sections.overview import overview
from engagement_assets.report.sections.product import product
from engagement_assets.report.sections.quality import quality
from engagement_assets.report.sections.strava import strava
from engagement_assets.report.sections.training import training
from engagement_assets.report.suppression import Suppression
from engagement_assets.settings import Settings

REPORT_FILE = "engagement_report.html"
DOCS_FILE = "dbt_docs.html"


@dataclass(frozen=True)
class Report:
    """A written report: where, how large, and what is in it."""

    path: Path
    size_bytes: int
    sections: tuple[Section, ...]

    def rows(self) -> dict[str, int]:
        """Rows of each table in the page, `section.table`."""
        return {
            f"{section.name}.{name}": len(table) for section in self.sections for name, table in section.tables.items()
        }


def suppression_of(settings: Settings) -> Suppression | None:
    """What publish mode leaves out, None outside of it."""
    return Suppression(settings.report_min_users) if settings.report_publish_mode else None


def section_of(connection: duckdb.DuckDBPyConnection, schema: str, settings: Settings) -> Section:
    """The section about one schema, which is an area or `audit`; checks and alerts are not asked for."""
    _, make = _parts(connection, suppression_of(settings), Evidence(), settings.report_max_cells)[schema]
    return make()


def build_sections(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, evidence: Evidence, max_cells: int
) -> tuple[Section, ...]:
    """All sections; one whose schema has not been published says so and shows nothing."""
    schemas = {name for (name,) in connection.execute("select distinct schema_name from duckdb_tables()").fetchall()}
    parts = _parts(connection, suppression, evidence, max_cells).items()
    return tuple(make() if schema in schemas else _unpublished(schema, title) for schema, (title, make) in parts)


def _parts(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, evidence: Evidence, max_cells: int
) -> dict[str, tuple[str, Callable[[], Section]]]:
    """Title of each section, and what makes it, by the schema that it is about."""
    return {
        "engagement": ("Overview", lambda: overview(connection, suppression)),
        "learning": ("Learning explorer", lambda: learning(connection, suppression, max_cells)),
        "training": ("Training", lambda: training(connection, suppression)),
        "strava": ("Strava", lambda: strava(connection, suppression)),
        "mobility": ("Mobility", lambda: mobility(connection, suppression)),
        "product": ("Product", lambda: product(connection, suppression)),
        "audit": ("Data quality", lambda: quality(connection, suppression, evidence)),
    }


def _unpublished(schema: str, title: str) -> Section:
    note = f"Nothing of the schema {schema} has been published yet: run `make backfill` with group:{schema} selected."
    return Section(schema, title, "", {}, notes=(note,))


def write_report(
    published: Path, folder: Path, *, suppression: Suppression | None, evidence: Evidence, max_cells: int
) -> Report:
    """Write the page into `folder`; a reader sees the old one or the new one, whole.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    if not published.exists():
        raise FileNotFoundError(
            f"there is no published warehouse at {published}, which the report is made of; run `make demo`, or "
            "`make backfill` over some days, and check PUBLISHED_WAREHOUSE_PATH"
        )
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        sections = build_sections(connection, suppression, evidence, max_cells)
        newest = connection.execute(
            "select strftime(max(loaded_at), '%Y-%m-%d %H:%M'), max(partition_date) from audit.ingestion_loads"
        ).fetchone()
    loaded_at, newest_day = newest or (None, None)
    remarks = []
    if suppression:
        remarks.append(f"Publish mode: numbers about fewer than {suppression.min_users} users are left out.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT_FILE
    # A command may write the report while a run does.
    with FileLock(folder / ".report.lock"):
        page = render(
            sections,
            state=f"Data up to {newest_day}; newest load {loaded_at} UTC."
            if loaded_at
            else "Nothing has been loaded yet.",
            remarks=remarks,
            docs=DOCS_FILE if (folder / DOCS_FILE).exists() else None,
            cache=folder,
        )
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    return Report(path, path.stat().st_size, sections)
