"""The source Strava: its datasets, and what the rest of the project needs to know of it.

Belongs here: the description. Not here: how the service is read (`extract/strava/extraction.py`).
"""

from engagement_assets.contracts.datasets import Dataset, sql_columns
from engagement_assets.contracts.source import Source

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
    append_only=False,
    personal_columns=("activity_name", "start_latitude", "start_longitude", "_extra", "source_path"),
)


STRAVA_ACTIVITY_KUDOS = Dataset(
    key="raw_strava/activity_kudos",
    description=(
        "One row per activity and day of observation: how many kudos it had when it was read last on that day. "
        "The day is the UTC day of the activity's start."
    ),
    columns=sql_columns(
        """
        activity_id BIGINT, observed_on DATE, kudos_count BIGINT, source_path VARCHAR, extracted_at TIMESTAMP
        """
    ),
    identity=("activity_id", "observed_on"),
    loaded_together=True,
    append_only=True,
    personal_columns=("source_path",),
)

STRAVA = Source(
    name="strava",
    title="Strava",
    area="strava",
    datasets=(STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS),
    required_settings=("STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET", "STRAVA_REFRESH_TOKEN"),
    trailing_days_setting="STRAVA_TRAILING_DAYS",
)
