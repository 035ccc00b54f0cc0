"""Small published tables, and the rows that a section's dataflow makes of its own.

Belongs here: what the tests of sections share. Not here: what a section must show.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import vl_convert

from engagement_assets.report.figures import Section
from engagement_assets.report.html import columns_of

LOADS = (
    "create schema audit; create table audit.ingestion_loads "
    "(source varchar, dataset varchar, status varchar, partition_date date, loaded_at timestamp)"
)


def create(connection: duckdb.DuckDBPyConnection, table: str, columns: str, *rows: Sequence[Any]) -> None:
    """Create `schema.table` with these columns (`name type, …`) and rows."""
    connection.execute(f"create schema if not exists {table.partition('.')[0]}; create table {table} ({columns})")
    if rows:
        connection.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)


def observe(connection: duckdb.DuckDBPyConnection, source: str, first_day: str, days: int) -> None:
    """Record that days from `first_day` on were loaded after they had ended."""
    connection.execute(
        "insert into audit.ingestion_loads select ?, 'events', 'published', day::date, day + interval 2 day "
        "from (select ?::timestamp + to_days(unnest(range(?))::int) as day)",
        [source, first_day, days],
    )


def rows_of(section: Section, dataset: str, fields: Sequence[str], **signals: str) -> list[tuple[str, ...]]:
    """The rows of a dataset as texts, after these signals have been set; Vega computes them, as in the page."""
    tables = [{"name": name, "values": _records(columns_of(table))} for name, table in section.tables.items()]
    text = " + '|' + ".join(f"datum.{field}" for field in fields)
    drawn = vl_convert.vega_to_svg(
        {
            "signals": [
                {**each, "value": signals[each["name"]]} if each["name"] in signals else each
                for each in section.all_signals()
            ],
            "data": [*tables, *section.dataflow],
            "marks": [{"type": "text", "from": {"data": dataset}, "encode": {"enter": {"text": {"signal": text}}}}],
        }
    )
    return [tuple(html.unescape(each).split("|")) for each in re.findall(r"<text[^>]*>(.*?)</text>", drawn)]


def _records(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {
        name: [None if at < 0 else column["values"][at] for at in column["at"]] if "at" in column else column["values"]
        for name, column in columns.items()
    }
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
