"""What a load check has found, and how Dagster shows it.

Belongs here: findings by day, their severity, and the check's result. Not here: the checks (the modules beside this
one) or what happens to a failing day (see `assets/raw_load.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.contracts import check_metadata
from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.load_checks import HAS_NOT_SHRUNK, CheckDefinition, Severity
from engagement_assets.day_ranges import in_ranges
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import Load
from engagement_assets.lake.load_records import DayCounts, LoadHistory, counts_of
from engagement_assets.shown_text import LONGEST_NAME, LONGEST_SENTENCE, as_markdown, shown

# How many findings, days whose rows are shown, and keys at most.
LINES_IN_TEXT = 20
DAYS_SHOWN = 20
KEYS_SHOWN = 5

Shown = str | float | int


@dataclass(frozen=True)
class Finding:
    """What is wrong with one day: a sentence, what was found, what was expected, and how many rows it concerns."""

    sentence: str
    severity: Severity
    observed: Shown
    expected: Shown
    rows: int | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckOutcome:
    """What one check found about one dataset: the failing days, each with its finding.

    `note` is what to say if there is no finding. `rows_in` gives the key of the file that has the failing rows of a
    day, and `rows_where` the SQL condition that selects them.
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
        """The days that this check holds, each with its sentence."""
        return {day: finding.sentence for day, finding in self.findings.items() if finding.severity == Severity.HALT}

    def with_severity(self, severity: Severity | None) -> "CheckOutcome":
        """The same findings with the severity that a setting gives; None leaves each its own."""
        if severity is None:
            return self
        return replace(
            self, findings={day: replace(finding, severity=severity) for day, finding in self.findings.items()}
        )

    @property
    def name_in_records(self) -> str:
        """The check as the records of loads name it."""
        return f"{self.dataset.name}.{self.check.name}"

    def without_released(self, counts: Sequence[DayCounts], history: LoadHistory) -> "CheckOutcome":
        """The same without the days that somebody released from this check, if they were read with the same counts.

        Otherwise every run that reads a service's day once more would hold it again. `has_not_shrunk` compares with
        what is published, which a release has settled: what it finds now is new.
        """
        released = {}
        for day in counts if self.check is not HAS_NOT_SHRUNK else ():
            published = history.newest(self.dataset, day.day)
            release = published.release if published and counts_of(day) == counts_of(published) else None
            if release and self.name_in_records in release.failed_checks:
                released[day.day] = release.reason
        kept = {day: finding for day, finding in self.findings.items() if day not in released}
        if len(kept) == len(self.findings):
            return self
        sentences = {
            day: f"released ({as_markdown(released[day], LONGEST_SENTENCE)}): {finding.sentence}"
            for day, finding in self.findings.items()
            if day in released
        }
        return replace(self, findings=kept, note="; ".join([*([self.note] if self.note else []), *by_day(sentences)]))

    def result(self, load: Load, held: Mapping[date, object]) -> dg.AssetCheckResult:
        """The outcome as Dagster shows it: all failing days in the metadata, the first findings in the text.

        `held` are the days of the load that are held, by any check.
        """
        findings = dict(sorted(self.findings.items()))
        lines = by_day({day: finding.sentence for day, finding in findings.items()})
        if self.note:
            lines.append(self.note)
        halts = bool(self.halting_days)
        return dg.AssetCheckResult(
            passed=not findings,
            asset_key=dg.AssetKey(self.dataset.key.split("/")),
            check_name=self.check.name,
            severity=dg.AssetCheckSeverity.ERROR if halts or not findings else dg.AssetCheckSeverity.WARN,
            description="\n".join(lines) or None,
            metadata={
                **{name: shown(value) if isinstance(value, str) else value for name, value in self.figures.items()},
                check_metadata.FAILING_DAYS: _iso(findings),
                **self._days_judged(load),
                **(self._failure_metadata(load, held) if findings else {}),
            },
        )

    def _days_judged(self, load: Load) -> dict[str, str]:
        if not self.dataset.partitioned:
            return {}
        return {
            check_metadata.FIRST_DAY_JUDGED: load.days[0].isoformat(),
            check_metadata.LAST_DAY_JUDGED: load.days[-1].isoformat(),
        }

    def _failure_metadata(self, load: Load, held: Mapping[date, object]) -> dict[str, Any]:
        findings = dict(sorted(self.findings.items()))
        metadata: dict[str, Any] = {
            check_metadata.OBSERVED: _value_or_values({day: finding.observed for day, finding in findings.items()}),
            check_metadata.EXPECTED: _value_or_values({day: finding.expected for day, finding in findings.items()}),
            check_metadata.BLOCKED: bool(self.halting_days),
            check_metadata.HELD_DAYS: _iso(self.halting_days),
        }
        if rows := [finding.rows for finding in findings.values() if finding.rows is not None]:
            metadata[check_metadata.FAILING_ROWS] = sum(rows)
        if keys := [key for finding in findings.values() for key in finding.keys]:
            metadata[check_metadata.FAILING_KEYS] = [
                shown(key, LONGEST_NAME) for key in list(dict.fromkeys(keys))[:KEYS_SHOWN]
            ]
        if self.rows_in:
            metadata[check_metadata.FAILING_ROWS_SQL] = self._rows_sql(load.lake, self.rows_in, held)
        return metadata

    def _rows_sql(self, lake: Lake, rows_in: Callable[[Lake, Dataset, date], str], held: Mapping[date, object]) -> str:
        keys = {day: rows_in(lake, self.dataset, day) for day in sorted(self.findings)[:DAYS_SHOWN]}
        files = [lake.location(lake.held_key(key) if day in held else key) for day, key in keys.items()]
        where = f" where {self.rows_where}" if self.rows_where else ""
        return f"select * from read_parquet([{', '.join(map(sql_text, files))}]){where}"


def check_spec(check: CheckDefinition, dataset: Dataset) -> dg.AssetCheckSpec:
    """A check of a raw dataset, which the asset itself evaluates; a failure of severity error blocks downstream."""
    return dg.AssetCheckSpec(
        check.name, asset=dg.AssetKey(dataset.key.split("/")), description=check.description, blocking=True
    )


def by_day(values: Mapping[date, Shown], most: int = LINES_IN_TEXT) -> list[str]:
    """Each different value once, after the days that have it; at most the first `most` values."""
    days: dict[Shown, list[date]] = {}
    for day, value in sorted(values.items()):
        days.setdefault(value, []).append(day)
    lines = [f"{_prefix(with_value)}{value}" for value, with_value in days.items()]
    if more := sum(len(with_value) for with_value in list(days.values())[most:]):
        lines = [*lines[:most], f"… and {more:,} more days"]
    return lines


def _prefix(days: Sequence[date]) -> str:
    return "" if days[0] == WHOLE_DATASET_DAY else f"{', '.join(in_ranges(days))}: "


def _iso(days: Mapping[date, object]) -> list[str]:
    return [day.isoformat() for day in sorted(days) if day != WHOLE_DATASET_DAY]


def _value_or_values(values: Mapping[date, Shown]) -> Shown:
    """The value if all days have the same, else the first ones with their days."""
    if len(set(values.values())) == 1:
        value = next(iter(values.values()))
        return shown(value) if isinstance(value, str) else value
    return "; ".join(by_day({day: shown(str(value)) for day, value in values.items()}, KEYS_SHOWN))
