"""A model of kudos: what an activity can expect, from what was known of it when it was seen first.

Belongs here: the terms of the model, fitting it and predicting with it. Not here: whether it is any good
(`evaluation.py`), where it is kept (`versions.py`), or the rows it learns from (`dbt_project/models/marts/strava`).

It is a Poisson regression: kudos are counts, and what makes an activity liked multiplies them. scikit-learn is needed
to fit it and not to predict, since all there is to the model is a number per term (docs/decisions/0022-kudos-model.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pandas as pd

LABEL = "kudos_count"
WORKOUT_TYPES = ("default", "race", "long_run", "workout", "unknown", "other_sport")
# The share of kudos that lie in the interval of their prediction.
COVERAGE = 0.9

Numbers = npt.NDArray[np.float64]

# A value so far from the mean, in standard deviations, counts as one that is not farther: 312 people are a fun run.
_FARTHEST = 4.0
# After so many days without an activity, more make no difference; `days_since_previous` ends there too.
_LONGEST_BREAK = 28.0
_HOURS_OF_A_PART = 3
# Workout types tell more than all else, so the penalty spares them: one that is thrice as long has a ninth of it.
_SCALE_OF_WORKOUT_TYPES = 1 / 3
# From following everything to following nothing but the mean.
_PENALTIES = (0.03, 0.1, 0.3, 1.0, 10.0, 100.0)
_FOLDS = 4
_NO_KUDOS = 1e-6
# Digits after which machines may differ.
_DIGITS = 6


@dataclass(frozen=True)
class Term:
    """One number that the model knows of an activity, as it is standardized, and the coefficient for it."""

    name: str
    mean: float
    scale: float
    coefficient: float


@dataclass(frozen=True)
class KudosModel:
    """The logarithm of the expected kudos is `intercept` plus coefficient times standardized value, summed over terms.

    `spread` says how wide an interval is: `COVERAGE` of the kudos lie within that many square roots of the expected
    kudos around them.
    """

    intercept: float
    terms: tuple[Term, ...]
    spread: float = 0.0

    def predict(self, activities: pd.DataFrame) -> Numbers:
        """The expected kudos of each activity, in the columns of `kudos_training_examples`; 0 or more."""
        known = values_of(activities)
        means, scales, coefficients = (
            np.array([getattr(term, name) for term in self.terms]) for name in ("mean", "scale", "coefficient")
        )
        values = np.column_stack([known[term.name] for term in self.terms])
        expected: Numbers = np.exp(self.intercept + _standardized(values, means, scales) @ coefficients)
        return expected

    def interval(self, expected: Numbers) -> tuple[Numbers, Numbers]:
        """The least and the most kudos around each expected number of kudos."""
        half = self.spread * roots(expected)
        return np.maximum(0.0, np.floor(expected - half)), np.ceil(expected + half)


def roots(expected: Numbers) -> Numbers:
    """How much kudos scatter around an expected number; never 0, since even then there may be one."""
    found: Numbers = np.sqrt(np.maximum(expected, 1.0))
    return found


def is_installed() -> bool:
    """Whether models can be fitted here, which the extra `model` is for; says so without importing it."""
    return find_spec("sklearn") is not None


def values_of(activities: pd.DataFrame) -> Mapping[str, Numbers]:
    """The terms' values of each activity, by their names; NaN where one is not known."""

    def column(name: str) -> Numbers:
        numbers: Numbers = activities[name].to_numpy(dtype=float, na_value=np.nan)
        return numbers

    def groups(name: str, values: npt.NDArray[np.generic], all_values: Sequence[object]) -> Mapping[str, Numbers]:
        return {f"{name}={value}": (values == value).astype(float) for value in all_values}

    distance_km = np.maximum(column("distance_m"), 0.0) / 1_000
    people = np.maximum(column("athlete_count"), 1.0)
    since = column("days_since_previous")
    return {
        "distance_km": distance_km,
        "log_distance": np.log1p(distance_km),
        "log_moving_time": np.log1p(np.maximum(column("moving_time_s"), 0.0) / 60),
        "pace_s_per_km": np.clip(column("pace_s_per_km"), 100.0, 1_800.0),
        "log_elevation_gain": np.log1p(np.maximum(column("total_elevation_gain_m"), 0.0)),
        "log_athletes": np.log(people),
        "name_words": column("name_word_count"),
        "days_since_previous": np.where(np.isnan(since), _LONGEST_BREAK, since),
        **groups("workout_type", activities["workout_type_name"].to_numpy(dtype=object), WORKOUT_TYPES),
        **groups("weekday", column("iso_weekday"), range(1, 8)),
        **groups("hours_from", column("start_hour") // _HOURS_OF_A_PART * _HOURS_OF_A_PART, range(0, 24, 3)),
    }


def fit(examples: pd.DataFrame) -> KudosModel:
    """A model of the examples, oldest first; the same examples always give the same model.

    How closely it follows them is what predicts best within them, later ones from earlier ones. If none of the earlier
    ones has kudos, it expects the mean.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    known = values_of(examples)
    names, values = list(known), np.column_stack(list(known.values()))
    means, scales = _means_and_scales(names, values)
    kudos = examples[LABEL].to_numpy(dtype=float)
    # A second and 140 MB, for the step that trains alone.
    from sklearn.linear_model import PoissonRegressor  # noqa: PLC0415
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    coefficients, intercept = np.zeros(len(names)), float(np.log(max(kudos.mean(), _NO_KUDOS)))
    # A regression needs an example with kudos.
    folds = [fold for fold in TimeSeriesSplit(_FOLDS).split(kudos) if kudos[fold[0]].any()]
    if folds:
        search = GridSearchCV(
            PoissonRegressor(solver="newton-cholesky"),
            {"alpha": _PENALTIES},
            scoring="neg_mean_poisson_deviance",
            cv=folds,
        )
        # More threads would wait for each other: the matrices are small. And they would add in another order.
        with threadpool_limits(1):
            search.fit(_standardized(values, means, scales), kudos)
        coefficients, intercept = search.best_estimator_.coef_, float(search.best_estimator_.intercept_)
    numbers = [[round(float(number), _DIGITS) for number in found] for found in (means, scales, coefficients)]
    return KudosModel(round(intercept, _DIGITS), tuple(map(Term, names, *numbers)))


def _means_and_scales(names: Sequence[str], values: Numbers) -> tuple[Numbers, Numbers]:
    is_known = ~np.isnan(values)
    counts = np.maximum(is_known.sum(axis=0), 1)
    means = np.where(is_known, values, 0.0).sum(axis=0) / counts
    squares = np.where(is_known, (values - means) ** 2, 0.0).sum(axis=0) / counts
    deviations = np.sqrt(squares)
    scales = np.array(
        [
            _SCALE_OF_WORKOUT_TYPES if name.startswith("workout_type=") else 1.0 if "=" in name else deviation
            for name, deviation in zip(names, deviations, strict=True)
        ]
    )
    return means, np.where(scales > 0, scales, 1.0)


def _standardized(values: Numbers, means: Numbers, scales: Numbers) -> Numbers:
    """What is not known is as the mean."""
    standardized: Numbers = np.clip(np.nan_to_num((values - means) / scales), -_FARTHEST, _FARTHEST)
    return standardized
