"""The three moves of every raw asset: extract, judge aside, publish or hold.

Belongs here: what is the same for all sources. Not here: what a source reads and which checks judge it (one module
per source beside this one).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from engagement_assets.assets.dbt_models import AUDIT, area_of_source, asset_tags
from engagement_assets.checks.raw_door import DAYS_IN_TEXT, Verdict
from engagement_assets.extract.extraction import DayWindow
from engagement_assets.extract.http_api import ApiError, ApiUnavailableError
from engagement_assets.lake.datasets import LOAD_COLUMNS, QUARANTINE_COLUMNS, RAW_DATASETS, Dataset
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import DayCounts, Load
from engagement_assets.settings import Settings

OWNERS = ["team:engagement-data"]
PREVIEW_ROWS = 5


class LoadConfig(dg.Config):
    """What a person can say about one run of a raw asset, also in the launchpad."""

    allow_shrink: bool = Field(
        default=False,
        description="Let a day whose landing files have gone replace the day that was loaded from them.",
    )


def raw_spec(dataset: Dataset, partitions: dg.PartitionsDefinition[Any] | None) -> dg.AssetSpec:
    """The asset of a raw dataset: group, owners, kinds and column schema come from the dataset."""
    return dg.AssetSpec(
        key=dataset.key.split("/"),
        description=dataset.description,
        group_name=f"raw_{dataset.source}",
        owners=OWNERS,
        kinds={"python", "parquet"},
        tags=asset_tags(area_of_source(dataset.source), "raw"),
        partitions_def=partitions,
        skippable=True,
        metadata={"dagster/column_schema": column_schema(dataset)},
    )


def unconfigured_spec(
    dataset: Dataset, partitions: dg.PartitionsDefinition[Any], missing: Sequence[str]
) -> dg.AssetSpec:
    """The asset of a dataset that nobody can load, since settings are missing; what is downstream finds no rows."""
    spec = raw_spec(dataset, partitions)
    return spec.replace_attributes(
        description=f"NOT LOADED: set {', '.join(missing)} to load it.\n\n{spec.description}", skippable=False
    )


def record_specs() -> list[dg.AssetSpec]:
    """What every load writes down about itself, as the assets that the audit tables are made of."""
    return [
        dg.AssetSpec(
            key=["records", name],
            deps=[dataset.key.split("/") for dataset in RAW_DATASETS],
            description=description,
            group_name=AUDIT,
            owners=OWNERS,
            kinds={"parquet"},
            tags=asset_tags(AUDIT, "raw"),
            metadata={"dagster/column_schema": dg.TableSchema(_table_columns(columns))},
        )
        for name, columns, description in (
            ("loads", LOAD_COLUMNS, "One row per load, dataset and day, which each load writes beside its data."),
            ("rejected", QUARANTINE_COLUMNS, "One row per record that could not be used, which each load writes."),
        )
    ]


def column_schema(dataset: Dataset) -> dg.TableSchema:
    """Columns and types of a dataset, with the partition day that stands in the path."""
    columns = _table_columns(dataset.columns)
    day = dg.TableColumn("day", "date", "The partition, from the path.")
    return dg.TableSchema([*columns, day] if dataset.partitioned else columns)


def _table_columns(columns: Mapping[str, str]) -> list[dg.TableColumn]:
    """Types in small letters, as the tables made of them have them."""
    return [dg.TableColumn(name, kind.lower()) for name, kind in columns.items()]


def publish_or_hold(  # noqa: PLR0913 - what a load has found
    context: dg.AssetExecutionContext,
    load: Load,
    datasets: Sequence[Dataset],
    verdicts: Sequence[Verdict],
    window: DayWindow | None,
    *,
    figures: Mapping[str, int] | None = None,
    complete_before: date | None = None,
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Publish the days that passed, hold those that failed, and tell Dagster about both.

    With a held day the asset yields no result, so that the step fails and nothing downstream runs on a half range;
    the good days are recorded as materialized one by one. So it is when only the days before `complete_before` were
    read to their end: the caller then says why it stopped. `figures` stand beside the counts of each dataset.

    Raises:
        dagster.Failure: a day is held; the text says which, by which check, and what it found.
    """
    held: dict[date, list[str]] = {}
    for verdict in verdicts:
        for failing_day in verdict.failing_days:
            held.setdefault(failing_day, []).append(f"{verdict.dataset.name}.{verdict.check}")
    counts = load.counts()
    counts_of = {item.key: [found for found in counts if found.dataset == item.key] for item in datasets}
    metadata = {item.key: {**_metadata(load, item, counts_of[item.key]), **(figures or {})} for item in datasets}
    load.publish(held)
    for dataset in datasets:
        context.log.info(_summary_line(dataset, counts_of[dataset.key], held))
        results = [verdict.result() for verdict in verdicts if verdict.dataset is dataset]
        asset_key = dataset.key.split("/")
        if not held and complete_before is None:
            yield dg.MaterializeResult(asset_key=asset_key, metadata=metadata[dataset.key], check_results=results)
            continue
        yield from results
        partitions = window.days() if window else []
        good = [day for day in counts_of[dataset.key] if day.day in partitions and day.day not in held]
        for found in good:
            if complete_before and found.day >= complete_before:
                continue
            context.log_event(
                dg.AssetMaterialization(asset_key, partition=found.day.isoformat(), metadata=_day_metadata(found))
            )
    if held:
        raise dg.Failure(description=_held_sentences(verdicts), allow_retries=False)


@contextmanager
def trying_again(settings: Settings) -> Iterator[None]:
    """Let Dagster try the step twice more when a service does not answer; what will not heal fails at once."""
    try:
        yield
    except ApiUnavailableError as error:
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=settings.api_retry_delay_s) from error
    except ApiError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _held_sentences(verdicts: Sequence[Verdict]) -> str:
    """What a person reads where the run failed, the first days of it."""
    sentences = [
        f"{verdict.dataset.name}.{verdict.check}{'' if day == WHOLE_DATASET_DAY else f' on {day}'}: {sentence}"
        for verdict in verdicts
        for day, sentence in sorted(verdict.failing_days.items())
    ]
    more = f"\n  … and {len(sentences) - DAYS_IN_TEXT} more" if len(sentences) > DAYS_IN_TEXT else ""
    return "held, the lake keeps what it had:\n  " + "\n  ".join(sentences[:DAYS_IN_TEXT]) + more


def _metadata(load: Load, dataset: Dataset, days: Sequence[DayCounts]) -> dict[str, Any]:
    """Totals of the run, the table of its days, a preview without personal columns."""
    totals = {
        name: sum(getattr(day, name) for day in days)
        for name in ("files", "bytes", "records_read", "accepted", "quarantined", "duplicates")
    }
    return {
        **totals,
        "dagster/row_count": sum(day.rows_aside for day in days),
        "load_id": load.load_id,
        "unknown_fields": sorted(
            {field for fields in load.unknown_fields().get(dataset.key, {}).values() for field in fields}
        ),
        "preview": dg.MetadataValue.md(load.preview(dataset, PREVIEW_ROWS)),
    }


def _day_metadata(day: DayCounts) -> dict[str, Any]:
    return {
        "dagster/row_count": day.rows_aside,
        "records_read": day.records_read,
        "accepted": day.accepted,
        "quarantined": day.quarantined,
        "duplicates": day.duplicates,
    }


def _summary_line(dataset: Dataset, days: Sequence[DayCounts], held: dict[date, list[str]]) -> str:
    read, accepted, quarantined, duplicates = (
        sum(getattr(day, name) for day in days) for name in ("records_read", "accepted", "quarantined", "duplicates")
    )
    span = "" if days[0].day == WHOLE_DATASET_DAY else f" {days[0].day} to {days[-1].day}"
    line = (
        f"{dataset.key}{span}: {read:,} read, {accepted:,} accepted, {quarantined:,} quarantined, "
        f"{duplicates:,} duplicates"
    )
    return f"{line}; held: {', '.join(map(str, sorted(held)))}" if held else line
