"""What the report says about checks and alerts: the newest evaluations, what fails, what was resolved.

Belongs here: reading them from Dagster's records and from the alerts' file. Not here: judging or telling
(`checks/`, `alerts/`), or how they are shown (`sections/quality.py`).

Neither holds a value of a record: names, states, counts and days.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import msgspec

from engagement_assets.checks.evidence import FAILING_DAYS, FAILING_ROWS

NOT_RUN = "not run"


@dataclass(frozen=True)
class CheckState:
    """The newest evaluation of a check: `passed`, `warned`, `failed` or `not run`, and when (UTC, ISO)."""

    asset: str
    check: str
    state: str
    evaluated_at: str
    failing_rows: int | None = None
    failing_days: str = ""


@dataclass(frozen=True)
class AlertState:
    """Something that fails, or did: `open` or `resolved`, since when and until when (UTC, ISO)."""

    asset: str
    name: str
    state: str
    severity: str
    since: str
    until: str
    times_failed: int


@dataclass(frozen=True)
class Evidence:
    """What is known beside the tables; nothing where nobody keeps it."""

    checks: tuple[CheckState, ...] = ()
    alerts: tuple[AlertState, ...] = ()


def check_states(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> tuple[CheckState, ...]:
    """The newest evaluation of each check, by asset and name."""
    wanted = sorted(keys, key=lambda key: (key.asset_key.path, key.name))
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(wanted)
    states = []
    for key in wanted:
        record = records.get(key)
        event = record.event.dagster_event if record and record.event else None
        found = event.event_specific_data if event else None
        evaluation = found if isinstance(found, dg.AssetCheckEvaluation) else None
        states.append(_state(key, evaluation, record.create_timestamp if record else 0.0))
    return tuple(states)


def _state(key: dg.AssetCheckKey, evaluation: dg.AssetCheckEvaluation | None, at: float) -> CheckState:
    asset = key.asset_key.to_user_string()
    if evaluation is None:
        return CheckState(asset, key.name, NOT_RUN, "")
    failure = "warned" if evaluation.severity == dg.AssetCheckSeverity.WARN else "failed"
    rows, days = (evaluation.metadata.get(name) for name in (FAILING_ROWS, FAILING_DAYS))
    return CheckState(
        asset,
        key.name,
        "passed" if evaluation.passed else failure,
        datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        int(str(rows.value)) if rows is not None and not evaluation.passed else None,
        ", ".join(map(str, days.value)) if days is not None and isinstance(days.value, list) else "",
    )


class _Subject(msgspec.Struct):
    asset: str
    name: str


class _Incident(msgspec.Struct):
    subject: _Subject
    opened_at: datetime
    severity: str
    failures: int


class _Item(msgspec.Struct):
    state: str
    severity: str
    asset: str
    name: str
    since: datetime
    times_failed: int


class _Message(msgspec.Struct):
    recorded_at: datetime
    items: list[_Item]


def alert_states(store: Path) -> tuple[AlertState, ...]:
    """What fails now and what was resolved, newest first; nothing where no alert was ever kept.

    The file is read as it is, so that a report can be made while alerts are written.
    """
    if not store.exists():
        return ()
    with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        incidents = connection.execute("select body from incidents").fetchall()
        messages = connection.execute("select body from messages order by number").fetchall()
    states = [
        AlertState(
            each.subject.asset, each.subject.name, "open", each.severity, _text(each.opened_at), "", each.failures
        )
        for each in (msgspec.json.decode(body, type=_Incident) for (body,) in incidents)
    ]
    for message in (msgspec.json.decode(body, type=_Message) for (body,) in messages):
        states += [
            AlertState(
                item.asset,
                item.name,
                "resolved",
                item.severity,
                _text(item.since),
                _text(message.recorded_at),
                item.times_failed,
            )
            for item in message.items
            if item.state == "resolved"
        ]
    return tuple(sorted(states, key=lambda state: (state.since, state.asset, state.name), reverse=True))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
