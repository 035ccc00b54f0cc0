"""A model of kudos as it comes out of training, without training one.

Belongs here: the numbers that tests of versions change. Not here: training (`test_training.py`).
"""

from dataclasses import replace
from datetime import date, timedelta

from engagement_assets.kudos.evaluation import MODEL, Trained
from engagement_assets.kudos.model import KudosModel, Term

MONDAY = date(2024, 1, 1)
GOOD = Trained(
    model=KudosModel(1.5, (Term("log_distance", 2.0, 0.5, -0.25),), spread=1.7),
    newest_week=MONDAY,
    examples=100,
    predicted=40,
    weeks_predicted=4,
    errors={MODEL: 2.0, "mean_of_workout_type": 2.5, "mean_of_last_four_weeks": 3.0},
    drift={"log_distance": 0.1},
)


def of_week(number: int, error: float = 2.0) -> Trained:
    """The model of a later week, with an error that is better than 2.5 if it is good."""
    return replace(GOOD, newest_week=MONDAY + timedelta(weeks=number), errors={**GOOD.errors, MODEL: error})
