"""A metric's numbers are those of the facts, of the marts and of the report.

Belongs here: three ways to the same number, over sample data of all sources. Not here: the rules one by one
(`tests/unit/metrics/`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from engagement_assets.metrics.catalog import METRICS
from engagement_assets.metrics.question import question, sql_of
from engagement_assets.report.figures import Section
from tests.integration.metrics_of_facts import FACTS, MARTS, UNITS
from tests.integration.reports import Loaded, query
from tests.unit.report.section_rows import rows_of

pytestmark = pytest.mark.integration

# The period if there is one, the dimensions, and the value; without rows in which nothing happened.
Rows = Mapping[tuple[str, ...], float]


def keyed(rows: Iterable[Sequence[Any]]) -> Rows:
    """Rows that end in a value, by the texts before it; without NULLs and zeros, for which not all have rows."""
    values = {tuple(map(str, key)): float(value) for *key, value in rows if value not in (None, "null")}
    return {key: value for key, value in values.items() if value}


def values_of(loaded: Loaded, name: str, by: Sequence[str] = (), grain: str = "") -> Rows:
    tables = [
        table for (table,) in query(loaded.published, "select schema_name || '.' || table_name from duckdb_tables()")
    ]
    asked = question(name, by, grain)
    keys = bool(asked.grain) + len(asked.by)
    return keyed(row[: keys + 1] for row in query(loaded.published, sql_of(asked, tables)))


def differing(found: Rows, expected: Rows) -> dict[tuple[str, ...], tuple[float | None, float | None]]:
    return {
        key: (found.get(key), expected.get(key))
        for key in {**found, **expected}
        if not (key in found and key in expected and math.isclose(found[key], expected[key], rel_tol=1e-9))
    }


def test_every_metric_is_compared_with_facts() -> None:
    assert FACTS.keys() == METRICS.keys()


@pytest.mark.parametrize("name", FACTS)
def test_a_metric_is_what_its_facts_say(name: str, loaded: Loaded) -> None:
    by, sql = FACTS[name]
    found = values_of(loaded, name, by)
    assert found != {}
    assert differing(found, keyed(query(loaded.published, sql))) == {}


@pytest.mark.parametrize("name", MARTS)
def test_a_metric_is_what_its_mart_says(name: str, loaded: Loaded) -> None:
    by, sql = MARTS[name]
    found = values_of(loaded, name, by)
    assert found != {}
    assert differing(found, keyed(query(loaded.published, sql))) == {}


def test_users_of_a_month_are_fewer_than_those_of_its_weeks_together(loaded: Loaded) -> None:
    months, weeks = values_of(loaded, "active_users", grain="month"), values_of(loaded, "active_users")
    month = "date_trunc('month', day)::date"
    sql = f"select {month}, source, count(distinct user_id) from ({UNITS}) where day is not null group by all"
    assert differing(months, keyed(query(loaded.published, sql))) == {}
    of_weeks = sum(users for (week, source), users in weeks.items() if source == "mobile" and week >= "2024")
    assert months["2024-01-01", "mobile"] < of_weeks


def shown(loaded: Loaded, section: str, dataset: str, fields: Sequence[str], **signals: str) -> Rows:
    """What the report shows: rows of a dataset of its dataflow, over all dates."""
    found: Section = next(each for each in loaded.report.sections if each.name == section)
    return keyed(rows_of(found, dataset, fields, **{"first_day": "", **signals}))


def of_value(rows: Rows, chosen: str) -> Rows:
    """The rows with this value of the first dimension, without it."""
    return {(period, *key): value for (period, each, *key), value in rows.items() if each == chosen}


def test_the_overview_shows_the_metrics(loaded: Loaded) -> None:
    fields = ["week_start_date", "source", "active_users"]
    assert differing(shown(loaded, "overview", "every_week", fields), values_of(loaded, "active_users")) == {}
    growth = {name: values_of(loaded, name) for name in METRICS if name.endswith("_users") and "active" not in name}
    hours, retention = values_of(loaded, "engaged_hours"), values_of(loaded, "retention_rate")
    for source in ("lingokids", "mobile", "runna", "strava", "user_events"):
        parts = shown(loaded, "overview", "growth", ["part", "week_start_date", "users"], source=source)
        expected = {
            (name, *key): value for name, rows in growth.items() for key, value in of_value(rows, source).items()
        }
        assert len(growth) == 4
        assert differing(parts, expected) == {}
        fields = ["week_start_date", "engaged_hours"]
        assert differing(shown(loaded, "overview", "weeks", fields, source=source), of_value(hours, source)) == {}
        fields = ["cohort", "weeks_since", "retention_rate"]
        cohorts = shown(loaded, "overview", "cohorts", fields, source=source)
        assert differing(cohorts, of_value(retention, source)) == {}
        assert cohorts != {}


@pytest.mark.parametrize("grain", ["week", "month"])
@pytest.mark.parametrize(
    ("name", "dataset", "field"),
    [
        ("completion_rate", "by_period", "completion_rate"),
        ("played_hours_as_sent", "by_period", "sent_hours"),
        ("played_hours", "by_period", "capped_hours"),
        ("learning_active_users", "active_users", "active_users"),
    ],
)
def test_the_learning_explorer_shows_the_metrics(
    name: str, dataset: str, field: str, grain: str, loaded: Loaded
) -> None:
    of_country = shown(loaded, "learning", dataset, ["period", field], grain=grain, country_code="mx")
    assert differing(of_country, of_value(values_of(loaded, name, ["country_code"], grain), "mx")) == {}
    assert of_country != {}
    if grain == "week":
        everything = shown(loaded, "learning", dataset, ["period", field], grain=grain)
        assert differing(everything, values_of(loaded, name)) == {}


@pytest.mark.parametrize("name", ["booking_rate", "searching_booking_rate"])
def test_mobility_shows_the_metrics(name: str, loaded: Loaded) -> None:
    assert differing(shown(loaded, "mobility", "conversion", ["week", name]), values_of(loaded, name)) == {}
    of_zone = shown(loaded, "mobility", "conversion", ["week", name], zone="Centro")
    assert differing(of_zone, of_value(values_of(loaded, name, ["zone"]), "Centro")) == {}
    assert of_zone != {}


def test_training_shows_the_metrics(loaded: Loaded) -> None:
    difference = shown(loaded, "training", "difference", ["week", "difference_s_per_km"])
    assert differing(difference, values_of(loaded, "pace_difference")) == {}
    laps = shown(loaded, "training", "pace", ["week", "pace_status", "laps"])
    judged = {week: [laps.get((week, status), 0) for status in ("in_band", "faster", "slower")] for week, _ in laps}
    in_band: Rows = {(week,): counts[0] / sum(counts) for week, counts in judged.items() if counts[0]}
    assert differing(in_band, values_of(loaded, "pace_in_band_rate")) == {}
    for name, field in (("plan_distance", "distance_per_user"), ("plan_distance_change", "change")):
        found = shown(loaded, "training", "plan_weeks", ["week_of_plan", field])
        assert differing(found, values_of(loaded, name, ["week_of_plan"])) == {}


def test_product_and_strava_show_the_metrics(loaded: Loaded) -> None:
    change = shown(loaded, "strava", "change", ["week", "kudos_change_rate"])
    assert differing(change, values_of(loaded, "kudos_change_rate")) == {}
    assert change != {}
    users = shown(loaded, "product", "active_users", ["week", "part", "count"])
    events = shown(loaded, "product", "event_types", ["week", "event_type", "events"])
    weeks = {week for week, _ in events}
    per_user: Rows = {
        (week,): sum(count for (each, _), count in events.items() if each == week) / users[week, "active_users"]
        for week in weeks
    }
    assert differing(per_user, values_of(loaded, "events_per_user")) == {}
