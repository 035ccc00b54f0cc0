"""The places of an athlete's activities: none, or one coarse cell for all starts of a season.

Belongs here: the cells, which one a season gets, and activities without any other place. Not here: which names stand
for a place (`extract/places.py`), pages (`strava/extraction.py`).

A grid alone hides nobody. Starts around a home that lies near an edge of the grid fall into two cells, and the home is
found along that edge. So a season has one cell, whatever its starts are. It is chosen once, remembered in the lake, and
never depends on what is loaded later. Where a start in the same or a neighbouring cell was chosen for another season,
its cell is taken again, because two neighbouring cells would tell the edge, too.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import cos, floor, radians
from pathlib import Path
from secrets import token_hex
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.places import without_places
from engagement_assets.extract.services.records import BadValueError, instant
from engagement_assets.extract.strava.source import ACTIVITY

# The centre of a cell: latitude and longitude.
Cell = tuple[float, float]

# Of latitude, which is 5.6 km everywhere. A cell is at least as wide.
CELL_DEGREES = 0.05
_MAX_LATITUDE, _MAX_LONGITUDE = 90, 180
_DECIMALS = 4
_START = "start_latlng"
_KNOWN = frozenset(field.path for field in ACTIVITY.fields)
_FIRST_MONTH_OF_SECOND_HALF = 7


class SeasonPlaces:
    """What is kept of places, and the cells that were chosen so far, in the file `uri` of the lake.

    A season is half a calendar year, by the UTC day of the start. The caller holds the lock of the load.
    """

    def __init__(self, kept: KeptPlaces, uri: str) -> None:
        """Read the cells that were chosen; if no place is kept, forget them.

        Raises:
            ValueError: the file is not one that `SeasonPlaces` has written.
        """
        self._kept, self._uri = kept, uri
        self._filesystem, self._path = fsspec.core.url_to_fs(uri, use_listings_cache=False)
        self._cells: dict[str, dict[str, Cell]] = {}
        if self._filesystem.exists(self._path):
            if kept is KeptPlaces.NONE:
                self._filesystem.rm_file(self._path)
            else:
                self._read()

    def only_cells(self, activities: str) -> str:
        """A table expression: the rows of another one, without any place but the chosen cells."""
        cells = {cell for seasons in self._cells.values() for cell in seasons.values()}
        is_cell = " or ".join(
            f"(start_latitude, start_longitude) = ({latitude!r}, {longitude!r})" for latitude, longitude in cells
        )
        columns = (
            f"if({is_cell or 'false'}, {name}, null) as {name}" for name in ("start_latitude", "start_longitude")
        )
        return f"(select * replace ({', '.join(columns)}) from {activities})"

    def clean(self, records: Sequence[Any]) -> list[Any]:
        """The activities without any place but the cell of their season; this chooses the cells of new seasons.

        A season gets the cell in which most of these activities began. What is cleaned already stays as it is.
        """
        if self._kept is KeptPlaces.COARSE:
            self._choose(records)
        return [self._cleaned(record) for record in records]

    def _cleaned(self, record: Any) -> Any:
        cleaned = without_places(record, kept=_KNOWN)
        if isinstance(cleaned, dict) and _START in cleaned:
            cell = None
            if _start_of(record) and (season := _season_of(record)):
                athlete, half = season
                cell = self._cells.get(athlete, {}).get(half)
            cleaned[_START] = cell and list(cell)
        return cleaned

    def _choose(self, records: Iterable[Any]) -> None:
        found: dict[tuple[str, str], Counter[Cell]] = {}
        for record in records:
            start, season = _start_of(record), _season_of(record)
            if start and season and season[1] not in self._cells.get(season[0], {}):
                found.setdefault(season, Counter())[cell_of(*start)] += 1
        for (athlete, half), counted in sorted(found.items()):
            seasons = self._cells.setdefault(athlete, {})
            cell = min(counted, key=lambda each: (-counted[each], each))
            seasons[half] = next((other for other in seasons.values() if _are_neighbours(cell, other)), cell)
        if found:
            self._write()

    def _read(self) -> None:
        try:
            found = json.loads(self._filesystem.cat_file(self._path))
            self._cells = {
                athlete: {half: (float(cell[0]), float(cell[1])) for half, cell in seasons.items()}
                for athlete, seasons in found.items()
            }
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(
                f"{self._uri} is not a file of chosen cells, expected athlete → season → centre. Put it back from a "
                "copy, or remove it: each season then gets a cell anew, so load all days of Strava again"
            ) from error

    def _write(self) -> None:
        """Before any page or row has a cell: a load that is killed, retried or replayed must find the same one."""
        content = json.dumps(self._cells, indent=1, sort_keys=True).encode()
        self._filesystem.makedirs(self._path.rpartition("/")[0], exist_ok=True)
        if not isinstance(self._filesystem, LocalFileSystem):
            self._filesystem.pipe_file(self._path, content)
            return
        draft = Path(f"{self._path}.{token_hex(8)}")
        draft.write_bytes(content)
        draft.replace(self._path)


def cell_of(latitude: float, longitude: float) -> Cell:
    """The centre of the cell of a place."""
    row = min(floor(latitude / CELL_DEGREES), round(_MAX_LATITUDE / CELL_DEGREES) - 1)
    middle = (row + 0.5) * CELL_DEGREES
    width = _width(middle)
    column = min(floor((longitude + _MAX_LONGITUDE) / width), round(2 * _MAX_LONGITUDE / width) - 1)
    return round(middle, _DECIMALS), round((column + 0.5) * width - _MAX_LONGITUDE, _DECIMALS)


def _width(middle: float) -> float:
    """The degrees of longitude of the cells of a row: as many cells as fit, none narrower than it is high."""
    return 2 * _MAX_LONGITUDE / max(1, floor(2 * _MAX_LONGITUDE * cos(radians(middle)) / CELL_DEGREES))


def _are_neighbours(cell: Cell, other: Cell) -> bool:
    """Whether two cells are the same or touch each other."""
    (latitude, longitude), (other_latitude, other_longitude) = cell, other
    apart = abs(longitude - other_longitude)
    # Rows have cells of slightly different widths.
    reach = 1.5 * max(_width(latitude), _width(other_latitude))
    return abs(latitude - other_latitude) < 1.5 * CELL_DEGREES and min(apart, 2 * _MAX_LONGITUDE - apart) < reach


def _start_of(record: Any) -> tuple[float, float] | None:
    """Where an activity began, if that is a place.

    Out of range, such as Garmin's `[180, 180]` for "none", is no place, and neither is 0, 0: devices without a fix
    write zeros, and this point lies in the open sea, 500 km from any coast.
    """
    match record:
        case {"start_latlng": [0, 0]}:
            return None
        case {"start_latlng": [int() | float() as latitude, int() | float() as longitude]}:
            if abs(latitude) <= _MAX_LATITUDE and abs(longitude) <= _MAX_LONGITUDE:
                return latitude, longitude
    return None


def _season_of(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """The athlete of an activity, and the half of a year in which it began, such as `2024-2`."""
    try:
        started = instant(record["start_date"])
    except (BadValueError, KeyError, TypeError):
        return None
    athlete = record.get("athlete")
    number = athlete.get("id") if isinstance(athlete, dict) else None
    half = 1 + (started.month >= _FIRST_MONTH_OF_SECOND_HALF)
    return str(number or ""), f"{started.year}-{half}"
