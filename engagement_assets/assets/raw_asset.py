"""The frame of every raw asset: what a run of it is asked for, and by whom that is done.

Belongs here: loading, or in its place releasing or replaying. Not here: what a source reads and which checks judge it
(one module per source beside this one), the moves of a load (`raw_load.py`).
"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import LoadConfig, door_check_specs, raw_spec
from engagement_assets.assets.raw_release import release_held_days
from engagement_assets.assets.raw_replay import replay_quarantine
from engagement_assets.assets.retries import trying_again
from engagement_assets.checks.catalog import Claim
from engagement_assets.checks.verdict import Verdict
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.quarantined import QuarantinedRecord, Reread
from engagement_assets.lake.datasets import Dataset
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load, open_load
from engagement_assets.lake.replay import SourceTraits
from engagement_assets.partitions import daily_partitions, window_of
from engagement_assets.settings import Settings

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

    def progress(self, line: str) -> None:
        """Tell the run's log what is being done."""
        self.context.log.info(line)

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


def _no_verdicts(_run: RawRun, _load: Load) -> Sequence[Verdict]:
    return ()


@dataclass(frozen=True, kw_only=True)
class RawSource:
    """What is loaded together in one step, and how.

    `load` reads the source and publishes or holds; `reread` runs the same extractor over records of the quarantine,
    which are like `traits` say. `checks` are those beside the standard ones, and `verdicts_of_replay` what they find
    where records are added. `resources` are the keys of those that `load` takes from its context.
    """

    load_name: str
    datasets: Sequence[Dataset]
    load: Callable[[RawRun], RawResults]
    reread: Callable[[RawRun, Load, Sequence[QuarantinedRecord]], Reread]
    traits: SourceTraits = field(default_factory=SourceTraits)
    checks: Sequence[tuple[Claim, Dataset]] = ()
    verdicts_of_replay: Callable[[RawRun, Load], Sequence[Verdict]] = _no_verdicts
    resources: frozenset[str] = frozenset()

    @property
    def has_days(self) -> bool:
        """Whether its datasets are partitioned by day."""
        return self.datasets[0].partitioned


def raw_asset(source: RawSource, settings: Settings) -> dg.AssetsDefinition:
    """The datasets of a source as one step, with a pool of its own."""
    name = f"raw_{source.load_name}"
    partitions = daily_partitions(settings.start_date) if source.has_days else None

    @dg.multi_asset(
        name=name,
        specs=[
            raw_spec(dataset, partitions, settings).merge_attributes(metadata=_code_of(source))
            for dataset in source.datasets
        ],
        check_specs=door_check_specs(source.datasets, *source.checks),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=name,
        required_resource_keys={"settings", *source.resources},
    )
    def raw_step(context: dg.AssetExecutionContext, config: LoadConfig) -> RawResults:
        settings: Settings = context.resources.settings
        run = RawRun(context, config, settings, source.load_name)
        window = run.window if source.has_days else None
        if (reason := config.release_reason) is not None:
            yield from release_held_days(
                context, settings, source.load_name, source.datasets, window=window, reason=reason
            )
        elif config.replay:
            yield from replay_quarantine(
                context,
                settings,
                config,
                source.load_name,
                source.datasets,
                window=window,
                read=lambda load, records: source.reread(run, load, records),
                traits=source.traits,
                further_verdicts=lambda load: source.verdicts_of_replay(run, load),
            )
        else:
            with trying_again(settings, context):
                yield from source.load(run)

    return raw_step


def _code_of(source: RawSource) -> dict[str, dg.CodeReferencesMetadataValue]:
    """The link to what reads the source, ahead of the one to this frame, which Dagster finds by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(
            file_path=inspect.getsourcefile(source.load) or "",
            line_number=inspect.getsourcelines(source.load)[1],
            label=f"how {source.load_name} is loaded",
        )
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
