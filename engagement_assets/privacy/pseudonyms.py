"""Keyed pseudonyms for personal ids.

Belongs here: the one function that turns a personal id into a pseudonym, in Python and as SQL for DuckDB, and how such
ids are replaced in rows. Not here: which columns hold them (the datasets, see `contracts/personal.py`).
"""

import hashlib
import hmac
from collections.abc import Sequence

import duckdb

_BLOCK_BYTES = hashlib.sha256().block_size
_PSEUDONYM_CHARACTERS = 32


def pseudonym(key: str, value: str) -> str:
    """HMAC-SHA256 of `value` under `key`, as 32 hexadecimal characters (128 bits)."""
    digest = hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()
    return digest[:_PSEUDONYM_CHARACTERS]


def pseudonym_sql(value: str) -> str:
    """SQL for the pseudonym of the SQL text `value`, with the bound `pseudonym_parameters`."""
    return _pseudonym_sql(value, "$pseudonym_inner::blob", "$pseudonym_outer::blob")


def _pseudonym_sql(value: str, inner_key: str, outer_key: str) -> str:
    """HMAC written out, since DuckDB has only SHA-256: hash(outer || hash(inner || value))."""
    inner = f"unhex(sha256({inner_key} || encode({value})))"
    return f"left(sha256({outer_key} || {inner}), {_PSEUDONYM_CHARACTERS})"


def pseudonym_parameters(key: str) -> dict[str, bytes]:
    """The parameters that `pseudonym_sql` needs; as secret as the key itself."""
    block = key.encode()
    if len(block) > _BLOCK_BYTES:
        block = hashlib.sha256(block).digest()
    block = block.ljust(_BLOCK_BYTES, b"\0")
    return {
        "pseudonym_inner": bytes(byte ^ 0x36 for byte in block),
        "pseudonym_outer": bytes(byte ^ 0x5C for byte in block),
    }


def keep_key(connection: duckdb.DuckDBPyConnection, key: str) -> None:
    """Keep the key on the connection for `with_pseudonyms`, so that it stands in no SQL text, log or error."""
    connection.execute(
        "create or replace temp table pseudonym_key as select $pseudonym_inner::blob as inner_key, "
        "$pseudonym_outer::blob as outer_key",
        pseudonym_parameters(key),
    )


def kept_pseudonym_sql(value: str) -> str:
    """SQL for the pseudonym of the SQL text `value`; the connection must have taken the key by `keep_key`."""
    return _pseudonym_sql(value, "(select inner_key from pseudonym_key)", "(select outer_key from pseudonym_key)")


def with_pseudonyms(rows: str, columns: Sequence[str]) -> str:
    """The query `rows` with pseudonyms in `columns`; its connection must have taken the key by `keep_key`."""
    if not columns:
        return rows
    # Each id once: to hash costs ten times as much as to look up.
    ids = " union ".join(f"select {column} as id from found" for column in columns)
    joins = "".join(f" left join made as {column}s on found.{column} = {column}s.id" for column in columns)
    replaced = ", ".join(f"{column}s.pseudonym as {column}" for column in columns)
    return f"""
        with

        found as materialized (
            select * from ({rows})
        ),

        made as (
            select id, {_pseudonym_sql("id", "inner_key", "outer_key")} as pseudonym
            from ({ids}), pseudonym_key
            where id is not null
        )

        select found.* replace ({replaced})
        from found {joins}
    """
