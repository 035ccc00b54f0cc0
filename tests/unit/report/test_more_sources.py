"""A source appears in the report once it is in the tables, with its title or, without one, by its name."""

from collections.abc import Iterator

import duckdb
import pytest

from engagement_assets.report.build import SOURCE_TITLES, section_of
from engagement_assets.report.checks_and_alerts import ChecksAndAlerts
from engagement_assets.report.sections.overview import overview
from engagement_assets.report.sections.quality import quality
from engagement_assets.report.theme import COLOURS
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
        yield opened


@pytest.mark.parametrize(("titles", "title"), [({}, "watch"), ({"watch": "Sports watch"}, "Sports watch")])
def test_one_more_source_is_in_the_overview(
    connection: duckdb.DuckDBPyConnection, titles: dict[str, str], title: str
) -> None:
    section = overview(connection, None, {**SOURCE_TITLES, **titles})
    assert section.filters[0].options == (("mobile", "Scooter app"), ("watch", title))
    assert [(tile.label, tile.value) for tile in section.tiles] == [("Scooter app", "9"), (title, "9")]
    chart = section.figures[0].chart
    assert chart is not None
    scale = chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale == {"domain": [*SOURCE_TITLES.values(), title], "range": COLOURS}
    assert len(set(COLOURS)) > len(scale["domain"])


def test_one_more_source_can_be_chosen_in_data_quality(connection: duckdb.DuckDBPyConnection) -> None:
    section = quality(connection, None, SOURCE_TITLES, ChecksAndAlerts())
    assert section.filters[0].options == (("", "all"), *KNOWN, ("watch", "watch"))


def test_an_area_without_a_section_has_no_figures(connection: duckdb.DuckDBPyConnection) -> None:
    assert section_of(connection, "watch", Settings(_env_file=None)).figures == ()
