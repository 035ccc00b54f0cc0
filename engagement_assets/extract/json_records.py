"""What a JSON record must look like, as SQL for DuckDB.

Belongs here: the fields of a record, and the expressions that type a line, judge it and find what
it holds beyond its contract. Not here: where lines come from (`jsonl.py`), how they are read
(`jsonl_records.py`), which records a source sends (the source's own module).

A line is judged twice. The usual line has every field, each with a value of the usual type, and no
other field: looking up its types and counting its keys proves that cheaply. Whatever is not usual
(an absent optional field, an extra one, a defect) is judged with care. DuckDB's reader coerces
(`"1.5"` becomes a number, 5 a text), so a type is always looked up, never taken from the value that
came through. It also tolerates a comma after the last member of an object, and so do we.

The expressions speak of these names: `line` (the text), `types` (`RecordShape.types`), `keys`
(`RecordShape.keys`), `record` (the struct from `RecordShape.structure`), `moment` (the instant that
dates the record).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Any

# DuckDB itself gives up on documents that nest deeper, and so do readers of what `_extra` keeps.
MAX_NESTING = 128
# Up to 2**53 a double holds an integer exactly.
MAX_SECONDS = 2**53 // 1000

_NUMBER_TYPES = ("DOUBLE", "UBIGINT", "BIGINT", "HUGEINT", "UHUGEINT")
_CLOCK = r"\d{4}-\d{2}-\d{2}[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_OFFSET = r"(Z|[+-]\d{2}(:?[0-5]\d)?)"


class Kind(StrEnum):
    """What a field holds, in the words of a message."""

    TEXT = "a text"
    SECONDS = "a number of seconds"
    FLAG = "true or false"
    INSTANT = "a time such as 2021-01-31 23:59:59.123"
    LIST = "a list"


# Kind → type for json_transform, JSON types of the usual value, JSON types of any value that fits.
_TYPES: dict[Kind, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
    Kind.TEXT: ("VARCHAR", ("VARCHAR",), ("VARCHAR",)),
    Kind.SECONDS: ("DOUBLE", ("DOUBLE", "UBIGINT"), _NUMBER_TYPES),
    Kind.FLAG: ("BOOLEAN", ("BOOLEAN",), ("BOOLEAN",)),
    Kind.INSTANT: ("VARCHAR", ("VARCHAR",), ("VARCHAR",)),
    Kind.LIST: (["VARCHAR"], ("ARRAY",), ("ARRAY",)),
}


@dataclass(frozen=True)
class Field:
    """A field of a record: its dotted path, the column it becomes, what it holds.

    A required field is a text that is not empty, or an instant. Of a list only the length is kept;
    seconds become whole milliseconds (BIGINT), an instant becomes UTC (TIMESTAMP).
    """

    path: str
    column: str
    kind: Kind = Kind.TEXT
    required: bool = False

    @property
    def member(self) -> str:
        """The field within the struct `record`."""
        return ".".join(["record", *(f'"{name}"' for name in self.path.split("."))])


def instant(text: str) -> str:
    """SQL for the UTC instant that the SQL expression `text` writes, NULL when it writes none.

    A date and a time of day to the second with any number of decimals; without an offset it is UTC.
    A plain cast would take a bare date for midnight, drop offsets and know words such as `infinity`.
    """
    return f"""
        case
            when regexp_full_match({text}, '{_CLOCK}') then try_cast({text} as timestamp)
            when regexp_full_match({text}, '{_CLOCK}{_OFFSET}')
                then timezone('UTC', try_cast({text} as timestamptz))
        end"""


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

    @cached_property
    def structure(self) -> str:
        """The structure of `record` for `json_transform`, as an SQL literal."""
        tree: dict[str, Any] = {}
        for field in self.fields:
            *parents, name = field.path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = _TYPES[field.kind][0]
        return f"'{json.dumps(tree)}'"

    @property
    def types(self) -> str:
        """The JSON types of all fields and then of all parents, as a list."""
        paths = [f"$.{path}" for path in (*(field.path for field in self.fields), *self.parents)]
        return f"json_type(line, {paths})"

    @property
    def keys(self) -> str:
        """The keys of the record and then of each parent, as a list of lists."""
        return f"json_keys(line, {['$', *(f'$.{path}' for path in self.parents)]})"

    @property
    def is_usual(self) -> str:
        """Whether `types` and `keys` are those of a record with all fields and no other."""
        choices = product(*(_TYPES[field.kind][1] for field in self.fields))
        parents = ("OBJECT",) * len(self.parents)
        usual = " or ".join(f"types = {[*choice, *parents]}" for choice in choices)
        return f"({usual}) and len(flatten(keys)) = {len(self.fields) + len(self.parents)}"

    @property
    def fits(self) -> str:
        """Whether the values of a usual `record` can be used."""
        return " and ".join(self._fits(field) for field in self.fields)

    def _fits(self, field: Field) -> str:
        match field.kind:
            case Kind.SECONDS:
                # To DuckDB NaN is greater than any number, so it is out of range as well.
                return f"{field.member} between 0 and {MAX_SECONDS}"
            case Kind.INSTANT:
                return f"{self.value(field)} is not null"
            case Kind.TEXT if field.required:
                return f"{field.member} <> ''"
            case _:
                return "true"

    def value(self, field: Field) -> str:
        """The value of a field's column."""
        match field.kind:
            case Kind.SECONDS:
                return f"try_cast(round({field.member} * 1000) as bigint)"
            case Kind.INSTANT:
                return "moment" if field.path == self.moment else instant(field.member)
            case Kind.LIST:
                return f"len({field.member})"
            case _:
                return field.member

    @property
    def columns(self) -> str:
        """The columns of a `record`."""
        return ", ".join(f"{self.value(field)} as {field.column}" for field in self.fields)

    @property
    def verdict(self) -> str:
        """What is wrong with a line, as a struct of `reason_code` and `message`; NULL if nothing."""
        number_of_fields = len(self.fields)
        rules = [
            ("types is null", "not_json", _quoted("expected a JSON object, found no valid JSON")),
            (
                "json_type(line) <> 'OBJECT'",
                "wrong_type",
                f"'expected a JSON object, found ' || {_found('json_type(line)')}",
            ),
            (
                # Counting brackets is cheap, and rules out what need not be walked through.
                "strlen(line) - strlen(replace(replace(line, '[', ''), '{', '')) "
                f"> {MAX_NESTING} and try(json_structure(line)) is null",
                "nesting_too_deep",
                _quoted(f"expected at most {MAX_NESTING} levels of nesting, found more"),
            ),
            (
                f"{self._repeated_key} is not null",
                "duplicate_key",
                f"{self._repeated_key} || ': expected once, found more than once'",
            ),
        ]
        for index, path in enumerate(self.parents, number_of_fields + 1):
            message = f"{_quoted(f'{path}: expected an object, found ')} || {_found(f'types[{index}]')}"
            rules.append((f"types[{index}] not in ('OBJECT', 'NULL')", "wrong_type", message))
        for index, field in enumerate(self.fields, 1):
            rules += self._rules_of(field, f"types[{index}]")
        cases = " ".join(
            f"when {condition} then {{'reason_code': '{code}', 'message': {message}}}"
            for condition, code, message in rules
        )
        return f"case {cases} end"

    def _rules_of(self, field: Field, json_type: str) -> list[tuple[str, str, str]]:
        """Condition, reason code and message of all that can be wrong with a field, in order."""
        fitting = ", ".join(f"'{name}'" for name in _TYPES[field.kind][2])
        expected = _quoted(f"{field.path}: expected {field.kind}, found ")
        rules = [
            (
                f"{json_type} not in ({fitting}, 'NULL')",
                "wrong_type",
                f"{expected} || {_found(json_type)}",
            )
        ]
        if field.required:
            missing = f"missing_{field.column}"
            rules.append(
                (
                    f"coalesce({json_type}, 'NULL') = 'NULL'",
                    missing,
                    f"{expected} || {_found(json_type)}",
                )
            )
            rules.append((f"{field.member} = ''", missing, f"{expected} || 'an empty one'"))
        match field.kind:
            case Kind.SECONDS:
                found = f"{expected} || cast({field.member} as varchar)"
                rules += [
                    (f"not isfinite({field.member})", "not_a_number", found),
                    (f"{field.member} < 0", "negative_value", found),
                    (f"{field.member} > {MAX_SECONDS}", "out_of_range", found),
                ]
            case Kind.INSTANT:
                condition = f"{field.member} is not null and {self.value(field)} is null"
                found = f"{expected} || '''' || left({field.member}, 64) || ''''"
                rules.append((condition, "bad_timestamp", found))
        return rules

    @property
    def _repeated_key(self) -> str:
        levels = [
            f"list_extract(list_filter(keys[{index}], lambda name, place: "
            f"list_position(keys[{index}], name) < place), 1)"
            for index in range(1, len(self.parents) + 2)
        ]
        return f"coalesce({', '.join(levels)})"

    @property
    def extra(self) -> str:
        """The fields that no contract names, as a JSON object with dotted keys; NULL if none."""
        entries = []
        for index, parent in enumerate(("", *self.parents), 1):
            prefix = f"{parent}." if parent else ""
            members = (*(field.path for field in self.fields), *self.parents)
            known = [
                path.removeprefix(prefix)
                for path in members
                if path.rpartition(".")[0] == parent
            ]
            pointer = "".join(f"/{name}" for name in parent.split(".") if name)
            entries.append(
                f"map_from_entries(list_transform(list_filter(coalesce(keys[{index}], []), "
                f"lambda name: not list_contains({known}, name)), lambda name: row("
                f"{_quoted(prefix)} || name, json_extract(line, {_quoted(pointer + '/')} || "
                "replace(replace(name, '~', '~0'), '/', '~1')))))"
            )
        known_keys = (
            f"len(list_filter(types, lambda found: found is not null)) < len(flatten(keys))"
        )
        maps = f"map_concat({', '.join(entries)})" if len(entries) > 1 else entries[0]
        return f"case when {known_keys} then cast(to_json({maps}) as varchar) end"


def _found(json_type: str) -> str:
    """SQL that names a JSON type to a reader."""
    return f"""case coalesce({json_type}, '')
        when '' then 'nothing' when 'NULL' then 'null' when 'VARCHAR' then 'a text'
        when 'BOOLEAN' then 'true or false' when 'OBJECT' then 'an object'
        when 'ARRAY' then 'a list' else 'a number' end"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
