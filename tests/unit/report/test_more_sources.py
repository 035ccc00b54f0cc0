"""A source appears in the report once it is in the tables, with its title or, without one, by its name."""

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from engagement_assets.report.build import SOURCE_TITLES, default_first_day, section_of
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts
from engagement_assets.report.sections.overview import overview
from engagement_assets.report.sections.quality import quality
from engagement_assets.report.theme import SOURCE_COLOURS
from engagement_assets.settings import Settings

KNOWN = tuple(SOURCE_TITLES.items())


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A week of the mobile app and of a source that the report does not know."""
    with duckdb.connect() as opened:
        opened.execute("create schema engagement; create schema audit; create schema watch")
        opened.execute(
            "create table engagement.weekly_engagement as select source, date '2024-01-01' as week_start_date, "
            "9 as active_users, 9 as new_users, 0 as returning_users, 0 as resurrected_users, 0 as churned_users, "
            "20 as engagement_units, null::bigint as engaged_ms, 7 as days_observed, true as is_complete_week "
            "from (select unnest(['watch', 'mobile']) as source)"
        )
        opened.execute(
            "create table engagement.weekly_retention as select source, week_start_date as cohort_week_start_date, "
            "0 as weeks_since, week_start_date, 9 as cohort_size, active_users, is_complete_week "
            "from engagement.weekly_engagement"
        )
        opened.execute(
            "create table audit.ingestion_loads as select source, 'events' as dataset, week_start_date as "
            "partition_date, week_start_date::timestamp as loaded_at, source as load_id, 'published' as status, "
            "9 as accepted, 0 as quarantined, 0 as duplicates from engagement.weekly_engagement"
        )
        opened.execute("create table audit.rejected_records (source varchar, dataset varchar, reason_code varchar)")
        opened.execute(
            "create table audit.held_days as select 'watch' as source, 'events' as dataset, date '2024-01-09' as "
            "partition_date, timestamp '2024-01-10' as held_since, 'reconciles' as failed_checks, 1 as accepted, "
            "2 as quarantined"
        )
        yield opened


@pytest.mark.parametrize(("titles", "title"), [({}, "watch"), ({"watch": "Sports watch"}, "Sports watch")])
def test_one_more_source_is_in_the_overview(
    connection: duckdb.DuckDBPyConnection, titles: dict[str, str], title: str
) -> None:
    section = overview(connection, None, {**SOURCE_TITLES, **titles})
    assert section.filters[0].options == (("mobile", "Scooter app"), ("watch", title))
    chart = section.figures[1].chart
    assert chart is not None
    scale = chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale == {"domain": [*SOURCE_TITLES.values(), title], "range": SOURCE_COLOURS}
    assert len(set(SOURCE_COLOURS)) > len(scale["domain"])


def test_one_more_source_can_be_chosen_in_data_quality(connection: duckdb.DuckDBPyConnection) -> None:
    section = quality(connection, None, SOURCE_TITLES, ChecksAndAlerts())
    assert section.filters[0].options == (("", "all"), *KNOWN, ("watch", "watch"))


def test_freshness_is_judged_against_now_and_held_days_are_those_of_the_audit(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    section = quality(connection, None, SOURCE_TITLES, ChecksAndAlerts(), datetime(2024, 1, 5, 3, tzinfo=UTC))
    # The fifth has only begun: the fourth is the newest day that can be whole, and the first is three days behind it.
    assert section.tables["freshness"]["days_behind"].tolist() == [3, 3]
    on_time = quality(connection, None, SOURCE_TITLES, ChecksAndAlerts(), datetime(2024, 1, 2, 23, tzinfo=UTC))
    assert on_time.tables["freshness"]["days_behind"].tolist() == [0, 0]
    assert section.tables["held"][["source", "held_day", "failed_checks"]].to_dict("records") == [
        {"source": "watch", "held_day": "2024-01-09", "failed_checks": "reconciles"}
    ]
    assert {tile.label: (tile.value, tile.state) for tile in section.tiles}["days held"] == ("1", "warn")


@pytest.mark.parametrize(
    ("units", "days_loaded", "first_day"),
    [
        ({0: 1, 6: 100}, 7, "2024-02-12"),
        ({0: 2, 6: 100}, 7, "2024-01-01"),
        ({0: 24, 6: 100}, 0, "2024-02-12"),
        ({0: 25, 6: 100}, 0, "2024-01-01"),
        ({0: 0, 6: 0}, 7, ""),
        ({}, 7, ""),
    ],
    ids=["next to nothing", "two percent", "late records", "a quarter in late records", "nothing", "no week"],
)
def test_a_long_history_with_next_to_nothing_in_it_is_before_the_first_day(
    units: dict[int, int], days_loaded: int, first_day: str
) -> None:
    with duckdb.connect() as database:
        assert default_first_day(database) == ""
        database.execute("create schema engagement")
        database.execute(
            "create table engagement.weekly_engagement "
            "(source varchar, week_start_date date, engagement_units bigint, days_observed bigint)"
        )
        for weeks, count in units.items():
            database.execute(
                "insert into engagement.weekly_engagement "
                "select 'watch', date '2024-01-01' + 7 * $weeks, $count, $days",
                {"weeks": weeks, "count": count, "days": 7 if weeks else days_loaded},
            )
        assert default_first_day(database) == first_day


def test_an_area_without_a_section_has_no_figures(connection: duckdb.DuckDBPyConnection) -> None:
    assert section_of(connection, "watch", Settings(_env_file=None)).figures == ()
