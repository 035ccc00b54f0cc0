"""The tables over all sources and the report when a source fails: made all the same, by the real graph.

Belongs here: what a run makes of a source that is down. Not here: the numbers
(see `test_engagement_incremental.py`), or the report's content (see `test_engagement_report.py`).
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from engagement_assets.assets.engagement_report import ENGAGEMENT_REPORT
from engagement_assets.installation import PROJECT_ROOT
from tests.integration.services import FIRST_DAY, Services, services

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("drawn_pictures")]

SELECTION = '+group:strava or +group:product or group:engagement or key:"intermediate/int_engagement*" or group:report'
# Five attempts, three times.
REQUESTS_OF_A_FAILING_RUN = 15


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path / "services", activities_per_day=2, events_per_day=20) as found:
        yield found


def test_a_service_that_is_down_leaves_the_other_sources_weeks(running: Services) -> None:
    assert running.run(FIRST_DAY, date(2024, 1, 7), SELECTION).success
    page = running.folder / "report" / "engagement_report.html"
    assert 'Data up to <span class="date">2024-01-07</span>' in page.read_text(encoding="utf-8")
    assert 'href="dbt_docs.html"' in page.read_text(encoding="utf-8")
    docs = (running.folder / "report" / "dbt_docs.html").read_text(encoding="utf-8")
    assert "weekly_engagement" in docs
    assert str(PROJECT_ROOT) not in docs
    with dg.DagsterInstance.get() as instance:
        written = instance.get_latest_materialization_event(ENGAGEMENT_REPORT)
        built = instance.get_latest_materialization_event(dg.AssetKey(["engagement", "weekly_engagement"]))
    assert written is not None
    assert written.asset_materialization is not None
    told = {name: value.value for name, value in written.asset_materialization.metadata.items()}
    assert told["path"] == str(page)
    assert told["size_bytes"] == page.stat().st_size
    rows = told["rows"]
    assert isinstance(rows, Mapping)
    assert rows["overview.weekly"] == 2
    assert built is not None
    assert built.asset_materialization is not None
    picture = built.asset_materialization.metadata["chart"]
    assert isinstance(picture, dg.MarkdownMetadataValue)
    assert picture == written.asset_materialization.metadata["chart/engagement.weekly_engagement"]

    running.apis.strava.faults.next("unavailable", times=REQUESTS_OF_A_FAILING_RUN)
    run = running.run(date(2024, 1, 8), date(2024, 1, 14), SELECTION)
    assert [failure.partition(":")[0] for failure in run.failures] == ["raw_strava"]
    assert "active_users_are_returning_new_or_resurrected" in {check.check_name for check in run.checks}
    assert 'Data up to <span class="date">2024-01-14</span>' in page.read_text(encoding="utf-8")
    with duckdb.connect(str(running.folder / "published.duckdb"), read_only=True) as connection:
        weeks = connection.execute(
            "select source, week_start_date, days_observed, active_users > 0, is_complete_week "
            "from engagement.weekly_engagement order by all"
        ).fetchall()
    assert weeks == [
        ("strava", date(2024, 1, 1), 7, True, True),
        ("strava", date(2024, 1, 8), 0, False, False),
        ("user_events", date(2024, 1, 1), 7, True, True),
        ("user_events", date(2024, 1, 8), 7, True, True),
    ]
