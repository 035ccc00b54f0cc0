"""What a source is: one description, from which assets, jobs, schedules, sensors, freshness and the report follow.

Belongs here: the shape of a description. Not here: the sources themselves (`extract/`), or the list of them
(`sources.py`).
"""

from dataclasses import dataclass
from typing import Protocol

from engagement_assets.contracts.datasets import Dataset


class LandingReader(Protocol):
    """Reads a dataset from the files below one folder of the landing zone."""

    @property
    def dataset(self) -> Dataset:
        """What the files hold, or the first of several datasets that they hold."""

    @property
    def prefix(self) -> str:
        """The folder, below the landing zone."""


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
    `sample` names the function that writes the source's sample data, as `package.module:function`.
    """

    name: str
    title: str
    area: str
    datasets: tuple[Dataset, ...]
    required_settings: tuple[str, ...] = ()
    trailing_days_setting: str | None = None
    readers: tuple[LandingReader, ...] = ()
    sample: str | None = None

    def __post_init__(self) -> None:
        """Refuse datasets that leave open which columns are personal."""
        for dataset in self.datasets:
            dataset.refuse_undeclared_columns()
