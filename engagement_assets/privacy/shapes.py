"""What may be said of a value or a name that nobody has declared harmless: its shape, or itself if it says nothing.

Belongs here: which values and names are said as they are, the shape of all others, in Python and as SQL for DuckDB.
Not here: which fields are personal (the datasets), or what is kept of a record (`redaction.py`).

Senders put anything anywhere: an e-mail address into a time, a name into the name of a field. So a value is said only
if it is a number, a flag, an instant or, where a text is meant, a short code. A name is said only if it is an
identifier.
"""

import math
import re

from engagement_assets.contracts.extraction import MAX_NAME

_MAX_DIGITS = 20
_LARGEST = 10**20

# These mean the same to Python and to RE2, which DuckDB uses.
_NUMBER = rf"-?[0-9]{{1,{_MAX_DIGITS}}}([.][0-9]{{1,{_MAX_DIGITS}}})?([eE][+-]?[0-9]{{1,3}})?"
_INSTANT = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9][0-9:.,]{0,17}( ?([Zz]|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?)?"
_CODE = r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,63}"
_INTERNET_ADDRESS = r"[0-9]{1,3}([.][0-9]{1,3}){3}"
# A run of digits is a number of something or somebody.
_NAME = r"[A-Za-z_$][A-Za-z0-9_$.-]*"
# What stands for other names, and for values: loads meet it again in rows that they keep.
_SHOWN = r"[(][0-9]+ characters[)]"
_SHAPE = r'[{]"type":"(string|array|object|number|boolean|null)"(,"length":[0-9]+)?[}]'
_DIGITS = "[0-9]{5}"

_IS_NUMBER_OR_INSTANT = re.compile(f"({_NUMBER})|({_INSTANT})")
_IS_CODE, _IS_INTERNET_ADDRESS = re.compile(_CODE), re.compile(_INTERNET_ADDRESS)
_IS_NAME, _HAS_DIGITS, _IS_SHOWN = re.compile(_NAME), re.compile(_DIGITS), re.compile(_SHOWN)

# DuckDB's names of JSON types, where they differ from `shape_of`.
_TYPES = {"VARCHAR": "string", "BOOLEAN": "boolean", "ARRAY": "array", "OBJECT": "object", "NULL": "null"}


def is_code(text: str) -> bool:
    """Whether a text is a short code, such as an id or a version; no address of a person or a machine is one."""
    return bool(_IS_CODE.fullmatch(text)) and not _IS_INTERNET_ADDRESS.fullmatch(text)


def is_said(value: object, *, text_is_meant: bool) -> bool:
    """Whether a value of an impersonal field is kept as it is."""
    match value:
        case None | bool():
            return True
        case int():
            return abs(value) <= _LARGEST
        case float():
            return math.isfinite(value)
        case str():
            return bool(_IS_NUMBER_OR_INSTANT.fullmatch(value)) or (text_is_meant and is_code(value))
    return False


def said_sql(text: str) -> str:
    """SQL for the SQL text `text` as a message shows it: itself if it is a number or an instant, else its length."""
    return (
        f"case when regexp_full_match({text}, '({_NUMBER})|({_INSTANT})') then {text} "
        f"else 'a text of ' || length({text}) || ' characters' end"
    )


def described(value: object) -> str:
    """A value in a message: itself if it is a number, else what it is; `...` stands for more than was counted."""
    if value is None:
        return "nothing"
    if value is ...:
        return "more"
    if isinstance(value, str):
        return f"a text of {len(value):,} characters"
    if isinstance(value, bool | list | dict):
        return {bool: "true or false", list: "a list", dict: "an object"}[type(value)]
    return str(value)[:64]


def shown_name(name: str) -> str:
    """A name that no contract has: itself, cut, if it is an identifier, else its length."""
    if _IS_NAME.fullmatch(name) and not _HAS_DIGITS.search(name):
        return name[:MAX_NAME]
    return name if _IS_SHOWN.fullmatch(name) else f"({len(name)} characters)"


def shown_name_sql(name: str) -> str:
    """The same as SQL."""
    return (
        f"case when regexp_full_match({name}, '{_SHOWN}') then {name} "
        f"when not regexp_full_match({name}, '{_NAME}') or regexp_matches({name}, '{_DIGITS}') "
        f"then '(' || length({name}) || ' characters)' "
        f"else left({name}, {MAX_NAME}) end"
    )


def shape_of(value: object) -> dict[str, object]:
    """The JSON type of a value, and how many characters, elements or members it has."""
    match value:
        case str():
            return {"type": "string", "length": len(value)}
        case list():
            return {"type": "array", "length": len(value)}
        case dict():
            return {"type": "object", "length": len(value)}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
    return {"type": "null"}


def shapes_sql(members: str) -> str:
    """SQL for the shapes of the members of the JSON object `members`, as a JSON object with their shown names.

    Of members that are shown under one name the first stays; what is no JSON object has none. Shapes stay as they are.
    """
    types = " ".join(f"when '{name}' then '{shown}'" for name, shown in _TYPES.items())
    length = """case json_type(member.value)
        when 'VARCHAR' then length(json_extract_string(member.value, '$'))
        when 'ARRAY' then cast(json_array_length(member.value) as bigint)
        when 'OBJECT' then len(json_keys(member.value)) end"""
    entries = f"""list_transform(map_entries(cast(cast({members} as json) as map(varchar, json))), lambda member: {{
        'name': cast(to_json({shown_name_sql("member.key")}) as varchar),
        'shape': case when regexp_full_match(cast(member.value as varchar), '{_SHAPE}')
            then cast(member.value as varchar) else concat(
            '{{"type":"', case coalesce(json_type(member.value), 'NULL') {types} else 'number' end, '"',
            ',"length":' || {length}, '}}') end
        }})"""
    # A list of one list: so the entries are worked out once. An error would quote the text.
    return f"""coalesce(list_transform([try({entries})], lambda entries: concat('{{', list_aggregate(list_transform(
        list_filter(entries, lambda entry, place:
            place = 1 or not list_contains(list_transform(entries[:place - 1], lambda other: other.name), entry.name)),
        lambda entry: concat(entry.name, ':', entry.shape)
    ), 'string_agg', ','), '}}'))[1], '{{}}')"""
