"""A run of a raw asset that replays quarantined records.

Belongs here: which days can be replayed, which checks judge them, what Dagster records. Not here: what becomes of the
records (see `lake/replay.py`), or how they are read (each source names its own extractor).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import dagster as dg

from engagement_assets.assets.raw_load import history_of, not_judged
from engagement_assets.assets.raw_source import RawResults, RawRun
from engagement_assets.assets.retrying import retrying
from engagement_assets.checks.outcome import CheckOutcome
from engagement_assets.checks.standard import reconciles, rejected_share, schema_drift
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import Severity
from engagement_assets.lake.commit import commit
from engagement_assets.lake.extraction_tables import reject_reasons, unknown_fields
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.replay import Choice, Replay
from engagement_assets.lake.replay_trace import NOT_REBUILT, figures_of, trace_of
from engagement_assets.settings import Settings


def replay_quarantine(run: RawRun) -> RawResults:
    """Put the window's quarantined records through the extractor and the checks of the source again.

    Records that can be used now are added to the published days in one commit. If a check halts, none is, and the step
    fails. A day is judged together with what is added to it. The checks that look for lost records pass and say that
    they were not evaluated, since a replay only adds.

    Raises:
        dagster.Failure: a day was never loaded, was removed, or is held.
    """
    context, settings, config, source = run.context, run.settings, run.config, run.source
    datasets, days = source.datasets, source.days_of(run)
    with retrying(settings, context), run.open_load() as load:
        _refuse_days_that_cannot_be_replayed(load, datasets, days)
        choice = Choice(config.replay_dataset, config.replay_reason_code)
        replay = Replay(load, datasets, days, choice, source.traits)
        load.workdir.joinpath("records").mkdir()
        reread = source.reread(run, load, replay.records())
        changed = replay.take(reread)
        figures = figures_of(load, datasets)
        outcomes: list[CheckOutcome] = []
        results: list[dg.AssetCheckResult] = []
        if changed:
            load.stage_additions(replay.extraction(changed), changed)
            outcomes = [
                outcome.with_severity(settings.check_severities.of(outcome.dataset.source, outcome.check.name))
                for outcome in (*_outcomes(load, datasets, settings), *source.outcomes_of_replay(run, load))
            ]
            results = [outcome.result(load, held={}) for outcome in outcomes]
        halting = any(outcome.halting_days for outcome in outcomes)
        is_published = bool(changed) and not halting
        trace = trace_of(load, with_left=is_published)
        if is_published:
            load.publish_additions(trace)
        elif trace:
            commit(load.lake, load.name, [trace])
    outcome = "a check halts" if halting else "replayed" if changed else "no record can be used now"
    for dataset in datasets:
        counts = figures[dataset.key]
        run.progress(
            f"{dataset.key}: {outcome}; of {counts['in_quarantine_before']:,} records in quarantine "
            f"{counts['put_through']:,} were put through, {counts['left_quarantine']:,} can be used now, "
            f"{counts['became_accepted']:,} of them as new rows"
        )
        if not_rebuilt := counts[NOT_REBUILT]:
            run.progress(
                f"{dataset.key}: {not_rebuilt:,} records cannot be rebuilt, see audit.replayed_records: their landing "
                "file has gone or is not the same, it cannot be read there, or a service sent them. Load their days "
                "again"
            )
        own = [result for result in results if result.asset_key == dg.AssetKey(dataset.key.split("/"))]
        if halting:
            yield from own
            continue
        yield dg.MaterializeResult(
            asset_key=dataset.key.split("/"),
            metadata={**counts, "replayed_days": [str(day) for day in changed if day != WHOLE_DATASET_DAY]},
            check_results=[*own, *not_judged(context, dataset, own, (), outcome)],
        )


def _refuse_days_that_cannot_be_replayed(load: Load, datasets: Sequence[Dataset], days: Sequence[date]) -> None:
    lake = load.lake
    for refused, reason in (
        (lake.pruned_days(datasets[0], days)[:1], "was removed by RAW_RETENTION_DAYS, so nothing can be added to it"),
        (
            [day for day in days if not lake.exists(lake.day_key(datasets[0], day))],
            "was never loaded, expected days that were: load it first",
        ),
        (
            sorted(set(lake.held_days(load.name)) & set(days)),
            "is held, and its quarantine with it: release it or load it again first",
        ),
    ):
        if refused:
            named = ", ".join(str(day) for day in refused[:5] if day != WHOLE_DATASET_DAY) or "the dataset"
            raise dg.Failure(f"{named} of {load.name} {reason}, or name a range without it", allow_retries=False)


def _outcomes(load: Load, datasets: Sequence[Dataset], settings: Settings) -> Iterator[CheckOutcome]:
    """The standard checks. Shares are those of the whole day, with everything that stays in quarantine."""
    known = history_of(load).unknown_fields
    unknown, reasons = unknown_fields(load.connection), reject_reasons(load.connection)
    for dataset in datasets:
        counts = load.counts_of(dataset)
        whole = [
            replace(day, records_read=day.staged_rows + day.quarantined, accepted=day.staged_rows, duplicates=0)
            for day in counts
        ]
        yield reconciles(dataset, counts)
        # A replay only lowers the share, so a share that is still too large is no reason to stop it.
        yield rejected_share(load, dataset, whole, settings).with_severity(Severity.WARN)
        yield schema_drift(
            dataset,
            whole,
            unknown.get(dataset.key, {}),
            known.get(dataset.key, frozenset()),
            reasons.get(dataset.key, {}),
        )
