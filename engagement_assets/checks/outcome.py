"""What a check of a load has found, and how Dagster is told.

Belongs here: findings by day, their severity, and the check's result. Not here: what is judged (the modules beside this
one) or what becomes of a failing day (see `assets/raw_load.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.contracts import check_metadata
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import CheckDefinition, Severity
from engagement_assets.day_ranges import in_ranges
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import DayCounts, LoadHistory
from engagement_assets.shown_text import LONGEST_NAME, LONGEST_SENTENCE, as_markdown, shown

# Of many findings, and of many days whose rows are shown, the first ones.
LINES_IN_TEXT = 20
DAYS_SHOWN = 20
KEYS_SHOWN = 5

Shown = str | float | int


@dataclass(frozen=True)
class Finding:
    """What is wrong with one day: a sentence, what was found, what should have been, and how many rows it is about."""

    sentence: str
    severity: Severity
    observed: Shown
    expected: Shown
    rows: int | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckOutcome:
    """What one check found about one dataset: the failing days, each with its finding.

    `note` is what there is to say without a finding. `rows_in` says where the failing rows of a day lie, as a method
    that gives a key of the lake, and `rows_where` which rows of it they are.
    """

    check: CheckDefinition
    dataset: Dataset
    findings: Mapping[date, Finding]
    figures: Mapping[str, Shown] = field(default_factory=dict)
    note: str | None = None
    rows_in: Callable[[Lake, Dataset, date], str] | None = None
    rows_where: str | None = None

    @property
    def halting_days(self) -> dict[date, str]:
        """The days that must be held for this check, each with its sentence."""
        return {day: found.sentence for day, found in self.findings.items() if found.severity == Severity.HALT}

    def with_severity(self, severity: Severity | None) -> "CheckOutcome":
        """The same findings at the severity that a setting gives; None leaves each its own."""
        if severity is None:
            return self
        return replace(self, findings={day: replace(found, severity=severity) for day, found in self.findings.items()})

    def without_released(self, counts: Sequence[DayCounts], history: LoadHistory) -> "CheckOutcome":
        """The same without the days that somebody released and that were read again with the same counts.

        Else a service's day would be held again by each run that reads it once more.
        """
        released = {}
        for day in counts:
            known = history.newest(self.dataset, day.day)
            if known and known.release_reason and _same_counts(day, known):
                released[day.day] = known.release_reason
        kept = {day: found for day, found in self.findings.items() if day not in released}
        if len(kept) == len(self.findings):
            return self
        told = "; ".join(
            by_day(
                {
                    day: f"released ({as_markdown(released[day], LONGEST_SENTENCE)}): {found.sentence}"
                    for day, found in self.findings.items()
                    if day in released
                }
            )
        )
        return replace(self, findings=kept, note=f"{self.note}; {told}" if self.note else told)

    def result(self, load: Load, held: Mapping[date, object]) -> dg.AssetCheckResult:
        """The outcome as Dagster shows it; all failing days stand in the metadata, the first findings in the text.

        `held` are the days of the load that are held, for whatever check.
        """
        found = dict(sorted(self.findings.items()))
        lines = by_day({day: finding.sentence for day, finding in found.items()})
        if self.note:
            lines.append(self.note)
        halts = bool(self.halting_days)
        return dg.AssetCheckResult(
            passed=not found,
            asset_key=dg.AssetKey(self.dataset.key.split("/")),
            check_name=self.check.name,
            severity=dg.AssetCheckSeverity.ERROR if halts or not found else dg.AssetCheckSeverity.WARN,
            description="\n".join(lines) or None,
            metadata={
                **{name: shown(value) if isinstance(value, str) else value for name, value in self.figures.items()},
                check_metadata.FAILING_DAYS: _iso(found),
                **self._days_judged(load),
                **(self._evidence(load, held) if found else {}),
            },
        )

    def _days_judged(self, load: Load) -> dict[str, str]:
        if not self.dataset.partitioned:
            return {}
        return {
            check_metadata.FIRST_DAY_JUDGED: load.days[0].isoformat(),
            check_metadata.LAST_DAY_JUDGED: load.days[-1].isoformat(),
        }

    def _evidence(self, load: Load, held: Mapping[date, object]) -> dict[str, Any]:
        found = dict(sorted(self.findings.items()))
        told: dict[str, Any] = {
            check_metadata.OBSERVED: _told({day: finding.observed for day, finding in found.items()}),
            check_metadata.EXPECTED: _told({day: finding.expected for day, finding in found.items()}),
            check_metadata.BLOCKED: bool(self.halting_days),
            check_metadata.HELD_DAYS: _iso(self.halting_days),
        }
        if rows := [finding.rows for finding in found.values() if finding.rows is not None]:
            told[check_metadata.FAILING_ROWS] = sum(rows)
        if keys := [key for finding in found.values() for key in finding.keys]:
            told[check_metadata.FAILING_KEYS] = [
                shown(key, LONGEST_NAME) for key in list(dict.fromkeys(keys))[:KEYS_SHOWN]
            ]
        if self.rows_in:
            told[check_metadata.FAILING_ROWS_SQL] = self._rows_sql(load.lake, self.rows_in, held)
        return told

    def _rows_sql(self, lake: Lake, rows_in: Callable[[Lake, Dataset, date], str], held: Mapping[date, object]) -> str:
        keys = {day: rows_in(lake, self.dataset, day) for day in sorted(self.findings)[:DAYS_SHOWN]}
        places = [lake.location(lake.held_key(key) if day in held else key) for day, key in keys.items()]
        where = f" where {self.rows_where}" if self.rows_where else ""
        return f"select * from read_parquet([{', '.join(map(sql_text, places))}]){where}"


def check_spec(check: CheckDefinition, dataset: Dataset) -> dg.AssetCheckSpec:
    """A check of a raw dataset, evaluated by the asset itself; failing as an error, it blocks what is downstream."""
    return dg.AssetCheckSpec(
        check.name, asset=dg.AssetKey(dataset.key.split("/")), description=check.description, blocking=True
    )


def _same_counts(day: DayCounts, known: Any) -> bool:
    return all(
        getattr(day, name) == getattr(known, name) for name in ("records_read", "accepted", "quarantined", "duplicates")
    )


def by_day(told: Mapping[date, Shown], most: int = LINES_IN_TEXT) -> list[str]:
    """What there is to say of days, each thing once with the days that it is said of; of much the first."""
    days: dict[Shown, list[date]] = {}
    for day, said in sorted(told.items()):
        days.setdefault(said, []).append(day)
    lines = [f"{_named(of)}{said}" for said, of in days.items()]
    if more := sum(len(of) for of in list(days.values())[most:]):
        lines = [*lines[:most], f"… and {more:,} more days"]
    return lines


def _named(days: Sequence[date]) -> str:
    return "" if days[0] == WHOLE_DATASET_DAY else f"{', '.join(in_ranges(days))}: "


def _iso(days: Mapping[date, object]) -> list[str]:
    return [day.isoformat() for day in sorted(days) if day != WHOLE_DATASET_DAY]


def _told(found: Mapping[date, Shown]) -> Shown:
    """The one value, or the first ones with their days."""
    if len(set(found.values())) == 1:
        value = next(iter(found.values()))
        return shown(value) if isinstance(value, str) else value
    return "; ".join(by_day({day: shown(str(value)) for day, value in found.items()}, KEYS_SHOWN))
