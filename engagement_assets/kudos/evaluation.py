"""Is the model of kudos any good? Each of the newest weeks, predicted from the weeks before it alone.

Belongs here: what a model is compared with, how wide its intervals must be, how far the newest week has drifted, and
what is too little history. Not here: the model (`model.py`), or what follows from the answer (`versions.py`).

Examples are never shuffled. A week is predicted by a model that was fitted to all weeks before, as it would have been
then; so are its two baselines, the mean of the same workout type and the mean of the last four weeks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil

import numpy as np
import pandas as pd

from engagement_assets.kudos.model import COVERAGE, LABEL, KudosModel, Numbers, fit, roots, values_of

WEEK, WORKOUT_TYPE = "week_start_date", "workout_type_name"
MODEL = "model"
BASELINES = ("mean_of_workout_type", "mean_of_last_four_weeks")
_LAST_WEEKS = timedelta(weeks=4)
# So many weeks are predicted, or half of those there are.
_MOST_WEEKS_PREDICTED = 8
# Below this an error says nothing, and 90 % of the residuals are all of them.
FEWEST_TO_LEARN_FROM, FEWEST_PREDICTED = 30, 20


@dataclass(frozen=True)
class Trained:
    """A model of all examples up to a week, with what its evaluation found.

    `errors` has the mean absolute error in kudos of `MODEL` and of each of `BASELINES`, over the same `predicted`
    activities of `weeks_predicted` weeks. `drift` has, by term, how far the mean of the newest week lies from that of
    the weeks before, in standard deviations of these.
    """

    model: KudosModel
    newest_week: date
    examples: int
    predicted: int
    weeks_predicted: int
    errors: Mapping[str, float]
    drift: Mapping[str, float]

    @property
    def is_good(self) -> bool:
        """Whether its error is not worse than that of either baseline."""
        return all(self.errors[MODEL] <= self.errors[baseline] for baseline in BASELINES)


def why_too_little(examples: pd.DataFrame) -> str | None:
    """Why the examples, all of them of complete weeks, are too few to judge a model; None if they are enough."""
    is_predicted = examples[WEEK].isin(_weeks_predicted(examples))
    learnt, predicted = int((~is_predicted).sum()), int(is_predicted.sum())
    if learnt >= FEWEST_TO_LEARN_FROM and predicted >= FEWEST_PREDICTED:
        return None
    return (
        f"not enough history: expected at least {FEWEST_TO_LEARN_FROM} activities to learn from and "
        f"{FEWEST_PREDICTED} of later weeks to predict, found {learnt} and {predicted} in {examples[WEEK].nunique()} "
        "complete weeks"
    )


def train(examples: pd.DataFrame) -> tuple[Trained, pd.DataFrame]:
    """Evaluate models of the past, then fit one to all examples, which lie in complete weeks, oldest first.

    Returns:
        The model, and a row per predicted activity: `week_start_date`, `kudos_count`, and the predictions of `MODEL`
        and `BASELINES`.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    predicted = pd.concat([_predicted(examples, week) for week in _weeks_predicted(examples)], ignore_index=True)
    actual = predicted[LABEL].to_numpy(dtype=float)
    errors = {name: round(float(np.abs(predicted[name].to_numpy() - actual).mean()), 6) for name in (MODEL, *BASELINES)}
    model = replace(fit(examples), spread=_spread(predicted[MODEL].to_numpy(), actual))
    newest = examples[WEEK].max()
    return (
        Trained(
            model,
            pd.Timestamp(newest).date(),
            len(examples),
            len(predicted),
            predicted[WEEK].nunique(),
            errors,
            _drift(examples, newest),
        ),
        predicted,
    )


def _weeks_predicted(examples: pd.DataFrame) -> list[pd.Timestamp]:
    weeks = sorted(examples[WEEK].unique())
    count = min(_MOST_WEEKS_PREDICTED, len(weeks) // 2)
    return weeks[len(weeks) - count :]


def _predicted(examples: pd.DataFrame, week: pd.Timestamp) -> pd.DataFrame:
    """The activities of a week as they would have been predicted on its Monday."""
    past, of_week = examples[examples[WEEK] < week], examples[examples[WEEK] == week]
    last = past[past[WEEK] >= week - _LAST_WEEKS]
    mean = past[LABEL].mean()
    by_type = past.groupby(WORKOUT_TYPE)[LABEL].mean()
    of_types, of_last = BASELINES
    found = of_week[[WEEK, LABEL]].copy()
    found[MODEL] = fit(past).predict(of_week)
    found[of_types] = of_week[WORKOUT_TYPE].map(by_type).fillna(mean).astype(float)
    found[of_last] = float(mean if last.empty else last[LABEL].mean())
    return found


def _spread(expected: Numbers, actual: Numbers) -> float:
    """Split conformal: so many roots wide that `COVERAGE` of new activities lie within, if they are as these were."""
    distances = np.sort(np.abs(actual - expected) / roots(expected))
    rank = min(ceil((len(distances) + 1) * COVERAGE), len(distances))
    return round(float(distances[rank - 1]), 6)


def _drift(examples: pd.DataFrame, newest: pd.Timestamp) -> dict[str, float]:
    is_new = (examples[WEEK] == newest).to_numpy()
    found = {}
    for name, values in values_of(examples).items():
        old, new = (part[~np.isnan(part)] for part in (values[~is_new], values[is_new]))
        if len(old) and len(new) and (deviation := float(old.std())) > 0:
            found[name] = round((float(new.mean()) - float(old.mean())) / deviation, 6)
    return found
