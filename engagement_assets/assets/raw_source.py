"""The interface between a source and the raw asset factory: what a source provides, and what its runs get.

Belongs here: these types. Not here: the factory (`raw_asset.py`), or any source (one module per source, next to this
one).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import DayWindow, UnreadPath
from engagement_assets.contracts.load_checks import CheckDefinition
from engagement_assets.contracts.quarantine import QuarantinedRecord, Reread
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.unread_paths import unread_paths
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.partitions import window_of
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown
from engagement_assets.sources import LANDING_PREFIXES

RawResults = Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]


class LoadConfig(dg.Config):
    """The options of one run of a raw asset, as the launchpad shows them."""

    allow_shrink: bool = Field(
        default=False,
        description="Let a day replace its last load even if landing files of that load are gone.",
    )
    release_reason: str | None = Field(
        default=None,
        description="If given, nothing is read: the held days of the window are put into the lake, for this reason.",
    )
    replay: bool = Field(
        default=False,
        description="Read the quarantined records of the window again, instead of the source.",
    )
    replay_dataset: str = Field(default="", description="Replay only the records of this dataset, such as events.")
    replay_reason_code: str = Field(default="", description="Replay only records with this reason code.")


@dataclass(frozen=True)
class RawRun:
    """One run of a raw asset."""

    context: dg.AssetExecutionContext
    config: LoadConfig
    settings: Settings
    source: "RawSource"

    @property
    def window(self) -> DayWindow:
        """The days of the run. Only a source that has days may ask."""
        return window_of(self.context)

    @property
    def allow_shrink(self) -> bool:
        """Whether days may lose what their landing files no longer have."""
        return self.config.allow_shrink or self.settings.allow_shrink

    @property
    def lake(self) -> Lake:
        """Where loads go, and what they hide."""
        return Lake(self.settings.lake_uri, self.settings.privacy_policy)

    @property
    def index_uri(self) -> str:
        """Where the index of the load's landing files lies."""
        return self.lake.location(f"index/{self.source.load_name}.json")

    def paths_beside(self, prefix: str) -> list[UnreadPath]:
        """What lies outside the landing folders that sources read, and was most likely meant for `prefix`."""
        return unread_paths(Landing(self.settings.landing_uri), prefix, LANDING_PREFIXES)

    def progress(self, line: str) -> None:
        """Write a line to the run's log."""
        self.context.log.info(shown(line))

    def open_load(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        memory_limit: str | None = None,
        window: DayWindow | None = None,
    ) -> AbstractContextManager[Load]:
        """Begin the load of this run; `memory_limit` is DUCKDB_MEMORY_LIMIT unless given.

        `clock` is asked for the time of the load once no other load is at work, since it must be the newer one then.
        A load that reads and writes nothing but days of a `window` says so: on S3, others may load other days.
        """
        return open_load(
            self.lake,
            self.source.load_name,
            run_id=self.context.run.run_id,
            memory_limit=memory_limit or self.settings.duckdb_memory_limit,
            started_at=clock,
            window=window,
        )

    def held_days(self) -> list[str]:
        """The days of the load that are held now."""
        days = self.lake.held_days(self.source.load_name)
        return [day.isoformat() for day in days if day != WHOLE_DATASET_DAY]


def _no_outcomes(_run: RawRun, _load: Load) -> Sequence[CheckOutcome]:
    return ()


@dataclass(frozen=True, kw_only=True)
class RawSource:
    """Datasets that one step loads together, and how.

    `load` reads the source and publishes or holds. `reread` runs the same extractor over quarantined records, which
    `traits` describe. `checks` come on top of the standard checks; `outcomes_of_replay` are their outcomes when a
    replay adds records. `resources` are the keys of the resources that `load` uses. `days_are_apart` says that `load`
    opens the lake for the days of its run alone, so that several runs may load other days.
    """

    datasets: Sequence[Dataset]
    load: Callable[[RawRun], RawResults]
    reread: Callable[[RawRun, Load, Sequence[QuarantinedRecord]], Reread]
    traits: SourceTraits = field(default_factory=SourceTraits)
    checks: Sequence[tuple[CheckDefinition, Dataset]] = ()
    outcomes_of_replay: Callable[[RawRun, Load], Sequence[CheckOutcome]] = _no_outcomes
    resources: frozenset[str] = frozenset()
    days_are_apart: bool = False

    @property
    def load_name(self) -> str:
        """The name of the load, which its datasets share."""
        return self.datasets[0].load_name

    @property
    def has_days(self) -> bool:
        """Whether its datasets are partitioned by day."""
        return self.datasets[0].partitioned

    def days_of(self, run: RawRun) -> list[date]:
        """The days of a run; for datasets without days, the one that stands for the whole dataset."""
        return run.window.days() if self.has_days else [WHOLE_DATASET_DAY]
