"""The report of the published warehouse: its sections and its file.

Belongs here: which sections there are, and writing the page. Not here: when it is written
(`assets/engagement_report.py`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock

from engagement_assets.installation import PROGRAM
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts
from engagement_assets.report.figures import Section
from engagement_assets.report.html import Heading, render
from engagement_assets.report.sections.learning import learning
from engagement_assets.report.sections.mobility import mobility
from engagement_assets.report.sections.overview import overview
from engagement_assets.report.sections.product import product
from engagement_assets.report.sections.quality import quality
from engagement_assets.report.sections.strava import strava
from engagement_assets.report.sections.training import training
from engagement_assets.report.suppression import Suppression
from engagement_assets.settings import Settings
from engagement_assets.sources import SOURCES

REPORT_FILE = "engagement_report.html"
DOCS_FILE = "dbt_docs.html"
OVERVIEW, QUALITY = "overview", "quality"
SECTIONS_OF = {"engagement": OVERVIEW, "audit": QUALITY}
SOURCE_TITLES: Mapping[str, str] = {source.name: source.title for source in SOURCES}


@dataclass(frozen=True)
class Report:
    """A written report: its path, its size and its sections."""

    path: Path
    size_bytes: int
    sections: tuple[Section, ...]

    def rows(self) -> dict[str, int]:
        """Rows of each table in the page, by `section.table`."""
        return {
            f"{section.name}.{name}": len(table) for section in self.sections for name, table in section.tables.items()
        }


def suppression_of(settings: Settings) -> Suppression | None:
    """What publish mode leaves out; None if it is off."""
    return Suppression(settings.report_min_users) if settings.report_publish_mode else None


def section_of(connection: duckdb.DuckDBPyConnection, schema: str, settings: Settings) -> Section:
    """The section about one schema (an area or `audit`), without checks and alerts; empty if it has none."""
    parts = _parts(connection, suppression_of(settings), ChecksAndAlerts(), settings.report_max_cells)
    section = parts[schema][1]() if schema in parts else Section(schema, schema, "", {})
    return dataclasses.replace(section, first_day=default_first_day(connection))


def default_first_day(connection: duckdb.DuckDBPyConnection) -> str:
    """The Monday at which the page's range of dates begins before anybody changes it; empty for all dates.

    It leaves out a long history with next to nothing in it: in the week of that day, a source has for the first time
    at least 2 % of the units of its largest week. In a week of which no day was loaded it must be a quarter: a few late
    records would otherwise begin every chart with an incomplete week.
    """
    if not connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'engagement' and table_name = 'weekly_engagement'"
    ).fetchall():
        return ""
    row = connection.execute(
        """
        select cast(min(week_start_date) as varchar) from (
            select week_start_date, engagement_units, days_observed,
                max(engagement_units) over (partition by source) as most
            from engagement.weekly_engagement
        ) where engagement_units > 0 and engagement_units >= if(days_observed > 0, 0.02, 0.25) * most
        """
    ).fetchone()
    return str(row[0]) if row and row[0] else ""


def build_sections(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, states: ChecksAndAlerts, max_cells: int
) -> tuple[Section, ...]:
    """All sections; if a schema has not been published, its section only says so."""
    schemas = {name for (name,) in connection.execute("select distinct schema_name from duckdb_tables()").fetchall()}
    parts = _parts(connection, suppression, states, max_cells).items()
    first_day = default_first_day(connection)
    sections = [
        dataclasses.replace(make() if schema in schemas else _unpublished(schema, title), first_day=first_day)
        for schema, (title, make) in parts
    ]
    # The overview says how the data is with the words of the section about it.
    tiles = next(section.tiles for section in sections if section.name == QUALITY)
    return tuple(dataclasses.replace(each, tiles=tiles) if each.name == OVERVIEW else each for each in sections)


def _parts(
    connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, states: ChecksAndAlerts, max_cells: int
) -> dict[str, tuple[str, Callable[[], Section]]]:
    """By schema, the title of the section about it and the function that builds it."""
    return {
        "engagement": ("Overview", lambda: overview(connection, suppression, SOURCE_TITLES)),
        "learning": ("Learning explorer", lambda: learning(connection, suppression, max_cells)),
        "training": ("Training", lambda: training(connection, suppression)),
        "strava": ("Strava", lambda: strava(connection, suppression)),
        "mobility": ("Mobility", lambda: mobility(connection, suppression)),
        "product": ("Product", lambda: product(connection, suppression)),
        "audit": ("Data quality", lambda: quality(connection, suppression, SOURCE_TITLES, states)),
    }


def _unpublished(schema: str, title: str) -> Section:
    note = f"The schema {schema} has not been published yet: run `{PROGRAM} backfill` with SELECT='+group:{schema}'."
    return Section(SECTIONS_OF.get(schema, schema), title, "", {}, notes=(note,))


def write_report(
    published: Path, folder: Path, *, suppression: Suppression | None, states: ChecksAndAlerts, max_cells: int
) -> Report:
    """Write the page into `folder`; a reader sees either the old page or the new one.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    if not published.exists():
        raise FileNotFoundError(
            f"there is no published warehouse at {published} to report on; run `{PROGRAM} demo`, or "
            f"`{PROGRAM} backfill` over some days, and check PUBLISHED_WAREHOUSE_PATH"
        )
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        sections = build_sections(connection, suppression, states, max_cells)
        newest = connection.execute(
            "select strftime(max(loaded_at), '%Y-%m-%d %H:%M'), max(partition_date) from audit.ingestion_loads"
        ).fetchone()
    loaded_at, newest_day = newest or (None, None)
    remarks = []
    if suppression:
        remarks.append(f"Publish mode: numbers about fewer than {suppression.min_users} users are left out.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT_FILE
    # A command and a run may write the report at the same time.
    with FileLock(folder / ".report.lock"):
        heading = Heading(
            written_at=datetime.now(UTC),
            state=f"Data up to {newest_day}; newest load {loaded_at} UTC."
            if loaded_at
            else "Nothing has been loaded yet.",
            remarks=remarks,
            docs=DOCS_FILE if (folder / DOCS_FILE).exists() else None,
        )
        page = render(sections, heading, cache=folder)
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    return Report(path, path.stat().st_size, sections)
