"""What a source is: one description, from which assets, jobs, schedules, sensors, freshness and the report follow.

Belongs here: the shape of a description. Not here: the sources themselves (`extract/`), or the list of them
(`sources.py`).
"""

from dataclasses import dataclass

from engagement_assets.contracts.datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source of engagement data.

    `name` is that in asset keys (`raw_<name>/<dataset>`), in settings per source, in jobs and in dbt; `title` is what
    reports call it; `area` is the warehouse schema of its marts. The first of `datasets` holds what people did: a day
    of it that was loaded is a day observed.
    Without all `required_settings` (names of environment variables) the source is not loaded, and its tables are empty.
    `trailing_days_setting` names the setting with the number of days before its own that a daily run reads again.
    """

    name: str
    title: str
    area: str
    datasets: tuple[Dataset, ...]
    required_settings: tuple[str, ...] = ()
    trailing_days_setting: str | None = None
