"""The engagement report: its size, when it is painted, and how long a filter takes.

    python benchmarks/report.py [--cells 300000]

Three pages, each opened in a headless Chromium: of what is published now (after `make demo`), of a learning explorer
with as many cells as a page takes at most, and of one with far more, which has to choose a coarser grain.

Times are those of a clock, so they are a multiple on a machine that does other things. Compare two versions in turn.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from playwright.sync_api import Browser, sync_playwright

from engagement_assets.report.build import Report, write_report
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts
from engagement_assets.report.cubes import ACTIVITY, DATES, DIMENSIONS, MEASURES, TABLES, build_cube
from engagement_assets.settings import Settings

MAX_CELLS: int = Settings.model_fields["report_max_cells"].default
VALUES = {
    "country_code": 30,
    "os_name": 2,
    "os_version": 20,
    "app_version": 15,
    "subscription_status": 5,
    "activity_type": 6,
    "collection_id": 30,
    ACTIVITY: 300,
}
# From the change of a control to the frame after the last figure has been redrawn.
MEASURE_FILTER = """
([name, value]) => new Promise((done) => {
  const control = document.querySelector(`#learning [name=${name}]`);
  const status = document.querySelector("#learning [role=status]");
  status.textContent = "";
  const started = performance.now();
  new MutationObserver((_, observer) => {
    if (!status.textContent) return;
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - started));
  }).observe(status, { childList: true });
  control.value = value;
  control.dispatchEvent(new Event("change", { bubbles: true }));
})
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300_000, help="daily cells of the large learning explorer")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        print("there is no chromium on PATH to open the report in", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        print(f"{'page':<26}{'write s':>9}{'MB':>6}{'cells':>9}{'grain':>7}{'paint':>7}{'ready':>7}{'filter ms':>16}")
        published = Settings().published_warehouse_path
        if published.exists():
            measure(browser, "published now", published, Path(folder))
        else:
            print(f"nothing is published at {published}: run `make demo` to measure its report")
        for name, cells in (("as many cells as fit", MAX_CELLS), (f"{arguments.cells:,} daily cells", arguments.cells)):
            path = Path(folder) / f"{cells}.duckdb"
            write_learning(path, cells)
            measure(browser, name, path, Path(folder))
        browser.close()
    return 0


def measure(browser: Browser, name: str, published: Path, folder: Path) -> None:
    started = time.perf_counter()
    report = write_report(published, folder, suppression=None, states=ChecksAndAlerts(), max_cells=MAX_CELLS)
    seconds = time.perf_counter() - started
    with duckdb.connect(str(published), read_only=True) as connection:
        cube = build_cube(connection, MAX_CELLS)
    paint, ready, filters = opened(browser, report)
    filter_times = f"{statistics.median(filters):.0f} (max {max(filters):.0f})"
    print(
        f"{name:<26}{seconds:>9.1f}{report.size_bytes / 1e6:>6.1f}{len(cube.cells):>9,}{cube.grain:>7}"
        f"{paint:>7.0f}{ready:>7.0f}{filter_times:>16}"
    )
    if cube.choice():
        print(f"    {cube.choice()}")


def opened(browser: Browser, report: Report) -> tuple[float, float, list[float]]:
    """Milliseconds until the first paint, until everything is drawn, and of each change of a filter."""
    page = browser.new_page(viewport={"width": 1366, "height": 850})
    page.goto(f"{report.path.as_uri()}#learning")
    page.wait_for_selector("html[data-ready=true]")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    filters = []
    for name in ("country_code", "subscription_status", "activity_type", "grain", "split"):
        values = page.locator(f"#learning [name={name}] option").evaluate_all("all => all.map(each => each.value)")
        filters += [page.evaluate(MEASURE_FILTER, [name, value]) for value in (*values[1:3], values[0])]
    page.close()
    return paint, ready, filters


def write_learning(path: Path, cells: int) -> None:
    """A published warehouse with the learning area alone, of that many daily cells over a year."""
    keys = ", ".join(
        f"'{name}-' || (hash(cell * 31 + {place}) % {count})::varchar as {name}"
        for place, (name, count) in enumerate(VALUES.items())
    )
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema learning; create schema audit")
        connection.execute(
            f"create table learning.engagement_daily as select * from (select "
            f"date '2023-01-01' + cast(hash(cell * 31 + 9) % 365 as integer) as event_date, {keys}, "
            "cast(1 + hash(cell * 31 + 10) % 5 as bigint) as plays, cast(1 as bigint) as completed_plays, "
            "cast(hash(cell * 31 + 11) % 900000 as bigint) as duration_ms, "
            f"cast(hash(cell * 31 + 12) % 900000 as bigint) as played_ms from range({cells}) as cells(cell)) "
            f"qualify row_number() over (partition by event_date, {', '.join([*DIMENSIONS, ACTIVITY])}) = 1"
        )
        sums = ", ".join(f"cast(sum({each}) as bigint) as {each}" for each in MEASURES)
        for grain in ("week", "month", "year"):
            connection.execute(
                f"create table learning.engagement_{TABLES[grain]} as "
                f"select cast(date_trunc('{grain}', event_date) as date) as {DATES[grain]}, "
                f"{', '.join([*DIMENSIONS, ACTIVITY])}, {sums} from learning.engagement_daily group by all"
            )
        connection.execute(
            f"create table learning.top_activities as select 'year' as grain, date '2023-01-01' as period_start_date, "
            f"activity_id, activity_id as activity_name, any_value(activity_type) as activity_type, {sums}, "
            "1 as rank_by_plays, 1 as rank_by_duration, 1 as rank_by_played_time "
            "from learning.engagement_daily group by all"
        )
        connection.execute(
            "create table learning.learning_active_users as select 'week' as grain, "
            "cast(date_trunc('week', event_date) as date) as period_start_date, 'all' as dimension_name, "
            "'all' as dimension_value, count(*) as active_users from learning.engagement_daily group by all"
        )
        connection.execute(
            "create table audit.ingestion_loads (load_id varchar, source varchar, dataset varchar, "
            "partition_date date, status varchar, accepted bigint, quarantined bigint, duplicates bigint, "
            "loaded_at timestamp); "
            "create table audit.rejected_records (source varchar, dataset varchar, reason_code varchar); "
            "create table audit.held_days (source varchar, dataset varchar, partition_date date, "
            "held_since timestamp, failed_checks varchar, accepted bigint, quarantined bigint)"
        )


if __name__ == "__main__":
    sys.exit(main())
