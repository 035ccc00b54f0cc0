"""What the report shows of alerts: as they will be once everything is read, though nobody has read it yet."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.alerts.alerting import SHELL, Alerting
from engagement_assets.alerts.channels import FileChannel
from engagement_assets.alerts.history import AlertState, alert_states
from engagement_assets.alerts.lineage import Links
from engagement_assets.report.checks_and_alerts import check_states, with_open_alerts
from tests.integration.alert_location import ASSETS, BREAKS_TAG, EVENTS, TABLE, Fails, run

pytestmark = pytest.mark.integration

ONE, TWO = "2024-01-01", "2024-01-02"
GRAPH = dg.Definitions(assets=ASSETS).resolve_asset_graph()
HOLDS = dg.AssetCheckKey(EVENTS, "holds_00")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def alerting(tmp_path: Path) -> Alerting:
    file = FileChannel(tmp_path / "alerts.jsonl")
    return Alerting(tmp_path / "alerts", Links("http://ui", "runbook.md"), timedelta(hours=24), [file])


def _seen(alerting: Alerting, instance: dg.DagsterInstance, run_id: str = "") -> list[tuple[str, str, str]]:
    with alerting.foreseen(instance, GRAPH, run_id) as store:
        return sorted((state.name, state.state, state.failing_days) for state in alert_states(store))


def _seen_in_a_run(
    alerting: Alerting, instance: dg.DagsterInstance, *days: str, **fails: Fails
) -> list[tuple[str, str, str]]:
    """What a report sees that a run writes after its tables."""
    seen = []

    @dg.asset(deps=[TABLE])
    def report(context: dg.AssetExecutionContext) -> None:
        seen.extend(_seen(alerting, context.instance, context.run.run_id))

    run(instance, *days, assets=[*ASSETS, report], tags={}, **fails)
    return seen


def test_what_a_run_in_progress_has_found_opens_and_resolves_alerts_as_its_end_will(
    instance: dg.DagsterInstance, alerting: Alerting
) -> None:
    opened = [("holds_00", "open", f"{ONE} to {TWO}")]
    assert _seen_in_a_run(alerting, instance, ONE, TWO, holds_00=Fails(days=(ONE, TWO))) == opened
    alerting.work(instance, GRAPH, SHELL)
    assert _seen(alerting, instance) == opened
    # A run of one day settles that day alone.
    assert _seen_in_a_run(alerting, instance, TWO) == [("holds_00", "open", ONE)]
    assert _seen_in_a_run(alerting, instance, ONE) == [("holds_00", "resolved", "")]
    alerting.work(instance, GRAPH, SHELL)
    assert _seen(alerting, instance) == [("holds_00", "resolved", "")]


def test_runs_that_ended_unread_are_foreseen_and_stay_unread(
    instance: dg.DagsterInstance, alerting: Alerting, tmp_path: Path
) -> None:
    run(instance, ONE, tags={BREAKS_TAG: "no space left"})
    assert _seen(alerting, instance) == [("toy_table", "open", ONE)]
    assert list(tmp_path.iterdir()) == []
    assert alerting.work(instance, GRAPH, SHELL).recorded == 1
    run(instance, ONE)
    before = alerting.store_path.read_bytes()
    assert _seen(alerting, instance) == [("toy_table", "resolved", "")]
    assert alerting.store_path.read_bytes() == before
    assert alerting.work(instance, GRAPH, SHELL).recorded == 1


def test_a_check_fails_in_the_report_until_each_day_has_passed(
    instance: dg.DagsterInstance, alerting: Alerting
) -> None:
    def states() -> list[tuple[str, str]]:
        with alerting.foreseen(instance, GRAPH, "") as store:
            checks = with_open_alerts(check_states(instance, [HOLDS]), alert_states(store))
        return [(check.state, check.failing_days) for check in checks]

    run(instance, ONE, TWO, holds_00=Fails("WARN", days=(ONE,)))
    assert states() == [("warned", ONE)]
    run(instance, TWO)
    assert [check.state for check in check_states(instance, [HOLDS])] == ["passed"]
    assert states() == [("warned", ONE)]
    run(instance, ONE)
    assert states() == [("passed", "")]


def test_only_open_alerts_of_a_check_itself_change_its_state(instance: dg.DagsterInstance) -> None:
    run(instance, ONE)
    checks = check_states(instance, [HOLDS])
    since = "2024-01-01T00:00:00+00:00"
    others = [
        AlertState("raw_toy/events", "holds_00", "resolved", "error", since, since, 1),
        AlertState("raw_toy/events", "holds_00", "not run", "warn", since, "", 1),
        AlertState("raw_toy/events", "holds_01", "open", "error", since, "", 1, ONE),
    ]
    assert with_open_alerts(checks, others) == checks
    (failed,) = with_open_alerts(checks, [AlertState("raw_toy/events", "holds_00", "open", "error", since, "", 1, ONE)])
    assert (failed.state, failed.failing_days) == ("failed", ONE)
