"""`make dictionary`: writes `docs/input_formats.md`, what each source must send, from the contracts of the readers.

Belongs here: rendering, and records made of the examples. Not here: the fields, with their types, units, spellings and
examples (`extract/`); a test fails when the file is stale.
"""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from engagement_assets.commands.process import exit_process
from engagement_assets.contracts.field_notes import NO_NOTE, Exchange, Note
from engagement_assets.contracts.reasons import REASONS
from engagement_assets.contracts.source import Source
from engagement_assets.extract.instants import BOUND_SPELLINGS, INSTANT_SPELLINGS, NAMED_UTC_SPELLING
from engagement_assets.extract.landing.batch_folder import BatchFolder
from engagement_assets.extract.lines.csv_shape import CsvKind, CsvShape
from engagement_assets.extract.lines.json_fields import Kind
from engagement_assets.extract.lines.json_records import RecordShape
from engagement_assets.extract.lines.readers import LineReader
from engagement_assets.extract.runna.documents import Activity
from engagement_assets.extract.services.records import ApiRecordShape
from engagement_assets.extract.services.records import instant as service_instant
from engagement_assets.extract.strava import source as strava
from engagement_assets.extract.user_events import source as user_events
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.sources import SOURCES

FORMATS_PATH = PROJECT_ROOT / "docs" / "input_formats.md"
SERVICES: Mapping[str, tuple[ApiRecordShape, tuple[Exchange, ...]]] = MappingProxyType(
    {
        strava.STRAVA.name: (strava.ACTIVITY, strava.EXCHANGES),
        user_events.USER_EVENTS_SOURCE.name: (user_events.EVENT, user_events.EXCHANGES),
    }
)
HEADER = """# Input formats

Generated from the contracts of the readers by `make dictionary`; a test fails when it is stale. It says what each
source must send. `make check LANDING_URI=…` says what would become of your files, and
[examples/landing/](../examples/landing) holds a small valid file of each kind.

All files are UTF-8. Names of fields are exact, in upper and lower case. A required field must be there and say
something; any other may be missing. An empty text, a text of blanks, `null` and, where no list is meant, an empty list
say nothing. A field that no table here names does no harm: its name and shape are kept, and told as new. A name with
dots lies in an object: `data.source` is `{"data": {"source": …}}`; `laps[]` is a list of objects.
"""
_JSON_KINDS: Mapping[Kind, str] = MappingProxyType(
    {kind: kind.value.partition(" such as ")[0] for kind in Kind} | {Kind.SECONDS: "a number, not negative"}
)


@dataclass(frozen=True)
class Field:
    """A row of the table of a record: its dotted name, what it must be, and what is said of it."""

    name: str
    kind: str
    required: bool
    note: Note


def fields_of(shape: CsvShape | RecordShape | ApiRecordShape | type[msgspec.Struct]) -> list[Field]:
    """All fields of a contract, in its order; two that have the same name in a record are one."""
    match shape:
        case CsvShape(columns=columns):
            found = [Field(item.name, _csv_kind(item.kind), item.required, item.note) for item in columns]
        case RecordShape(fields=known):
            found = [Field(item.path, _JSON_KINDS[item.kind], item.required, item.note) for item in known]
        case ApiRecordShape(fields=sent):
            found = [Field(item.path, _kind_of(item.convert), item.required, item.note) for item in sent]
        case _:
            found = list(_fields_of_struct(shape, "", ()))
    return list({item.name: item for item in reversed(found)}.values())[::-1]


def example(fields: Sequence[Field], *, full: bool) -> dict[str, Any]:
    """A record of the examples of all fields, or of the required ones."""
    record: dict[str, Any] = {}
    for field in fields:
        if field.note.example is None or not (full or field.required):
            continue
        *parents, name = field.name.split(".")
        node = record
        for parent in parents:
            if parent.endswith("[]"):
                (node,) = node.setdefault(parent[:-2], [{}])
            else:
                node = node.setdefault(parent, {})
        node[name] = field.note.example
    return record


def example_text(shape: CsvShape | RecordShape | type[msgspec.Struct], *, full: bool) -> str:
    """The content of a file with one such record."""
    record = example(fields_of(shape), full=full)
    if isinstance(shape, CsvShape):
        return "".join(f"{shape.delimiter.join(line)}\n" for line in (record, record.values()))
    return json.dumps(record, ensure_ascii=False) + "\n"


def render() -> str:
    """The document as Markdown."""
    parts = [HEADER, *(_section(source) for source in SOURCES), _times(), _reasons()]
    return "\n".join(parts)


def _section(source: Source) -> str:
    parts = [f"## {source.title}\n"]
    for reader in source.readers:
        match reader:
            case LineReader(shape=shape, suffixes=(suffix, compressed)):
                inside = "" if reader.dataset.partitioned else " Each is a full snapshot."
                parts += [
                    f"### `{reader.prefix}/**/*{suffix}`\n",
                    f"Also compressed, as `*{compressed}`. {_layout(shape)}{inside} {reader.dataset.description}\n",
                    *_record(shape, "csv" if isinstance(shape, CsvShape) else "json"),
                ]
            case BatchFolder():
                parts += [
                    f"### `{reader.prefix}/<YYYY-MM-DD>/**/*.json`\n",
                    f"One JSON object per file; the folder is the batch date. {reader.dataset.description}\n",
                    *_record(Activity, "json"),
                ]
    if source.name in SERVICES:
        sent, exchanges = SERVICES[source.name]
        parts.append(
            f"An HTTP service, read once {', '.join(f'`{name}`' for name in source.required_settings)} are set.\n"
        )
        for exchange in exchanges:
            rows = [f"| {answer} | {meaning} |" for answer, meaning in exchange.answers]
            parts += [f"{exchange.request}:\n", "\n".join(["| answer | meaning |", "|---|---|", *rows]) + "\n"]
        parts += _record(sent, "json")
    return "\n".join(parts)


def _layout(shape: CsvShape | RecordShape) -> str:
    if isinstance(shape, CsvShape):
        return (
            f"A header line, then one row per line, with `{shape.delimiter}` between values; columns in any order. A "
            'value may stand in double quotes, with `""` for a quote.'
        )
    return "One JSON object per line."


def _record(shape: CsvShape | RecordShape | ApiRecordShape | type[msgspec.Struct], language: str) -> list[str]:
    fields = fields_of(shape)
    rows = [
        f"| `{item.name}` | {item.kind} | {'yes' if item.required else ''} | {item.note.unit} | {item.note.meaning} |"
        for item in fields
    ]
    table = "\n".join(["| field | must be | required | unit | meaning |", "|---|---|---|---|---|", *rows])
    blocks = []
    for title, full in (("The least", False), ("In full", True)):
        if not example(fields, full=full):
            continue  # no field has a note
        text = (
            json.dumps(example(fields, full=full), ensure_ascii=False) + "\n"
            if isinstance(shape, ApiRecordShape)
            else example_text(shape, full=full)
        )
        blocks.append(f"{title}:\n\n```{language}\n{text}```\n")
    return [f"{table}\n", *blocks]


def _times() -> str:
    listed = ", ".join(f"`{text}`" for text in INSTANT_SPELLINGS)
    more = ", ".join(f"`{text}`" for text in BOUND_SPELLINGS if text not in INSTANT_SPELLINGS)
    of_services = " ".join((inspect.getdoc(service_instant) or "").split())
    return f"""## Times

A time is in UTC unless it has an offset. It is kept to the microsecond. The time that dates a record must lie between
`START_DATE` and tomorrow.

- *A time* in files: {listed}. In CSV also `{NAMED_UTC_SPELLING}`.
- *A date or a time* in files: also {more}.
- *A time* of a service: {of_services}
"""


def _reasons() -> str:
    rows = [f"| `{code}` | {words} |" for code, words in sorted(REASONS.items())]
    return "\n".join(
        [
            "## Why records are rejected\n",
            "The `reason_code` of `audit.rejected_records`. A required field that says nothing is `missing_<field>`.\n",
            "| reason code | in words |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _csv_kind(kind: CsvKind) -> str:
    return kind.value[2].partition(" such as ")[0] or "a text"


def _kind_of(convert: Any) -> str:
    """The first sentence of the docstring of a conversion, which says what it takes."""
    if convert is service_instant:
        return "a time"
    text = " ".join((inspect.getdoc(convert) or "").split())
    return (text[:1].lower() + text[1:]).partition(". ")[0].removesuffix(".")


def _fields_of_struct(
    struct: type[msgspec.Struct], prefix: str, above: tuple[type[msgspec.Struct], ...]
) -> Iterator[Field]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint, meta = _unwrapped(hints[field.name])
        extra = (meta.extra if meta else None) or {}
        kind, inner = _kind_of_hint(hint)
        name = f"{prefix}{field.encode_name}"
        yield Field(name, kind, bool(extra.get("required")), extra.get("note", NO_NOTE))
        if inner and inner not in (*above, struct):
            yield from _fields_of_struct(inner, f"{name}[]." if kind == "a list" else f"{name}.", (*above, struct))


def _unwrapped(hint: Any) -> tuple[Any, msgspec.Meta | None]:
    """What is annotated, and with what."""
    if get_origin(hint) is not Annotated:
        return hint, None
    base, *metas = get_args(hint)
    return base, next((meta for meta in metas if isinstance(meta, msgspec.Meta)), None)


def _kind_of_hint(hint: Any) -> tuple[str, type[msgspec.Struct] | None]:
    """What a value must be, in words, and the struct that it holds."""
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    if get_origin(hint) is list or get_origin(options[0]) is list:
        (element,) = get_args(hint if get_origin(hint) is list else options[0])
        return "a list", element
    base, meta = _unwrapped(options[0])
    if isinstance(base, type) and issubclass(base, msgspec.Struct):
        return "an object", base
    if base is msgspec.Raw:
        return "any", None
    words = meta.description if meta and meta.description else "a text"
    return (f"{words} or a whole number" if int in options else words), None


def main() -> int:
    """Write the file."""
    FORMATS_PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {FORMATS_PATH}")
    return 0


if __name__ == "__main__":
    exit_process(main())
