"""What a JSON record must look like, as SQL for DuckDB.

Belongs here: the fields of a record, and the expressions that turn a line into columns, judge it
and find what it holds beyond its contract. Not here: where lines come from (`line_files.py`), how they
are read (`jsonl_records.py`), which records a source sends (the source's own module).

A line is judged in one of two ways. Lines of a file are alike: same keys, same order, same spaces.
So a few lines are looked at to learn such a layout, and a line that equals the layout filled with
its own values is proven right by that one comparison. Any other line (an absent optional field, an
extra one, an escape, a defect) is judged by looking up its types and keys, which costs several
times as much. Values that came through DuckDB's reader are no proof: it makes numbers of texts and
texts of numbers without a word.

The expressions speak of `line` (the text), `texts`, `types`, `keys`, `found` and `repeated_key`
(the properties of these names) and `moment` (`moment_value`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from engagement_assets.extract.extraction import Calendar
from engagement_assets.extract.instants import instant_sql

# DuckDB gives up on documents that nest deeper, and so do other readers of what `_extra` keeps.
MAX_NESTING = 128
# Up to 2**53 milliseconds a double is exact.
MAX_SECONDS = 2**53 // 1000

_JSON_STRING = r'"([^"\\]|\\.)*"'
_COMMA_BEFORE_END = r",[ \t]*[}\]]"


class Kind(StrEnum):
    """What a field holds, in the words of a message."""

    TEXT = "a text"
    SECONDS = "a number of seconds"
    FLAG = "true or false"
    INSTANT = "a time such as 2021-01-31 23:59:59.123"
    LIST = "a list"


_JSON_TYPES: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("VARCHAR",),
    Kind.SECONDS: ("DOUBLE", "UBIGINT", "BIGINT", "HUGEINT", "UHUGEINT"),
    Kind.FLAG: ("BOOLEAN",),
    Kind.INSTANT: ("VARCHAR",),
    Kind.LIST: ("ARRAY",),
}


@dataclass(frozen=True)
class Field:
    """A field of a record: its dotted path, the column it becomes, what it holds.

    Of a list only the length is kept (BIGINT), seconds become whole milliseconds (BIGINT), an
    instant becomes UTC (TIMESTAMP). A required field is a text that is not empty, or an instant.
    """

    path: str
    column: str
    kind: Kind = Kind.TEXT
    required: bool = False


@dataclass(frozen=True)
class RecordShape:
    """All fields that the contract of a record names.

    `moment` is the path of the instant that dates the record, None where nothing does.
    """

    fields: tuple[Field, ...]
    moment: str | None = None

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """Paths of the objects within the record that hold fields, outer ones first."""
        found: dict[str, None] = {}
        for field in self.fields:
            names = field.path.split(".")
            found |= {".".join(names[:depth]): None for depth in range(1, len(names))}
        return tuple(found)

    @property
    def _paths(self) -> list[str]:
        return [*(field.path for field in self.fields), *self.parents]

    @property
    def texts(self) -> str:
        """The values of all fields as texts, NULL where absent or null; fails if not JSON."""
        return f"json_extract_string(line, {[f'$.{field.path}' for field in self.fields]})"

    @property
    def types(self) -> str:
        """The JSON types of fields, parents and the record itself; fails if not JSON."""
        return f"json_type(line, {[f'$.{path}' for path in self._paths] + ['$']})"

    @property
    def keys(self) -> str:
        """The keys of the record and then of each parent, as a list of lists; fails if not JSON."""
        return f"json_keys(line, {['$', *(f'$.{path}' for path in self.parents)]})"

    @property
    def moment_value(self) -> str:
        """The instant that dates the record."""
        places = [place for place, field in enumerate(self.fields, 1) if field.path == self.moment]
        return instant_sql(f"texts[{places[0]}]") if places else "cast(null as timestamp)"

    @property
    def columns(self) -> str:
        """The columns of a record that was found right."""
        return ", ".join(
            f"{self._value(field, f'texts[{place}]')} as {field.column}" for place, field in enumerate(self.fields, 1)
        )

    @property
    def fits(self) -> str:
        """Whether the values of a line that equals a layout can be used."""
        conditions = []
        for place, field in enumerate(self.fields, 1):
            text = f"texts[{place}]"
            match field.kind:
                case Kind.SECONDS:
                    # To DuckDB NaN is greater than any number, so it is out of range as well.
                    fits = f"try_cast({text} as double) between 0 and {MAX_SECONDS}"
                    conditions.append(f"({text} is null or coalesce({fits}, false))")
                case Kind.FLAG:
                    conditions.append(f"coalesce({text} in ('true', 'false'), true)")
                case Kind.INSTANT:
                    absent = "false" if field.required else f"{text} is null"
                    conditions.append(f"({absent} or {self._value(field, text)} is not null)")
                case Kind.TEXT if field.required:
                    conditions.append(f"{text} <> ''")
        return " and ".join(conditions)

    def with_moment_alone(self) -> "RecordShape":
        """The shape of what must be read to date a record."""
        fields = (field for field in self.fields if field.path == self.moment)
        return RecordShape(tuple(fields), self.moment)

    def layout(self, sample: str) -> str | None:
        """SQL for the line that has the layout of `sample` and the values of `texts`.

        None where no layout can be told: unknown fields, values of the wrong type, lists, unusual
        white space. The comparison of a line with it proves something only where the line holds no
        backslash: then no value holds a quote, and reading the filled layout from left to right
        gives these keys with these values and nothing else.
        """
        try:
            record = json.loads(sample)
        except (ValueError, RecursionError):
            return None
        for separators in ((", ", ": "), (",", ":")):
            if json.dumps(record, separators=separators, ensure_ascii=False) == sample:
                parts = self._layout_parts(record, "", separators)
                return f"concat({', '.join(parts)})" if parts else None
        return None

    def _layout_parts(self, node: Any, path: str, separators: tuple[str, str]) -> list[str] | None:
        """The pieces of the layout of one value, as SQL; None for what no contract names."""
        if path and path not in self.parents:
            places = [place for place, field in enumerate(self.fields, 1) if field.path == path]
            return self._leaf_parts(node, places[0]) if places else None
        if not isinstance(node, dict):
            return None
        parts = [_quoted("{")]
        for number, (name, value) in enumerate(node.items()):
            of_value = self._layout_parts(value, f"{path}.{name}" if path else name, separators)
            if of_value is None:
                return None
            comma = separators[0] if number else ""
            parts += [_quoted(f'{comma}"{name}"{separators[1]}'), *of_value]
        return [*parts, _quoted("}")]

    def _leaf_parts(self, value: Any, place: int) -> list[str] | None:
        """The pieces of the layout of one field's value; None for a value of the wrong type."""
        text = f"texts[{place}]"
        match value, self.fields[place - 1].kind:
            case None, _:
                return [_quoted("null")]
            case str(), Kind.TEXT | Kind.INSTANT:
                return [_quoted('"'), text, _quoted('"')]
            case (bool(), Kind.FLAG):
                return [text]
            case (int() | float(), Kind.SECONDS) if not isinstance(value, bool):
                return [text]
        return None

    @property
    def text_verdict(self) -> str:
        """What is wrong with a line as a text, or with how deep it goes."""
        return _first_of(
            [
                (
                    f"regexp_matches(line, '{_COMMA_BEFORE_END}') and regexp_matches("
                    f"regexp_replace(line, '{_JSON_STRING}', '', 'g'), '{_COMMA_BEFORE_END}')",
                    "not_json",
                    "'expected a JSON object, found a comma before a closing bracket'",
                ),
                (
                    # Counting brackets is cheap, and shows which lines need not be walked through.
                    "strlen(line) - strlen(replace(replace(line, '[', ''), '{', '')) "
                    f"> {MAX_NESTING} and json_valid(line) and try(json_structure(line)) is null",
                    "nesting_too_deep",
                    f"'expected at most {MAX_NESTING} levels of nesting, found more'",
                ),
            ]
        )

    @property
    def found(self) -> str:
        """What `types` say, in the words of a message."""
        return """list_transform(types, lambda name: case coalesce(name, '')
            when '' then 'nothing' when 'NULL' then 'null' when 'VARCHAR' then 'a text'
            when 'BOOLEAN' then 'true or false' when 'OBJECT' then 'an object'
            when 'ARRAY' then 'a list' else 'a number' end)"""

    @property
    def repeated_key(self) -> str:
        """A key that one object of `keys` holds more than once, NULL if none."""
        repeated = [
            f"list_filter(keys[{place}], lambda name, place: list_position(keys[{place}], name) < place)[1]"
            for place in range(1, len(self.parents) + 2)
        ]
        return f"coalesce({', '.join(repeated)}, null)"

    @property
    def structure_verdict(self) -> str:
        """What is wrong with `types`, as `found` and `repeated_key` tell; those of no JSON are NULL."""
        own = len(self._paths) + 1
        rules = [
            ("types is null", "not_json", "'expected a JSON object, found no valid JSON'"),
            (
                f"types[{own}] <> 'OBJECT'",
                "wrong_type",
                f"'expected a JSON object, found ' || found[{own}]",
            ),
            (
                "repeated_key is not null",
                "duplicate_key",
                "repeated_key || ': expected once, found more than once'",
            ),
        ]
        for place, path in enumerate(self.parents, len(self.fields) + 1):
            message = f"'{path}: expected an object, found ' || found[{place}]"
            rules.append((f"types[{place}] not in ('OBJECT', 'NULL')", "wrong_type", message))
        for place, field in enumerate(self.fields, 1):
            message = f"'{field.path}: expected {field.kind}, found ' || found[{place}]"
            if field.required:
                absent = f"coalesce(types[{place}], 'NULL') = 'NULL'"
                rules.append((absent, f"missing_{field.column}", message))
            known = (*_JSON_TYPES[field.kind], "NULL")
            rules.append((f"types[{place}] not in {known}", "wrong_type", message))
        return _first_of(rules)

    @property
    def value_verdict(self) -> str:
        """What is wrong with the values of a record whose structure is right."""
        rules = []
        for place, field in enumerate(self.fields, 1):
            text = f"texts[{place}]"
            expected = f"'{field.path}: expected {field.kind}, found '"
            match field.kind:
                case Kind.TEXT if field.required:
                    empty = (f"{text} = ''", f"missing_{field.column}", f"{expected} || 'an empty one'")
                    rules.append(empty)
                case Kind.SECONDS:
                    number, found = f"cast({text} as double)", f"{expected} || {text}"
                    rules += [
                        (f"not isfinite({number})", "not_a_number", found),
                        (f"{number} < 0", "negative_value", found),
                        (f"{number} > {MAX_SECONDS}", "out_of_range", found),
                    ]
                case Kind.INSTANT:
                    found = f"{expected} || left({text}, 64)"
                    unreadable = f"{text} is not null and {self._value(field, text)} is null"
                    rules.append((unreadable, "bad_timestamp", found))
        return _first_of(rules)

    def calendar_verdict(self, calendar: Calendar) -> str:
        """What is wrong with `moment` where the record is right in all else."""
        if self.moment is None:
            return "null"
        place = next(place for place, field in enumerate(self.fields, 1) if field.path == self.moment)
        return _first_of([outside_calendar(calendar, "moment", self.moment, f"texts[{place}]")])

    @property
    def unknown_members(self) -> str:
        """The members that no contract names, from `keys`: a list of `path` and JSON `pointer`."""
        levels = []
        for place, parent in enumerate(("", *self.parents), 1):
            known = [path.rpartition(".")[2] for path in self._paths if _parent(path) == parent]
            pointer = "".join(f"/{name}" for name in (*filter(None, parent.split(".")), ""))
            levels.append(
                f"list_transform(list_filter(coalesce(keys[{place}], []), "
                f"lambda name: not list_contains({known}, name)), lambda name: {{"
                f"'path': '{parent}{'.' if parent else ''}' || name, "
                f"'pointer': '{pointer}' || replace(replace(name, '~', '~0'), '/', '~1')}})"
            )
        return f"flatten([{', '.join(levels)}])"

    @staticmethod
    def extra_fields(unknown_members: str) -> str:
        """The `unknown_members` with their values as a JSON object with dotted keys, NULL if none."""
        # Of two members with the same dotted path, `{"a.b": 1, "a": {"b": 2}}`, the first stays.
        return f"""
            case
                when len({unknown_members}) > 0 then cast(to_json(map_from_entries(list_transform(
                    list_filter({unknown_members}, lambda member, place: list_position(
                        list_transform({unknown_members}, lambda other: other.path), member.path
                    ) = place),
                    lambda member: row(member.path, json_extract(line, member.pointer))
                ))) as varchar)
            end"""

    def _value(self, field: Field, text: str) -> str:
        match field.kind:
            case Kind.SECONDS:
                return f"try_cast(round(try_cast({text} as double) * 1000) as bigint)"
            case Kind.FLAG:
                return f"{text} = 'true'"
            case Kind.INSTANT:
                return "moment" if field.path == self.moment else instant_sql(text)
            case Kind.LIST:
                return f"try(cast(json_array_length({text}) as bigint))"
            case Kind.TEXT:
                return text


def outside_calendar(calendar: Calendar, moment: str, name: str, text: str) -> tuple[str, str, str]:
    """The rule for a record whose own time no load is for: condition, reason code and message, all but the code SQL.

    `moment` is the SQL instant that dates the record, `text` how the record writes it in the field `name`.
    """
    message = f"'{name}: expected a day from {calendar}, found ' || left({text}, 64)"
    return calendar.is_outside_sql(moment), "outside_calendar", message


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _first_of(rules: Sequence[tuple[str, str, str]]) -> str:
    """SQL for the first rule whose condition holds, from conditions, reason codes and messages."""
    cases = " ".join(
        f"when {condition} then {{'reason_code': '{reason_code}', 'message': {message}}}"
        for condition, reason_code, message in rules
    )
    return f"case {cases} end"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
