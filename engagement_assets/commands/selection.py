"""A selection of assets, judged before Dagster is imported: its syntax, and the groups and keys that it names.

Belongs here: what the grammar and the project's files tell. Not here: which assets a selection selects (`range_run.py`,
which has the graph). A name that this does not know is left to the graph if it is a pattern.

The parser is the one that Dagster ships, generated from its grammar. It needs nothing of Dagster's package, whose
import takes seconds, so it is loaded by its path.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.sources import AREAS, AUDIT, RAW_DATASETS

_GENERATED = Path("_core", "definitions", "antlr_asset_selection", "generated")
_TRY = "try 'group:learning', '+group:training', 'key:\"learning/fct__activity_exits\"' or '*'"
# Names of assets that are neither raw data nor models of dbt.
_OTHER_GROUPS = ("published", "predictions", "report")
_OTHER_KEYS = (
    "engagement_report",
    "audit/alerts",
    "predictions/strava_kudos_predictions",
    "strava_kudos_model",
    *(f"records/{name}" for name in ("erasures", "held", "loads", "rejected", "replayed")),
    *(f"published/{area}" for area in (*AREAS, AUDIT)),
)
_DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# What Dagster also takes: one key without `key:`, perhaps with what is upstream and downstream of it.
_BARE_KEY = re.compile(r"[*+\d]*(?P<key>[A-Za-z_][\w/]*)[*+\d]*")


class _SyntaxError(ValueError):
    """The selection is not of the grammar."""


def _raise(_listener: Any, _recognizer: Any, _symbol: Any, _line: int, column: int, message: str, _error: Any) -> None:
    raise _SyntaxError(f"at character {column + 1}: {message}")


def why_selection_is_refused(selection: str) -> str | None:
    """Why Dagster would not read a selection, or find nothing by a name in it; None if nothing is wrong so far."""
    generated = _generated()
    if generated is None:
        return None
    antlr = import_module("antlr4")
    listener = type("Listener", (import_module("antlr4.error.ErrorListener").ErrorListener,), {"syntaxError": _raise})()
    lexer = generated[0].AssetSelectionLexer(antlr.InputStream(selection))
    stream = antlr.CommonTokenStream(lexer)
    parser = generated[1].AssetSelectionParser(stream)
    for reader in (lexer, parser):
        reader.removeErrorListeners()
        reader.addErrorListener(listener)
    try:
        parser.start()
    except _SyntaxError as error:
        if bare := _BARE_KEY.fullmatch(selection):
            return _why_unknown("key", bare["key"])
        return f"{selection!r} is not a selection that Dagster can read ({error}); {_TRY}"
    refused = (_why_unknown(*found) for found in _names(stream.tokens, generated[1].AssetSelectionParser))
    return next(filter(None, refused), None)


def _names(tokens: Sequence[Any], grammar: Any) -> Iterator[tuple[str, str]]:
    """The groups and keys that a selection names, but for patterns."""
    meant = [token for token in tokens if token.type != grammar.WS]
    for attribute, colon, value in zip(meant, meant[1:], meant[2:], strict=False):
        if attribute.type in {grammar.GROUP, grammar.KEY} and colon.type == grammar.COLON:
            name = value.text.strip('"')
            if "*" not in name:
                yield attribute.text, name


def _why_unknown(attribute: str, name: str) -> str | None:
    known = groups() if attribute == "group" else keys()
    if name in known:
        return None
    if attribute == "key" and name in groups():
        return f"there is no key {name!r}; is group:{name} meant?"
    # People leave out the schema.
    near = [key for key in known if key.endswith(f"/{name}")] or difflib.get_close_matches(name, known)
    if near:
        return f"there is no {attribute} {name!r}; is {' or '.join(near)} meant?"
    where = f"expected one of {', '.join(known)}" if attribute == "group" else "docs/data_dictionary.md lists them"
    return f"there is no {attribute} {name!r}; {where}"


def groups() -> list[str]:
    """All groups of assets."""
    raw = sorted({f"raw_{dataset.source}" for dataset in RAW_DATASETS})
    return [*AREAS, *raw, AUDIT, *_OTHER_GROUPS]


def keys() -> list[str]:
    """All keys of assets, from the names of the project's files."""
    raw = [dataset.key for dataset in RAW_DATASETS]
    models = (path.relative_to(_DBT_PROJECT / "models") for path in _DBT_PROJECT.glob("models/**/*.sql"))
    # A mart lies in the schema of its area, any other model in that of its layer.
    schemas = {path: path.parts[1] if path.parts[0] == "marts" else path.parts[0] for path in models}
    seeds = (f"seeds/{path.stem}" for path in _DBT_PROJECT.glob("seeds/**/*.csv"))
    return sorted([*raw, *(f"{schema}/{path.stem}" for path, schema in schemas.items()), *seeds, *_OTHER_KEYS])


@cache
def _generated() -> tuple[ModuleType, ModuleType] | None:
    """Dagster's lexer and parser of selections; None if this version of Dagster has them elsewhere."""
    package = find_spec("dagster")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / _GENERATED
    found = []
    for name in ("AssetSelectionLexer", "AssetSelectionParser"):
        spec = spec_from_file_location(f"_selection_grammar.{name}", folder / f"{name}.py")
        if spec is None or spec.loader is None or not (folder / f"{name}.py").is_file():
            return None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found[0], found[1]
