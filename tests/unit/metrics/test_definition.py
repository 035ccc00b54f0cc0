"""What a definition says of itself must agree."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from engagement_assets.metrics.catalog import COMPLETION_RATE, PACE_DIFFERENCE, PLAYED_HOURS
from engagement_assets.metrics.tables import PLAYS, WEEKS


def test_a_formula_is_one_division_and_its_units() -> None:
    assert (COMPLETION_RATE.formula, COMPLETION_RATE.value) == (
        "completed_plays / plays",
        "cast(completed_plays as double) / nullif(plays, 0)",
    )
    assert (PLAYED_HOURS.formula, PLAYED_HOURS.value) == ("played_ms / 3600000", "cast(played_ms as double) / 3600000")
    assert (PACE_DIFFERENCE.formula, PACE_DIFFERENCE.value) == (
        "1000 * difference_s2_per_km / compared_time_ms",
        "1000.0 * cast(difference_s2_per_km as double) / nullif(compared_time_ms, 0)",
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"denominator": "exits"}, "expected the parts completed_plays, exits, found completed_plays, plays"),
        ({"denominator": ""}, "expected the parts completed_plays, found completed_plays, plays"),
        ({"name": "week"}, "week is the name of another column of its answers"),
        ({"name": "os_name"}, "os_name is the name of another column of its answers"),
        ({"name": "plays"}, "plays is the name of one of its parts"),
        ({"name": 'rate", 1'}, "expected names of small letters, digits and _"),
    ],
)
def test_a_metric_is_about_its_parts_and_has_a_name_of_its_own(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(COMPLETION_RATE, **changed)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"grains": ("day", "week")}, "expected a sentence on why there are not all grains"),
        ({"grains": (), "limit": "none"}, "expected a day with grains and completeness"),
        ({"source": ""}, "expected a day with grains and completeness"),
        ({"always_by": ("source",)}, "expected dimensions in always_by, found source"),
        ({"dimensions": {"Country": "country_code"}}, "expected names of small letters, digits and _, found Country"),
    ],
)
def test_a_table_says_by_what_its_rows_can_be_counted(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(PLAYS, **changed)


def test_a_table_is_read_whatever_else_is_published() -> None:
    published: Collection[str] = ()
    assert PLAYS.rows(published) == "learning.engagement_daily"
    assert WEEKS.rows(published) == "engagement.weekly_engagement"
