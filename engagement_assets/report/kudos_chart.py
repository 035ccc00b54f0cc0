"""The chart of an evaluation of the model of kudos, for the Dagster UI.

Belongs here: how it looks. Not here: the evaluation (`kudos/evaluation.py`), or the report's own charts (`sections/`).
"""

import altair as alt
import pandas as pd

from engagement_assets.kudos.evaluation import MODEL
from engagement_assets.kudos.model import LABEL
from engagement_assets.report.pictures import picture_of
from engagement_assets.report.theme import EDGE, MEASURE


def evaluation_picture(predicted: pd.DataFrame, summary: str) -> str:
    """A point per predicted activity, expected kudos against those it got, as a Markdown picture.

    Raises:
        ValueError: Vega cannot draw it.
    """
    points = pd.DataFrame({"expected": predicted[MODEL].round(2), "actual": predicted[LABEL]}).sort_values(
        ["expected", "actual"]
    )
    most = float(max(points["expected"].max(), points["actual"].max(), 1.0))
    expected = alt.X("expected:Q", title="expected kudos", scale=alt.Scale(domain=[0, most]))
    actual = alt.Y("actual:Q", title="kudos", scale=alt.Scale(domain=[0, most]))
    line = alt.Chart(alt.InlineData(values=[{"expected": 0, "actual": 0}, {"expected": most, "actual": most}]))
    rows = alt.Chart(alt.InlineData(values=points.astype(float).to_dict(orient="records")))
    chart = alt.layer(
        line.mark_line(color=EDGE, strokeDash=[4, 4]).encode(x=expected, y=actual),
        rows.mark_point(filled=True, size=40, opacity=0.6, color=MEASURE).encode(x=expected, y=actual),
    )
    return picture_of(chart, "Kudos of activities, and what was expected", summary)
