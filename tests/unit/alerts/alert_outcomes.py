"""Outcomes, transitions and a graph for tests of alerts, made of a few words.

Belongs here: making them. Not here: what a test expects.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import msgspec

from engagement_assets.alerts.incidents import (
    EVERYTHING,
    WHOLE,
    Change,
    Finding,
    Incident,
    Judged,
    Kind,
    Outcome,
    Severity,
    Subject,
    Transition,
)
from engagement_assets.alerts.lineage import Lineage, Links
from engagement_assets.alerts.messages import Message, compose

START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
CHECK = Subject(Kind.CHECK, "raw_toy/events", "holds")
FINDING = Finding("3 rows are wrong", "run-1", ("2024-01-01", "2024-01-02"), "3", "0", 3, blocked=True)
LINKS = Links("https://dagster.example", "https://wiki.example/runbook.md")


def after(**span: float) -> datetime:
    """So long after the start."""
    return START + timedelta(**span)


def failed(
    *days: str, severity: Severity = Severity.ERROR, at: datetime = START, judged: Judged | None = None
) -> Outcome:
    """A failing evaluation of CHECK on days, or of the whole."""
    judged = judged or ((min(days), max(days)) if days else EVERYTHING)
    return Outcome(CHECK, at, judged, days or (WHOLE,), severity, FINDING)


def passed(*judged: str, at: datetime = START) -> Outcome:
    """A passing evaluation of CHECK over the first to the last of days."""
    return Outcome(CHECK, at, (judged[0], judged[-1]) if judged else EVERYTHING)


def transition(change: Change = Change.OPENED, **differences: Any) -> Transition:
    """A transition of an incident of CHECK on one day, but for what differs."""
    incident = Incident(
        subject=CHECK,
        opened_at=START,
        told_at=START,
        severity=Severity.ERROR,
        failing_days={"2024-01-02": Severity.ERROR},
        failures=1,
        finding=FINDING,
    )
    return Transition(change, msgspec.structs.replace(incident, **differences), after(hours=2, minutes=5))


def lineage() -> Lineage:
    """Raw events with a check, a staging view and a table over them, and a record of their loads."""
    days = dg.DailyPartitionsDefinition("2024-01-01")

    @dg.multi_asset(
        specs=[dg.AssetSpec(["raw_toy", "events"], partitions_def=days, owners=["team:toys"])],
        check_specs=[dg.AssetCheckSpec("holds", asset=["raw_toy", "events"])],
    )
    def raw_toy() -> Iterator[Any]:
        yield dg.MaterializeResult()

    @dg.asset(key=["staging", "stg_toy"], deps=[["raw_toy", "events"]])
    def staging() -> None: ...

    @dg.asset(key=["audit", "loads"], deps=[["raw_toy", "events"]])
    def audit() -> None: ...

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                ["toy", "table"], deps=[["staging", "stg_toy"]], owners=["ann@example.com"], partitions_def=days
            )
        ],
        check_specs=[
            dg.AssetCheckSpec("is_unique", asset=["toy", "table"], metadata={"dagster_dbt/unique_id": "test.is_unique"})
        ],
    )
    def table() -> Iterator[Any]:
        yield dg.MaterializeResult()

    return Lineage(dg.Definitions(assets=[raw_toy, staging, audit, table]).resolve_asset_graph(), LINKS)


def message(*transitions: Transition) -> Message:
    """One message of transitions, with a key that is known."""
    return compose(transitions or [transition()], lineage(), START, lambda: "key-1")
