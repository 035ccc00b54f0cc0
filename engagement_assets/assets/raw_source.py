"""What a source brings to the frame of raw assets, and what a run of it is given.

Belongs here: the words in which both are told. Not here: the frame (`raw_asset.py`), or any source (one module per
source beside this one).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import LoadConfig
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


@dataclass(frozen=True)
class RawRun:
    """One run of a raw asset; `load_name` is what the source's datasets are loaded as."""

    context: dg.AssetExecutionContext
    config: LoadConfig
    settings: Settings
    load_name: str

    @property
    def window(self) -> DayWindow:
        """The days of the run; a dataset without days has none to ask for."""
        return window_of(self.context)

    @property
    def allow_shrink(self) -> bool:
        """Whether somebody has said that days may lose what their landing files no longer have."""
        return self.config.allow_shrink or self.settings.allow_shrink

    @property
    def lake(self) -> Lake:
        """Where loads go."""
        return Lake(self.settings.lake_uri)

    @property
    def index_uri(self) -> str:
        """Where the days of the load's landing files are kept."""
        return self.lake.location(f"index/{self.load_name}.json")

    def paths_beside(self, prefix: str) -> list[UnreadPath]:
        """What lies beside the landing folders that sources read, and is most likely meant for `prefix`."""
        return unread_paths(Landing(self.settings.landing_uri), prefix, LANDING_PREFIXES)

    def progress(self, line: str) -> None:
        """Tell the run's log what is being done."""
        self.context.log.info(shown(line))

    def open_load(
        self, *, started_at: datetime | None = None, memory_limit: str | None = None
    ) -> AbstractContextManager[Load]:
        """Begin the load of this run; `memory_limit` is that of all loads, unless told."""
        return open_load(
            self.lake,
            self.load_name,
            run_id=self.context.run.run_id,
            memory_limit=memory_limit or self.settings.duckdb_memory_limit,
            started_at=started_at,
        )


def _no_outcomes(_run: RawRun, _load: Load) -> Sequence[CheckOutcome]:
    return ()


@dataclass(frozen=True, kw_only=True)
class RawSource:
    """What is loaded together in one step, and how.

    `load` reads the source and publishes or holds; `reread` runs the same extractor over records of the quarantine,
    which are like `traits` say. `checks` are those beside the standard ones, and `outcomes_of_replay` what they find
    where records are added. `resources` are the keys of those that `load` takes from its context.
    """

    load_name: str
    datasets: Sequence[Dataset]
    load: Callable[[RawRun], RawResults]
    reread: Callable[[RawRun, Load, Sequence[QuarantinedRecord]], Reread]
    traits: SourceTraits = field(default_factory=SourceTraits)
    checks: Sequence[tuple[CheckDefinition, Dataset]] = ()
    outcomes_of_replay: Callable[[RawRun, Load], Sequence[CheckOutcome]] = _no_outcomes
    resources: frozenset[str] = frozenset()

    @property
    def has_days(self) -> bool:
        """Whether its datasets are partitioned by day."""
        return self.datasets[0].partitioned

    def days_of(self, run: RawRun) -> list[date]:
        """The days that a run is about; one that is no day for datasets without any."""
        return run.window.days() if self.has_days else [WHOLE_DATASET_DAY]
