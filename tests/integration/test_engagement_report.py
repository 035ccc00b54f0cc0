"""The report's content: it names nobody, publish mode hides numbers about few, and the asset writes it where it says.

Belongs here: what is in the file, checked with Python and SQL. Not here: how a browser shows it
(`test_report_page.py`).
"""

import math
import re
import shutil
from pathlib import Path
from typing import Any

import altair as alt
import dagster as dg
import duckdb
import pandas as pd
import pytest

from engagement_assets.assets.engagement_report import engagement_report_asset
from engagement_assets.commands.report import main
from engagement_assets.report.build import Report
from engagement_assets.report.figures import Section
from engagement_assets.report.sections.mobility import mobility
from engagement_assets.report.sections.strava import strava
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.theme import CONFIG
from engagement_assets.settings import Settings
from tests.integration.reports import MIN_USERS, STATES, Loaded, content_of, make_report, query

pytestmark = pytest.mark.integration

PERSONAL = {
    "training": ["user_id", "activity_id"],
    "learning": ["user_id", "event_id"],
    "strava": ["activity_id", "activity_name"],
    "product": ["user_id", "user_corporate_id", "device_id", "amp_id", "event_id", "initial_li_fat_id"],
    "mobility": ["anonymous_id", "device_id", "session_id", "event_id"],
}


@pytest.fixture(scope="module")
def published_report(loaded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return make_report(loaded.published, tmp_path_factory.mktemp("publish_mode"), min_users=MIN_USERS)


def section(report: Report, name: str) -> Section:
    return next(each for each in report.sections if each.name == name)


def personal_ids(loaded: Loaded) -> set[str]:
    """Every id and name of a person, device, session or personal activity; also of children, whom no table has."""
    found: set[str] = set()
    with duckdb.connect(str(loaded.published), read_only=True) as connection:
        for schema, columns in PERSONAL.items():
            for table, column in connection.execute(
                "select table_name, column_name from information_schema.columns "
                "where table_schema = ? and column_name in (select unnest(?))",
                [schema, columns],
            ).fetchall():
                if (table, column) in {("engagement_daily", "activity_id"), ("top_activities", "activity_id")}:
                    continue
                found |= {
                    str(value) for (value,) in connection.execute(f"select {column} from {schema}.{table}").fetchall()
                }
        children = connection.execute(
            f"select distinct child_id from read_parquet('{loaded.lake}/raw_lingokids/events/*/*.parquet')"
        ).fetchall()
    found |= {str(value) for (value,) in children}
    return found - {"None", "EMPTY"}


def ids_in(content: str, ids: set[str]) -> set[str]:
    """The ids that are separate words of a text, found word by word, since there are thousands of them.

    A short number is an id only as a text: as a number it is a count.
    """
    words = set(re.findall(r"[^\s\"<>,:\[\]{}|]+", content))
    texts = set(re.findall(r'"([0-9]+)"', content))
    numbers = {each for each in ids if each.isdigit() and len(each) < 7}
    return (numbers & texts) | {each for each in ids - numbers if each in words or (" " in each and each in content)}


def test_a_person_would_be_found(loaded: Loaded) -> None:
    ids = personal_ids(loaded)
    assert len(ids) > 1000
    (user,) = query(loaded.published, "select min(user_id) from learning.fct__activity_exits")[0]
    assert ids_in(f'{{"values":["{user}"]}}', ids) == {user}
    assert ids_in(f'{{"values":["{user}x"]}}', ids) == set()


@pytest.mark.parametrize("mode", ["whole", "publish"])
def test_no_person_child_or_device_is_in_the_file(loaded: Loaded, published_report: Report, mode: str) -> None:
    content = content_of((loaded.report if mode == "whole" else published_report).path)
    assert "engagement" in content
    most_played = "select max_by(activity_name, plays) from learning.top_activities where grain = 'year'"
    assert query(loaded.published, most_played)[0][0] in content
    assert ids_in(content, personal_ids(loaded)) == set()


def test_the_policy_allows_nothing_but_the_pages_own_scripts(loaded: Loaded) -> None:
    page = loaded.report.path.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]
    assert loaded.report.size_bytes < 2_500_000


def test_every_chart_is_valid(loaded: Loaded) -> None:
    for each in loaded.report.sections:
        for figure in each.figures:
            if figure.chart is not None:
                figure.chart.to_dict()  # validates
    alt.Config.from_dict(CONFIG)


def residuals(shown: pd.DataFrame, cells: list[tuple[Any, ...]], keys: list[str]) -> list[tuple[Any, ...]]:
    """The cells of the marts that a table does not show."""
    kept = {tuple(row) for row in shown[keys].itertuples(index=False)}
    return [cell for cell in cells if cell[: len(keys)] not in kept]


def test_publish_mode_hides_small_slices_and_what_would_reveal_them(loaded: Loaded, published_report: Report) -> None:
    slices = section(published_report, "learning").tables["slices"]
    hidden_groups = 0
    for name in ["country_code", "os_name", "app_version", "subscription_status", "activity_type", "collection_id"]:
        cells = query(
            loaded.published,
            f"select cast(cast(date_trunc('week', event_date) as date) as varchar), {name}, list(distinct user_id) "
            "from learning.fct__activity_exits group by all",
        )
        hidden = residuals(slices[slices["dimension_name"] == name], cells, ["week", "dimension_value"])
        assert all(len(cell[2]) >= MIN_USERS for cell in cells if cell not in hidden)
        for week in {cell[0] for cell in hidden}:
            missing = [users for each, _, users in hidden if each == week]
            # The week's total is shown, so what is missing from it is about enough users, or is everything.
            assert len({user for users in missing for user in users}) >= MIN_USERS
            hidden_groups += 1
    assert hidden_groups > 0
    assert (slices["users"] >= MIN_USERS).all()


def test_publish_mode_hides_growth_that_is_about_few(published_report: Report) -> None:
    weekly = section(published_report, "overview").tables["weekly"]
    parts = ["new_users", "returning_users", "resurrected_users", "churned_users"]
    for row in weekly.to_dict("records"):
        counts = [row[part] for part in parts]
        assert row["active_users"] == 0 or row["active_users"] >= MIN_USERS
        assert all(pd.isna(count) for count in counts) or all(count == 0 or count >= MIN_USERS for count in counts)
    assert weekly[parts].isna().all(axis=1).any(), "the sample has a week with a small group"
    assert "strava" not in set(weekly["source"])
    retention = section(published_report, "overview").tables["retention"]
    away = retention["cohort_size"] - retention["active_users"]
    assert ((retention["active_users"] == 0) | (retention["active_users"] >= MIN_USERS)).all()
    assert ((away == 0) | (away >= MIN_USERS)).all()


def test_publish_mode_leaves_out_what_is_about_one(loaded: Loaded, published_report: Report) -> None:
    assert section(loaded.report, "strava").figures != ()
    assert section(published_report, "strava").figures == ()
    assert section(published_report, "strava").tables == {}
    assert "leaders" in section(loaded.report, "training").tables
    assert "leaders" not in section(published_report, "training").tables


def test_publish_mode_hides_small_cells_of_the_other_sections(loaded: Loaded, published_report: Report) -> None:
    min_users = 40
    with duckdb.connect(str(loaded.published), read_only=True) as connection:
        endings = mobility(connection, Suppression(min_users)).tables["endings"]
    cells = query(
        loaded.published,
        "select last_event_name, outcome, count(distinct anonymous_id) from mobility.fct__mobile_sessions group by all",
    )
    hidden = residuals(endings, cells, ["last_event_name", "outcome"])
    assert all(users >= min_users for *keys, users in cells if (*keys, users) not in hidden)
    for outcome in {outcome for _, outcome, _ in hidden}:
        able = [users for _, each, users in cells if each == outcome and users >= min_users]
        covers = [users for _, each, users in hidden if each == outcome and users >= min_users]
        # The weeks reveal how many sessions had each outcome.
        assert covers == [min(able)] if able else not covers
    assert len({outcome for _, outcome, _ in hidden}) > 1
    laps = section(published_report, "training").tables["laps"]
    assert len(laps) < len(section(loaded.report, "training").tables["laps"])


def test_publish_mode_counts_no_records(loaded: Loaded, tmp_path: Path) -> None:
    assert {"loads", "quarantine"} < set(section(loaded.report, "quality").tables)
    quality = section(make_report(loaded.published, tmp_path, min_users=MIN_USERS, states=STATES), "quality")
    assert set(quality.tables) == {"checks", "freshness", "alerts"}
    assert [figure.name for figure in quality.figures] == ["checks", "freshness", "alerts", "every_check"]
    assert quality.tables["checks"]["failing_rows"].isna().all()


def test_strava_starts_lie_in_one_cell_of_five_kilometres(loaded: Loaded) -> None:
    ((_, place),) = section(loaded.report, "strava").tables["places"].iterrows()
    runs, latitude, longitude = query(
        loaded.published,
        "select count(*), any_value(start_latitude), any_value(start_longitude) from strava.fct__strava_activities "
        "where is_run and not is_deleted and start_latitude is not null",
    )[0]
    assert place["runs"] == runs > 0
    assert (place["north"] + place["latitude"]) / 2 == pytest.approx(latitude)
    assert (place["east"] + place["longitude"]) / 2 == pytest.approx(longitude, abs=1e-4)
    km_per_degree = 111.19
    assert (place["north"] - place["latitude"]) * km_per_degree == pytest.approx(5.56, abs=0.01)
    wide = (place["east"] - place["longitude"]) * km_per_degree * math.cos(math.radians(latitude))
    assert wide == pytest.approx(5.56, abs=0.02)


def test_where_no_place_is_kept_the_report_says_how_to_get_a_map(loaded: Loaded, tmp_path: Path) -> None:
    without = tmp_path / "published.duckdb"
    shutil.copyfile(loaded.published, without)
    with duckdb.connect(str(without)) as connection:
        connection.execute("update strava.fct__strava_activities set start_latitude = null, start_longitude = null")
        found = strava(connection, None)
    with duckdb.connect(str(loaded.published), read_only=True) as connection:
        mapped = strava(connection, None)
    names, mapped_names = ([figure.name for figure in each.figures] for each in (found, mapped))
    assert [*names, "start_cells"] == mapped_names
    assert "STRAVA_PLACES=coarse" in found.notes[-1]
    assert not any("STRAVA_PLACES" in note for note in mapped.notes)


def test_a_schema_that_is_not_published_says_so(loaded: Loaded, tmp_path: Path) -> None:
    partly = tmp_path / "published.duckdb"
    shutil.copyfile(loaded.published, partly)
    with duckdb.connect(str(partly)) as connection:
        connection.execute("drop schema mobility cascade")
    report = make_report(partly, tmp_path)
    (note,) = section(report, "mobility").notes
    assert note == (
        "The schema mobility has not been published yet: run `make backfill` with SELECT='+group:mobility'."
    )
    assert section(report, "learning").figures != ()


def test_empty_tables_make_a_report(loaded: Loaded, tmp_path: Path) -> None:
    empty = tmp_path / "published.duckdb"
    shutil.copyfile(loaded.published, empty)
    with duckdb.connect(str(empty)) as connection:
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            connection.execute(f"delete from {schema}.{table}")
    assert make_report(empty, tmp_path / "whole").size_bytes > 0
    assert make_report(empty, tmp_path / "publish", min_users=MIN_USERS).size_bytes > 0


def test_without_dbts_docs_the_report_is_written_all_the_same(loaded: Loaded, tmp_path: Path) -> None:
    broken = tmp_path / "warehouse.duckdb"
    broken.write_text("no database", encoding="utf-8")
    settings = Settings(
        _env_file=None,
        landing_uri=str(tmp_path / "landing"),
        warehouse_path=broken,
        published_warehouse_path=loaded.published,
        dagster_home=tmp_path / "dagster_home",
        report_dir=tmp_path / "report",
    )
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [engagement_report_asset(dg.Definitions)],
            instance=instance,
            resources={"settings": settings},
            raise_on_error=False,
        )
    assert not run.success
    (failure,) = [event.step_failure_data for event in run.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert f"without dbt's docs: dbt could not write its docs about {broken}" in str(
        failure.user_failure_data.description
    )
    page = (tmp_path / "report" / "engagement_report.html").read_text(encoding="utf-8")
    assert 'Data up to <span class="date">2024-01-15</span>' in page
    assert "dbt_docs.html" not in page


def test_the_command_writes_the_report(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["report", "--no-open"])
    for name, path in (("DAGSTER_HOME", "dagster_home"), ("REPORT_DIR", "report"), ("LANDING_URI", "landing")):
        monkeypatch.setenv(name, str(tmp_path / path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1")
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(tmp_path / "none.duckdb"))
    assert main() == 1
    assert "there is no published warehouse at" in capsys.readouterr().err
    monkeypatch.setenv("PUBLISHED_WAREHOUSE_PATH", str(loaded.published))
    assert main() == 0
    page = (tmp_path / "report" / "engagement_report.html").read_text(encoding="utf-8")
    assert 'Data up to <span class="date">2024-01-15</span>; newest load <span class="date">2' in page
    assert "The alerts cannot be read" not in page

    (tmp_path / "dagster_home" / "alerts").mkdir()
    (tmp_path / "dagster_home" / "alerts" / "alerts.sqlite").write_bytes(b"no database" * 100)
    assert main() == 0
    page = (tmp_path / "report" / "engagement_report.html").read_text(encoding="utf-8")
    assert "The alerts cannot be read; the check alerts_are_delivered says why." in page
