"""Instants as sources write them, read in SQL.

Belongs here: which texts are an instant, and which UTC time each one is. Not here: which fields hold one, or what
becomes of a text that is not an instant (the reader of each kind of file).
"""

# From the year 1000 to 2999: no offset can move the day out of the years of a Python date.
_DAY_OF_AN_EVENT = r"[12]\d{3}-\d{2}-\d{2}"
_DAY_OF_A_BOUND = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_OFFSET = r"Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?"
# What ISO 8601 and PostgreSQL also allow, and DuckDB does not read.
_RARE_CLOCK = r"[ Tt]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?"
_RARE_OFFSET = rf" ?({_OFFSET}|z)"

# One of each spelling, for people who write records; a test reads them.
INSTANT_SPELLINGS = (
    "2024-01-31 23:59:59",
    "2024-01-31T23:59:59.123456Z",
    "2024-01-31 23:59",
    "2024-01-31T23:59:59,5+01:00",
    "2024-01-31 23:59:59 +0100",
    "2024-01-31t23:59:59z",
)
NAMED_UTC_SPELLING = "2024-01-31 23:59:59 UTC"
BOUND_SPELLINGS = (*INSTANT_SPELLINGS, "2024-01-31", "0001-01-01", "9999-12-31", "infinity", "-infinity")

_EARLIEST = "timestamp '0001-01-01 00:00:00'"
_LATEST = "timestamp '9999-12-31 23:59:59.999999'"


def instant_sql(text: str, *, or_named_utc: bool = False) -> str:
    """SQL for the UTC instant that the SQL expression `text` writes, NULL if it is not an instant.

    An instant is a date and a time of day, to the minute or finer. Decimals of a second follow a point or a comma;
    microseconds are kept. Without an offset it is UTC. A blank may stand before the offset, and `t` and `z` may be
    lower case. With `or_named_utc` the zone may also be ` UTC`. No other name is accepted as an offset: DuckDB 2.0.0
    takes any word there, and ignores the words that it does not know. A leap second (`:60`) is not an instant, since
    readers disagree on which second it is. A plain cast would take a bare date for midnight, drop offsets and know
    words like `infinity`.
    """
    return f"case {_cases(text, _DAY_OF_AN_EVENT, ' UTC' if or_named_utc else None)} end"


def bound_sql(text: str) -> str:
    """SQL for the UTC instant from which or until which something holds, NULL if `text` is not one.

    It takes what `instant_sql` takes, and more: any year from 0001 to 9999, since open ends are written as 0001-01-01
    and 9999-12-31; a date alone, for its midnight; `-infinity` and `infinity`, as PostgreSQL writes them. These two
    words, and bounds that an offset moves out of these years, become the first or the last microsecond of a Python
    datetime.
    """
    found = f"case {_cases(text, _DAY_OF_A_BOUND)} end"
    return f"""
        case
            when {text} = '-infinity' then {_EARLIEST}
            when {text} = 'infinity' then {_LATEST}
            when starts_with({text}, '0000') then null
            when regexp_full_match({text}, '{_DAY_OF_A_BOUND}') then try_cast({text} as timestamp)
            -- Of a value and NULL, `greatest` would be the value.
            when {found} is not null then least(greatest({found}, {_EARLIEST}), {_LATEST})
        end"""


def _cases(text: str, day: str, zone_name: str | None = None) -> str:
    """The branches of a CASE. The usual forms come first, since the others cost several times as much."""
    zone, rare_zone = (f"{offset}|{zone_name}" if zone_name else offset for offset in (_OFFSET, _RARE_OFFSET))
    usual = f"replace(upper(left({text}, 10) || 'T' || replace(replace({text}[12:], ' ', ''), ',', '.')), 'UTC', 'Z')"
    return f"""
        when regexp_full_match({text}, '{day}{_CLOCK}') then try_cast({text} as timestamp)
        when regexp_full_match({text}, '{day}{_CLOCK}({zone})')
            then timezone('UTC', try_cast({text} as timestamptz))
        when regexp_full_match({text}, '{day}{_RARE_CLOCK}') then try_cast({usual} as timestamp)
        when regexp_full_match({text}, '{day}{_RARE_CLOCK}({rare_zone})')
            then timezone('UTC', try_cast({usual} as timestamptz))"""
