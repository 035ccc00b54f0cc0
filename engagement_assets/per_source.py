"""Settings that are one line and have a value for each source.

Belongs here: reading `0.01, runna=0.05` and `rejected_share=halt, strava.is_fresh=warn`. Not here: the settings (see
`settings.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from engagement_assets.contracts.load_checks import CHECK_NAMES, Severity
from engagement_assets.sources import RAW_DATASETS

SOURCES = frozenset(dataset.source for dataset in RAW_DATASETS)


@dataclass(frozen=True)
class PerSource:
    """A number for all sources, with exceptions for some."""

    default: float
    by_source: Mapping[str, float] = field(default_factory=dict)

    def of(self, source: str) -> float:
        """The number of one source."""
        return self.by_source.get(source, self.default)


@dataclass(frozen=True)
class Severities:
    """The severities that differ from the checks' own, by `check` or `source.check`."""

    by_name: Mapping[str, Severity] = field(default_factory=dict)

    def of(self, source: str, check: str) -> Severity | None:
        """The severity that is set for a check of one source; None if the check keeps its own."""
        return self.by_name.get(f"{source}.{check}", self.by_name.get(check))


def read_per_source(text: object) -> object:
    """Read `0.01, runna=0.05` as a default and exceptions; return values other than text unchanged.

    Raises:
        ValueError: a part is not a number of at least 0, a source is unknown, or there is no default.
    """
    if not isinstance(text, str):
        return text
    numbers: dict[str, float] = {}
    for part in _parts(text):
        source, _, number = part.rpartition("=")
        if source.strip() not in SOURCES | {""}:
            raise ValueError(f"{part!r}: expected one of the sources {', '.join(sorted(SOURCES))}, found {source!r}")
        numbers[source.strip()] = _number(part, number)
    if "" not in numbers:
        raise ValueError(f"expected a number for all sources, such as '0.01' or '0.01, runna=0.05', found {text!r}")
    return PerSource(numbers.pop(""), numbers)


def read_severities(text: object) -> object:
    """Read `rejected_share=halt, strava.is_fresh=warn` as severities by name; return other values unchanged.

    Raises:
        ValueError: a name is neither a check nor `<source>.<check>`, or a value is neither warn nor halt.
    """
    if not isinstance(text, str):
        return text
    severities = {}
    for part in _parts(text):
        name, _, value = (piece.strip() for piece in part.partition("="))
        source, _, check = name.rpartition(".")
        if check not in CHECK_NAMES or source not in SOURCES | {""}:
            raise ValueError(
                f"{part!r}: expected a check or <source>.<check>, found {name!r}; checks are "
                f"{', '.join(sorted(CHECK_NAMES))}, sources {', '.join(sorted(SOURCES))}"
            )
        if value not in set(Severity):
            raise ValueError(f"{part!r}: expected warn or halt after '=', found {value!r}")
        severities[name] = Severity(value)
    return Severities(severities)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(part: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{part!r}: expected a number, found {text.strip()!r}") from error
    if not 0 <= number < float("inf"):
        raise ValueError(f"{part!r}: expected a number of at least 0, found {text.strip()!r}")
    return number


# Written as one line, not as JSON.
NumberPerSource = Annotated[PerSource, NoDecode, BeforeValidator(read_per_source)]
SeverityPerCheck = Annotated[Severities, NoDecode, BeforeValidator(read_severities)]
