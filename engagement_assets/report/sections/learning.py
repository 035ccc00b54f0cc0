"""The learning explorer: plays, time and completion by period and slice, and what is played most.

Belongs here: the explorer's tables, filters and figures. Not here: choosing its grain (`cubes.py`).
"""

import duckdb
import pandas as pd

from engagement_assets.report.cubes import ACTIVITY, DIMENSIONS, GRAINS, MEASURES, Cube, build_cube
from engagement_assets.report.figures import Filter, Section, options_of
from engagement_assets.report.sections.countries import country_names, country_options
from engagement_assets.report.sections.learning_figures import (
    IN_RANGE,
    OF_ONE_DIMENSION,
    PERIOD_IN_RANGE,
    TOP_ACTIVITIES,
    active_users_figure,
    activity_figures,
    figures,
    period_datasets,
    period_marks,
    ranks,
    single_slice,
    tops,
    value_datasets,
    value_names,
)
from engagement_assets.report.sections.learning_published import SLICES, top_activities, weekly_slices
from engagement_assets.report.sections.observed import observed_periods
from engagement_assets.report.suppression import Suppression
from engagement_assets.report.transforms import (
    calculate,
    dataset,
    keep,
    keep_chosen_of_many,
    look_up,
    rank,
    sums,
)

# A page carries at most this many rows of distinct users; finer grains are left out first.
MAX_USER_ROWS = 20_000
COUNTRY = "country_code"
# Longer names are cut.
NAME_LENGTH = 120
INTRO = (
    "Plays in the learning app. Every number is a sum over the cells that match the filters; the completion rate is "
    "completed plays divided by plays."
)
INCOMPLETE = "Hollow, dashed marks are incomplete periods: not every day was loaded after it had ended."


def learning(connection: duckdb.DuckDBPyConnection, suppression: Suppression | None, max_cells: int) -> Section:
    """The section, from the cube, `learning_active_users` and `top_activities`."""
    if suppression:
        return _published(connection, suppression)
    cube = build_cube(connection, max_cells)
    slices = [name for name in cube.dimensions if name != ACTIVITY]
    countries = cube.cells[COUNTRY] if COUNTRY in slices else pd.Series([], dtype="object")
    users, user_grains = _active_users(connection, cube)
    notes = [cube.choice(), INCOMPLETE]
    if user_grains != cube.grains:
        notes.append(f"Distinct users are available by {' and '.join(user_grains)} only.")
    return Section(
        name="learning",
        title="Learning explorer",
        intro=INTRO,
        tables={
            "cube": cube.cells.fillna(dict.fromkeys((*GRAINS, *slices), "")),
            "users": users,
            "countries": country_names(countries.dropna().unique()),
            "periods": observed_periods(connection, "lingokids"),
            "activities": activity_names(connection)
            if ACTIVITY in cube.dimensions
            else _ranked_activities(connection, cube),
        },
        filters=(
            Filter(
                "grain", "By", tuple((grain, grain) for grain in sorted(cube.grains, key=lambda grain: grain != "week"))
            ),
            *((Filter("split", "Split by", tuple((name, DIMENSIONS[name]) for name in slices)),) if slices else ()),
            *(_filter(name, cube.cells[name]) for name in slices),
            Filter("first_day", "From"),
            Filter("last_day", "To"),
        ),
        signals=single_slice(slices),
        dataflow=(
            dataset(
                "slice",
                "cube",
                *keep_chosen_of_many(slices, "cells"),
                keep(PERIOD_IN_RANGE),
            ),
            *(value_datasets("slice") if slices else ()),
            *period_datasets("value_periods" if slices else "slice"),
            *_activity_datasets(cube),
            dataset(
                "active_users",
                "users",
                keep(f"datum.grain === grain && {OF_ONE_DIMENSION}"),
                keep(IN_RANGE),
                *value_names("dimension_value", "datum.dimension_name"),
                *period_marks(),
            ),
        ),
        figures=(
            *figures(by_value=bool(slices)),
            *activity_figures(
                "Within the slice, ranked by the number of plays.",
                "Within the slice, ranked by capped time, so that outliers do not decide.",
            ),
            active_users_figure(),
        ),
        notes=tuple(note for note in notes if note),
    )


def _filter(name: str, values: pd.Series) -> Filter:
    """The filter of a dimension; countries have their names."""
    options = country_options(values.dropna().unique()) if name == COUNTRY else options_of(values, "all")
    return Filter(name, DIMENSIONS[name], options)


def activity_names(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The newest name and type of each activity."""
    return connection.execute(
        f"""
        select activity_id, left(max_by(activity_name, period_start_date), {NAME_LENGTH}) as activity_name,
            max_by(activity_type, period_start_date) as activity_type
        from learning.top_activities where grain = 'year' group by activity_id order by activity_id
        """
    ).df()


def _ranked_activities(connection: duckdb.DuckDBPyConnection, cube: Cube) -> pd.DataFrame:
    """The top activities of each period over all slices, for a cube without activities."""
    return connection.execute(
        f"""
        select grain, cast(period_start_date as varchar) as period, activity_id,
            left(activity_name, {NAME_LENGTH}) as activity_name, activity_type, {", ".join(MEASURES)}
        from learning.top_activities
        where grain = $grain and least(rank_by_plays, rank_by_duration, rank_by_played_time) <= {TOP_ACTIVITIES}
        order by all
        """,
        {"grain": cube.grain},
    ).df()


def _active_users(connection: duckdb.DuckDBPyConnection, cube: Cube) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Distinct users for as many of the cube's grains as there is room for, coarsest first."""
    grains: list[str] = []
    room = MAX_USER_ROWS
    for grain in reversed(cube.grains):
        row = connection.execute(
            "select count(*) from learning.learning_active_users where grain = $grain", {"grain": grain}
        ).fetchone()
        room -= row[0] if row else 0
        if room < 0:
            break
        grains.insert(0, grain)
    users = connection.execute(
        """
        select grain, cast(period_start_date as varchar) as period, dimension_name, dimension_value, active_users
        from learning.learning_active_users where grain in (select unnest($grains)) order by all
        """,
        {"grains": grains},
    ).df()
    return users, tuple(grains)


def _activity_datasets(cube: Cube) -> tuple[dict[str, object], ...]:
    if ACTIVITY in cube.dimensions:
        named = (look_up("activities", ACTIVITY, ACTIVITY, ["activity_name", "activity_type"]),)
        source: tuple[dict[str, object], ...] = (
            dataset("by_activity", "slice", sums([ACTIVITY], MEASURES), *named, *ranks()),
        )
    else:
        by = [ACTIVITY, "activity_name", "activity_type"]
        newest = keep("datum.grain === grain && dimensions_set === 0")
        source = (
            dataset(
                "newest_period",
                "activities",
                newest,
                keep(IN_RANGE),
                rank("age", "period"),
                keep("datum.age === 1"),
                sums(by, MEASURES),
                *ranks(),
            ),
        )
        return (*source, *tops("newest_period"))
    return (*source, *tops("by_activity"))


def _published(connection: duckdb.DuckDBPyConnection, suppression: Suppression) -> Section:
    """The same figures by week, over tables of one dimension each."""
    slices, hidden_slices = weekly_slices(connection, suppression)
    activities, hidden_activities = top_activities(connection, suppression, hidden_slices)
    filters = []
    for name in SLICES:
        values = slices.loc[slices["dimension_name"] == name, "dimension_value"]
        filters.append(_filter(name, values))
    return Section(
        name="learning",
        title="Learning explorer",
        intro=INTRO,
        tables={
            "slices": slices,
            "countries": country_names(slices.loc[slices["dimension_name"] == COUNTRY, "dimension_value"]),
            "periods": observed_periods(connection, "lingokids"),
            "activities": activities,
        },
        filters=(
            Filter("grain", "By", (("week", "week"),)),
            Filter("split", "Split by", tuple((name, DIMENSIONS[name]) for name in SLICES)),
            *filters,
            Filter("first_day", "From"),
            Filter("last_day", "To"),
        ),
        signals=single_slice(SLICES),
        dataflow=(
            dataset("every_slice", "slices", calculate("period", "datum.week"), keep(IN_RANGE)),
            dataset("slice", "every_slice", keep(OF_ONE_DIMENSION)),
            dataset("split_slice", "every_slice", keep("dimensions_set === 0 && datum.dimension_name === split")),
            *period_datasets("slice"),
            *value_datasets("split_slice", "dimension_value"),
            dataset(
                "active_users",
                "slice",
                calculate("active_users", "datum.users"),
                *value_names("dimension_value", "datum.dimension_name"),
                *period_marks(),
            ),
            dataset("ranked", "activities", keep("dimensions_set === 0"), *ranks()),
            *tops("ranked"),
        ),
        figures=(
            *figures(by_value=True),
            *activity_figures("Over all weeks and users, by plays.", "Over all weeks and users, by capped time."),
            active_users_figure(),
        ),
        notes=(
            suppression.note(len(hidden_slices) + hidden_activities),
            "Publish mode has numbers by week and for one filter at a time; with two filters there is nothing to show.",
            INCOMPLETE,
        ),
    )
