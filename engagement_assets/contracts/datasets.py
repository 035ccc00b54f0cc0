"""What a raw dataset of the lake is: its key, its columns and what a reload of it means.

Belongs here: the shape of a description. Not here: the datasets themselves (the module or folder of their source in
`extract/`), what the records of loads hold (`lake/record_columns.py`), or how a day is written (`lake/lake.py`).

Types are the ones that every engine reads: BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP (UTC, microseconds).
The meaning of the columns follows the sources' own documents, summarised in `docs/data_dictionary.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


def sql_columns(declared: str) -> Mapping[str, str]:
    """Columns by name, in order, from a declaration as in SQL: `name TYPE, name TYPE`."""
    return MappingProxyType(dict(map(str.split, declared.split(","))))


@dataclass(frozen=True, eq=False)
class Dataset:
    """One raw dataset: `key` is `raw_<source>/<dataset>`, `columns` maps a column's name to its DuckDB type.

    `identity` names the columns that tell two records apart; `append_only` says what a reload means: merge by
    identity (an event log forgets nothing) or replace (the source's answer is the truth).
    `loaded_together` says that one load brings all datasets of the source, instead of one load each.
    The day of a record is the Hive partition `day` in the path, not a column of the file.
    """

    key: str
    description: str
    columns: Mapping[str, str]
    identity: tuple[str, ...]
    append_only: bool
    partitioned: bool = True
    loaded_together: bool = False
    # Columns that say who somebody is: no preview shows them. A message may name a landing file that has to be fixed.
    personal_columns: tuple[str, ...] = ("user_id", "child_id", "device_id", "_extra", "source_path")

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
