"""Values that devices write for "none", and times that no activity can have: in Runna's parts they become NULL.

Belongs here: which stored numbers these are, as SQL, and how many there were. Not here: the invalid values of FIT
(`fit_values.py`), fields that are absent or do not fit (`activity_files.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from engagement_assets.extract import fit_values
from engagement_assets.extract.runna.documents import Lap
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS

# By column of the laps, what nobody can have measured.
_PLACEHOLDERS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"distance_m": (*fit_values.NO_DISTANCE_M, fit_values.UINT32 / 1_000)}
    | dict.fromkeys(("moving_time_ms", "total_time_ms"), (fit_values.UINT32,))
    | dict.fromkeys(("average_speed_m_per_s", "max_speed_m_per_s"), fit_values.NO_SPEED_M_PER_S)
    # FIT counts the steps of one foot; some apps double them.
    | dict.fromkeys(("average_cadence", "max_cadence"), (fit_values.UINT8, 2 * fit_values.UINT8))
    | dict.fromkeys(("average_heart_rate", "max_heart_rate", "min_heart_rate"), (fit_values.UINT8,))
    | {"elevation_gain_m": fit_values.NO_ASCENT_M}
    | dict.fromkeys(("max_elevation_m", "min_elevation_m"), fit_values.NO_ELEVATION_M)
    | {"workout_template_step_index": (fit_values.UINT16,)}
)
# The FIT SDKs compute in single precision, whose seventh digit is rounded.
_PRECISION = 1e-6

# FIT's time begins at the end of 1989, which is what a clock shows that was never set. Seconds sent as milliseconds lie
# in 1970. A clock may be ahead of UTC by its time zone, up to 14 hours.
_EARLIEST_TIME_MS = 946_684_800_000  # 2000-01-01
_DAYS_AFTER_BATCH = 1

_LAP_COLUMNS = [name for name in RUNNA_ACTIVITY_LAPS.columns if name not in ("activity_id", "lap_index")]
_LAP_FIELDS = [f"laps.{field.encode_name}" for field in msgspec.structs.fields(Lap)]
_FIELDS_OF_LAPS = dict(zip(_LAP_COLUMNS, _LAP_FIELDS, strict=False))


def plausible_number(column: str) -> str:
    """SQL for a stored number, NULL where it is NaN or a placeholder of its column."""
    return f"case when not ({_is_placeholder(column)}) then nullif({column}, 'nan'::double) end"


def plausible_instant(column: str) -> str:
    """SQL for stored epoch milliseconds of a `day` as a TIMESTAMP, NULL where they are NaN or impossible."""
    return f"case when {_is_plausible_time(column)} then make_timestamp_ms(cast(round_even({column}, 0) as bigint)) end"


def placeholders(activities: str, laps: str) -> str:
    """The query `Extraction.placeholders`: how many stored values of two parts the functions above turn into NULL."""
    of_activities, of_laps = (
        {name: f"not isnan({name}) and not ({_is_plausible_time(name)})"} for name in ("created_on", "started_at")
    )
    of_laps |= {name: _is_placeholder(name) for name in _PLACEHOLDERS}
    return f"""
        {_counted(RUNNA_ACTIVITIES.key, activities, of_activities, {"created_on": "createdOn"})}
        union all
        {_counted(RUNNA_ACTIVITY_LAPS.key, laps, of_laps, _FIELDS_OF_LAPS)}
    """


def _counted(dataset: str, part: str, conditions: Mapping[str, str], fields: Mapping[str, str]) -> str:
    counts = ", ".join(f"count(*) filter ({condition}) as {name}" for name, condition in conditions.items())
    named = ", ".join(f"{name} as '{fields[name]}'" for name in conditions)
    return f"""
        select '{dataset}' as dataset, day, field, records
        from (select day, {counts} from {part} group by day)
        unpivot (records for field in ({named}))
        where records > 0
    """


def _is_placeholder(column: str) -> str:
    # NaN minus a number is NaN, which is greater than any number.
    conditions = (
        f"abs({column} - {value!r}::double) <= {value * _PRECISION!r}::double"
        for value in map(float, _PLACEHOLDERS.get(column, ()))
    )
    return " or ".join(conditions) or "false"


def _is_plausible_time(column: str) -> str:
    return f"({column} >= {_EARLIEST_TIME_MS} and {column} < epoch_ms(day + {_DAYS_AFTER_BATCH + 1}))"
