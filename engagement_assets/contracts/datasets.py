"""What a raw dataset of the lake is: its key, its columns and what a reload of it means.

Belongs here: the shape of a description. Not here: the datasets themselves (the module or folder of their source in
`extract/`), what the records of loads hold (`lake/record_columns.py`), or how a day is written (`lake/lake.py`).

Types are the ones that every engine reads: BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP (UTC, microseconds).
The meaning of the columns follows the sources' own documents, summarised in `docs/data_dictionary.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from engagement_assets.contracts.personal import OWN_IMPERSONAL, OWN_PERSONAL, PersonalKind


def sql_columns(declared: str) -> Mapping[str, str]:
    """Columns by name, in order, from a declaration as in SQL: `name TYPE, name TYPE`."""
    return MappingProxyType(dict(map(str.split, declared.split(","))))


@dataclass(frozen=True)
class SentFields:
    """How a dataset's records are sent: the fields of the contract by their names in a record, and their columns.

    A name is dotted where the field lies in an object. With a `delimiter` records are CSV rows, else JSON documents.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None

    @cached_property
    def parents(self) -> frozenset[str]:
        """The names of the objects that hold fields."""
        names = (name.split(".") for name in self.columns)
        return frozenset(".".join(parts[:depth]) for parts in names for depth in range(1, len(parts)))


@dataclass(frozen=True, eq=False)
class Dataset:
    """One raw dataset: `key` is `raw_<source>/<dataset>`, `columns` maps a column's name to its DuckDB type.

    `identity` names the columns that tell two records apart; `append_only` says what a reload means: merge by
    identity (an event log forgets nothing) or replace (the source's answer is the truth).
    `loaded_together` says that one load brings all datasets of the source, instead of one load each.
    `newest_load_wins` says that where a record lies on two days, the one with the later `extracted_at` counts; so each
    load writes its days with records anew.
    `personal` says which columns are personal, and of which kind; `impersonal` names all others, with commas between
    them. The columns that the project adds (`contracts/personal.py`) need not be named.
    `unneeded` are personal columns that no table reads: they are NULL unless a setting asks for their kind.
    `made_of_ids` are impersonal columns that anybody can compute from ids of these kinds, such as an MD5: where one of
    the kinds is hidden, they are too. `ids_ignore_case` says that ids which differ only in their case are the same.
    The day of a record is the Hive partition `day` in the path, not a column of the file.
    """

    key: str
    description: str
    columns: Mapping[str, str]
    identity: tuple[str, ...]
    append_only: bool
    partitioned: bool = True
    loaded_together: bool = False
    newest_load_wins: bool = False
    personal: Mapping[str, PersonalKind] = field(default_factory=dict)
    impersonal: str = ""
    unneeded: frozenset[str] = frozenset()
    made_of_ids: Mapping[str, frozenset[PersonalKind]] = field(default_factory=dict)
    ids_ignore_case: bool = False

    @property
    def kinds(self) -> Mapping[str, PersonalKind]:
        """The personal columns, with their kinds: no preview shows them."""
        own = {name: kind for name, kind in OWN_PERSONAL.items() if name in self.columns}
        return {**self.personal, **own}

    def refuse_undeclared_columns(self) -> None:
        """Refuse a description that leaves open whether a column is personal.

        Raises:
            ValueError: a column is declared neither personal nor impersonal, or both, or does not exist.
        """
        named = [*self.personal, *(name.strip() for name in self.impersonal.split(",") if name.strip())]
        open_ones = [name for name in self.columns if [*named, *OWN_PERSONAL, *OWN_IMPERSONAL].count(name) != 1]
        unknown = [name for name in named if name not in self.columns]
        if open_ones or unknown:
            raise ValueError(
                f"{self.key}: expected each column either in `personal`, with its kind, or in `impersonal`; found "
                f"{', '.join(open_ones) or 'none'} in neither or both, and {', '.join(unknown) or 'none'} that are no "
                "columns"
            )

    @property
    def source(self) -> str:
        """The source's name, `runna` for `raw_runna/activities`."""
        return self.key.partition("/")[0].removeprefix("raw_")

    @property
    def name(self) -> str:
        """The dataset's name within its source, `activities` for `raw_runna/activities`."""
        return self.key.partition("/")[2]

    @property
    def load_name(self) -> str:
        """The name of its load: that of the source, or one of its own."""
        return self.source if self.loaded_together else f"{self.source}_{self.name}"
