"""An activity of Strava: its fields, what they mean, and which of their values mean "none".

Belongs here: one activity as the service sends it. Not here: pages of them, and what becomes of those known before
(`strava/extraction.py`).
"""

import re
from collections.abc import Callable

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
# Up to here a float tells two whole numbers apart.
_MAX_EXACT_FLOAT = 2**53
_MAX_ID_DIGITS = 19

_BRACKET = re.compile(r"^\(.*?\)\s*")


def _none_of(*numbers: float) -> Callable[[object], bool]:
    """Whether a value is one of the numbers that a device writes for "none".

    These are the invalid values of FIT's base types (FIT SDK, "Base Types": all bits set, but the sign's), in the unit
    that the profile gives to the field: 65,535 mm/s are 65.535 m/s. The largest one is sent unscaled, too.
    """
    invalid = {*numbers, _UINT32_INVALID}
    return lambda value: isinstance(value, int | float) and value in invalid


def _is_no_place(value: object) -> bool:
    """Whether a pair of coordinates lies nowhere: out of range, as `[180, 180]` of FIT's and Garmin's "none", or 0, 0.

    Devices without a fix write zeros. There is open sea around this point, 500 km from any coast: nobody starts there.
    Two coordinates that were left out before a page was kept (see `without_exact_places`) name no place either.
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
        if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - a pair
            raise BadValueError("wrong_type", "a pair of coordinates", value)
        return number(value[place])

    return convert


def activity_id(value: object) -> int:
    """A whole number, also as a text of its digits: services change their minds about ids.

    Raises:
        BadValueError: it is none, or no activity can have it.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_ID_DIGITS:
        return whole_number(int(value))
    if isinstance(value, float) and value > _MAX_EXACT_FLOAT:
        raise BadValueError("out_of_range", "an id that a float holds exactly", value)
    return whole_number(value)


def _time_zone(value: object) -> str | None:
    """`(GMT+00:00) Europe/London` means what follows the bracket."""
    found = _BRACKET.sub("", text(value))
    return None if is_absent(found) else found


_UINT8_INVALID, _SINT8_INVALID, _UINT16_INVALID, _UINT32_INVALID = 255, 127, 65_535, 4_294_967_295
_NO_SPEED = _none_of(_UINT16_INVALID / 1000, _UINT32_INVALID / 1000)
_NO_DISTANCE = _none_of(_UINT32_INVALID / 100)
# Strava sends whole seconds.
_NO_TIME = _none_of(_UINT32_INVALID / 1000, _UINT32_INVALID // 1000)
_NO_ASCENT = _none_of(_UINT16_INVALID)
_NO_RATE = _none_of(_UINT8_INVALID)
_NO_TEMPERATURE = _none_of(_SINT8_INVALID)

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
    # What the service is known to send and no table needs.
    ignored=frozenset(
        {
            "athlete", "commute", "device_name", "device_watts", "display_hide_heartrate_option", "elev_high",
            "elev_low",
            "end_latlng", "external_id", "flagged", "from_accepted_tag", "gear_id", "has_heartrate", "has_kudoed",
            "heartrate_opt_out", "kilojoules", "location_city", "location_state", "manual", "map", "max_watts",
            "photo_count", "pr_count", "private", "resource_state", "start_date_local", "start_latitude",
            "start_longitude", "total_photo_count", "trainer", "upload_id", "upload_id_str", "utc_offset", "visibility",
            "weighted_average_watts", "average_watts",
        }
    ),
)  # fmt: skip
