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
    points = sorted(
        (round(float(expected), 2), float(actual))
        for expected, actual in zip(predicted[MODEL], predicted[LABEL], strict=True)
    )
    most = max(1.0, *(max(point) for point in points))
    expected = alt.X("expected:Q", title="expected kudos", scale=alt.Scale(domain=[0, most]))
    actual = alt.Y("actual:Q", title="kudos", scale=alt.Scale(domain=[0, most]))
    line, rows = (
        alt.Chart(alt.InlineData(values=[{"expected": at[0], "actual": at[1]} for at in places]))
        for places in ([(0.0, 0.0), (most, most)], points)
    )
    chart = alt.layer(
        line.mark_line(color=EDGE, strokeDash=[4, 4]).encode(x=expected, y=actual),
        rows.mark_point(filled=True, size=40, opacity=0.6, color=MEASURE).encode(x=expected, y=actual),
    )
    return picture_of(chart, "Kudos of activities, and what was expected", summary)
