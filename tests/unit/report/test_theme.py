"""The colours of charts: the same in pictures and in the page, and none with two meanings."""

import re

from engagement_assets.report.html import PAGE
from engagement_assets.report.theme import PARTS, SOURCE_COLOURS, STATES, STATIC_COLOURS


def test_each_colour_of_the_pictures_is_that_of_the_page() -> None:
    light = (PAGE / "colours.css").read_text(encoding="utf-8").partition("@media")[0]
    in_page = {f"var({name})": value for name, value in re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6});", light)}
    assert in_page.items() >= STATIC_COLOURS.items()
    # A colour with two names would have two meanings.
    assert len({*SOURCE_COLOURS, *PARTS, *STATES.values()}) == 8 + 6 + 4
    assert len(set(STATIC_COLOURS.values())) == len(STATIC_COLOURS)
