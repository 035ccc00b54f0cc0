"""Mobility: from opening the app to a booked ride, when and how long that takes, and where people leave.

Belongs here: the section's tables from the schema `mobility`. Not here: how they are drawn (`mobility_figures.py`), or
what a session or a booking is (the YAML of the marts).
"""

import duckdb
import pandas as pd

from engagement_assets.report.figures import Filter, Section, options_of
from engagement_assets.report.sections.mobility_figures import dataflow, figures
from engagement_assets.report.sections.observed import observed
from engagement_assets.report.suppression import Suppression, without_users

BIN_S = 60
SLICE = "coalesce(zone, 'unknown') as zone, coalesce(os_name, 'unknown') as os_name,"


def mobility(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None) -> Section:
    """The section; in publish mode only weeks can be filtered, while times and last events cover all sessions."""
    weekly = connection.execute(
        f"""
        select cast(cast(date_trunc('week', session_date) as date) as varchar) as week, {SLICE}
            count(*) as sessions, count(*) filter (where is_searching) as searching_sessions,
            count(*) filter (where is_booked) as booked_sessions,
            count(*) filter (where is_searching and is_booked) as searching_booked_sessions,
            count(distinct anonymous_id) filter (where is_searching and is_booked) as users_searching_booked,
            count(distinct anonymous_id) filter (where is_searching and not is_booked) as users_searching_not_booked,
            count(distinct anonymous_id) filter (where not is_searching and is_booked) as users_only_booked,
            count(distinct anonymous_id) filter (where not is_searching and not is_booked) as users_neither
        from mobility.fct__mobile_sessions group by all order by all
        """
    ).df()
    slices = "" if suppression else SLICE
    waits = connection.execute(
        f"""
        select {slices} cast(floor(open_to_ride_ms / {BIN_S * 1000}) as bigint) as minutes, count(*) as sessions,
            cast(sum(open_to_ride_ms) as bigint) as open_to_ride_ms, count(distinct anonymous_id) as users
        from mobility.fct__mobile_sessions where open_to_ride_ms is not null group by all order by all
        """
    ).df()
    # A week's sessions and its bookings are known, so those without a time are parts, too.
    rides = connection.execute(
        f"""
        select cast(cast(date_trunc('week', session_date) as date) as varchar) as week, {slices}
            count(open_to_ride_ms) as sessions, cast(sum(open_to_ride_ms) as bigint) as open_to_ride_ms,
            count(distinct anonymous_id) filter (where open_to_ride_ms is not null) as users_timed,
            count(distinct anonymous_id) filter (where open_to_ride_ms is null) as users_not_timed,
            count(distinct anonymous_id) filter (where is_booked and open_to_ride_ms is null) as users_booked_not_timed
        from mobility.fct__mobile_sessions group by all having count(open_to_ride_ms) > 0 order by all
        """
    ).df()
    endings = connection.execute(
        f"""
        select {slices} left(last_event_name, 120) as last_event_name, outcome, count(*) as sessions,
            count(distinct anonymous_id) as users
        from mobility.fct__mobile_sessions group by all order by all
        """
    ).df()
    hours = sessions_by_hour(connection, slices)
    notes = ["Hollow, dashed marks are incomplete weeks: not all seven days were loaded after they had ended."]
    if suppression:
        cells = sum(map(len, (weekly, waits, rides, hours, endings)))
        weekly = suppression.shown(weekly, ["week"])
        waits, rides, hours = (suppression.shown(table, []) for table in (waits, rides, hours))
        endings = suppression.shown(endings, ["outcome"], [])
        notes.append(suppression.note(cells - sum(map(len, (weekly, waits, rides, hours, endings)))))
    return Section(
        name="mobility",
        title="Mobility",
        intro="Sessions of the scooter app: who looked for a scooter, who rode, and who left.",
        tables={
            "weekly": without_users(weekly),
            "waits": without_users(waits),
            "rides": without_users(rides),
            "hours": without_users(hours),
            "endings": without_users(endings),
            "complete_weeks": observed(connection, "week", "mobile"),
        },
        filters=(
            Filter("zone", "Zone", options_of(weekly["zone"], "all")),
            Filter("os_name", "OS", options_of(weekly["os_name"], "all")),
        ),
        dataflow=dataflow(sliced=suppression is None),
        figures=figures(),
        notes=tuple(notes),
    )


def sessions_by_hour(connection: duckdb.DuckDBPyConnection, slices: str = SLICE) -> pd.DataFrame:
    """Sessions by slice and by the weekday and hour (UTC) of their start."""
    return connection.execute(
        f"""
        select {slices} dayname(started_at) as weekday, hour(started_at) as hour, count(*) as sessions,
            count(*) filter (where is_booked) as booked_sessions,
            count(distinct anonymous_id) filter (where is_booked) as users_booked,
            count(distinct anonymous_id) filter (where not is_booked) as users_not_booked
        from mobility.fct__mobile_sessions group by all order by all
        """
    ).df()
