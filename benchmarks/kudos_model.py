"""The model of kudos on drawn histories: its error beside its baselines, a tree ensemble, and what chance leaves.

    python -m benchmarks.kudos_model

Mean absolute errors in kudos, over several histories of each rule and length; the newest weeks are predicted from the
weeks before them, as in production. The floor is the error of who knows the rule. Prints the ratio of the model to it.
"""

import os

# Trees would wait for each other's threads on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from engagement_assets.kudos.evaluation import BASELINES, MODEL, WEEK, train
from engagement_assets.kudos.model import LABEL, Numbers, values_of
from tests.unit.kudos.drawn_histories import Rule, added, drawn_history, multiplied, none

RULES: dict[str, Rule] = {"nothing matters": none, "facts multiply": multiplied, "facts add": added}
LENGTHS = ((5, 20), (12, 10), (52, 10))
HISTORIES = 6


def main() -> None:
    """Print a row per rule and length."""
    print(f"{'rule':16} {'history':>12} {'type':>6} {'last 4':>6} {'trees':>6} {'model':>6} {'floor':>6} {'ratio':>6}")
    for name, rule in RULES.items():
        for weeks, per_week in LENGTHS:
            found = [_errors(rule, weeks, per_week, seed) for seed in range(HISTORIES)]
            of_type, last, trees, model, floor = np.mean(found, axis=0)
            print(
                f"{name:16} {weeks:>7} x {per_week:>2} {of_type:6.2f} {last:6.2f} {trees:6.2f} {model:6.2f} "
                f"{floor:6.2f} {model / floor:6.2f}",
                flush=True,
            )


def _errors(rule: Rule, weeks: int, per_week: int, seed: int) -> list[float]:
    examples = drawn_history(rule, weeks=weeks, per_week=per_week, seed=seed)
    trained, predicted = train(examples)
    newest = examples[examples[WEEK].isin(predicted[WEEK])]
    floor = (rule(newest.fillna({"distance_m": 0.0})) - newest[LABEL]).abs().mean()
    trees = np.concatenate([_of_trees(examples, week) for week in sorted(newest[WEEK].unique())]).mean()
    return [*(trained.errors[name] for name in BASELINES), float(trees), trained.errors[MODEL], float(floor)]


def _of_trees(examples: pd.DataFrame, week: pd.Timestamp) -> Numbers:
    values = np.column_stack(list(values_of(examples).values()))
    is_past, is_week = (examples[WEEK] < week).to_numpy(), (examples[WEEK] == week).to_numpy()
    kudos = examples[LABEL].to_numpy(dtype=float)
    trees = HistGradientBoostingRegressor(loss="poisson", max_leaf_nodes=8, min_samples_leaf=8, random_state=0)
    expected = trees.fit(values[is_past], kudos[is_past]).predict(values[is_week])
    distances: Numbers = np.abs(expected - kudos[is_week])
    return distances


if __name__ == "__main__":
    main()
