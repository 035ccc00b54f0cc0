"""What is told of loads is in the published copy after every run, also where nothing else is published."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.alerts.incidents import Kind, Severity
from engagement_assets.alerts.store import STORE_FILE, alert_store
from engagement_assets.commands.range_run import RangeRequest, RangeRun, run_range
from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.report.build import REPORT_FILE
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 2)
RAW_ALONE = 'key:"raw_runna/activities"'


def _landing(deployment: Deployment) -> None:
    write_sample_landing(
        deployment.landing, start=FIRST, days=2, runna_activities_per_day=6, lingokids_events_per_day=20
    )


def _shown(deployment: Deployment) -> tuple[set[object], set[tuple[object, ...]]]:
    """Days that the published copy shows as held, and loads that it lacks."""
    held = {day for (day,) in deployment.query("select partition_date from audit.held_days")}
    shown = set(deployment.query("select load_id from audit.ingestion_loads"))
    lake = f"{deployment.settings.lake_uri}/records/loads/*/*.parquet"
    return held, set(deployment.query(f"select load_id from read_parquet('{lake}')")) - shown


def _release(deployment: Deployment, selection: str) -> RangeRun:
    window = DayWindow(LAST, date(2024, 1, 3))
    return run_range(deployment.settings, RangeRequest(window, selection, release_reason="meant to go"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a deployment whose days are loaded and built; nothing may be written into it."""
    deployment = Deployment(tmp_path_factory.mktemp("loaded"))
    _landing(deployment)
    assert deployment.run(FIRST, LAST, "+group:training").failures == ()
    assert _shown(deployment) == (set(), set())
    return deployment.root


@pytest.mark.parametrize("selection", ["+group:training", RAW_ALONE])
def test_a_held_day_of_a_source_that_is_run_alone_is_shown_at_once_and_gone_when_released(
    loaded: Path, tmp_path: Path, selection: str
) -> None:
    deployment = Deployment(shutil.copytree(loaded, tmp_path / "deployment"))
    shutil.rmtree(deployment.landing / "runna" / "activities" / str(LAST))
    assert [failure.partition(":")[0] for failure in deployment.run(LAST, LAST, selection).failures] == ["raw_runna"]
    assert _shown(deployment) == ({LAST}, set())

    assert _release(deployment, selection).failures == ()
    assert _shown(deployment) == (set(), set())


def _reported(deployment: Deployment) -> dict[str, int]:
    """The numbers of the report's overview that others know as well."""
    page = (deployment.settings.report_dir / REPORT_FILE).read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    labels = ("checks failed", "checks warned", "alerts open", "days held")
    found = {label: re.search(rf"{label} \S ([\d,]+) ", text) for label in labels}
    return {label: int(match[1]) for label, match in found.items() if match}


def _known(deployment: Deployment) -> dict[str, int]:
    """The same numbers, from the alert store and the published copy after the command has ended."""
    with alert_store(alerts_folder(deployment.settings) / STORE_FILE) as store:
        failing = [incident.severity for at, incident in store.incidents().items() if at.kind == Kind.CHECK]
    return {
        "checks failed": failing.count(Severity.ERROR),
        "checks warned": failing.count(Severity.WARN),
        "alerts open": len(failing),
        "days held": len(deployment.query("select distinct partition_date from audit.held_days")),
    }


def test_the_report_of_a_run_agrees_with_the_alerts_and_held_days_that_the_run_leaves(
    loaded: Path, tmp_path: Path
) -> None:
    deployment = Deployment(shutil.copytree(loaded, tmp_path / "deployment"))
    shutil.rmtree(deployment.landing / "runna" / "activities" / str(LAST))
    selection = "+group:training or key:engagement_report"
    assert not deployment.run(LAST, LAST, selection).success
    before = _reported(deployment)
    assert (before["checks failed"], before["days held"]) == (1, 1)
    assert before == _known(deployment)

    assert _release(deployment, selection).failures == ()
    after = _reported(deployment)
    assert (after["checks failed"], after["days held"]) == (0, 0)
    assert after == _known(deployment)


def test_a_first_load_of_raw_data_alone_is_shown(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    _landing(deployment)
    assert deployment.run(FIRST, LAST, RAW_ALONE).failures == ()
    assert _shown(deployment) == (set(), set())
    assert deployment.tables() == {}
