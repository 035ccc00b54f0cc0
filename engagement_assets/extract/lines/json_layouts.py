"""Layouts of JSON lines: how most records of a file are written, so that one comparison proves them right.

Belongs here: learning a layout from a sample line. Not here: what a record must look like and how any other line is
judged (`json_records.py`), which lines are samples (`jsonl_records.py`).

Lines of a file are alike: same keys, same order, same spaces. A few of them show such a layout. A line that equals the
layout filled with its own values is then proven right by that one comparison.
"""

import json
from typing import Any

from engagement_assets.extract.lines.json_fields import Kind
from engagement_assets.extract.lines.json_records import RecordShape, quoted


def layout_of(shape: RecordShape, sample: str) -> str | None:
    """SQL for the line that has the layout of `sample` and the values of `texts`.

    None if the sample shows no layout: unknown fields, values of the wrong type, unusual white space. Comparing a line
    with its layout proves something only if the line holds no backslash: then no text holds a quote, and reading the
    filled layout from left to right gives these keys with these values and nothing else. A list ends where it closes.
    """
    try:
        record = json.loads(sample)
    except (ValueError, RecursionError):
        return None
    for separators in ((", ", ": "), (",", ":")):
        if json.dumps(record, separators=separators, ensure_ascii=False) == sample:
            parts = _layout_parts(shape, record, "", separators)
            return f"concat({', '.join(parts)})" if parts else None
    return None


def _layout_parts(shape: RecordShape, node: Any, path: str, separators: tuple[str, str]) -> list[str] | None:
    """The pieces of the layout of one value, as SQL; None for what no contract names."""
    if path and path not in shape.parents:
        places = [place for place, field in enumerate(shape.fields, 1) if field.path == path]
        return _leaf_parts(shape, node, places[0]) if places else None
    if not isinstance(node, dict):
        return None
    parts = [quoted("{")]
    for number, (name, value) in enumerate(node.items()):
        of_value = _layout_parts(shape, value, f"{path}.{name}" if path else name, separators)
        if of_value is None:
            return None
        comma = separators[0] if number else ""
        parts += [quoted(f'{comma}"{name}"{separators[1]}'), *of_value]
    return [*parts, quoted("}")]


def _leaf_parts(shape: RecordShape, value: Any, place: int) -> list[str] | None:
    """The pieces of the layout of one field's value; None for a value of the wrong type."""
    text = f"texts[{place}]"
    match value, shape.fields[place - 1].kind:
        case None, _:
            return [quoted("null")]
        case str(), Kind.TEXT | Kind.INSTANT | Kind.BOUND:
            return [quoted('"'), text, quoted('"')]
        case (bool(), Kind.FLAG) | (list(), Kind.LIST):
            return [text]
        case (int() | float(), Kind.SECONDS) if not isinstance(value, bool):
            return [text]
    return None
