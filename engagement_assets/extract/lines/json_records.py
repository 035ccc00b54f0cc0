"""What a JSON record must look like, as SQL for DuckDB.

Belongs here: the expressions that turn a line into columns, judge it and find what it holds
beyond its contract. Not here: which lines are right at first sight (`json_layouts.py`), how lines are read
(`jsonl_records.py`), which records a source sends (the source's own module).

If a line equals a layout (`json_layouts.py`), only its values are judged. Any other line (an absent optional field,
an extra one, an escape, a defect) is judged by looking up its types and keys, which costs several times as much. DuckDB
casts numbers to texts and texts to numbers without a warning, so its values prove nothing about types.

`absent_values.py` says what is absent: a text of blanks and, where no list is meant, an empty list.

The expressions use `line` (the text), `texts`, `types`, `keys`, `found` and `repeated_key` (the properties of these
names) and `moment` (`moment_value`).
"""

import json
from dataclasses import dataclass
from functools import cached_property

from engagement_assets.contracts.extraction import Calendar
from engagement_assets.extract.absent_values import is_blank_sql
from engagement_assets.extract.instants import bound_sql, instant_sql
from engagement_assets.extract.lines.json_fields import Field, Kind
from engagement_assets.extract.lines.rejections import first_of, outside_calendar
from engagement_assets.privacy.shapes import said_sql, shown_name_sql

# DuckDB before 2.0.1 gives up on documents that nest deeper, and so do other readers of what `_extra` keeps.
MAX_NESTING = 128
# Up to 2**53 milliseconds a double is exact.
MAX_SECONDS = 2**53 // 1000
# A contract names about twenty. Nobody reads hundreds of others, and each one takes memory several times.
MAX_MEMBERS = 1_000

_JSON_STRING = r'"([^"\\]|\\.)*"'
_COMMA_BEFORE_END = r",[ \t]*[}\]]"
# Each turn takes the innermost level away.
_NESTS_TOO_DEEP = (
    "list_reduce(list_prepend(translate(regexp_replace(regexp_replace("
    rf"line, '{_JSON_STRING}', '', 'g'), '[^\[\]{{}}]+', '', 'g'), '{{}}', '[]'), "
    f"list_resize([]::varchar[], {MAX_NESTING}, '')), lambda brackets, turn: replace(brackets, '[]', '')) <> ''"
)


# The type of the column, and the JSON types of the values that it takes.
_TYPES: dict[Kind, tuple[str, tuple[str, ...]]] = {
    Kind.TEXT: ("VARCHAR", ("VARCHAR",)),
    Kind.SECONDS: ("BIGINT", ("DOUBLE", "UBIGINT", "BIGINT", "HUGEINT", "UHUGEINT")),
    Kind.FLAG: ("BOOLEAN", ("BOOLEAN",)),
    Kind.INSTANT: ("TIMESTAMP", ("VARCHAR",)),
    Kind.BOUND: ("TIMESTAMP", ("VARCHAR",)),
    Kind.LIST: ("BIGINT", ("ARRAY",)),
}
# The `types` of a text of blanks and of an empty list, which are absent values.
_ABSENT = ("BLANK", "EMPTY")
_NONE = ("NULL", *_ABSENT)


@dataclass(frozen=True)
class RecordShape:
    """All fields that the contract of a record names.

    `moment` is the path of the instant that dates the record; None if the record has no date.
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
    def column_types(self) -> dict[str, str]:
        """The columns that a record becomes, and their types."""
        return {field.column: _TYPES[field.kind][0] for field in self.fields}

    @property
    def _paths(self) -> list[str]:
        return [*(field.path for field in self.fields), *self.parents]

    @property
    def texts(self) -> str:
        """The values of all fields as texts, NULL where absent or null; an error if the line is not JSON."""
        return f"json_extract_string(line, {[f'$.{field.path}' for field in self.fields]})"

    @property
    def types(self) -> str:
        """The JSON types of fields, parents and the record itself; an error if the line is not JSON.

        A text of blanks alone is `BLANK`, and an empty list `EMPTY` where no list is meant.
        """
        paths = [f"$.{path}" for path in self._paths]
        # `texts` have no parents; a CASE looks these up for the few that are a text or a list.
        value = f"coalesce(texts[place], json_extract_string(line, {paths})[place])"
        lists = [place for place, field in enumerate(self.fields, 1) if field.kind is Kind.LIST]
        is_meant = f"place in ({', '.join(map(str, lists))})" if lists else "false"
        return f"""
            list_transform(json_type(line, {[*paths, "$"]}), lambda name, place: case
                when name = 'VARCHAR' and {is_blank_sql(value)} then 'BLANK'
                when name = 'ARRAY' and not {is_meant} and {value} = '[]' then 'EMPTY'
                else name end)"""

    @property
    def absent_types(self) -> str:
        """The `types` if some of the values are absent, else NULL."""
        return f"case when list_has_any(types, {[*_ABSENT]}) then types end"

    @property
    def present_texts(self) -> str:
        """The `texts`, NULL also where `absent_types` say that a value is absent."""
        return (
            "case when absent_types is null then texts else list_transform(texts, lambda value, place: "
            f"case when coalesce(absent_types[place] not in {_ABSENT}, true) then value end) end"
        )

    @property
    def keys(self) -> str:
        """The keys of the record and then of each parent, as a list of lists; an error if the line is not JSON."""
        return f"json_keys(line, {['$', *(f'$.{path}' for path in self.parents)]})"

    @property
    def moment_value(self) -> str:
        """The instant that dates the record."""
        places = [place for place, field in enumerate(self.fields, 1) if field.path == self.moment]
        return instant_sql(f"texts[{places[0]}]") if places else "cast(null as timestamp)"

    @property
    def columns(self) -> str:
        """The columns of a record that is right."""
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
                    # To DuckDB, NaN is greater than any number, so it is out of range too.
                    fits = f"try_cast({text} as double) between 0 and {MAX_SECONDS}"
                    conditions.append(f"({text} is null or coalesce({fits}, false))")
                case Kind.FLAG:
                    conditions.append(f"coalesce({text} in ('true', 'false'), true)")
                case Kind.LIST:
                    # Lists within lists may nest too deep.
                    conditions.append(rf"coalesce(regexp_full_match({text}, '\[[^\[{{]*\]'), true)")
                case Kind.INSTANT | Kind.BOUND:
                    absent = "false" if field.required else f"coalesce({is_blank_sql(text)}, true)"
                    conditions.append(f"({self._value(field, text)} is not null or {absent})")
                case Kind.TEXT if field.required:
                    conditions.append(f"not {is_blank_sql(text)}")
        return " and ".join(conditions)

    def with_moment_alone(self) -> "RecordShape":
        """The shape of what must be read to date a record."""
        fields = (field for field in self.fields if field.path == self.moment)
        return RecordShape(tuple(fields), self.moment)

    @property
    def text_rejection(self) -> str:
        """What is wrong with the text of a line, or with the depth of its nesting."""
        return first_of(
            [
                (
                    f"regexp_matches(line, '{_COMMA_BEFORE_END}') and regexp_matches("
                    f"regexp_replace(line, '{_JSON_STRING}', '', 'g'), '{_COMMA_BEFORE_END}')",
                    "not_json",
                    "'expected a JSON object, found a comma before a closing bracket'",
                ),
                (
                    # Counting brackets is cheap, and most lines then need no closer look.
                    "strlen(line) - strlen(replace(replace(line, '[', ''), '{', '')) "
                    f"> {MAX_NESTING} and json_valid(line) and {_NESTS_TOO_DEEP}",
                    "nesting_too_deep",
                    f"'expected at most {MAX_NESTING} levels of nesting, found more'",
                ),
            ]
        )

    @property
    def found(self) -> str:
        """The `types` in the words of a message."""
        return """list_transform(types, lambda name: case coalesce(name, '')
            when '' then 'nothing' when 'NULL' then 'null' when 'VARCHAR' then 'a text'
            when 'BLANK' then 'an empty one' when 'EMPTY' then 'an empty list'
            when 'BOOLEAN' then 'true or false' when 'OBJECT' then 'an object'
            when 'ARRAY' then 'a list' else 'a number' end)"""

    @property
    def repeated_key(self) -> str:
        """A key that one object of `keys` holds more than once, NULL if there is none."""
        # Looking each name up among the others would take a day where an object has a million.
        repeated = [
            f"case when list_unique(keys[{place}]) < len(keys[{place}]) then list_filter(map_entries("
            f"list_aggregate(keys[{place}], 'histogram')), lambda name: name.value > 1)[1].key end"
            for place in range(1, len(self.parents) + 2)
        ]
        return f"coalesce({', '.join(repeated)}, null)"

    @property
    def structure_rejection(self) -> str:
        """What is wrong with `types`, in the words of `found` and `repeated_key`; without JSON they are NULL."""
        own = len(self._paths) + 1
        members = "list_sum(list_transform(keys, lambda names: len(names)))"
        rules = [
            ("types is null", "not_json", "'expected a JSON object, found no valid JSON'"),
            (
                f"types[{own}] <> 'OBJECT'",
                "wrong_type",
                f"'expected a JSON object, found ' || found[{own}]",
            ),
            (
                f"{members} > {MAX_MEMBERS}",
                "too_many_members",
                f"'expected at most {MAX_MEMBERS:,} members in the record and its objects, found ' || {members}",
            ),
            (
                "repeated_key is not null",
                "duplicate_key",
                f"{shown_name_sql('repeated_key')} || ': expected once, found more than once'",
            ),
        ]
        for place, path in enumerate(self.parents, len(self.fields) + 1):
            message = f"'{path}: expected an object, found ' || found[{place}]"
            rules.append((f"types[{place}] not in {('OBJECT', *_NONE)}", "wrong_type", message))
        for place, field in enumerate(self.fields, 1):
            message = f"'{field.path}: expected {field.kind}, found ' || found[{place}]"
            if field.required:
                absent = f"coalesce(types[{place}], 'NULL') in {_NONE}"
                rules.append((absent, f"missing_{field.column}", message))
            known = (*_TYPES[field.kind][1], *_NONE)
            rules.append((f"types[{place}] not in {known}", "wrong_type", message))
        return first_of(rules)

    @property
    def value_rejection(self) -> str:
        """What is wrong with the values of a record whose structure is right, from `present_texts` as `texts`."""
        rules = []
        for place, field in enumerate(self.fields, 1):
            text = f"texts[{place}]"
            expected = f"'{field.path}: expected {field.kind}, found '"
            match field.kind:
                case Kind.SECONDS:
                    number, found = f"cast({text} as double)", f"{expected} || left({text}, 64)"
                    rules += [
                        (f"not isfinite({number})", "not_a_number", found),
                        (f"{number} < 0", "negative_value", found),
                        (f"{number} > {MAX_SECONDS}", "out_of_range", found),
                    ]
                case Kind.INSTANT | Kind.BOUND:
                    found = f"{expected} || {said_sql(text)}"
                    unreadable = f"{text} is not null and {self._value(field, text)} is null"
                    rules.append((unreadable, "bad_timestamp", found))
        return first_of(rules)

    def calendar_rejection(self, calendar: Calendar) -> str:
        """What is wrong with `moment` if all else of the record is right."""
        if self.moment is None:
            return "null"
        place = next(place for place, field in enumerate(self.fields, 1) if field.path == self.moment)
        return first_of([outside_calendar(calendar, "moment", self.moment, f"texts[{place}]")])

    @property
    def unknown_levels(self) -> str:
        """Whether the record, and then each parent, has members that no contract names, from `keys`.

        The last value says whether the name of one holds a dot.
        """
        levels = [
            f"len(list_filter(coalesce(keys[{place}], []), lambda name: not list_contains({names}, name))) > 0"
            for place, names in enumerate(map(self._members, ("", *self.parents)), 1)
        ]
        dotted = "len(list_filter(flatten(keys), lambda name: contains(name, '.'))) > 0"
        return f"[{', '.join([*levels, dotted])}]"

    def extra_fields(self, unknown_levels: str) -> str:
        """The members that no contract names as a JSON object with dotted keys, NULL if none.

        For records that are right: no object has a key twice.
        """
        levels = [
            f"case when {unknown_levels}[{place}] then {self._unknown_members(parent)} end"
            for place, parent in enumerate(("", *self.parents), 1)
        ]
        # Of two members with the same dotted path, `{"a.b": 1, "a": {"b": 2}}`, the outer one stays: a union of maps
        # takes the value from the last one, and the place from the first one.
        again = [f"case when {unknown_levels}[{len(levels) + 1}] then {level} end" for level in reversed(levels)]
        union = f"map_concat({', '.join([*levels, *again])})"
        return f"case when list_contains({unknown_levels}, true) then cast(to_json({union}) as varchar) end"

    def _unknown_members(self, parent: str) -> str:
        """A map of the members of one object that no contract names: dotted path → JSON."""
        # A patch takes all known members out at once. Looking up each unknown one would read the line each time.
        known = quoted(json.dumps(dict.fromkeys(self._members(parent))))
        if not parent:
            return f"cast(json_merge_patch(line, {known}) as map(varchar, json))"
        members = f"cast(json_merge_patch(json_extract(line, '$.{parent}'), {known}) as map(varchar, json))"
        dotted = f"lambda member: row('{parent}.' || member.key, member.value)"
        return f"map_from_entries(list_transform(map_entries({members}), {dotted}))"

    def _members(self, parent: str) -> list[str]:
        """The names of what the contract knows in one object."""
        return [path.rpartition(".")[2] for path in self._paths if path.rpartition(".")[0] == parent]

    def _value(self, field: Field, text: str) -> str:
        match field.kind:
            case Kind.SECONDS:
                return f"try_cast(round(try_cast({text} as double) * 1000) as bigint)"
            case Kind.FLAG:
                return f"{text} = 'true'"
            case Kind.INSTANT:
                return "moment" if field.path == self.moment else instant_sql(text)
            case Kind.BOUND:
                return bound_sql(text)
            case Kind.LIST:
                return f"try(cast(json_array_length({text}) as bigint))"
            case Kind.TEXT:
                # A line that equals a layout may have a text of blanks where the sample has a value.
                return text if field.required else f"case when not {is_blank_sql(text)} then {text} end"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
