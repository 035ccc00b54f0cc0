"""What a source is: one description, from which assets, jobs, schedules, sensors, freshness and the report follow.

Belongs here: the shape of a description. Not here: the sources themselves (`extract/`), or the list of them
(`sources.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engagement_assets.contracts.datasets import Dataset, SentFields


class LandingReader(Protocol):
    """Reads a dataset from the files below one folder of the landing zone."""

    @property
    def dataset(self) -> Dataset:
        """What the files hold, or the first of several datasets that they hold."""

    @property
    def prefix(self) -> str:
        """The folder, below the landing zone."""

    @property
    def sent(self) -> Mapping[str, SentFields]:
        """How the records of each of these datasets are sent, by its key."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source of engagement data.

    `name` is that in asset keys (`raw_<name>/<dataset>`), in settings per source, in jobs and in dbt; `title` is what
    reports call it; `area` is the warehouse schema of its marts. The first of `datasets` holds what people did: a day
    of it that was loaded is a day observed.
    Without all `required_settings` (names of environment variables) the source is not loaded, and its tables are empty.
    `trailing_days_setting` names the setting with the number of days before its own that a daily run reads again.
    `readers` say what lands as files. The raw assets of line files (`EventLog` and `Snapshots`, see `extract/lines/`)
    follow from them, and so does what the landing sensor looks at.
    `sent` says, by key of the dataset, how records are sent that no reader describes: of a rejected record nothing but
    shapes is kept of what it does not name.
    `sample` names the function that writes the source's sample data, as `package.module:function`.
    """

    name: str
    title: str
    area: str
    datasets: tuple[Dataset, ...]
    required_settings: tuple[str, ...] = ()
    trailing_days_setting: str | None = None
    readers: tuple[LandingReader, ...] = ()
    sent: Mapping[str, SentFields] = field(default_factory=dict, hash=False)
    sample: str | None = None

    def __post_init__(self) -> None:
        """Refuse datasets that leave open which columns are personal."""
        for dataset in self.datasets:
            dataset.refuse_undeclared_columns()

    @property
    def sent_fields(self) -> Mapping[str, SentFields]:
        """How the records of each dataset are sent, by its key."""
        found = dict(self.sent)
        for reader in self.readers:
            found |= reader.sent
        return found
