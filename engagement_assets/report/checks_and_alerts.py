"""The state of checks and alerts, for the report.

Belongs here: reading the newest completed evaluations of checks from Dagster's records. Not here: running checks
(`checks/`), reading alerts (`alerts/history.py`), or how both are shown (`sections/quality.py`).

A state holds names, counts and days, and never a value of a record.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import dagster as dg

from engagement_assets.alerts.history import AlertState
from engagement_assets.alerts.incidents import Severity
from engagement_assets.contracts.check_metadata import FAILING_DAYS, FAILING_ROWS
from engagement_assets.dagster_internals import AssetCheckExecutionRecord as Record
from engagement_assets.dagster_internals import AssetCheckExecutionRecordStatus as Status
from engagement_assets.day_ranges import days_of_interval, in_ranges

NOT_RUN = "not run"
OPEN = "open"
FAILURES = {Severity.WARN.value: "warned", Severity.ERROR.value: "failed"}
_COMPLETED = {Status.SUCCEEDED, Status.FAILED}


@dataclass(frozen=True)
class CheckState:
    """A check: its state (`passed`, `warned`, `failed`, `not run`), and when it was last evaluated (ISO, UTC)."""

    asset: str
    check: str
    state: str
    evaluated_at: str
    failing_rows: int | None = None
    failing_days: str = ""


@dataclass(frozen=True)
class ChecksAndAlerts:
    """What the report shows besides tables; `alerts` is None if the alert store cannot be read."""

    checks: tuple[CheckState, ...] = ()
    alerts: tuple[AlertState, ...] | None = ()


def check_states(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> tuple[CheckState, ...]:
    """The newest completed evaluation of each check, ordered by asset and name.

    A run in progress has planned evaluations, and one that failed leaves them behind: neither says anything new.
    """
    wanted = sorted(keys, key=lambda key: (key.asset_key.path, key.name))
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(wanted)
    return tuple(_state(key, _evaluated(instance, key, newest.get(key))) for key in wanted)


def with_open_alerts(checks: Iterable[CheckState], alerts: Iterable[AlertState]) -> tuple[CheckState, ...]:
    """The same checks; one whose alert is open fails as the alert says, also if it has passed on other days since."""
    opened = {(alert.asset, alert.name): alert for alert in alerts if alert.state == OPEN}
    return tuple(
        replace(check, state=FAILURES[alert.severity], failing_days=alert.failing_days)
        if (alert := opened.get((check.asset, check.check)))
        else check
        for check in checks
    )


def _evaluated(instance: dg.DagsterInstance, key: dg.AssetCheckKey, newest: Record | None) -> Record | None:
    """The newest record with an evaluation; only a check whose newest record has none is looked up by itself."""
    if newest is None or newest.status in _COMPLETED:
        return newest
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=_COMPLETED)
    return history[0] if history else None


def _state(key: dg.AssetCheckKey, record: Record | None) -> CheckState:
    asset = key.asset_key.to_user_string()
    evaluation = record.evaluation if record else None
    if record is None or record.event is None or evaluation is None:
        return CheckState(asset, key.name, NOT_RUN, "")
    failure = "warned" if evaluation.severity == dg.AssetCheckSeverity.WARN else "failed"
    rows, days = (evaluation.metadata.get(name) for name in (FAILING_ROWS, FAILING_DAYS))
    return CheckState(
        asset,
        key.name,
        "passed" if evaluation.passed else failure,
        # Not the record's own time, which is that of the plan.
        datetime.fromtimestamp(record.event.timestamp, UTC).isoformat(timespec="seconds"),
        int(str(rows.value)) if rows is not None and not evaluation.passed else None,
        ", ".join(in_ranges(_dates(days.value))) if days is not None and isinstance(days.value, list) else "",
    )


def _dates(intervals: list[object]) -> list[date]:
    return [day for text in intervals for day in days_of_interval(str(text))]
