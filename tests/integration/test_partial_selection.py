"""A part of an area, built alone in a warehouse that has nothing else."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 1)


def test_a_test_that_reads_a_table_that_was_never_built_waits_for_it(tmp_path: Path) -> None:
    write_sample_landing(tmp_path / "landing", start=DAY, days=1)
    deployment = Deployment(tmp_path / "deployment", landing=tmp_path / "landing")
    name = "assert_mobile_sessions_hold_every_event"
    fact_alone = deployment.run(DAY, DAY, '+key:"mobility/fct__mobile_sessions"')
    assert fact_alone.failures == ()
    assert name not in {check.check_name for check in fact_alone.checks}
    assert "mobile_sessions_agree_with_themselves" in {check.check_name for check in fact_alone.checks}
    with_bridge = deployment.run(DAY, DAY, "+group:mobility")
    assert with_bridge.failures == ()
    assert name in {check.check_name for check in with_bridge.checks}
