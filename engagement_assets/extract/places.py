"""Places in JSON values: which names stand for one, and the same value without them.

Belongs here: the names, in every spelling, and taking their values out. Not here: places that are kept on purpose
(`strava/places.py`).

Whatever names a place keeps its name, so that schema drift tells it, and loses its value.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from engagement_assets.extract.lines.json_records import MAX_NESTING

# `startLatLng`, `start_latlng` and `context.location.lat` are made of the same words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PLACE_WORD = re.compile(
    r"(lat|lng|lon|latlng|latlon|latlong|lnglat|lonlat|latitude|longitude|coord|coordinate|gps|geo\w*|loc|location|pos"
    r"|position|place|bbox|bound|polyline|route|track|map|waypoint|trackpoint|address|street|zip|zipcode|postcode)s?"
)
# In a name that is written without marks between its words.
_PLACE_IN_A_WORD = re.compile(
    r"latitude|longitude|latl(ng|on)|lonlat|lnglat|polyline|coordinate|geohash|geojson|waypoint|(^|start|end)(lat|lng|lon)$"
)
_MAX_DEGREES = 180
# A source's records have the same few names again and again; names that are data do not fill the memory.
_NAMES_REMEMBERED = 10_000


@lru_cache(_NAMES_REMEMBERED)
def names_a_place(name: str) -> bool:
    """Whether a field of this name holds a place or a part of one; its path may stand before it, with dots."""
    if name.lower() == "long":
        return True
    words = [word.lower() for word in _WORD.findall(name)]
    return any(_PLACE_WORD.fullmatch(word) or _PLACE_IN_A_WORD.search(word) for word in words)


def without_places(value: Any, *, kept: Collection[str] = (), levels: int = MAX_NESTING + 1) -> Any:
    """The same JSON value with null for everything that names a place, and for each list of numbers that may be one.

    The names of the members `kept` of the value itself count as no places. Containers deeper than `levels` are taken
    out too, since they may hold places; no reader takes a record with more.
    """
    match value:
        case dict() | list() if levels == 0:
            return None
        case dict():
            return {
                name: None if name not in kept and names_a_place(name) else without_places(inner, levels=levels - 1)
                for name, inner in value.items()
            }
        case list() if _may_be_a_point(value):
            return None
        case list():
            return [without_places(inner, levels=levels - 1) for inner in value]
    return value


def _may_be_a_point(numbers: list[Any]) -> bool:
    """Whether a list is a pair of coordinates, in either order, perhaps with an elevation."""
    match numbers:
        case [int() | float(), int() | float()] | [int() | float(), int() | float(), _]:
            pair = numbers[:2]
            return any(isinstance(each, float) for each in pair) and max(map(abs, pair)) <= _MAX_DEGREES
    return False
