"""An activity of Strava: its fields, their meaning, and which of their values mean "none".

Belongs here: one activity as the service sends it. Not here: pages of activities (`strava/extraction.py`).
"""

import re
from collections.abc import Callable

from engagement_assets.extract import fit_values
from engagement_assets.extract.absent_values import is_absent
from engagement_assets.extract.services.records import (
    ApiField,
    ApiRecordShape,
    BadValueError,
    Value,
    amount,
    instant,
    number,
    text,
    whole_number,
)

_MAX_LATITUDE, _MAX_LONGITUDE = 90, 180
# Up to here a float holds every whole number exactly.
_MAX_EXACT_FLOAT = 2**53
_MAX_ID_DIGITS = 19

_BRACKET = re.compile(r"^\(.*?\)\s*")


def _one_of(*invalid: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and value in invalid


def _is_no_place(value: object) -> bool:
    """Whether a pair of coordinates is not a place: out of range, such as Garmin's `[180, 180]` for "none", or 0, 0.

    Devices without a fix write zeros; this point lies in the open sea, 500 km from any coast. Coordinates that were
    removed before the page was kept (see `without_exact_places`) are not a place either.
    """
    match value:
        case [None, None] | [0, 0]:
            return True
        case [int() | float() as latitude, _] if abs(latitude) > _MAX_LATITUDE:
            return True
        case [_, int() | float() as longitude] if abs(longitude) > _MAX_LONGITUDE:
            return True
    return False


def _coordinate(place: int) -> Callable[[object], Value]:
    def convert(value: object) -> Value:
        match value:
            case [_, _]:
                return number(value[place])
        raise BadValueError("wrong_type", "a pair of coordinates", value)

    return convert


def activity_id(value: object) -> int:
    """A whole number, or a text of its digits: services send ids as either; raises BadValueError for all else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_ID_DIGITS:
        return whole_number(int(value))
    if isinstance(value, float) and value > _MAX_EXACT_FLOAT:
        raise BadValueError("out_of_range", "an id that a float holds exactly", value)
    return whole_number(value)


def _time_zone(value: object) -> str | None:
    """Of `(GMT+00:00) Europe/London` the part after the bracket."""
    found = _BRACKET.sub("", text(value))
    return None if is_absent(found) else found


_NO_SPEED = _one_of(*fit_values.NO_SPEED_M_PER_S)
_NO_DISTANCE = _one_of(*fit_values.NO_DISTANCE_M)
# FIT has milliseconds, Strava sends whole seconds.
_NO_TIME = _one_of(fit_values.UINT32 / 1_000, fit_values.UINT32 // 1_000, fit_values.UINT32)
_NO_ASCENT = _one_of(*fit_values.NO_ASCENT_M)
_NO_RATE = _one_of(fit_values.UINT8, fit_values.UINT32)
_NO_TEMPERATURE = _one_of(fit_values.SINT8, fit_values.UINT32)

ACTIVITY = ApiRecordShape(
    fields=(
        ApiField("id", "activity_id", activity_id, required=True),
        ApiField("start_date", "started_at", instant, required=True),
        ApiField("name", "activity_name", text),
        ApiField("distance", "distance_m", amount, is_placeholder=_NO_DISTANCE),
        ApiField("moving_time", "moving_time_s", whole_number, is_placeholder=_NO_TIME),
        ApiField("elapsed_time", "elapsed_time_s", whole_number, is_placeholder=_NO_TIME),
        ApiField("total_elevation_gain", "total_elevation_gain_m", number, is_placeholder=_NO_ASCENT),
        ApiField("type", "activity_type", text),
        ApiField("sport_type", "sport_type", text),
        ApiField("workout_type", "workout_type", whole_number),
        ApiField("location_country", "location_country", text),
        ApiField("achievement_count", "achievement_count", whole_number),
        ApiField("kudos_count", "kudos_count", whole_number),
        ApiField("comment_count", "comment_count", whole_number),
        ApiField("athlete_count", "athlete_count", whole_number),
        ApiField("average_speed", "average_speed_m_per_s", amount, is_placeholder=_NO_SPEED),
        ApiField("max_speed", "max_speed_m_per_s", amount, is_placeholder=_NO_SPEED),
        ApiField("average_cadence", "average_cadence", amount, is_placeholder=_NO_RATE),
        ApiField("average_temp", "average_temperature_c", number, is_placeholder=_NO_TEMPERATURE),
        ApiField("average_heartrate", "average_heart_rate", amount, is_placeholder=_NO_RATE),
        ApiField("max_heartrate", "max_heart_rate", amount, is_placeholder=_NO_RATE),
        ApiField("suffer_score", "suffer_score", number),
        ApiField("timezone", "time_zone", _time_zone),
        ApiField("start_latlng", "start_latitude", _coordinate(0), is_placeholder=_is_no_place),
        ApiField("start_latlng", "start_longitude", _coordinate(1), is_placeholder=_is_no_place),
    ),
    ignored=frozenset(
        {
            "athlete", "commute", "device_name", "device_watts", "display_hide_heartrate_option", "elev_high",
            "elev_low", "end_latlng", "external_id", "flagged", "from_accepted_tag", "gear_id", "has_heartrate",
            "has_kudoed", "heartrate_opt_out", "kilojoules", "location_city", "location_state", "manual", "map",
            "max_watts", "photo_count", "pr_count", "private", "resource_state", "start_date_local", "start_latitude",
            "start_longitude", "total_photo_count", "trainer", "upload_id", "upload_id_str", "utc_offset", "visibility",
            "weighted_average_watts", "average_watts",
        }
    ),
)  # fmt: skip
