"""Tables that have not passed their tests are neither published nor read, whichever run asks for it."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from engagement_assets.contracts.extraction import Extraction
from engagement_assets.extract.lines.readers import EventLog
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

FIRST, SECOND = date(2024, 1, 1), date(2024, 1, 2)
MOBILITY, ENGAGEMENT, COPY_ALONE = "+group:mobility", "group:engagement", 'key:"published/mobility"'
FACT = "mobility.fct__mobile_sessions"
# It stays the newest row, since a build of the second day writes nothing on the first.
DOUBLED = f"insert into {FACT} select * from {FACT} where session_date = '2024-01-01' limit 1"
DOUBLE_REMOVED = (
    f"delete from {FACT} where session_id in (select session_id from {FACT} group by all having count(*) > 1)"
)


def _is_down(*_: object) -> Extraction:
    raise RuntimeError("the disk says no")


def test_a_failed_table_stays_unpublished_until_the_whole_area_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(tmp_path)
    write_sample_landing(
        deployment.landing, start=FIRST, days=2, runna_activities_per_day=1, lingokids_events_per_day=5
    )
    assert deployment.run(FIRST, FIRST, f"{MOBILITY} or {ENGAGEMENT}").failures == ()
    before = deployment.tables(schemas=("mobility", "engagement"))

    with duckdb.connect(str(deployment.settings.warehouse_path)) as connection:
        connection.execute(DOUBLED)
    (failure,) = deployment.run(SECOND, SECOND, MOBILITY).failures
    assert failure.startswith("mobility_models: ")

    (refused,) = deployment.run(SECOND, SECOND, COPY_ALONE).failures
    assert refused.startswith("published__mobility: the tables of mobility have not passed their tests since run ")
    (refused,) = deployment.run(SECOND, SECOND, ENGAGEMENT).failures
    assert refused.startswith("engagement_models: the tables over all sources are not built from tables that have not")
    # A source that fails does not keep the others from the tables over all sources, but a failed table does.
    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "extract", _is_down)
        (down,) = deployment.run(SECOND, SECOND, f"{MOBILITY} or {ENGAGEMENT} or group:report").failures
    assert down.startswith("raw_mobile_events: ")
    assert (deployment.settings.report_dir / "engagement_report.html").exists()
    assert deployment.tables(schemas=("mobility", "engagement")) == before

    with duckdb.connect(str(deployment.settings.warehouse_path)) as connection:
        connection.execute(DOUBLE_REMOVED)
    assert deployment.run(FIRST, SECOND, f"{MOBILITY} or {ENGAGEMENT}").failures == ()
    assert deployment.query(f"select distinct session_date from {FACT} order by all") == [(FIRST,), (SECOND,)]
