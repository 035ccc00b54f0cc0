"""The model of kudos on drawn histories: it finds the rule, and finds nothing where there is none."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from engagement_assets.kudos.evaluation import BASELINES, MODEL, Trained, train, why_too_little
from engagement_assets.kudos.model import COVERAGE, KudosModel, fit
from tests.unit.kudos.drawn_histories import Rule, added, drawn_history, multiplied, none


@cache
def _trained(rule: Rule, weeks: int, per_week: int, seed: int = 1) -> tuple[Trained, pd.DataFrame]:
    return train(drawn_history(rule, weeks=weeks, per_week=per_week, seed=seed))


def _errors(trained: Trained) -> tuple[float, float]:
    """The error of the model, and of the better baseline."""
    return trained.errors[MODEL], min(trained.errors[baseline] for baseline in BASELINES)


@pytest.mark.parametrize(
    ("rule", "weeks", "per_week", "share_of_baseline"),
    [(multiplied, 12, 16, 0.75), (multiplied, 5, 20, 0.9), (added, 30, 12, 0.95)],
)
def test_a_rule_is_found(rule: Rule, weeks: int, per_week: int, share_of_baseline: float) -> None:
    trained, predicted = _trained(rule, weeks, per_week)
    model, baseline = _errors(trained)
    assert model < share_of_baseline * baseline
    assert trained.is_good
    assert np.corrcoef(predicted[MODEL], predicted["kudos_count"])[0, 1] > 0.6


def test_a_long_history_comes_close_to_what_chance_leaves() -> None:
    examples = drawn_history(multiplied, weeks=30, per_week=20)
    trained, predicted = train(examples)
    newest = examples[examples["week_start_date"].isin(predicted["week_start_date"])].reset_index(drop=True)
    of_the_rule = np.abs(multiplied(newest.fillna({"distance_m": 0.0})) - newest["kudos_count"]).mean()
    model, baseline = _errors(trained)
    assert of_the_rule < model < 1.1 * of_the_rule
    assert baseline > 1.4 * of_the_rule


def test_nothing_is_found_where_there_is_nothing() -> None:
    examples = drawn_history(none, weeks=12, per_week=16)
    trained, predicted = _trained(none, 12, 16)
    model, baseline = _errors(trained)
    assert model > 0.97 * baseline
    # All predictions are about the mean.
    assert np.abs(predicted[MODEL] / examples["kudos_count"].mean() - 1).max() < 0.2


def test_each_week_is_predicted_from_the_weeks_before_it_alone() -> None:
    examples = drawn_history(multiplied, weeks=12, per_week=16)
    _, before = _trained(multiplied, 12, 16)
    changed = examples.assign(
        kudos_count=examples["kudos_count"].where(examples["week_start_date"] < "2024-03-04", 500)
    )
    _, after = train(changed)
    first_changed = pd.Timestamp("2024-03-04")
    names = [MODEL, *BASELINES]
    is_before = before["week_start_date"] <= first_changed
    assert before["week_start_date"].nunique() == 6
    pd.testing.assert_frame_equal(before.loc[is_before, names], after.loc[is_before, names])
    assert (after.loc[~is_before, MODEL] > before.loc[~is_before, MODEL]).all()


def test_the_baselines_are_the_means_of_the_type_and_of_the_last_four_weeks() -> None:
    examples = drawn_history(multiplied, weeks=12, per_week=16)
    _, predicted = _trained(multiplied, 12, 16)
    week = pd.Timestamp("2024-03-11")
    past, of_week = examples[examples["week_start_date"] < week], examples[examples["week_start_date"] == week]
    found = predicted[predicted["week_start_date"] == week]
    of_type = [past["kudos_count"][past["workout_type_name"] == name].mean() for name in of_week["workout_type_name"]]
    assert found["mean_of_workout_type"].tolist() == pytest.approx(of_type)
    last = past["kudos_count"][past["week_start_date"] >= "2024-02-12"].mean()
    assert found["mean_of_last_four_weeks"].tolist() == pytest.approx([last] * len(of_week))


def test_the_same_examples_give_the_same_model() -> None:
    examples = drawn_history(multiplied, weeks=5, per_week=20)
    assert train(examples)[0] == _trained(multiplied, 5, 20)[0]
    other = examples.assign(kudos_count=examples["kudos_count"].iloc[::-1].to_numpy())
    assert train(other)[0] != _trained(multiplied, 5, 20)[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_an_interval_holds_about_as_many_activities_as_it_says(seed: int) -> None:
    trained, _ = _trained(multiplied, 12, 16, seed)
    future = drawn_history(multiplied, weeks=50, per_week=20, seed=seed + 100)
    lower, upper = trained.model.interval(trained.model.predict(future))
    covered = future["kudos_count"].between(lower, upper).mean()
    assert COVERAGE - 0.06 < covered < COVERAGE + 0.08
    assert (lower >= 0).all()


def test_the_drift_names_what_is_other_than_before() -> None:
    examples = drawn_history(multiplied, weeks=5, per_week=20)
    is_newest = examples["week_start_date"] == examples["week_start_date"].max()
    longer = examples.assign(distance_m=examples["distance_m"].where(~is_newest, 60_000.0))
    drift = train(longer)[0].drift
    assert drift["distance_km"] > 5
    assert max(drift, key=lambda name: abs(drift[name])) in {"distance_km", "log_distance"}
    assert abs(drift["log_elevation_gain"]) < 1


def test_few_activities_are_too_few_and_it_is_said_how_many() -> None:
    assert why_too_little(drawn_history(none, weeks=8, per_week=8)) is None
    assert why_too_little(drawn_history(none, weeks=3, per_week=8)) == (
        "not enough history: expected at least 30 activities to learn from and 20 of later weeks to predict, found 16 "
        "and 8 in 3 complete weeks"
    )
    assert "found 0 and 0 in 0 complete weeks" in str(why_too_little(drawn_history(none, weeks=1, per_week=1)[:0]))
    # Many, but of one week: nothing comes later.
    assert "found 90 and 0 in 1 complete weeks" in str(why_too_little(drawn_history(none, weeks=1, per_week=90)))


@pytest.mark.parametrize("kudos", [0, 7])
def test_kudos_that_never_differ_are_expected_again(kudos: int) -> None:
    examples = drawn_history(none, weeks=5, per_week=20).assign(kudos_count=kudos)
    trained, predicted = train(examples)
    assert predicted[MODEL].to_numpy() == pytest.approx(kudos, abs=0.05)
    assert trained.model.spread < 0.1


def test_the_first_kudos_come_late() -> None:
    examples = drawn_history(none, weeks=8)
    model = fit(examples.assign(kudos_count=[0] * (len(examples) - 1) + [6]))
    assert model.predict(examples).mean() == pytest.approx(6 / len(examples), rel=0.01)


def test_what_was_never_measured_is_as_the_mean_and_nothing_is_beyond_measure() -> None:
    examples = drawn_history(multiplied)
    model = fit(examples)
    unknown = examples[:1].assign(
        distance_m=np.nan,
        moving_time_s=np.nan,
        pace_s_per_km=np.nan,
        total_elevation_gain_m=np.nan,
        athlete_count=np.nan,
    )
    huge = examples[:1].assign(distance_m=9e9, moving_time_s=9_000_000_000, athlete_count=10**9)
    assert 0 < model.predict(unknown)[0] < examples["kudos_count"].max()
    assert np.isfinite(model.predict(huge)[0])


def test_an_interval_is_never_below_nothing() -> None:
    model = KudosModel(0.0, (), spread=2.0)
    lower, upper = model.interval(np.array([0.2, 4.0, 100.0]))
    assert (lower.tolist(), upper.tolist()) == ([0.0, 0.0, 80.0], [3.0, 8.0, 120.0])
