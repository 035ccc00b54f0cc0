"""Replaying quarantined records, as a run of the raw asset that takes them from the quarantine.

Belongs here: which days can be replayed, what judges them, what Dagster is told. Not here: what becomes of the records
(see `lake/replay.py`), or how they are read (each source's raw asset names its own extractor).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from engagement_assets.assets.raw_load import history_of, not_judged
from engagement_assets.assets.raw_source import RawRun, RawSource
from engagement_assets.assets.retrying import retrying
from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.standard import reconciles, rejected_share, schema_drift
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import Severity
from engagement_assets.lake.extraction_tables import reject_reasons, unknown_fields
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import Choice, Replay
from engagement_assets.settings import Settings


def replay_quarantine(run: RawRun, source: RawSource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Put the window's quarantined records through the extractor and the checks of the source again.

    What comes through is added to the published days in one commit; if a check halts, nothing is, and the step fails.
    A day is judged as it would be with what is added to it; a check of what a source has lost passes and says so, since
    a replay only adds.

    Raises:
        dagster.Failure: a day was never loaded, was removed, or is held.
    """
    context, settings, config = run.context, run.settings, run.config
    datasets, days = source.datasets, source.days_of(run)
    with retrying(settings, context), run.open_load() as load:
        _refuse_days_that_cannot_be_replayed(load, datasets, days)
        choice = Choice(config.replay_dataset, config.replay_reason_code)
        replay = Replay(load, datasets, days, choice, source.traits)
        load.workdir.joinpath("records").mkdir()
        reread = source.reread(run, load, replay.records())
        changed = replay.take(reread)
        figures = replay.figures()
        outcomes: list[CheckOutcome] = []
        results: list[dg.AssetCheckResult] = []
        if changed:
            load.stage_additions(replay.extraction(reread, changed), changed)
            outcomes = [
                outcome.with_severity(settings.check_severities.of(outcome.dataset.source, outcome.check.name))
                for outcome in (*_outcomes(load, datasets, settings), *source.outcomes_of_replay(run, load))
            ]
            results = [outcome.result(load, held={}) for outcome in outcomes]
        halting = any(outcome.halting_days for outcome in outcomes)
        if changed and not halting:
            load.publish_additions(replay.trace())
    told = "a check halts" if halting else "nothing came through" if not changed else "replayed"
    for dataset in datasets:
        counts = figures[dataset.key]
        run.progress(
            f"{dataset.key}: {told}; of {counts['in_quarantine_before']:,} records in quarantine "
            f"{counts['put_through']:,} were put through, {counts['left_quarantine']:,} can be used now, "
            f"{counts['became_accepted']:,} of them as new rows"
        )
        own = [result for result in results if result.asset_key == dg.AssetKey(dataset.key.split("/"))]
        if halting:
            yield from own
            continue
        yield dg.MaterializeResult(
            asset_key=dataset.key.split("/"),
            metadata={**counts, "replayed_days": [str(day) for day in changed if day != WHOLE_DATASET_DAY]},
            check_results=[*own, *not_judged(context, dataset, own, (), told)],
        )


def _refuse_days_that_cannot_be_replayed(load: Load, datasets: Sequence[Dataset], days: Sequence[Any]) -> None:
    if pruned := load.lake.pruned_days(datasets[0], days):
        raise dg.Failure(
            f"{pruned[0]} of {load.name} was removed by RAW_RETENTION_DAYS, nothing can be added to it: name a range "
            "without it",
            allow_retries=False,
        )
    never = [day for day in days if not load.lake.exists(load.lake.day_key(datasets[0], day))]
    if never:
        named = ", ".join(str(day) for day in never[:5] if day != WHOLE_DATASET_DAY) or "the dataset"
        raise dg.Failure(
            f"{named} of {load.name} was never loaded, expected days that were: load it, or name a range without it",
            allow_retries=False,
        )
    held = sorted(set(load.lake.held_days(load.name)) & set(days))
    if held:
        named = ", ".join(str(day) for day in held[:5] if day != WHOLE_DATASET_DAY) or "the dataset"
        raise dg.Failure(
            f"{named} of {load.name} is held, and its quarantine with it; release or mend it first, or name a range "
            "without it",
            allow_retries=False,
        )


def _outcomes(load: Load, datasets: Sequence[Dataset], settings: Settings) -> Iterator[CheckOutcome]:
    """The standard checks; shares are judged as they are for the whole day, with all that stays in quarantine."""
    known = history_of(load).unknown_fields
    unknown, reasons = unknown_fields(load.connection), reject_reasons(load.connection)
    for dataset in datasets:
        counts = [day for day in load.counts() if day.dataset == dataset.key]
        whole = [
            replace(day, records_read=day.staged_rows + day.quarantined, accepted=day.staged_rows, duplicates=0)
            for day in counts
        ]
        yield reconciles(dataset, counts)
        # The share only falls by a replay: too large a one is no reason against it.
        yield rejected_share(load, dataset, whole, settings).with_severity(Severity.WARN)
        yield schema_drift(
            dataset,
            whole,
            unknown.get(dataset.key, {}),
            known.get(dataset.key, frozenset()),
            reasons.get(dataset.key, {}),
        )
