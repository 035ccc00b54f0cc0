"""The checks of what a load has staged, before any of it becomes visible.

Belongs here: checks of the counts, fields and records of one load. Not here: checks that
compare with history (`volume.py`, `weekly_statistics.py`), what happens to a failing day (see `assets/raw_load.py`),
and data rules on tables (dbt tests).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from engagement_assets.checks.outcome import KEYS_SHOWN, CheckOutcome, Finding
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.extraction import OUTSIDE_CALENDAR
from engagement_assets.contracts.load_checks import (
    HAS_NOT_SHRUNK,
    RECONCILES,
    REJECTED_SHARE,
    SCHEMA_DRIFT,
    CheckDefinition,
    Severity,
)
from engagement_assets.contracts.reasons import named
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.extraction_tables import first_reject, reject_places, reject_reasons
from engagement_assets.lake.known_records import records_whose_files_are_gone
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import DayCounts
from engagement_assets.settings import Settings
from engagement_assets.shown_text import as_markdown, shown

# A service that suddenly has a fifth less has lost something, or answers for another account.
MAX_SHARE_GONE = 0.2
# Fewer records without a field are just bad records.
MIN_RECORDS_WITHOUT_FIELD = 10
_NAMES_SHOWN = 20


def service_has_not_shrunk(
    dataset: Dataset,
    missing: Mapping[date, tuple[int, int]],
    *,
    as_a_whole: Sequence[date] = (),
    allow_shrink: bool,
) -> CheckOutcome:
    """At most a fifth of the records that a service gave before is gone, on each day, or of all days `as_a_whole`.

    `missing` holds, per day, how many records were known and how many of them are missing now. Days that are judged as
    a whole fail together: what replaces so many lost records may belong to another account.
    """
    known, gone = (sum(counts[index] for counts in missing.values()) for index in (0, 1))
    counts_of_days = dict.fromkeys(as_a_whole, (known, gone)) if as_a_whole else missing
    findings = {
        day: Finding(
            f"{day_gone:,} of {day_known:,} {dataset.name} are gone; the published day is kept. Check whether the "
            "service works and still answers for the same account, or run this day with allow_shrink if they are "
            "meant to go",
            HAS_NOT_SHRUNK.severity,
            observed=f"{day_gone:,} of {day_known:,} {dataset.name} gone",
            expected=f"at most {MAX_SHARE_GONE:.0%} gone",
        )
        for day, (day_known, day_gone) in counts_of_days.items()
        if day_gone > MAX_SHARE_GONE * day_known and not allow_shrink
    }
    return CheckOutcome(HAS_NOT_SHRUNK, dataset, findings, {"records_known": known, "records_gone": gone})


def batch_has_not_shrunk(
    load: Load, dataset: Dataset, files_read: tuple[str, ...], *, allow_shrink: bool
) -> CheckOutcome:
    """No record of a published or held day is missing from the new one because its landing file has gone.

    A record that arrives in another file is not missing, so a file may be renamed.
    """
    lost = {} if allow_shrink else records_whose_files_are_gone(load, dataset, files_read)
    findings = {
        day: Finding(
            f"{records:,} {dataset.name} are gone with their landing files, such as {as_markdown(example)}; the "
            "published day is kept. Put the files back, or run this day with allow_shrink if they are meant to go",
            HAS_NOT_SHRUNK.severity,
            observed=f"{records:,} {dataset.name} gone",
            expected="none gone",
            rows=records,
            keys=(example,),
        )
        for day, (records, example) in lost.items()
    }
    return CheckOutcome(HAS_NOT_SHRUNK, dataset, findings, {"records_gone": sum(item[0] for item in lost.values())})


def reconciles(dataset: Dataset, counts: Sequence[DayCounts]) -> CheckOutcome:
    """Records read = accepted + quarantined + duplicates + erased, day by day."""
    findings = {
        day.day: Finding(
            f"{day.records_read:,} records read, but {day.accepted:,} accepted + {day.quarantined:,} quarantined + "
            f"{day.duplicates:,} duplicates + {day.erased:,} erased; {day.unaccounted:,} unaccounted for",
            RECONCILES.severity,
            observed=day.records_read - day.unaccounted,
            expected=day.records_read,
        )
        for day in counts
        if day.unaccounted != 0
    }
    names = ("records_read", "accepted", "quarantined", "duplicates", "erased")
    figures = {name: sum(getattr(day, name) for day in counts) for name in names}
    return CheckOutcome(RECONCILES, dataset, findings, figures)


def rejected_share(load: Load, dataset: Dataset, counts: Sequence[DayCounts], settings: Settings) -> CheckOutcome:
    """Few of a day's records are rejected; too many hold it, unless it has too few records to judge by share.

    Records outside of the calendar always warn, and hold no day that has others. But if the load accepts no record of
    the dataset at all, every day with rejected ones is held, however few they are: nothing was read as it was meant.
    """
    warns, halts, min_records = (
        setting.of(dataset.source)
        for setting in (
            settings.rejected_share_warn,
            settings.rejected_share_halt,
            settings.rejected_share_min_records,
        )
    )
    reasons_by_day = reject_reasons(load.connection).get(dataset.key, {})
    is_all_rejected = not any(day.accepted for day in counts)
    findings: dict[date, Finding] = {}
    for day in counts:
        reasons = reasons_by_day.get(day.day, {})
        share = day.quarantined / max(day.records_read, 1)
        # Records of other years say nothing about the day that they count on.
        foreign = reasons.get(OUTSIDE_CALENDAR, 0)
        own_share = (day.quarantined - foreign) / max(day.records_read - foreign, 1)
        is_for_nothing = is_all_rejected and share > halts
        is_halting = is_for_nothing or (own_share > halts and day.records_read - foreign >= min_records)
        if share <= warns and not is_halting and not foreign:
            continue
        numbers = ", ".join(f"{named(reason)}: {records:,}" for reason, records in reasons.items())
        # Every failing day has rejects, so the first days give as many keys as are shown.
        keys = reject_places(load.connection, dataset, day.day, KEYS_SHOWN) if len(findings) < KEYS_SHOWN else []
        is_foreign_alone = share <= warns and not is_halting
        limit = halts if is_halting else warns
        sentence = f"{day.quarantined:,} of {day.records_read:,} records were rejected ({share:.1%}): {numbers}"
        if is_for_nothing:
            place, message = first_reject(load.connection, dataset, day.day)
            sentence += f"; no record of the load could be used. The first one, {as_markdown(place)}: {shown(message)}"
        findings[day.day] = Finding(
            sentence,
            Severity.HALT if is_halting else Severity.WARN,
            observed=f"{foreign:,} outside of the calendar"
            if is_foreign_alone
            else f"{own_share if is_halting and not is_for_nothing else share:.2%}",
            expected="0 outside of the calendar" if is_foreign_alone else f"at most {limit:.2%}",
            rows=day.quarantined,
            keys=tuple(keys),
        )
    figures = {
        "records_read": sum(day.records_read for day in counts),
        "quarantined": sum(day.quarantined for day in counts),
    }
    return CheckOutcome(REJECTED_SHARE, dataset, findings, figures, rows_in=Lake.quarantine_key)


def schema_drift(
    dataset: Dataset,
    counts: Sequence[DayCounts],
    unknown_fields: Mapping[date, Mapping[str, int]],
    known_fields: Collection[str],
    reasons: Mapping[date, Mapping[str, int]],
) -> CheckOutcome:
    """No field is new, and no required field is missing from all records of a day.

    A field is new if no contract names it and no published load has met it: it is reported once. `unknown_fields` and
    `reasons` come with numbers of records.
    """
    findings = {}
    for day in counts:
        new = {name: records for name, records in unknown_fields.get(day.day, {}).items() if name not in known_fields}
        gone = [
            reason.removeprefix("missing_")
            for reason, records in reasons.get(day.day, {}).items()
            if reason.startswith("missing_") and records == day.records_read
        ]
        sentences = []
        if gone:
            sentences.append(f"all {day.records_read:,} records lack the required field {gone[0]}")
        if new:
            names = [f"{as_markdown(name)} ({records:,} records)" for name, records in new.items()][:_NAMES_SHOWN]
            more = f" and {len(new) - _NAMES_SHOWN:,} more" if len(new) > _NAMES_SHOWN else ""
            sentences.append(f"new fields that no contract names: {', '.join(names)}{more}")
        if sentences:
            findings[day.day] = Finding(
                "; ".join(sentences),
                Severity.HALT if gone and day.records_read >= MIN_RECORDS_WITHOUT_FIELD else Severity.WARN,
                observed="; ".join([*(f"no {name}" for name in gone), *([", ".join(new)] if new else [])]),
                expected="the fields of the contract",
                keys=tuple(new),
            )
    every_field = {name for fields in unknown_fields.values() for name in fields}
    return CheckOutcome(SCHEMA_DRIFT, dataset, findings, {"unknown_fields": ", ".join(sorted(every_field))})


def has_no_duplicate_ids(load: Load, check: CheckDefinition, dataset: Dataset, neighbours: str) -> CheckOutcome:
    """No id of the dataset is staged twice; one that a neighbouring day has too has moved.

    `neighbours` are the rows that the lake holds of days beside the window, as SQL for a table.
    """
    (key,) = dataset.identity
    rows = load.connection.execute(
        f"""
        with

        staged as (
            select day, {key}, count(*) over (partition by {key}) as times
            from {load.staged_rows(dataset)}
        ),

        beside as (
            select distinct {key}
            from {neighbours}
            where
                day not in (select unnest($days::date[]))
                and {key} in (select {key} from staged)
        )

        select
            day,
            count(*) filter (where times > 1),
            count(*) filter (where times = 1),
            (list(distinct {key}::varchar order by {key}::varchar))[:{KEYS_SHOWN}]
        from staged
        where times > 1 or {key} in (select {key} from beside)
        group by day
        """,
        {"days": load.days},
    ).fetchall()
    findings = {}
    for day, repeated, moved, ids in rows:
        sentences = [f"{repeated:,} rows share their {key} with another row of this load"] if repeated else []
        if moved:
            sentences.append(
                f"{moved:,} {dataset.name} are on a neighbouring day too: they have moved from that day or to it; "
                "run both days together"
            )
        findings[day] = Finding(
            "; ".join(sentences) + f"; such as {as_markdown(ids[0])}",
            check.severity if repeated else Severity.WARN,
            observed=repeated + moved,
            expected=0,
            rows=repeated + moved,
            keys=tuple(ids),
        )
    ids_shown = {id_ for finding in findings.values() for id_ in finding.keys}
    where = f"{key}::varchar in ({', '.join(map(sql_text, sorted(ids_shown)))})" if ids_shown else None
    return CheckOutcome(check, dataset, findings, rows_in=Lake.day_key, rows_where=where)
