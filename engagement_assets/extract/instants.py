"""Instants as sources write them, read in SQL.

Belongs here: which texts are an instant, and which UTC time each one is. Not here: which fields hold
one, or what becomes of a text that is none (the reader of each kind of file).
"""

# From the year 1000 to 2999: no offset leads out of the years that a Python date can tell.
_DAY_OF_AN_EVENT = r"[12]\d{3}-\d{2}-\d{2}"
_DAY_OF_A_BOUND = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_OFFSET = r"Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?"
# What ISO 8601 and PostgreSQL allow besides, and DuckDB does not read.
_RARE_CLOCK = r"[ Tt]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?"
_RARE_OFFSET = rf" ?({_OFFSET}|z)"

_EARLIEST = "timestamp '0001-01-01 00:00:00'"
_LATEST = "timestamp '9999-12-31 23:59:59.999999'"


def instant_sql(text: str, *, or_named_utc: bool = False) -> str:
    """SQL for the UTC instant that the SQL expression `text` writes, NULL when it writes none.

    A date and a time of day to the minute or finer, with any number of decimals of a second (of which
    microseconds are kept) after a point or a comma; UTC when without an offset, before which one blank
    may stand; `t` and `z` may be small. With `or_named_utc` the zone may also be written ` UTC`. No other
    name is an offset: DuckDB 2.0.0 takes any word in its place and drops those that it does not know. A
    leap second (`:60`) is none either: which second it is would depend on the reader. A plain cast would
    take a bare date for midnight, drop offsets and know words like `infinity`.
    """
    return f"case {_cases(text, _DAY_OF_AN_EVENT, ' UTC' if or_named_utc else None)} end"


def bound_sql(text: str) -> str:
    """SQL for the UTC instant at which something begins or ends to hold, NULL when `text` writes none.

    As `instant_sql`, and besides: any year from 0001 to 9999, since 0001-01-01 and 9999-12-31 are how open
    ends are written; a date alone, for its midnight; `-infinity` and `infinity`, as PostgreSQL writes them.
    What an offset leads out of these years, and the two words, become the first or the last microsecond that
    a Python datetime can tell.
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
    """The branches of a CASE; the usual spellings come first, since the others cost several times as much."""
    zone, rare_zone = (f"{offset}|{zone_name}" if zone_name else offset for offset in (_OFFSET, _RARE_OFFSET))
    usual = f"replace(upper(left({text}, 10) || 'T' || replace(replace({text}[12:], ' ', ''), ',', '.')), 'UTC', 'Z')"
    return f"""
        when regexp_full_match({text}, '{day}{_CLOCK}') then try_cast({text} as timestamp)
        when regexp_full_match({text}, '{day}{_CLOCK}({zone})')
            then timezone('UTC', try_cast({text} as timestamptz))
        when regexp_full_match({text}, '{day}{_RARE_CLOCK}') then try_cast({usual} as timestamp)
        when regexp_full_match({text}, '{day}{_RARE_CLOCK}({rare_zone})')
            then timezone('UTC', try_cast({usual} as timestamptz))"""
