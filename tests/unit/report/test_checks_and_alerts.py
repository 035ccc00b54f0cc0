"""The states of checks in the report."""

from collections.abc import Iterator

import dagster as dg

from engagement_assets.contracts.check_metadata import FAILING_DAYS, FAILING_ROWS
from engagement_assets.report.checks_and_alerts import check_states

RESULTS = {
    "passes": dg.AssetCheckResult(check_name="passes", passed=True, metadata={FAILING_ROWS: 0}),
    "warns": dg.AssetCheckResult(check_name="warns", passed=False, severity=dg.AssetCheckSeverity.WARN),
    "fails": dg.AssetCheckResult(
        check_name="fails",
        passed=False,
        metadata={FAILING_ROWS: 3, FAILING_DAYS: ["2024-01-01", "2024-01-02/2024-01-03", "2024-01-05"]},
    ),
}


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="table") for name in RESULTS])
def table() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """An asset with a check of each outcome."""
    yield dg.MaterializeResult()
    yield from RESULTS.values()


def test_the_newest_evaluation_of_every_check_is_reported() -> None:
    keys = [dg.AssetCheckKey(dg.AssetKey("table"), name) for name in (*RESULTS, "never_ran")]
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([table], instance=instance)
        states = check_states(instance, keys)
    assert [(each.asset, each.check, each.state, each.failing_rows, each.failing_days) for each in states] == [
        ("table", "fails", "failed", 3, "2024-01-01 to 2024-01-03, 2024-01-05"),
        ("table", "never_ran", "not run", None, ""),
        ("table", "passes", "passed", None, ""),
        ("table", "warns", "warned", None, ""),
    ]
    assert states[0].evaluated_at[:2] == "20"
    assert states[1].evaluated_at == ""
