"""Filters over many rows, which Vega keeps sorted by field."""

import pandas as pd
import pytest

from engagement_assets.report.figures import Filter, Section
from engagement_assets.report.transforms import dataset, keep_chosen_of_many
from tests.unit.report.section_rows import rows_of

FIELDS = [f"field_{number}" for number in range(8)]


def section() -> Section:
    """Three rows, each with a text in one field: in the last, the first and the second one."""
    rows = [{field: "x" if place == at else "" for place, field in enumerate(FIELDS)} for at in (7, 0, 1)]
    return Section(
        "fields",
        "Fields",
        "",
        {"cells": pd.DataFrame(rows)},
        dataflow=(dataset("chosen", "cells", *keep_chosen_of_many(FIELDS, "kept")),),
        filters=tuple(Filter(field, field, (("", "all"), ("x", "x"))) for field in FIELDS),
    )


def test_each_of_eight_filters_keeps_its_rows() -> None:
    assert rows_of(section(), "chosen", ["field_7", "field_0"]) == [("x", ""), ("", "x"), ("", "")]
    assert rows_of(section(), "chosen", ["field_7", "field_0"], field_7="x") == [("x", "")]
    assert rows_of(section(), "chosen", ["field_7", "field_0"], field_0="x") == [("", "x")]
    assert rows_of(section(), "chosen", ["field_7", "field_0"], field_0="x", field_7="x") == []


def test_more_fields_than_vega_can_filter_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 8 fields at once, not by field_0, .*, one_more"):
        keep_chosen_of_many([*FIELDS, "one_more"], "kept")
