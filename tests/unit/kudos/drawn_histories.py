"""Histories of activities whose kudos follow a rule that is known, or none.

Belongs here: drawing them. Not here: what a model must make of them.
"""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

Rule = Callable[[pd.DataFrame], "pd.Series[float]"]

FIRST_WEEK = date(2024, 1, 1)
TYPES = {"default": 0.5, "race": 0.08, "long_run": 0.12, "workout": 0.12, "other_sport": 0.18}


def multiplied(activities: pd.DataFrame) -> "pd.Series[float]":
    """Races, distance, weekends and company multiply the kudos of an ordinary run."""
    of_type = {"default": 6.0, "race": 18.0, "long_run": 11.0, "workout": 8.0, "other_sport": 4.0}
    weekend = 1 + 0.4 * (activities["iso_weekday"] >= 6)
    company = activities["athlete_count"] ** 0.15
    distance = np.exp(0.05 * activities["distance_m"] / 1_000)
    kudos: pd.Series[float] = activities["workout_type_name"].map(of_type) * distance * weekend * company
    return kudos


def added(activities: pd.DataFrame) -> "pd.Series[float]":
    """The same things add kudos, as do evening hours and words."""
    of_type = {"default": 0.0, "race": 18.0, "long_run": 9.0, "workout": 4.0, "other_sport": 0.0}
    evening = 5.0 * activities["start_hour"].between(17, 20)
    words = 1.5 * activities["name_word_count"]
    kudos = activities["workout_type_name"].map(of_type) + 0.5 * activities["distance_m"] / 1_000 + evening + words
    return 3.0 + kudos


def none(activities: pd.DataFrame) -> "pd.Series[float]":
    """Nothing matters."""
    return pd.Series(12.0, activities.index)


def drawn_history(rule: Rule, *, weeks: int = 30, per_week: int = 8, seed: int = 1) -> pd.DataFrame:
    """Examples as they are read from `kudos_training_examples`, oldest first; kudos scatter around the rule."""
    draw = np.random.default_rng(seed)
    count = weeks * per_week
    weekday = np.sort(draw.integers(1, 8, (weeks, per_week)), axis=1).ravel()
    week = [FIRST_WEEK + timedelta(weeks=number // per_week) for number in range(count)]
    types = draw.choice(list(TYPES), count, p=list(TYPES.values()))
    distance_m = np.where(types == "other_sport", np.nan, 1_000 * draw.gamma(4, 2, count) + 1_000)
    pace = draw.normal(330, 25, count)
    activities = pd.DataFrame(
        {
            "activity_id": range(count),
            "workout_type_name": types,
            "distance_m": distance_m,
            "moving_time_s": np.where(types == "other_sport", 3_600, distance_m / 1_000 * pace),
            "pace_s_per_km": np.where(types == "other_sport", np.nan, pace),
            "total_elevation_gain_m": draw.gamma(2, 60, count),
            "athlete_count": draw.choice([1, 2, 7, 312], count, p=[0.8, 0.12, 0.06, 0.02]),
            "name_word_count": draw.integers(0, 6, count),
            "iso_weekday": weekday,
            "start_hour": draw.integers(5, 22, count),
            "days_since_previous": draw.exponential(1, count),
            "week_start_date": pd.to_datetime(week),
        }
    )
    expected = rule(activities.fillna({"distance_m": 0.0}))
    return activities.assign(kudos_count=draw.poisson(expected))
