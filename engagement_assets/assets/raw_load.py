"""What all loads of raw data have in common: their assets and checks, the standard checks, publishing or holding.

Belongs here: what is the same for all sources. Not here: what a source reads and which other checks judge it (one
module per source, next to this one), or how a held day is released (`raw_release.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from engagement_assets.assets.dbt_models import asset_tags, personal_tag
from engagement_assets.assets.raw_source import RawResults, RawRun
from engagement_assets.checks.outcome import CheckOutcome, by_day, check_spec
from engagement_assets.checks.standard import reconciles, rejected_share, schema_drift
from engagement_assets.checks.volume import WEEKS_OF_HISTORY, rows_in_day, volume_as_expected
from engagement_assets.contracts import check_metadata
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import EVERY_FILE_IS_READ, STANDARD_CHECKS, CheckDefinition
from engagement_assets.contracts.personal import OWN_PERSONAL, PersonalKind
from engagement_assets.day_ranges import in_ranges
from engagement_assets.lake.extraction_tables import placeholders, reject_reasons, unknown_fields
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import DayCounts, LoadHistory, PublishedDay, read_history
from engagement_assets.lake.record_columns import (
    ERASURE_COLUMNS,
    HELD_COLUMNS,
    LOAD_COLUMNS,
    QUARANTINE_COLUMNS,
    QUARANTINE_PERSONAL,
    REPLAY_COLUMNS,
)
from engagement_assets.settings import Settings
from engagement_assets.shown_text import LONGEST_NAME, markdown_table, shown
from engagement_assets.sources import AUDIT, RAW_DATASETS, source_named

OWNERS = ["team:engagement-data"]
PREVIEW_ROWS = 5


def raw_spec(
    dataset: Dataset, partitions: dg.PartitionsDefinition[Any] | None, settings: Settings | None = None
) -> dg.AssetSpec:
    """The asset of a raw dataset.

    `settings` say by when it must be fresh; without them there is no deadline.
    """
    hours = settings.freshness_hours_of(dataset.source) if settings else None
    return dg.AssetSpec(
        key=dataset.key.split("/"),
        description=dataset.description,
        group_name=f"raw_{dataset.source}",
        owners=OWNERS,
        kinds={"python", "parquet"},
        tags=asset_tags(source_named(dataset.source).area, "raw"),
        partitions_def=partitions,
        skippable=True,
        # There is one load a day, so a day may pass since the last one.
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=24 + hours)) if hours else None,
        metadata={"dagster/column_schema": column_schema(dataset)},
    )


def unconfigured_spec(
    dataset: Dataset, partitions: dg.PartitionsDefinition[Any], missing: Sequence[str]
) -> dg.AssetSpec:
    """The asset of a dataset that cannot be loaded because settings are missing. Downstream it has no rows."""
    spec = raw_spec(dataset, partitions)
    return spec.replace_attributes(
        description=f"NOT LOADED: set {', '.join(missing)} to load it.\n\n{spec.description}", skippable=False
    )


def record_specs() -> list[dg.AssetSpec]:
    """The records that every load writes about itself, as the assets that the audit tables read."""
    return [
        dg.AssetSpec(
            key=["records", name],
            deps=[dataset.key.split("/") for dataset in RAW_DATASETS],
            description=description,
            group_name=AUDIT,
            owners=OWNERS,
            kinds={"parquet"},
            tags=asset_tags(AUDIT, "raw"),
            metadata={
                "dagster/column_schema": dg.TableSchema(_table_columns(columns, OWN_PERSONAL | QUARANTINE_PERSONAL))
            },
        )
        for name, columns, description in (
            ("loads", LOAD_COLUMNS, "One row per load, dataset and day, written by each load."),
            ("replayed", REPLAY_COLUMNS, "One row per record that left the quarantine, written by each replay."),
            ("rejected", QUARANTINE_COLUMNS, "One row per record that could not be used, written by each load."),
            ("held", HELD_COLUMNS, "One row per dataset and day that failed a halting check, written by each load."),
            ("erasures", ERASURE_COLUMNS, "One row per person that was to be erased, without the id."),
        )
    ]


def column_schema(dataset: Dataset) -> dg.TableSchema:
    """Columns, types and kinds of personal data of a dataset, with the partition day, which is part of the path."""
    columns = _table_columns(dataset.columns, dataset.kinds)
    day = dg.TableColumn("day", "date", "The partition, from the path.")
    return dg.TableSchema([*columns, day] if dataset.partitioned else columns)


def load_check_specs(datasets: Sequence[Dataset], *others: tuple[CheckDefinition, Dataset]) -> list[dg.AssetCheckSpec]:
    """The checks of a load: the standard checks of each dataset, and `others`."""
    standard = [(check, dataset) for dataset in datasets for check in STANDARD_CHECKS]
    return [check_spec(check, dataset) for check, dataset in (*standard, *others)]


def standard_outcomes(
    load: Load,
    datasets: Sequence[Dataset],
    settings: Settings,
    volume_of: Callable[[DayCounts | PublishedDay], int] = rows_in_day,
) -> list[CheckOutcome]:
    """The outcomes of the standard checks on what is staged."""
    history = history_of(load)
    unknown, reasons = unknown_fields(load.connection), reject_reasons(load.connection)
    outcomes = []
    for dataset in datasets:
        counts = load.counts_of(dataset)
        outcomes += [
            reconciles(dataset, counts),
            rejected_share(load, dataset, counts, settings),
            schema_drift(
                dataset,
                counts,
                unknown.get(dataset.key, {}),
                history.unknown_fields.get(dataset.key, frozenset()),
                reasons.get(dataset.key, {}),
            ),
            volume_as_expected(dataset, counts, history, load.started_at.date(), volume_of),
        ]
    return outcomes


def history_of(load: Load) -> LoadHistory:
    """What earlier loads of the same datasets published, as far back as the standard checks look."""
    first = load.started_at.date() if load.days == [WHOLE_DATASET_DAY] else load.days[0]
    return read_history(load.connection, load.lake, load.name, first - timedelta(weeks=WEEKS_OF_HISTORY))


def not_judged(
    context: dg.AssetExecutionContext,
    dataset: Dataset,
    judged: Sequence[dg.AssetCheckResult],
    settled: Sequence[date],
    reason: str,
) -> list[dg.AssetCheckResult]:
    """Results for the checks that are not among those `judged`: they pass, and say that they were not evaluated.

    They still settle an earlier failure of the days `settled`, but not one that concerns no single day.
    """
    asset_key = dg.AssetKey(dataset.key.split("/"))
    names = {result.check_name for result in judged}
    span = (
        {
            check_metadata.FIRST_DAY_JUDGED: settled[0].isoformat(),
            check_metadata.LAST_DAY_JUDGED: settled[-1].isoformat(),
        }
        if settled and dataset.partitioned
        else {}
    )
    return [
        dg.AssetCheckResult(
            passed=True,
            asset_key=asset_key,
            check_name=check.name,
            description=f"not judged: {reason}",
            metadata={
                check_metadata.FAILING_DAYS: [],
                check_metadata.NOT_JUDGED: not settled or check.name == EVERY_FILE_IS_READ.name,
                **span,
            },
        )
        for check in sorted(context.selected_asset_check_keys)
        if check.asset_key == asset_key and check.name not in names
    ]


def _table_columns(columns: Mapping[str, str], kinds: Mapping[str, PersonalKind]) -> list[dg.TableColumn]:
    """Types in lower case, as in the tables downstream."""
    return [dg.TableColumn(name, type_.lower(), tags=personal_tag(kinds.get(name))) for name, type_ in columns.items()]


def publish_or_hold(
    run: RawRun,
    load: Load,
    outcomes: Sequence[CheckOutcome],
    *,
    figures: Mapping[str, int] | None = None,
    complete_before: date | None = None,
) -> RawResults:
    """Publish the days that passed, hold those that failed, and report both to Dagster.

    A failing day is held if the severity of the check, or the one in the settings, is `halt`; `warn` lets it through.
    With a held day the asset yields no result, so the step fails and nothing downstream runs on half a range. The good
    days are then recorded as materialized one by one. The same happens if only the days before `complete_before` were
    read completely: the caller then says why it stopped. `figures` are added to the counts of each dataset.

    Raises:
        dagster.Failure: a day is held; the text says which, by which check, and what it found.
    """
    context, datasets, severities = run.context, run.source.datasets, run.settings.check_severities
    counts_of = {item.key: load.counts_of(item) for item in datasets}
    outcomes = [
        outcome.with_severity(severities.of(outcome.dataset.source, outcome.check.name)) for outcome in outcomes
    ]
    if any(outcome.findings for outcome in outcomes):
        history = history_of(load)
        outcomes = [outcome.without_released(counts_of[outcome.dataset.key], history) for outcome in outcomes]
    held = _held_days(load, outcomes)
    metadata = {item.key: {**_metadata(load, item, counts_of[item.key]), **(figures or {})} for item in datasets}
    unchanged = load.publish(held)
    still_held = run.held_days()
    partitions = run.window.days() if run.source.has_days else []
    for dataset in datasets:
        context.log.info(_summary_line(dataset, counts_of[dataset.key], held))
        results = [outcome.result(load, held) for outcome in outcomes if outcome.dataset is dataset]
        asset_key = dataset.key.split("/")
        metadata[dataset.key]["days_unchanged"] = len(unchanged)
        if not held and complete_before is None:
            metadata[dataset.key][check_metadata.HELD_DAYS] = still_held
            yield dg.MaterializeResult(asset_key=asset_key, metadata=metadata[dataset.key], check_results=results)
            continue
        if held:
            context.log_event(
                dg.AssetObservation(
                    asset_key,
                    description=f"{len(held)} days of this load are held" if dataset.partitioned else "held",
                    metadata={**metadata[dataset.key], check_metadata.HELD_DAYS: still_held},
                )
            )
        for day in counts_of[dataset.key]:
            if day.day in partitions and day.day not in held and not (complete_before and day.day >= complete_before):
                context.log_event(
                    dg.AssetMaterialization(asset_key, partition=day.day.isoformat(), metadata=_day_metadata(day))
                )
        # Dagster takes logged events with the next result, and drops those that are waiting when a step fails.
        yield from results
    if held:
        raise dg.Failure(description=_held_sentences(outcomes), allow_retries=False)


def _held_days(load: Load, outcomes: Sequence[CheckOutcome]) -> dict[date, dict[str, str]]:
    """The days to hold, each with the checks that halt it. A finding about no single day holds all days of the load."""
    held: dict[date, dict[str, str]] = {}
    for outcome in outcomes:
        for day, sentence in outcome.halting_days.items():
            for held_day in load.days if day == WHOLE_DATASET_DAY else [day]:
                held.setdefault(held_day, {})[outcome.name_in_records] = sentence
    return held


def _held_sentences(outcomes: Sequence[CheckOutcome]) -> str:
    """The message of the failed run."""
    lines = []
    for outcome in outcomes:
        between = ": " if WHOLE_DATASET_DAY in outcome.halting_days else " on "
        lines += [f"{outcome.name_in_records}{between}{line}" for line in by_day(outcome.halting_days)]
    return "held, the lake keeps what it had:\n  " + "\n  ".join(lines)


def _metadata(load: Load, dataset: Dataset, days: Sequence[DayCounts]) -> dict[str, Any]:
    """Totals of the run, the table of its days, a preview without personal columns."""
    totals = {
        name: sum(getattr(day, name) for day in days)
        for name in ("files", "bytes", "records_read", "accepted", "quarantined", "duplicates", "erased")
    }
    nulled = placeholders(load.connection, dataset)
    return {
        **totals,
        **({"placeholders_read_as_null": nulled} if nulled else {}),
        "dagster/row_count": sum(day.staged_rows for day in days),
        "load_id": load.load_id,
        "unknown_fields": sorted(
            {
                shown(field, LONGEST_NAME)
                for fields in unknown_fields(load.connection).get(dataset.key, {}).values()
                for field in fields
            }
        ),
        "preview": dg.MetadataValue.md(preview(load, dataset, PREVIEW_ROWS)),
    }


def preview(load: Load, dataset: Dataset, rows: int) -> str:
    """The first staged rows as a Markdown table, without personal columns."""
    names = [name for name in dataset.columns if name not in dataset.kinds]
    first = f"order by day, {', '.join(dataset.identity)} limit {rows}"
    query = f"select {', '.join(names)} from {load.staged_rows(dataset)} {first}"
    return markdown_table(names, load.connection.execute(query).fetchall())


def _day_metadata(day: DayCounts) -> dict[str, Any]:
    return {
        "dagster/row_count": day.staged_rows,
        "records_read": day.records_read,
        "accepted": day.accepted,
        "quarantined": day.quarantined,
        "duplicates": day.duplicates,
        "erased": day.erased,
    }


def _summary_line(dataset: Dataset, days: Sequence[DayCounts], held: Mapping[date, object]) -> str:
    read, accepted, quarantined, duplicates, erased = (
        sum(getattr(day, name) for day in days)
        for name in ("records_read", "accepted", "quarantined", "duplicates", "erased")
    )
    span = "" if days[0].day == WHOLE_DATASET_DAY else f" {days[0].day} to {days[-1].day}"
    line = (
        f"{dataset.key}{span}: {read:,} read, {accepted:,} accepted, {quarantined:,} quarantined, "
        f"{duplicates:,} duplicates{f', {erased:,} of erased persons' if erased else ''}"
    )
    if not held:
        return line
    return f"{line}; held: {', '.join(in_ranges(held)) if dataset.partitioned else dataset.name}"
