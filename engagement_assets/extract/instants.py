"""Instants as sources write them, read in SQL.

Belongs here: which texts are an instant, and which UTC time each one is. Not here: which fields hold
one, or what becomes of a text that is none (the reader of each kind of file).
"""

# From the year 1000 to 2999: no offset leads out of the years that a Python date can tell.
_CLOCK = r"[12]\d{3}-\d{2}-\d{2}[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_OFFSET = r"Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?"


def instant_sql(text: str, *, or_named_utc: bool = False) -> str:
    """SQL for the UTC instant that the SQL expression `text` writes, NULL when it writes none.

    A date and a time of day to the second, with any number of decimals (of which microseconds are
    kept); UTC when without an offset. With `or_named_utc` the zone may also be written ` UTC`.
    A plain cast would take a bare date for midnight, drop offsets and know words like `infinity`.
    """
    zone = f"{_OFFSET}| UTC" if or_named_utc else _OFFSET
    return f"""
        case
            when regexp_full_match({text}, '{_CLOCK}') then try_cast({text} as timestamp)
            when regexp_full_match({text}, '{_CLOCK}({zone})')
                then timezone('UTC', try_cast({text} as timestamptz))
        end"""
