"""The raw asset factory: makes the asset that loads, releases or replays the datasets of a source.

Belongs here: choosing between these three. Not here: what a source provides (`raw_source.py`), the steps of a load
(`raw_load.py`).
"""

import inspect
import warnings

import dagster as dg

from engagement_assets.assets.raw_load import load_check_specs, raw_spec
from engagement_assets.assets.raw_release import release_held_days
from engagement_assets.assets.raw_replay import replay_quarantine
from engagement_assets.assets.raw_source import LoadConfig, RawResults, RawRun, RawSource
from engagement_assets.assets.retrying import retrying
from engagement_assets.partitions import daily_partitions
from engagement_assets.settings import Settings


def raw_asset(source: RawSource, settings: Settings) -> dg.AssetsDefinition:
    """The datasets of a source as one step, with a pool of its own."""
    name = f"raw_{source.load_name}"
    partitions = daily_partitions(settings.start_date, settings.last_sample_day) if source.has_days else None

    @dg.multi_asset(
        name=name,
        specs=[
            raw_spec(dataset, partitions, settings).merge_attributes(metadata=_code_of(source))
            for dataset in source.datasets
        ],
        check_specs=load_check_specs(source.datasets, *source.checks),
        backfill_policy=_backfill_policy(source, settings.backfill_days_per_run),
        pool=name,
        required_resource_keys={"settings", *source.resources},
    )
    def raw_step(context: dg.AssetExecutionContext, config: LoadConfig) -> RawResults:
        run = RawRun(context, config, context.resources.settings, source)
        if config.release_reason is not None:
            yield from release_held_days(run, config.release_reason)
        elif config.replay:
            yield from replay_quarantine(run)
        else:
            with retrying(run.settings, context):
                yield from source.load(run)

    return raw_step


def _backfill_policy(source: RawSource, days_per_run: int) -> dg.BackfillPolicy:
    """One run over all days, or runs of some days each where these do not depend on each other.

    What is downstream has no limit, since the warehouse has one writer: Dagster requests all days that are ready.
    """
    if days_per_run and source.days_are_apart:
        return dg.BackfillPolicy.multi_run(days_per_run)
    return dg.BackfillPolicy.single_run()


def _code_of(source: RawSource) -> dict[str, dg.CodeReferencesMetadataValue]:
    """A link to the function that reads the source. Dagster adds one to this factory by itself."""
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        place = dg.LocalFileCodeReference(
            file_path=inspect.getsourcefile(source.load) or "",
            line_number=inspect.getsourcelines(source.load)[1],
            label=f"how {source.load_name} is loaded",
        )
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
