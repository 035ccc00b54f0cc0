"""What is kept of an athlete's places: nothing, or one cell for a season, whatever is loaded in whichever order."""

import json
import math
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.strava.places import CELL_DEGREES, SeasonPlaces, cell_of

HOME = [51.50741, -0.12345]
HOME_CELL = list(cell_of(51.50741, -0.12345))
KM_PER_DEGREE = 111.19


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "lake/places/strava.json")


def coarse(uri: str) -> SeasonPlaces:
    return SeasonPlaces(KeptPlaces.COARSE, uri)


def activity(start: Any, day: str = "2024-03-02", athlete: Any = 1) -> dict[str, Any]:
    return {
        "id": 1, "start_date": f"{day}T07:00:00Z", "start_latlng": start, "end_latlng": start,
        "athlete": {"id": athlete}, "start_latitude": HOME[0], "map": {"summary_polyline": "ki{eFv"},
        "location_city": "London", "location_country": "UK", "distance": 1.23456, "laps": [{"startLatitude": HOME[0]}],
    }  # fmt: skip


def starts(found: list[dict[str, Any]]) -> list[Any]:
    return [record["start_latlng"] for record in found]


@pytest.mark.parametrize(("kept", "start"), [(KeptPlaces.NONE, None), (KeptPlaces.COARSE, HOME_CELL)])
def test_all_spellings_of_places_go_the_same_way(uri: str, kept: KeptPlaces, start: Any) -> None:
    assert SeasonPlaces(kept, uri).clean([activity(HOME)]) == [
        {
            "id": 1, "start_date": "2024-03-02T07:00:00Z", "start_latlng": start, "end_latlng": None,
            "athlete": {"id": 1}, "start_latitude": None, "map": None, "location_city": None, "location_country": "UK",
            "distance": 1.23456, "laps": [{"startLatitude": None}],
        }
    ]  # fmt: skip


def test_by_default_nothing_is_kept_and_what_was_chosen_is_forgotten(uri: str) -> None:
    coarse(uri).clean([activity(HOME)])
    assert Path(uri).exists()
    nothing = SeasonPlaces(KeptPlaces.NONE, uri)
    assert not Path(uri).exists()
    assert starts(nothing.clean([activity(HOME_CELL)])) == [None]


def test_starts_around_a_home_at_an_edge_fall_into_one_cell(uri: str) -> None:
    draw = Random(7)
    # The north edge of a cell, and the corner where it meets its east edge.
    corner = [51.55, HOME_CELL[1] + 360 / math.floor(360 * math.cos(math.radians(51.525)) / CELL_DEGREES) / 2]
    around = [activity([degrees + draw.gauss(0, 0.002) for degrees in corner]) for _ in range(250)]
    assert len({cell_of(*start) for start in starts(around)}) >= 3
    assert len({tuple(start) for start in starts(coarse(uri).clean(around))}) == 1


def test_a_season_gets_the_cell_in_which_most_of_the_first_page_began(uri: str) -> None:
    holiday = [39.57, 2.65]
    found = coarse(uri).clean([activity(holiday), activity(HOME), activity(HOME)])
    assert starts(found) == [HOME_CELL] * 3


def test_the_choice_is_kept_whatever_comes_later(uri: str) -> None:
    holiday = [39.57, 2.65]
    coarse(uri).clean([activity(HOME)])
    again = coarse(uri)
    assert starts(again.clean([activity(holiday)] * 9)) == [HOME_CELL] * 9
    # A page that was kept by an earlier try, or comes out of the quarantine.
    assert again.clean(again.clean([activity(holiday)])) == again.clean([activity(holiday)])
    assert json.loads(Path(uri).read_text()) == {"1": {"2024-1": HOME_CELL}}
    assert [path.name for path in Path(uri).parent.iterdir()] == ["strava.json"]


def test_each_half_of_a_year_and_each_athlete_has_a_cell(uri: str) -> None:
    moved, third = [48.14, 11.58], [40.42, -3.7]
    places = coarse(uri)
    found = places.clean(
        [activity(HOME, "2024-06-30"), activity(moved, "2024-07-01"), activity(third, athlete=2), activity(HOME)]
    )
    assert starts(found) == [HOME_CELL, list(cell_of(*moved)), list(cell_of(*third)), HOME_CELL]
    assert starts(places.clean([activity(moved, "2024-06-30"), activity(HOME, "2024-12-31")])) == [
        HOME_CELL,
        list(cell_of(*moved)),
    ]


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))))
def test_neighbouring_cells_of_two_seasons_would_tell_the_edge(uri: str, order: tuple[int, ...]) -> None:
    near = [[51.5499, HOME_CELL[1]], [51.5501, HOME_CELL[1]], [51.5499, HOME_CELL[1] + 0.07]]
    assert len({cell_of(*start) for start in near}) == 3
    days = ["2024-01-01", "2024-08-01", "2025-01-01"]
    for place in order:
        coarse(uri).clean([activity(near[place], days[place])])
    cells = [cell for seasons in json.loads(Path(uri).read_text()).values() for cell in seasons.values()]
    assert cells == [list(cell_of(*near[order[0]]))] * 3


def test_neighbours_meet_across_the_date_line(uri: str) -> None:
    places = coarse(uri)
    west = places.clean([activity([-16.8, 179.99])])
    assert starts(west) == starts(places.clean([activity([-16.8, -179.99], "2024-08-01")]))


@pytest.mark.parametrize(
    "start",
    [[180.0, 180.0], [179.99999991618097] * 2, [0, 0], [0.0, -0.0], [90.01, 10.0], [-91, None], [51.5, 180.01],
     [None, None], [], None, "51.50741,-0.12345", [51.5], [51.5, "x"], {"lat": 51.5}],
)  # fmt: skip
def test_what_is_no_place_is_none_and_chooses_no_cell(uri: str, start: Any) -> None:
    places = coarse(uri)
    assert starts(places.clean([activity(start)])) == [None]
    assert not Path(uri).exists()


@pytest.mark.parametrize("change", [{"start_date": None}, {"start_date": "soon"}])
def test_a_start_at_no_time_has_no_season(uri: str, change: dict[str, Any]) -> None:
    assert starts(coarse(uri).clean([activity(HOME) | change])) == [None]


def test_an_activity_without_an_athlete_has_a_season_too(uri: str) -> None:
    found = coarse(uri).clean([activity(HOME) | {"athlete": "x"}, {"start_date": "2024-03-02", "start_latlng": HOME}])
    assert starts(found) == [HOME_CELL] * 2


@pytest.mark.parametrize("record", ["x", None, 7, [51.50741, -0.12345], {}])
def test_a_record_that_is_no_activity_stays_or_loses_its_place(uri: str, record: Any) -> None:
    assert coarse(uri).clean([record]) == [None if isinstance(record, list) else record]


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_cell_has_its_place_in_it_and_is_five_kilometres_wide(latitude: float, longitude: float) -> None:
    middle, centre = cell_of(latitude, longitude)
    columns = max(1, math.floor(360 * math.cos(math.radians(middle)) / CELL_DEGREES))
    assert abs(latitude - middle) <= CELL_DEGREES / 2 + 1e-9
    assert abs(longitude - centre) <= 180 / columns + 1e-4
    assert 360 / columns * math.cos(math.radians(middle)) * KM_PER_DEGREE >= 5
    assert cell_of(middle, centre) == (middle, centre)


def test_rows_of_the_lake_keep_no_place_but_a_chosen_cell(uri: str) -> None:
    places = coarse(uri)
    places.clean([activity(HOME)])
    lake = f"(values (1, {HOME_CELL[0]}::double, {HOME_CELL[1]}::double), (2, 51.51, -0.12), (3, null, null))"
    columns = "t (activity_id, start_latitude, start_longitude)"
    query = "select * from {} order by all".format
    assert duckdb.execute(query(places.only_cells(f"{lake} as {columns}"))).fetchall() == [
        (1, *HOME_CELL), (2, None, None), (3, None, None),
    ]  # fmt: skip
    nothing = SeasonPlaces(KeptPlaces.NONE, uri)
    assert {row[1:] for row in duckdb.execute(query(nothing.only_cells(f"{lake} as {columns}"))).fetchall()} == {
        (None, None)
    }


@pytest.mark.parametrize("content", ["", "[]", '{"1": [1]}', '{"1": {"2024-1": [1]}}'])
def test_a_damaged_file_of_cells_is_refused(uri: str, content: str) -> None:
    Path(uri).parent.mkdir(parents=True)
    Path(uri).write_text(content)
    with pytest.raises(ValueError, match=r"strava.json is not a file of chosen cells, expected .* remove it"):
        coarse(uri)
