"""Distances and paces follow the unit that the reader chooses."""

import re

import pandas as pd
import pytest

from engagement_assets.report.figures import Figure, Section
from engagement_assets.report.pictures import draw
from engagement_assets.report.sections.units import UNIT_FILTER, in_unit, pace_axis, paced
from engagement_assets.report.theme import rows
from engagement_assets.report.transforms import dataset
from tests.unit.report.section_rows import rows_of

RUNS = Section(
    name="runs",
    title="Runs",
    intro="",
    tables={"runs": pd.DataFrame({"run": [1, 2, 3], "time_s": [1_500, 2_879.7, 60], "metres": [5_000, 8_046.72, 0]})},
    filters=(UNIT_FILTER,),
    dataflow=(dataset("shown", "runs", *in_unit("distance", "metres"), *paced("time_s", "metres")),),
)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("km", [("5", "5:00 /km", "km"), ("8.04672", "5:58 /km", "km"), ("0", "null", "km")]),
        ("mi", [("3.10686", "8:03 /mi", "mi"), ("5", "9:36 /mi", "mi"), ("0", "null", "mi")]),
    ],
)
def test_a_distance_and_a_pace_are_in_the_chosen_unit(unit: str, shown: list[tuple[str, ...]]) -> None:
    found = rows_of(RUNS, "shown", ["distance", "pace", "symbol"], unit=unit)
    assert [(f"{float(distance):.6g}", pace, symbol) for distance, pace, symbol in found] == shown


def test_milliseconds_give_a_pace_too() -> None:
    flow = (dataset("shown", "runs", *paced("time_ms", "metres", "0.001")),)
    times = pd.DataFrame({"time_ms": [359_600], "metres": [1_000]})
    section = Section("runs", "", "", {"runs": times}, flow, (UNIT_FILTER,))
    assert rows_of(section, "shown", ["pace"]) == [("6:00 /km",)]


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        ([300, 345], ["5:00 /km", "5:10 /km", "5:20 /km", "5:30 /km", "5:40 /km", "5:50 /km"]),
        ([300], ["5:00 /km", "5:01 /km"]),
        ([380, 383], ["6:20 /km", "6:21 /km", "6:22 /km", "6:23 /km", "6:24 /km"]),
        ([200, 700], ["2:00 /km", "4:00 /km", "6:00 /km", "8:00 /km", "10:00 /km", "12:00 /km"]),
    ],
)
def test_the_axis_of_a_pace_has_round_ticks_and_the_faster_is_higher(seconds: list[int], ticks: list[str]) -> None:
    times = pd.DataFrame({"time_s": seconds, "metres": 1_000})
    flow = (dataset("shown", "runs", *paced("time_s", "metres")),)
    chart = rows().mark_point().encode(x="time_s:Q", y=pace_axis())
    svg = draw(Section("runs", "", "", {"runs": times}, flow, (UNIT_FILTER,)), Figure("", "", "", "shown", (), chart))
    assert svg is not None
    found = re.findall(r"translate\([^,]*,([0-9.]+)\)[^>]*>([0-9:]+ /km)<", svg)
    assert [label for _, label in sorted(found, key=lambda each: float(each[0]))] == ticks
