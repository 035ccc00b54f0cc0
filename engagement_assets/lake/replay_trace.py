"""What became of the records of a replay: its figures, and the trace that it leaves in the lake.

Belongs here: counting and recording the outcome. Not here: how a replay finds it out (`lake/replay.py`), whose
temporary tables are read here.
"""

from collections.abc import Sequence

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.lake.commit import FileChange
from engagement_assets.lake.day_files import rows_of
from engagement_assets.lake.lake import WHOLE_DATASET_DAY
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import write_records
from engagement_assets.lake.record_columns import REPLAY_COLUMNS

# What the trace and the figures call a record whose text is nowhere to be found: its landing file has gone or changed,
# or it came from a service.
NOT_REBUILT = "cannot_be_rebuilt"
_IS_NOT_REBUILT = "is_chosen and number not in (select number from replay_rebuilt)"


def trace_of(load: Load, *, with_left: bool) -> FileChange | None:
    """What becomes of records, added to what other replays of the same day recorded; None if that is nothing.

    These are the records that left the quarantine, if `with_left`, and those that could not be rebuilt. The latter
    are named once, however often they are tried.
    """
    key = load.lake.replays_key(load.name, load.started_at.date())
    columns = [name for name in REPLAY_COLUMNS if name not in {"load_id", "run_id", "replayed_at"}]
    same = " and ".join(
        f"named.{name} is not distinct from records.{name}"
        for name in ("dataset", "source_path", "position", "first_quarantined_at")
    )
    earlier = f"records/replayed/day=*/{load.name}.parquet"
    named = rows_of(list(map(load.lake.location, load.lake.keys(earlier))), REPLAY_COLUMNS)
    rows = load.connection.execute(
        f"""
        select {", ".join(columns)}
        from (
            select
                * replace (nullif(accepted_on, date '{WHOLE_DATASET_DAY}') as accepted_on),
                nullif(day, date '{WHOLE_DATASET_DAY}') as partition_date
            from (
                select
                    * exclude (path), case when accepted_on is null then 'duplicate' else 'accepted' end as became
                from replay_left
                where {with_left}
                union all by name
                select *, cast(null as date) as accepted_on, '{NOT_REBUILT}' as became
                from replay_records as records
                where
                    {_IS_NOT_REBUILT}
                    and not exists (select 1 from {named} as named where became = '{NOT_REBUILT}' and {same})
            )
        )
        order by number
        """
    ).fetchall()
    if not rows:
        return None
    own = {
        "load_id": load.load_id,
        "run_id": load.run_id,
        "replayed_at": load.started_at.replace(tzinfo=None),
    }
    path = load.staging / "replayed.parquet"
    records = [{**dict(zip(columns, row, strict=True)), **own} for row in rows]
    write_records(load.connection, REPLAY_COLUMNS, records, path, load.lake.present([key]))
    return FileChange(key, path)


def figures_of(load: Load, datasets: Sequence[Dataset]) -> dict[str, dict[str, int]]:
    """Per dataset: how many records were in quarantine, were read again, left it, were accepted, or not rebuilt."""
    rows = load.connection.execute(
        f"""
        select
            dataset_key,
            count(*),
            count(*) filter (where number in (select number from replay_paths)),
            count(*) filter (where number in (select number from replay_left)),
            count(*) filter (where number in (select number from replay_left where accepted_on is not null)),
            count(*) filter ({_IS_NOT_REBUILT})
        from replay_records
        group by dataset_key
        """
    ).fetchall()
    counts_of = {key: counts for key, *counts in rows}
    names = ("in_quarantine_before", "put_through", "left_quarantine", "became_accepted", NOT_REBUILT)
    return {
        dataset.key: dict(zip(names, counts_of.get(dataset.key, [0] * len(names)), strict=True)) for dataset in datasets
    }
