"""Checks and alerts as the report tells them."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.checks.evidence import FAILING_DAYS, FAILING_ROWS
from engagement_assets.report.evidence import AlertState, alert_states, check_states

RESULTS = {
    "passes": dg.AssetCheckResult(check_name="passes", passed=True, metadata={FAILING_ROWS: 0}),
    "warns": dg.AssetCheckResult(check_name="warns", passed=False, severity=dg.AssetCheckSeverity.WARN),
    "fails": dg.AssetCheckResult(
        check_name="fails", passed=False, metadata={FAILING_ROWS: 3, FAILING_DAYS: ["2024-01-01", "2024-01-02"]}
    ),
}


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="table") for name in RESULTS])
def table() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """An asset with a check of each outcome."""
    yield dg.MaterializeResult()
    yield from RESULTS.values()


def test_the_newest_evaluation_of_every_check_is_told() -> None:
    keys = [dg.AssetCheckKey(dg.AssetKey("table"), name) for name in (*RESULTS, "never_ran")]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([table], instance=instance)
        states = check_states(instance, keys)
    assert [(each.asset, each.check, each.state, each.failing_rows, each.failing_days) for each in states] == [
        ("table", "fails", "failed", 3, "2024-01-01, 2024-01-02"),
        ("table", "never_ran", "not run", None, ""),
        ("table", "passes", "passed", None, ""),
        ("table", "warns", "warned", None, ""),
    ]
    assert states[0].evaluated_at[:2] == "20"
    assert states[1].evaluated_at == ""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An alerts' file with an incident and a message that tells of two, one of them resolved."""
    path = tmp_path / "alerts.sqlite"
    incident = {
        "subject": {"kind": "check", "asset": "raw_runna/activities", "name": "reconciles"},
        "opened_at": "2024-01-03T05:00:00Z",
        "told_at": "2024-01-03T05:00:00Z",
        "severity": "error",
        "failing_days": {"2024-01-02": "error"},
        "failures": 2,
        "finding": {"sentence": "told to people, not to the report"},
    }
    item = {"severity": "warn", "kind": "check", "asset": "strava/fct", "times_failed": 1}
    message = {
        "key": "1",
        "recorded_at": "2024-01-02T06:00:00Z",
        "items": [
            {**item, "state": "resolved", "name": "is_fresh", "since": "2024-01-01T06:00:00Z"},
            {**item, "state": "opened", "name": "another", "since": "2024-01-01T06:00:00Z"},
        ],
    }
    with sqlite3.connect(path) as connection:
        connection.execute("create table incidents (kind text, asset text, name text, body blob)")
        connection.execute("create table messages (number integer primary key, body blob)")
        connection.execute("insert into incidents values ('', '', '', ?)", (json.dumps(incident).encode(),))
        connection.execute("insert into messages values (1, ?)", (json.dumps(message).encode(),))
    connection.close()
    return path


def test_open_and_resolved_alerts_are_told_newest_first(store: Path) -> None:
    assert alert_states(store) == (
        AlertState("raw_runna/activities", "reconciles", "open", "error", "2024-01-03T05:00:00+00:00", "", 2),
        AlertState(
            "strava/fct", "is_fresh", "resolved", "warn", "2024-01-01T06:00:00+00:00", "2024-01-02T06:00:00+00:00", 1
        ),
    )


def test_without_a_file_there_are_no_alerts(tmp_path: Path) -> None:
    assert alert_states(tmp_path / "none.sqlite") == ()
