"""Which names stand for a place, and what is left of a JSON value without places."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.extract.lines.json_records import MAX_NESTING
from engagement_assets.extract.places import names_a_place, without_places
from engagement_assets.extract.services.documents import is_nested_deeper

PLACES = [
    "start_latlng", "end_latlng", "lat", "start_lat", "startlat", "lng", "lon", "long", "start_latitude", "Latitude",
    "endLongitude", "latitudeE7", "lats", "startLatLng", "coordinates", "latlon", "polyline", "summary_polyline", "map",
    "Map", "GPSPosition", "gps", "geo", "geohash", "geo_point", "position", "context.location.lat", "location_city",
    "waypoints", "home_address", "route", "loc",
]  # fmt: skip
OTHERS = [
    "name", "distance", "flat", "platform", "segment", "mapped", "longest", "plateau", "relation", "longRun", "salon",
    "elapsed_time", "planet", "app_version", "latency",
]  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_name_of_a_place_is_known_in_every_spelling(name: str) -> None:
    assert names_a_place(name)


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_no_places(name: str) -> None:
    assert not names_a_place(name)


values = st.recursive(
    st.floats(200, 10**9) | st.integers(-(10**9), 10**9) | st.sampled_from(["51.50741", "x"]) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PLACES, *OTHERS]), inner, max_size=4),
    max_leaves=20,
)


def members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from members(inner)


@given(values)
def test_a_place_keeps_its_name_alone(value: Any) -> None:
    cleaned = without_places(value)
    assert [name for name, _ in members(cleaned)] != [] or not isinstance(value, dict) or not value
    assert all(inner is None for name, inner in members(cleaned) if name in PLACES)
    assert without_places(cleaned) == cleaned


@given(values)
def test_what_names_no_place_stays_as_it_is(value: Any) -> None:
    harmless = json.loads(re.sub(r'"(?:' + "|".join(PLACES) + r')":', '"name":', json.dumps(value)))
    assert without_places(harmless) == harmless


@pytest.mark.parametrize("point", [[51.50741, -0.12345], [-0.12345, 51.50741, 17], [51.50741, 0], [51.5, -0.1, 2.5]])
def test_a_point_without_a_name_is_a_place_too(point: list[float]) -> None:
    assert without_places({"begin": point, "line": [point, point]}) == {"begin": None, "line": [None, None]}


@pytest.mark.parametrize("numbers", [[1, 2], [181.5, 2.5], [1.5], [1.5, 2.5, 3.5, 4.5], [10**400, 1.5], [1.5, "x"]])
def test_other_lists_of_numbers_stay(numbers: list[Any]) -> None:
    assert without_places({"zones": numbers}) == {"zones": numbers}


def test_members_that_are_kept_on_purpose_lose_no_more_than_the_places_in_them() -> None:
    record = {"location_country": "UK", "inner": {"location_country": "UK"}, "distance": {"lat": 51.50741}}
    assert without_places(record, kept={"location_country", "distance"}) == {
        "location_country": "UK",
        "inner": {"location_country": None},
        "distance": {"lat": None},
    }


def test_a_document_of_any_depth_is_cleaned_and_stays_too_deep_for_readers() -> None:
    deep: Any = {"start_latlng": [51.50741, -0.12345]}
    for _ in range(900):
        deep = {"d": deep}
    cleaned = without_places(deep)
    assert "51.50741" not in json.dumps(cleaned)
    assert is_nested_deeper(cleaned, MAX_NESTING)
