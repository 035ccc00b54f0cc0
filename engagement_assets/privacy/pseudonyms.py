"""Keyed pseudonyms for personal ids.

Belongs here: the one function that turns a personal id into a pseudonym, in Python and as SQL for DuckDB, and how such
ids are replaced in rows. Not here: which columns hold them (the datasets, see `contracts/personal.py`).
"""

import hashlib
import hmac
from collections.abc import Sequence

import duckdb

from engagement_assets.contracts.personal import NO_ID

_BLOCK_BYTES = hashlib.sha256().block_size
_PSEUDONYM_CHARACTERS = 32


def pseudonym(key: str, value: str) -> str:
    """HMAC-SHA256 of `value` under `key`, as 32 hexadecimal characters (128 bits).

    A key that has replaced another one holds it too: `new,old`. The pseudonym is then that of the old pseudonym under
    the new key, so that old pseudonyms can be rewritten without the ids (docs/decisions/0016-changing-the-key.md).
    """
    for link in reversed(key.split(",")):
        value = hmac.new(link.encode(), value.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_CHARACTERS]
    return value


def pseudonyms_ever(key: str, value: str) -> set[str]:
    """All pseudonyms that a lake may have had of an id: under this key and those that it replaced, in either case."""
    links = key.split(",")
    keys = [",".join(links[place:]) for place in range(len(links))]
    return {pseudonym(each, text) for each in keys for text in (value, value.lower())}


def pseudonym_of_id(key: str, value: str, *, ignore_case: bool = False) -> str:
    """The pseudonym of an id as `with_pseudonyms` makes it; what stands for no id stays."""
    return value if value == NO_ID else pseudonym(key, value.lower() if ignore_case else value)


def with_pseudonyms(
    connection: duckdb.DuckDBPyConnection, key: str, rows: str, columns: Sequence[str], *, ignore_case: bool = False
) -> str:
    """The query `rows` with pseudonyms in `columns`; good until the connection is given another key."""
    if not columns:
        return rows
    hashed = pseudonym_sql(connection, key, "lower(id)" if ignore_case else "id")
    # Each id once: to hash costs ten times as much as to look up.
    ids = " union ".join(f"select distinct {column} as id from found" for column in columns)
    joins = "".join(f" left join made as {column}s on found.{column} = {column}s.id" for column in columns)
    replaced = ", ".join(f"{column}s.pseudonym as {column}" for column in columns)
    return f"""
        with

        found as materialized (
            select * from ({rows})
        ),

        made as (
            select id, case when id = '{NO_ID}' then id else {hashed} end as pseudonym
            from ({ids})
            where id is not null
        )

        select found.* replace ({replaced})
        from found {joins}
    """


def pseudonym_sql(connection: duckdb.DuckDBPyConnection, key: str, value: str) -> str:
    """SQL for the pseudonym of the SQL text `value`; good until the connection is given another key.

    The key is kept in the table `pseudonym_key`, so that it stands in no SQL text, log or error. DuckDB has only
    SHA-256, so HMAC is written out: hash(outer || hash(inner || value)).
    """
    parts: dict[str, bytes] = {}
    for number, link in enumerate(reversed(key.split(","))):
        block = link.encode()
        if len(block) > _BLOCK_BYTES:
            block = hashlib.sha256(block).digest()
        block = block.ljust(_BLOCK_BYTES, b"\0")
        parts[f"inner_{number}"] = bytes(byte ^ 0x36 for byte in block)
        parts[f"outer_{number}"] = bytes(byte ^ 0x5C for byte in block)
        inner, outer = (f"(select {name}_{number} from pseudonym_key)" for name in ("inner", "outer"))
        value = f"left(sha256({outer} || unhex(sha256({inner} || encode({value})))), {_PSEUDONYM_CHARACTERS})"
    selected = ", ".join(f"${name}::blob as {name}" for name in parts)
    connection.execute(f"create or replace temp table pseudonym_key as select {selected}", parts)
    return value
