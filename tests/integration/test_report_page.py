"""The report in a real browser: it renders, shows the numbers of the marts, and no data can harm it.

Belongs here: what needs a browser. Not here: which numbers may be in the file (`test_engagement_report.py`).
"""

import csv
import io
import shutil
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser

from engagement_assets.sources import SOURCES
from tests.integration.reports import MIN_USERS, Loaded, ReportPage, make_report, query

pytestmark = pytest.mark.integration

SECTIONS = ["overview", "learning", "training", "strava", "mobility", "product", "quality"]
PLAYS = "cast(sum(plays) as bigint), cast(sum(completed_plays) as bigint), sum(completed_plays) / sum(plays)"
HOSTILE_NAMES = [
    "</script><script>alert('name')</script>",
    "\"><img src=x onerror=alert(1)>'`${alert(2)}",
    "<!--<script>",
    "\u202egnikcolb\u2028\u2029 أهلا",
    '=HYPERLINK("http://example.invalid","click")',
    "long " + "x" * 10_000,
]


@pytest.fixture
def published(loaded: Loaded) -> Path:
    return loaded.published


def test_every_figure_is_drawn_and_nothing_is_fetched(report: ReportPage) -> None:
    assert report.page.locator("section").evaluate_all("all => all.map(each => each.id)") == SECTIONS
    blank = report.page.locator(".chart-figure").evaluate_all(
        "all => all.filter(each => !each.querySelector('svg path, svg line') && each.querySelector('.empty').hidden)"
        ".map(each => [each.id, each.querySelectorAll('.tile').length])"
    )
    # Strava was read on one day, which is one age for all runs, and these start in one cell.
    assert blank == [["strava-kudos_growth", 4], ["strava-kudos_known", 3], ["strava-start_cells", 3]]
    empty = report.page.locator("figure:has(.empty:not([hidden]))").evaluate_all("all => all.map(each => each.id)")
    assert empty == ["quality-held_days"]
    assert set(report.requests) == {report.url}


def test_the_overview_shows_the_marts(report: ReportPage, published: Path) -> None:
    report.all_dates()
    names = {"Runna workouts": "runna", "Lingokids app": "lingokids", "Strava": "strava"}
    names |= {"Product events": "user_events", "Scooter app": "mobile"}
    found = [(names[str(row[0])], *row[1:]) for row in report.rows("overview-weekly_active_users")]
    expected = query(
        published,
        "select source, cast(week_start_date as varchar), active_users, days_observed, "
        "if(is_complete_week, 'yes', 'no') from engagement.weekly_engagement order by all",
    )
    assert sorted(found) == expected
    report.choose("overview", source="mobile")
    growth = {(week, part): users for _, week, part, users, _ in report.rows("overview-growth")}
    for week, new, returning, resurrected, churned in query(
        published,
        "select cast(week_start_date as varchar), new_users, returning_users, resurrected_users, churned_users "
        "from engagement.weekly_engagement where source = 'mobile'",
    ):
        parts = {"new": new, "returning": returning, "resurrected": resurrected, "churned": churned}
        assert {part: growth[week, part] for part in parts} == parts
    cohorts = query(
        published,
        "select cast(cohort_week_start_date as varchar), cohort_size, weeks_since, active_users, retention_rate "
        "from engagement.weekly_retention where source = 'mobile' order by all",
    )
    assert [row[1:6] for row in report.rows("overview-retention")] == cohorts


def test_filters_change_the_numbers_to_what_sql_says(report: ReportPage, published: Path) -> None:
    totals = report.rows("learning-totals")[0]
    assert totals[:3] == query(published, f"select {PLAYS} from learning.engagement_daily")[0]
    country, status = query(
        published,
        "select country_code, subscription_status from learning.engagement_daily "
        "group by all order by sum(plays) desc limit 1",
    )[0]
    report.choose("learning", country_code=country, subscription_status=status, grain="day", split="app_version")
    where = f"country_code = '{country}' and subscription_status = '{status}'"
    by_day = query(
        published,
        f"select cast(event_date as varchar), {PLAYS}, sum(duration_ms) / 36e5, sum(played_ms) / 36e5 "
        f"from learning.engagement_daily where {where} group by event_date order by event_date",
    )
    assert sorted(row[:-1] for row in report.rows("learning-plays")) == [
        (*row[:4], pytest.approx(row[4]), pytest.approx(row[5])) for row in by_day
    ]
    by_value = query(
        published,
        f"select app_version, app_version, {PLAYS} from learning.engagement_daily where {where} "
        "group by all order by all",
    )
    assert sorted(row[:5] for row in report.rows("learning-by_value")) == by_value
    report.choose("learning", grain="month")
    report.choose("dates", first_day="2024-02-01")
    assert report.rows("learning-totals") == []
    report.choose("dates", first_day="2024-01-01", last_day="2024-01-31")
    assert report.rows("learning-totals")[0][0] == sum(row[1] for row in by_day)


def test_top_activities_are_the_marts_ranks(report: ReportPage, published: Path) -> None:
    expected = query(
        published,
        "select rank_by_plays, activity_name, activity_id, activity_type, plays, completed_plays "
        "from learning.top_activities where grain = 'year' and rank_by_plays <= 10 order by all",
    )
    assert sorted(row[:6] for row in report.rows("learning-top_by_plays")) == expected


def test_distinct_users_are_offered_for_one_filter_and_never_for_two(report: ReportPage, published: Path) -> None:
    report.choose("learning", country_code="us")
    expected = query(
        published,
        "select cast(period_start_date as varchar), dimension_name, 'United States', dimension_value, active_users "
        "from learning.learning_active_users where grain = 'week' and dimension_name = 'country_code' "
        "and dimension_value = 'us' order by all",
    )
    assert [row[:5] for row in report.rows("learning-active_users")] == expected
    report.choose("learning", os_name="iOS")
    assert report.rows("learning-active_users") == []
    text = report.page.locator("#learning-active_users .empty").inner_text()
    assert text.startswith("Not available for this slice: distinct users do not add up")
    assert report.rows("learning-plays") != []


def test_runners_read_a_pace_in_the_unit_that_they_choose(report: ReportPage, published: Path) -> None:
    runs = query(
        published,
        "select cast(date_trunc('week', activity_date)::date as varchar), sum(moving_time_s) / sum(distance_m) "
        "from strava.fct__strava_activities where is_run and not is_deleted group by all order by all",
    )
    for unit, metres in (("km", 1_000), ("mi", 1_609.344)):
        report.choose("strava", unit=unit)
        paces = [(week, divmod(round(s_per_m * metres), 60)) for week, s_per_m in runs]
        expected = [(week, f"{minutes}:{seconds:02} /{unit}") for week, (minutes, seconds) in paces]
        assert [(row[0], row[2]) for row in report.rows("strava-pace")] == expected
        ticks = report.page.locator("#strava-pace svg text").all_text_contents()
        assert any(tick.endswith(f" /{unit}") for tick in ticks)


def test_a_slice_can_be_shared_by_its_address(report: ReportPage) -> None:
    report.choose("learning", country_code="us", grain="month")
    report.choose("mobility", os_name="iOS")
    shared, plays = report.page.url.partition("#")[2], report.rows("learning-plays")
    assert shared.split("&") == [
        "chapter=mobility",
        "learning.grain=month",
        "learning.country_code=us",
        "mobility.os_name=iOS",
    ]
    report.open(f"#{shared}")
    assert report.rows("learning-plays") == plays
    assert report.page.locator("#mobility [name=os_name]").input_value() == "iOS"
    assert report.page.locator("section.current").get_attribute("id") == "mobility"
    report.show("learning")
    report.page.locator("#learning button[type=reset]").click()
    report.page.wait_for_url(lambda url: "learning." not in url)
    assert report.page.locator("#learning [name=country_code]").input_value() == ""


def test_a_link_to_a_section_leaves_the_slice_in_the_address(report: ReportPage) -> None:
    report.page.locator("nav a[href='#mobility']").click()
    assert report.page.url.partition("#")[2] == "mobility"
    report.choose("learning", country_code="us")
    report.page.locator("nav a[href='#strava']").click()
    report.page.wait_for_url("**#chapter=strava&learning.country_code=us")
    box = report.page.locator("#strava h2").bounding_box()
    assert box is not None
    assert box["y"] < 200
    report.open("#learning-completion")
    assert report.page.locator("section.current").get_attribute("id") == "learning"
    assert report.page.locator("#learning-completion").evaluate("each => each.getBoundingClientRect().top") < 300


def test_an_address_that_names_no_option_is_ignored(report: ReportPage) -> None:
    before = report.rows("learning-plays")
    report.open("#learning.country_code=%3Cscript%3E&learning.grain=century&first_day=soon&chapter=none&strava.none=1")
    assert report.rows("learning-plays") == before
    assert report.page.locator("#learning [name=grain]").input_value() == "week"
    assert report.page.locator("#dates [name=first_day]").input_value() != ""
    assert report.page.locator("section.current").get_attribute("id") == "overview"


def test_an_incomplete_week_looks_different(report: ReportPage) -> None:
    dashes = report.page.locator("#learning-plays svg .mark-rect.role-mark path").evaluate_all(
        "bars => bars.map(bar => bar.getAttribute('stroke-dasharray'))"
    )
    assert sorted(dashes) == ["1,0", "1,0", "4,3"]
    assert [row[-1] for row in report.rows("learning-plays")] == ["yes", "yes", "no"]


def test_data_quality_shows_checks_alerts_and_quarantine(report: ReportPage, published: Path) -> None:
    assert [row[:3] for row in report.rows("quality-every_check")] == [
        ("raw_runna/activities", "reconciles", "✕\u00a0failed"),
        ("learning/engagement_daily", "adds_up", "✓\u00a0passed"),
    ]
    assert [row[:4] for row in report.rows("quality-alerts")] == [
        ("open", "error", "raw_runna/activities", "reconciles"),
        ("not run", "warn", "training/dim__plans", "never_ran"),
        ("resolved", "warn", "strava/fct", "is_fresh"),
    ]
    # The overview says the same, in the same words.
    states = report.page.locator("#quality .state").evaluate_all("all => all.map(each => each.textContent)")
    held = query(published, "select count(*) from audit.held_days")[0][0]
    assert states[:5] == [
        "checks failed ✕ 1",
        "checks warned ✓ 0",
        "checks passed 1",
        "alerts open ✕ 1 1 resolved, 1 planned and never run",
        f"days held ✓ {held}",
    ]
    assert report.page.locator("#overview .state").evaluate_all("all => all.map(each => each.textContent)") == states
    report.choose("quality", state="failed")
    assert [row[1] for row in report.rows("quality-every_check")] == ["reconciles"]
    reasons = "select source, reason_code, count(*) from audit.rejected_records group by all order by all"
    titles = {source.name: source.title for source in SOURCES}
    assert sorted(report.rows("quality-quarantine")) == sorted(
        (titles[source], *row) for source, *row in query(published, reasons)
    )


def test_the_download_holds_what_is_shown(report: ReportPage) -> None:
    report.choose("mobility", zone="Centro")
    lines = list(csv.reader(io.StringIO(report.csv("mobility-sessions").removeprefix("\ufeff"))))
    assert lines[0] == ["Week of", "Sessions", "Looked", "Booked", "Complete"]
    assert [[week, float(sessions)] for week, sessions, *_ in lines[1:]] == [
        list(row[:2]) for row in report.rows("mobility-sessions")
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", '"\'=1+1"'),
        ("+1", '"\'+1"'),
        ("-1", '"\'-1"'),
        ("@SUM(A1)", '"\'@SUM(A1)"'),
        ("  =1", '"\'  =1"'),
        ("\t=1", '"\'\t=1"'),
        ("\uff1d1", '"\'\uff1d1"'),
        (-1, "-1"),
        (0.1, "0.1"),
        (None, ""),
        (True, "true"),
        ('a "b", c', '"a ""b"", c"'),
        ("two\nlines", '"two\nlines"'),
        ("a-b", "a-b"),
    ],
)
def test_no_cell_of_a_download_is_a_formula(opened: ReportPage, value: object, cell: str) -> None:
    # This goes through the debugger, since the page's policy allows no eval.
    assert opened.page.evaluate("value => window.report.csvCell(value)", value) == cell


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_cut_off_on_a_phone_or_a_laptop(browser: Browser, loaded: Loaded, width: int) -> None:
    screen = ReportPage(browser, loaded.report.path, viewport={"width": width, "height": 740})
    assert screen.page.evaluate("document.documentElement.scrollWidth") == width
    # A letter's side bearing may lie outside by a pixel or two.
    cut_off = screen.page.locator(".chart svg").evaluate_all(
        "all => all.flatMap(svg => { const box = svg.getBoundingClientRect(); return [...svg.querySelectorAll('text')]"
        ".filter(text => { const own = text.getBoundingClientRect(); return text.getAttribute('opacity') !== '0' && "
        "(text.textContent.includes('…') || own.left < box.left - 2 || own.right > box.right + 2 "
        "|| own.top < box.top - 2 || own.bottom > box.bottom + 2); })"
        ".map(text => svg.closest('figure').id + ': ' + text.textContent); })"
    )
    assert cut_off == []
    assert screen.complaints == []
    screen.page.close()


def test_hostile_names_do_no_harm(browser: Browser, published: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "published.duckdb"
    shutil.copyfile(published, hostile)
    with duckdb.connect(str(hostile)) as connection:
        ids = connection.execute(
            "select activity_id from learning.top_activities where grain = 'year' order by rank_by_plays, activity_id"
        ).fetchall()
        for (activity_id,), name in zip(ids, HOSTILE_NAMES, strict=False):
            connection.execute(
                "update learning.top_activities set activity_name = ? where activity_id = ?", [name, activity_id]
            )
            connection.execute(
                "update learning.engagement_daily set country_code = ?, collection_id = ? where activity_id = ?",
                [name[:200], name[:200], activity_id],
            )
    report = ReportPage(browser, make_report(hostile, tmp_path).path)
    shown = [row[1] for row in report.rows("learning-top_by_plays")]
    for name in HOSTILE_NAMES:
        assert any(" ".join(name[:120].split()) == " ".join(str(each).split()) for each in shown), name
    report.choose("learning", split="country_code", country_code=HOSTILE_NAMES[0])
    assert float(report.rows("learning-totals")[0][0]) > 0
    lines = report.csv("learning-top_by_plays")
    assert HOSTILE_NAMES[0] in lines
    report.choose("learning", country_code=HOSTILE_NAMES[4])
    assert '"\'=HYPERLINK(""http://example.invalid"",""click"")"' in report.csv("learning-top_by_plays")
    assert report.complaints == []
    report.page.close()


def test_a_cube_that_is_too_large_is_coarser_and_says_so(browser: Browser, published: Path, tmp_path: Path) -> None:
    (months,) = query(published, "select count(*) from learning.engagement_monthly")[0]
    report = ReportPage(browser, make_report(published, tmp_path, max_cells=months).path)
    assert report.options("learning", "grain") == ["month", "year"]
    report.show("learning")
    assert "the finest grain here is the month" in report.page.locator("#learning").inner_text()
    totals = query(published, f"select {PLAYS} from learning.engagement_daily")[0]
    assert report.rows("learning-totals")[0][:3] == totals
    assert report.rows("learning-plays")[0][:2] == ("2024-01-01", totals[0])
    assert report.complaints == []
    report.page.close()


def test_publish_mode_offers_one_filter_at_a_time(browser: Browser, published: Path, tmp_path: Path) -> None:
    report = ReportPage(browser, make_report(published, tmp_path, min_users=MIN_USERS).path)
    assert report.options("learning", "grain") == ["week"]
    report.choose("learning", country_code="us")
    week, plays = report.rows("learning-plays")[0][:2]
    expected = query(
        published,
        "select cast(week_start_date as varchar), cast(sum(plays) as bigint) from learning.engagement_weekly "
        "where country_code = 'us' group by all order by all",
    )
    assert (week, plays) in expected
    report.choose("learning", os_name="iOS")
    assert report.rows("learning-plays") == []
    assert report.page.locator("#strava figure").count() == 0
    assert report.complaints == []
    report.page.close()
