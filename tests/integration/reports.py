"""A published warehouse of all sources, its reports, and a browser to read them.

Belongs here: what the tests of the report share. Not here: what a report must show.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from dbt.contracts.graph.manifest import Manifest
from playwright.sync_api import Browser, Page

from engagement_assets.alerts.history import AlertState
from engagement_assets.lake.lake import Lake
from engagement_assets.report.build import Report, write_report
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts, CheckState
from engagement_assets.report.suppression import Suppression
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.sources import AREAS, AUDIT
from engagement_assets.transform import project
from engagement_assets.transform.data_tests import primary_keys
from engagement_assets.transform.publish import Publisher, publish_schemas
from tests.integration.services import FIRST_DAY, services
from tests.integration.warehouse_builder import WAREHOUSE_FILE_NAME, WarehouseBuilder

# Two complete weeks, and a day of a third.
LAST_DAY = date(2024, 1, 15)
DAYS = 15
MAX_CELLS = 20_000
MIN_USERS = 5
STATES = ChecksAndAlerts(
    checks=(
        CheckState("learning/engagement_daily", "adds_up", "passed", "2024-03-01T10:00:00+00:00"),
        CheckState("raw_runna/activities", "reconciles", "failed", "2024-03-01T10:00:00+00:00", 3, "2024-01-09"),
    ),
    alerts=(
        AlertState("raw_runna/activities", "reconciles", "open", "error", "2024-03-01T10:00:00+00:00", "", 2),
        AlertState(
            "strava/fct", "is_fresh", "resolved", "warn", "2024-02-01T10:00:00+00:00", "2024-02-02T10:00:00+00:00", 1
        ),
        AlertState("training/dim__plans", "never_ran", "not run", "warn", "2024-01-20T10:00:00+00:00", "", 1),
    ),
)


@dataclass(frozen=True)
class Loaded:
    """What was built and published from all sources, the lake that it was built from, and a report."""

    warehouse: Path
    published: Path
    lake: Path
    report: Report


def load_sources(folder: Path, manifest: Manifest) -> tuple[Path, Path]:
    """Load sample data of all sources, build it with dbt at once, and publish it, unless that has been done.

    The asset graph would do the same in twenty steps. Gives the warehouse and the published copy.
    """
    warehouse, published = (folder / name for name in (WAREHOUSE_FILE_NAME, "published.duckdb"))
    if published.exists():
        return warehouse, published
    with services(folder, activities_per_day=2, events_per_day=40) as running:
        write_sample_landing(
            folder / "landing",
            start=FIRST_DAY,
            days=DAYS,
            runna_activities_per_day=12,
            lingokids_events_per_day=120,
            mobile_events_per_day=100,
        )
        running.load_every_source(FIRST_DAY, LAST_DAY, strava_places="coarse")
    WarehouseBuilder(folder, manifest, folder / "lake", comments=True).build(FIRST_DAY, LAST_DAY + timedelta(days=1))
    publisher = Publisher(keys=primary_keys(project.manifest()))
    publish_schemas(warehouse, published, (*AREAS, AUDIT), Lake(str(folder / "lake")), publisher)
    return warehouse, published


def make_report(
    published: Path,
    folder: Path,
    *,
    min_users: int | None = None,
    max_cells: int = MAX_CELLS,
    states: ChecksAndAlerts | None = None,
) -> Report:
    """A report of a published warehouse, in publish mode if `min_users` is given."""
    return write_report(
        published,
        folder,
        suppression=None if min_users is None else Suppression(min_users),
        states=states or ChecksAndAlerts(),
        max_cells=max_cells,
    )


def chromium() -> str | None:
    """The Chromium or Chrome of this machine, or None; downloading one would need a network."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class ReportPage:
    """A report in a browser, with the browser's complaints and requests."""

    def __init__(self, browser: Browser, path: Path, fragment: str = "", **context: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page: Page = browser.new_page(**context)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.resolve().as_uri()
        self.open(fragment)

    def open(self, fragment: str = "") -> None:
        """Load the page again and wait until it has drawn everything."""
        self.page.goto("about:blank")
        self.page.goto(self.url + fragment)
        self.page.wait_for_selector("html[data-ready=true]")

    def show(self, chapter: str) -> None:
        """Open a chapter by its link, unless it is on the screen."""
        if self.page.locator("section.current").get_attribute("id") != chapter:
            self.page.locator(f"nav a[href='#{chapter}']").click()
            self.page.locator(f"section#{chapter}.current").wait_for()

    def choose(self, section: str, **filters: str) -> None:
        """Set filters of a section, or the page's `dates`, one by one, and wait until each has been applied."""
        if section != "dates":
            self.show(section)
        for name, value in filters.items():
            control = self.page.locator(f"#{section} [name={name}]")
            status = self.page.locator(f"#{section} [role=status]")
            status.evaluate("each => { each.textContent = '' }")
            if control.evaluate("each => each.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)
                control.dispatch_event("change")
            status.filter(has_text="figures have rows").wait_for(state="attached")

    def all_dates(self) -> None:
        """Show every date that there is, also those before the first day that the page proposes."""
        status = self.page.locator("#dates [role=status]")
        status.evaluate("each => { each.textContent = '' }")
        self.page.locator("#dates .all").click()
        status.filter(has_text="figures have rows").wait_for(state="attached")

    def options(self, section: str, name: str) -> list[str]:
        """The values of a filter's options."""
        found = self.page.locator(f"#{section} [name={name}] option").evaluate_all("all => all.map(each => each.value)")
        return [str(value) for value in found]

    def rows(self, figure: str) -> list[tuple[str | float, ...]]:
        """The table behind a figure (`section-name`), with numbers as values and not as formatted text."""
        root = self.page.locator(f"#{figure}")
        if root.locator("details").evaluate("each => each.hidden"):
            return []
        root.locator("details").evaluate("each => { each.open = true }")
        root.locator("tbody tr").first.wait_for(state="attached")
        cells = root.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map("
            "cell => { const data = cell.querySelector('data'); "
            "return data ? Number(data.value) : cell.textContent; }))"
        )
        return [tuple(row) for row in cells]

    def csv(self, figure: str) -> str:
        """The text of the CSV download of a figure's table."""
        self.show(figure.partition("-")[0])
        root = self.page.locator(f"#{figure}")
        root.locator("details").evaluate("each => { each.open = true }")
        with self.page.expect_download() as download:
            root.locator(".csv").click()
        return Path(download.value.path()).read_text(encoding="utf-8")


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over a published warehouse."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def content_of(path: Path) -> str:
    """A page without its scripts and styles: its text and its data."""
    page = path.read_text(encoding="utf-8")
    return re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
