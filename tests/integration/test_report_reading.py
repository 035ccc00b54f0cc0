"""What a reader does with the report: chapters, dates, numbers with their trend, sorting, clicking, saving, printing.

Belongs here: how the page behaves in a real browser. Not here: that its numbers are those of the marts
(`test_report_page.py`).
"""

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.reports import Loaded, ReportPage, query

pytestmark = pytest.mark.integration

CHAPTERS = ["overview", "learning", "training", "strava", "mobility", "product", "quality"]
# What a table shows where there is no value.
NOTHING = "\N{EN DASH}"
# How the figures of each chapter share its rows: by the top of each row, the width that its figures leave empty.
EMPTY_WIDTHS = """
all => all.flatMap(chapter => {
  const rows = new Map();
  for (const figure of chapter.querySelectorAll(":scope > figure")) {
    const { top, width } = figure.getBoundingClientRect();
    rows.set(Math.round(top), [...(rows.get(Math.round(top)) ?? []), width]);
  }
  return [...rows.values()].map(
    widths => chapter.clientWidth - widths.reduce((a, b) => a + b, 0) - 16 * (widths.length - 1));
})
"""


@pytest.fixture
def published(loaded: Loaded) -> Path:
    return loaded.published


def dates(report: ReportPage) -> list[str]:
    return [report.page.locator(f"#dates [name={name}]").input_value() for name in ("first_day", "last_day")]


def test_one_chapter_is_shown_and_all_are_printed(report: ReportPage) -> None:
    shown = "all => all.filter(each => getComputedStyle(each).visibility === 'visible').map(each => each.id)"
    for chapter in CHAPTERS:
        report.show(chapter)
        assert report.page.locator("main > section").evaluate_all(shown) == [chapter]
        assert report.page.locator("nav [aria-current=page]").get_attribute("href") == f"#{chapter}"
        # The first charts made a page of 13,387 pixels.
        assert report.page.evaluate("document.documentElement.scrollHeight") < 4_500
    assert [width for width in report.page.locator(".figures").evaluate_all(EMPTY_WIDTHS) if abs(width) > 1] == []
    # A hidden chapter is out of reach of the keyboard.
    report.page.locator("#overview select").evaluate("each => each.focus()")
    assert report.page.evaluate("document.activeElement.tagName") == "BODY"
    report.page.emulate_media(media="print")
    assert report.page.locator("main > section").evaluate_all(shown) == CHAPTERS
    drawn = "all => all.every(each => getComputedStyle(each).visibility === 'visible' && each.clientHeight > 40)"
    assert report.page.locator(".chart:not([hidden]) svg").evaluate_all(drawn)
    report.page.emulate_media(media="screen")


def test_dates_limit_all_chapters_and_leave_out_an_empty_history(report: ReportPage, published: Path) -> None:
    first, last = dates(report)
    (expected,) = query(
        published,
        "select cast(min(week_start_date) as varchar) from (select *, max(engagement_units) over (partition by source) "
        "as most from engagement.weekly_engagement) where engagement_units > 0 "
        "and engagement_units >= if(days_observed > 0, 0.02, 0.25) * most",
    )[0]
    assert (first, last) == (expected, "")
    weeks = "select cast(week_start_date as varchar) from engagement.weekly_engagement where source = 'runna'"
    every_week = {week for (week,) in query(published, weeks)}

    def shown() -> set[str]:
        return {str(row[1]) for row in report.rows("overview-weekly_active_users") if row[0] == "Runna workouts"}

    assert any(week < first for week in every_week), "the sample has old activities"
    assert shown() == {week for week in every_week if week >= first}
    endings = report.rows("mobility-last_events")
    assert "All dates." in report.page.locator("#mobility-last_events figcaption").inner_html()
    assert "All dates." not in report.page.locator("#mobility-sessions figcaption").inner_html()
    report.all_dates()
    assert shown() == every_week
    report.choose("dates", first_day="2024-01-10", last_day="2024-01-14")
    # A period is shown if it overlaps the dates, whichever chapter it is in.
    assert shown() == {"2024-01-08"}
    assert [row[0] for row in report.rows("learning-plays")] == ["2024-01-08"]
    assert [row[0] for row in report.rows("mobility-sessions")] == ["2024-01-08"]
    assert {row[0] for row in report.rows("strava-distance")} == {"2024-01-01"}
    assert {str(row[0]) for row in report.rows("quality-loads")} == {f"2024-01-{day}" for day in range(10, 15)}
    assert report.rows("mobility-last_events") == endings
    assert report.page.url.partition("#")[2] == "overview".join(
        ("chapter=", "&first_day=2024-01-10&last_day=2024-01-14")
    )
    report.page.locator("#dates [type=reset]").click()
    report.page.wait_for_url("**#overview")
    assert dates(report) == [first, ""]


def test_numbers_carry_their_change_a_line_and_the_range(report: ReportPage, published: Path) -> None:
    weeks = query(
        published,
        "select cast(week_start_date as varchar), active_users from engagement.weekly_engagement "
        "where source = 'lingokids' and is_complete_week order by 1",
    )
    assert len(weeks) == 2
    (before, (newest, users)) = (weeks[-2][1], weeks[-1])
    found = {str(row[0]): row[1:] for row in report.rows("overview-newest_weeks")}["Lingokids app"]
    counts = [count for _, count in weeks]
    assert found[:3] == (newest, users, before)
    assert found[3] == pytest.approx(users / before - 1)
    assert found[4:] == (min(counts), max(counts), 2, "yes")
    tile = report.page.locator("#overview-newest_weeks .tile").filter(has_text="Lingokids app")
    text = tile.inner_text()
    assert f"{users}\nweek of {newest}" in text
    sign = "▲ +" if users > before else "▼ \N{MINUS SIGN}"
    assert f"{sign}{abs(users / before - 1):.1%} on the week before" in text
    assert f"{min(counts)} to {max(counts)} in 2 weeks" in text
    assert len(str(tile.locator("polyline").get_attribute("points")).split()) == 2
    # Without the newest week there is nothing to compare the first one with.
    report.choose("dates", last_day=weeks[0][0])
    found = {str(row[0]): row[1:] for row in report.rows("overview-newest_weeks")}["Lingokids app"]
    assert found[:4] == (weeks[0][0], before, NOTHING, NOTHING)
    assert "no week right before to compare" in tile.inner_text()
    plays = report.page.locator("#learning-totals .tile").filter(has_text="Plays").first
    assert plays.locator("polyline").count() == 1


def test_the_only_row_of_a_chart_that_compares_is_shown_as_numbers(report: ReportPage) -> None:
    report.show("strava")
    figure = report.page.locator("#strava-kudos_known")
    ((day, kudos, gained),) = report.rows("strava-kudos_known")
    assert kudos == gained
    assert figure.locator(".tile").all_inner_texts() == [f"Observed on\n{day}", f"Kudos\n{kudos}", f"Gained\n{gained}"]
    assert figure.locator(".alone").is_visible()
    assert not figure.locator(".chart").is_visible()
    assert not figure.locator(".image").is_visible()
    # With a second day there is a line.
    report.page.evaluate(
        """async () => {
            const live = lives.find(each => each.section.name === "strava");
            const figure = live.section.figures.find(each => each.name === "kudos_known");
            const [row] = live.rows.get(figure);
            live.rows.set(figure, [row, { ...row, at: row.at + 864e5 }]);
            await show(live, figure);
        }"""
    )
    assert figure.locator(".tile").count() == 0
    assert not figure.locator(".alone").is_visible()
    assert figure.locator(".chart svg").is_visible()
    assert figure.locator(".image").is_visible()


def test_a_split_is_shown_over_time(report: ReportPage, published: Path) -> None:
    report.choose("learning", split="country_code")
    by_country = "select country_code from learning.engagement_daily group by all order by sum(plays) desc, 1 limit 5"
    largest = [country for (country,) in query(published, by_country)]
    expected = query(
        published,
        "select cast(week_start_date as varchar), if(country_code in (select unnest($largest)), country_code, 'other') "
        "as country, cast(sum(plays) as bigint), cast(sum(completed_plays) as bigint) "
        "from learning.engagement_weekly group by all order by all".replace("$largest", str(largest)),
    )
    found = sorted((row[0], *row[2:5]) for row in report.rows("learning-split_by_period"))
    assert found == expected
    assert {country for _, country, *_ in expected} == {*largest, "other"}


def test_filters_and_dates_agree_with_sql_in_any_order(report: ReportPage, published: Path) -> None:
    conditions = {
        "subscription_status": "subscription_status = 'free'",
        "first_day": "event_date >= '2024-01-04'",
        "activity_type": "activity_type = 'game'",
        "last_day": "event_date <= '2024-01-09'",
    }
    chosen: dict[str, str] = {}
    report.choose("learning", grain="day")
    for name in (*conditions, *conditions):
        is_date = name.endswith("_day")
        value = "" if name in chosen else conditions[name].split("'")[1]
        report.choose("dates" if is_date else "learning", **{name: value})
        chosen = {each: words for each, words in chosen.items() if each != name}
        if value:
            chosen[name] = conditions[name]
        where = " and ".join(["true", *chosen.values()])
        plays = f"select cast(sum(plays) as bigint) from learning.engagement_daily where {where}"
        assert [row[:1] for row in report.rows("learning-totals")] == query(published, plays)


def test_a_chart_whose_rows_are_the_same_is_not_drawn_again(report: ReportPage) -> None:
    report.choose("learning", split="os_name")
    for name in ("plays", "by_value"):
        mark = report.page.locator(f"#learning-{name} .mark-rect.role-mark path").first
        mark.evaluate("each => { each.dataset.seen = 'true' }")
    seen = "all => all.map(each => each.closest('figure').id)"
    report.choose("learning", split="country_code")
    assert report.page.locator("#learning [data-seen]").evaluate_all(seen) == ["learning-plays"]
    report.choose("learning", country_code="us")
    assert report.page.locator("#learning [data-seen]").evaluate_all(seen) == []


def test_a_mark_says_what_it_shows_now(report: ReportPage) -> None:
    report.show("learning")
    bar = report.page.locator("#learning-plays .mark-rect.role-mark path").first
    for country in ("", "us"):
        report.choose("learning", country_code=country)
        week, plays = report.rows("learning-plays")[0][:2]
        bar.hover()
        tip = report.page.locator("#tip").filter(has_text=f"period from{week}plays{plays:,}")
        tip.wait_for()
        report.page.mouse.move(1, 1)
        report.page.locator("#tip").wait_for(state="hidden")


def test_a_column_sorts_by_click_and_by_keyboard(report: ReportPage) -> None:
    report.show("learning")
    before = report.rows("learning-top_by_plays")
    heads = [
        head.strip("\N{NO-BREAK SPACE}↕")
        for head in report.page.locator("#learning-top_by_plays th").all_text_contents()
    ]
    plays_at, name_at = heads.index("Plays"), heads.index("Activity")
    plays = report.page.locator("#learning-top_by_plays th").nth(plays_at)
    assert plays.get_attribute("aria-sort") is None
    plays.locator("button").click()
    assert plays.get_attribute("aria-sort") == "descending"
    rows = report.rows("learning-top_by_plays")
    counts = [float(row[plays_at]) for row in rows]
    assert all(one >= other for one, other in pairwise(counts))
    assert sorted(map(str, rows)) == sorted(map(str, before))
    # The button keeps the focus, so that a second key press turns the order around.
    report.page.keyboard.press("Enter")
    assert plays.get_attribute("aria-sort") == "ascending"
    assert [row[plays_at] for row in report.rows("learning-top_by_plays")] == sorted(counts)
    name = report.page.locator("#learning-top_by_plays th").nth(name_at)
    name.locator("button").press("Enter")
    assert (name.get_attribute("aria-sort"), plays.get_attribute("aria-sort")) == ("ascending", None)
    saved = list(csv.reader(io.StringIO(report.csv("learning-top_by_plays").removeprefix("\ufeff"))))[1:]
    assert [row[name_at] for row in saved] == [row[name_at] for row in report.rows("learning-top_by_plays")]


def test_a_click_on_a_mark_filters_and_another_one_undoes_it(report: ReportPage) -> None:
    report.choose("learning", split="country_code")
    every, first = report.rows("learning-totals")[0][0], dates(report)[0]
    _, country, plays = report.rows("learning-by_value")[0][:3]
    control = report.page.locator("#learning [name=country_code]")
    status = report.page.locator("#learning > [role=status]")
    bars = report.page.locator("#learning-by_value .mark-rect.role-mark path")
    bars.first.click()
    status.filter(has_text="figures have rows").wait_for(state="attached")
    assert control.input_value() == country
    assert report.rows("learning-totals")[0][0] == plays
    bars.first.click()
    report.page.wait_for_url(lambda url: "country_code=" not in url)
    assert report.rows("learning-totals")[0][0] == every
    # A mark of a period sets the dates of the page to it.
    weeks = report.page.locator("#learning-plays .mark-rect.role-mark path")
    weeks.nth(1).click()
    report.page.locator("#dates [role=status]").filter(has_text="figures").wait_for(state="attached")
    assert dates(report) == ["2024-01-08", "2024-01-14"]
    assert report.rows("learning-totals")[0][0] == report.rows("learning-plays")[0][1]
    assert [row[0] for row in report.rows("mobility-sessions")] == ["2024-01-08"]
    weeks.first.click()
    report.page.wait_for_url(lambda url: "first_day" not in url)
    assert dates(report) == [first, ""]


def test_a_chart_is_saved_as_an_image_in_the_colours_of_the_page(report: ReportPage) -> None:
    sizes = {}
    for scheme in ("light", "dark"):
        report.page.emulate_media(color_scheme=scheme)
        with report.page.expect_download() as download:
            report.page.locator("#overview-growth .image").click()
        assert download.value.suggested_filename == "overview_growth.png"
        image = Path(download.value.path()).read_bytes()
        assert image[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = (int.from_bytes(image[at : at + 4], "big") for at in (16, 20))
        assert width > 800
        assert height > 400
        sizes[scheme] = image
    assert sizes["light"] != sizes["dark"]
    report.page.emulate_media(color_scheme="light")


def test_dates_are_whole_and_states_have_signs(report: ReportPage) -> None:
    report.page.set_viewport_size({"width": 390, "height": 844})
    report.show("quality")
    report.rows("quality-freshness")
    broken = report.page.locator("section.current .date, header .date").evaluate_all(
        "all => all.filter(each => each.getClientRects().length > 1).map(each => each.textContent)"
    )
    assert broken == []
    bare = report.page.locator("header *, section.current *").evaluate_all(
        "all => all.filter(each => !each.closest('.date, time, svg, option') && [...each.childNodes].some("
        "node => node.nodeType === 3 && /\\d{4}-\\d\\d-\\d\\d/.test(node.data))).map(each => each.textContent)"
    )
    assert bare == []
    labels = report.page.locator("#quality-checks svg .role-legend-label text").all_text_contents()
    assert [label[0] for label in labels] == ["✓", "!", "✕", "·"]
    report.page.set_viewport_size({"width": 1280, "height": 720})
    # One colour has one meaning: a source has its own in every chapter, and slower is a shade of the measure.
    fills = "all => all.map(each => [each.getAttribute('fill'), each.getAttribute('stroke')])"
    units = report.page.locator("#overview-engagement_units .mark-rect.role-mark path").evaluate_all(fills)
    assert {fill for fill, _ in units} == {"var(--s1)"}
    slower = report.page.locator("#training-pace .role-legend-symbol path").evaluate_all(fills)
    assert [fill for fill, _ in slower][:3] == ["var(--p1)", "var(--p2)", "var(--p3)"]


def test_an_old_page_says_so(report: ReportPage) -> None:
    note = report.page.locator("#age")
    assert note.is_hidden()
    report.page.evaluate(
        "() => { document.getElementById('age').dataset.written = new Date(Date.now() - 3.5 * 864e5).toISOString(); "
        "tellAge(); }"
    )
    assert note.inner_text() == "This page is 3 days old. Write it again to see what is loaded now: make report."


def test_it_can_be_used_by_keyboard_and_screen_reader(report: ReportPage) -> None:
    unnamed = report.page.locator("select, input").evaluate_all("all => all.filter(e => !e.labels.length).length")
    assert unnamed == 0
    silent = report.page.locator("figure").evaluate_all(
        "all => all.filter(f => !document.getElementById(f.getAttribute('aria-labelledby')).textContent.trim() "
        "|| !f.querySelector('figcaption p').textContent.trim() || !f.querySelector('table')).length"
    )
    assert silent == 0
    names = report.page.locator(".chart svg").evaluate_all("all => all.map(each => each.parentElement.ariaLabel)")
    assert len(names) > 30
    assert all(names)
    # Each chart is one picture: screen readers read its table, not its marks.
    assert report.page.locator("#overview").get_by_role("img", name="Growth accounting", exact=True).count() == 1
    report.page.locator("#overview [name=source]").focus()
    report.page.keyboard.press("ArrowDown")
    report.page.locator("#overview > [role=status]").filter(has_text="figures have rows").wait_for(state="attached")
    assert "overview.source=lingokids" in report.page.url
    report.page.locator("#overview-growth summary").press("Enter")
    report.page.locator("#overview-growth tbody tr").first.wait_for()
    report.page.locator("#overview button[type=reset]").press("Enter")
    report.page.wait_for_url(lambda url: "overview." not in url)


def test_it_prints_light_and_without_controls(report: ReportPage) -> None:
    report.page.emulate_media(media="print", color_scheme="dark")
    assert not report.page.locator("nav").is_visible()
    assert not report.page.locator("#learning button[type=reset]").is_visible()
    assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    report.page.emulate_media(media="screen", color_scheme="dark")
    assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 20, 28)"
    report.page.emulate_media(media="screen", color_scheme="light")
