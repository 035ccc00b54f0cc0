"""The source Strava: its datasets, and the fields of an activity, with their values that mean "none".

Belongs here: the description, and one activity as the service sends it. Not here: how the service is read, and pages of
activities (`strava/extraction.py`).
"""

import re
from collections.abc import Callable
from typing import Any

from engagement_assets.contracts.datasets import Dataset, sql_columns
from engagement_assets.contracts.field_notes import Exchange, Note
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.contracts.source import Source
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

# Up to here a float holds every whole number exactly.
_MAX_EXACT_FLOAT = 2**53
_MAX_ID_DIGITS = 19

_BRACKET = re.compile(r"^\(.*?\)\s*")


def _one_of(*invalid: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and value in invalid


def _coordinate(place: int) -> Callable[[object], Value]:
    def convert(value: object) -> Value:
        """A list of two numbers, latitude first; `[]` and null are none."""
        match value:
            case [_, _]:
                return number(value[place])
        raise BadValueError("wrong_type", "a pair of coordinates", value)

    return convert


# SQL for the id of a rejected record in the quarantine, from what is kept of it or from its text.
ID_OF_REJECTED = (
    "try_cast(coalesce(json_extract_string(record, '$.fields.id'), "
    "case when json_valid(raw_text) then json_extract_string(raw_text, '$.id') end) as bigint)"
)


def activity_id(value: object) -> int:
    """A whole number, or a text of its digits: services send ids as either; raises BadValueError for all else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_ID_DIGITS:
        return whole_number(int(value))
    if isinstance(value, float) and value > _MAX_EXACT_FLOAT:
        raise BadValueError("out_of_range", "an id that a float holds exactly", value)
    return whole_number(value)


def id_of(record: Any) -> int | None:
    """The id of a record, even if the rest cannot be used."""
    try:
        return activity_id(record["id"])
    except (BadValueError, KeyError, TypeError):
        return None


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
        ApiField("id", "activity_id", activity_id, required=True, note=Note("The activity", 1234567890)),
        ApiField(
            "start_date",
            "started_at",
            instant,
            required=True,
            note=Note("When it began; it dates the activity", "2024-01-05T07:30:00Z", "UTC"),
        ),
        ApiField("name", "activity_name", text, note=Note("The title that the athlete gave it", "Morning run")),
        ApiField("distance", "distance_m", amount, is_placeholder=_NO_DISTANCE, note=Note("Distance", 10012.5, "m")),
        ApiField(
            "moving_time",
            "moving_time_s",
            whole_number,
            is_placeholder=_NO_TIME,
            note=Note("Time in motion", 3000, "s"),
        ),
        ApiField(
            "elapsed_time",
            "elapsed_time_s",
            whole_number,
            is_placeholder=_NO_TIME,
            note=Note("Time from start to end", 3100, "s"),
        ),
        ApiField(
            "total_elevation_gain",
            "total_elevation_gain_m",
            number,
            is_placeholder=_NO_ASCENT,
            note=Note("Height climbed", 85.0, "m"),
        ),
        ApiField("type", "activity_type", text, note=Note("Older and coarser kind of sport", "Run")),
        ApiField("sport_type", "sport_type", text, note=Note("Kind of sport; unknown ones are kept", "TrailRun")),
        ApiField(
            "workout_type",
            "workout_type",
            whole_number,
            note=Note("For runs: 0 default, 1 race, 2 long run, 3 workout", 3),
        ),
        ApiField("location_country", "location_country", text, note=Note("Country of the start", "Spain")),
        ApiField("achievement_count", "achievement_count", whole_number, note=Note("Achievements", 2)),
        ApiField("kudos_count", "kudos_count", whole_number, note=Note("Kudos; each day's number is kept", 12)),
        ApiField("comment_count", "comment_count", whole_number, note=Note("Comments", 1)),
        ApiField("athlete_count", "athlete_count", whole_number, note=Note("Athletes who took part", 1)),
        ApiField(
            "average_speed",
            "average_speed_m_per_s",
            amount,
            is_placeholder=_NO_SPEED,
            note=Note("Average speed", 3.3375, "m/s"),
        ),
        ApiField(
            "max_speed", "max_speed_m_per_s", amount, is_placeholder=_NO_SPEED, note=Note("Highest speed", 4.8, "m/s")
        ),
        ApiField(
            "average_cadence",
            "average_cadence",
            amount,
            is_placeholder=_NO_RATE,
            note=Note("Average cadence", 86.5, "per minute"),
        ),
        ApiField(
            "average_temp",
            "average_temperature_c",
            number,
            is_placeholder=_NO_TEMPERATURE,
            note=Note("Average temperature", 14, "°C"),
        ),
        ApiField(
            "average_heartrate",
            "average_heart_rate",
            amount,
            is_placeholder=_NO_RATE,
            note=Note("Average heart rate", 152.3, "per minute"),
        ),
        ApiField(
            "max_heartrate",
            "max_heart_rate",
            amount,
            is_placeholder=_NO_RATE,
            note=Note("Highest heart rate", 176, "per minute"),
        ),
        ApiField("suffer_score", "suffer_score", number, note=Note("Strava's measure of effort", 61)),
        ApiField("timezone", "time_zone", _time_zone, note=Note("Time zone of the start", "(GMT+01:00) Europe/Madrid")),
        # Whatever the service sends: `strava/places.py` leaves the centre of a coarse cell, or nothing.
        ApiField(
            "start_latlng",
            "start_latitude",
            _coordinate(0),
            note=Note("Place of the start; no place is kept unless STRAVA_PLACES=coarse", [40.4, -3.7], "degrees"),
        ),
        ApiField("start_latlng", "start_longitude", _coordinate(1)),
    ),
    ignored=frozenset(
        {
            "athlete",
            "commute",
            "device_name",
            "device_watts",
            "display_hide_heartrate_option",
            "elev_high",
            "elev_low",
            "end_latlng",
            "external_id",
            "flagged",
            "from_accepted_tag",
            "gear_id",
            "has_heartrate",
            "has_kudoed",
            "heartrate_opt_out",
            "kilojoules",
            "location_city",
            "location_state",
            "manual",
            "map",
            "max_watts",
            "photo_count",
            "pr_count",
            "private",
            "resource_state",
            "start_date_local",
            "start_latitude",
            "start_longitude",
            "total_photo_count",
            "trainer",
            "upload_id",
            "upload_id_str",
            "utc_offset",
            "visibility",
            "weighted_average_watts",
            "average_watts",
        }
    ),
)

STRAVA_ACTIVITIES = Dataset(
    key="raw_strava/activities",
    description=(
        "One row per activity of the athlete, as the API gave it last; the day is the UTC day of `started_at`. "
        "An activity that is missing from a completely read window stays, marked as deleted."
    ),
    columns=sql_columns(
        """
        activity_id BIGINT, activity_name VARCHAR, distance_m DOUBLE, moving_time_s BIGINT, elapsed_time_s BIGINT,
        total_elevation_gain_m DOUBLE, activity_type VARCHAR, sport_type VARCHAR, workout_type BIGINT,
        location_country VARCHAR, achievement_count BIGINT, kudos_count BIGINT, comment_count BIGINT,
        athlete_count BIGINT, average_speed_m_per_s DOUBLE, max_speed_m_per_s DOUBLE, average_cadence DOUBLE,
        average_temperature_c DOUBLE, average_heart_rate DOUBLE, max_heart_rate DOUBLE, suffer_score DOUBLE,
        started_at TIMESTAMP, time_zone VARCHAR, start_latitude DOUBLE, start_longitude DOUBLE, deleted_at TIMESTAMP,
        _extra VARCHAR, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id",),
    loaded_together=True,
    newest_load_wins=True,
    append_only=False,
    personal={
        "activity_name": PersonalKind.FREE_TEXT,
        "start_latitude": PersonalKind.PLACE,
        "start_longitude": PersonalKind.PLACE,
    },
    impersonal="""
        activity_id, distance_m, moving_time_s, elapsed_time_s, total_elevation_gain_m, activity_type, sport_type,
        workout_type, location_country, achievement_count, kudos_count, comment_count, athlete_count,
        average_speed_m_per_s, max_speed_m_per_s, average_cadence, average_temperature_c, average_heart_rate,
        max_heart_rate, suffer_score, started_at, time_zone, deleted_at
    """,
)


STRAVA_ACTIVITY_KUDOS = Dataset(
    key="raw_strava/activity_kudos",
    description=(
        "One row per activity and day of observation: how many kudos it had when it was read last on that day, and "
        "what was known of it then: its newest state may differ. The day is the UTC day of the activity's start."
    ),
    columns=sql_columns(
        """
        activity_id BIGINT, observed_on DATE, kudos_count BIGINT, started_at TIMESTAMP, activity_type VARCHAR,
        sport_type VARCHAR, workout_type BIGINT, distance_m DOUBLE, moving_time_s BIGINT, total_elevation_gain_m DOUBLE,
        athlete_count BIGINT, name_word_count BIGINT, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id", "observed_on"),
    loaded_together=True,
    newest_load_wins=True,
    append_only=True,
    impersonal="""
        activity_id, observed_on, kudos_count, started_at, activity_type, sport_type, workout_type, distance_m,
        moving_time_s, total_elevation_gain_m, athlete_count, name_word_count
    """,
)

STRAVA = Source(
    name="strava",
    title="Strava",
    area="strava",
    datasets=(STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS),
    required_settings=("STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET", "STRAVA_REFRESH_TOKEN"),
    trailing_days_setting="STRAVA_TRAILING_DAYS",
    sent={STRAVA_ACTIVITIES.key: ACTIVITY.sent},
)

# What `strava/tokens.py` and `strava/api.py` ask, for people who put another service in its place.
EXCHANGES = (
    Exchange(
        "`POST <STRAVA_OAUTH_BASE_URL>/token` with the form `client_id`, `client_secret`, `grant_type=refresh_token`, "
        "`refresh_token`",
        (
            (
                "200 and an object with `access_token`, `expires_at` (epoch seconds) and perhaps `refresh_token`",
                "a token; a new refresh token replaces the old one",
            ),
            ("401", "the application is unknown: the run stops with a sentence"),
        ),
    ),
    Exchange(
        "`GET <STRAVA_API_BASE_URL>/athlete/activities?after=&before=&page=&per_page=200` with the header "
        "`Authorization: Bearer <access token>`; `after` and `before` are epoch seconds",
        (
            ("200 and a list of activities", "a page; the next one is asked for"),
            ("200 and an empty list", "the end of the list"),
            ("401", "the token is renewed, once"),
            (
                "429, with the headers `X-RateLimit-Limit` and `X-RateLimit-Usage` (`15 minutes,day`)",
                "the run waits for the next quarter of an hour, or stops until the next day",
            ),
            ("403", "the service refuses: the run stops with a sentence"),
            ("500 to 599, or no answer", "asked again, then the run stops; what is complete is kept"),
        ),
    ),
)
