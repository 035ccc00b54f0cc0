"""A run in the shell where the alerts cannot work: data is loaded, and the run says that nobody is reported."""

from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.store import STORE_FILE
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 3)
SECRET = "a-very-secret-token"
ALERTS = 'key:"audit/alerts"'


def test_the_run_goes_on_and_the_check_of_the_alerts_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = Deployment(tmp_path)
    assert [check.passed for check in here.run(DAY, DAY, ALERTS).checks] == [True]
    assert capsys.readouterr().err == ""
    store = here.settings.dagster_home / "alerts" / STORE_FILE
    store.write_bytes(b"no database" * 100)

    run = here.run(DAY, DAY, ALERTS)
    reported = f"{store} is damaged or not a store of alerts: file is not a database. To go on, move the file away"
    (check,) = run.checks
    assert (run.success, check.passed) == (True, False)
    assert (check.description or "").startswith(reported)
    assert f"alerts cannot be sent: {reported}" in capsys.readouterr().err


def test_a_mistake_in_a_url_is_reported_and_the_other_places_get_their_alerts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Deployment(tmp_path)
    here.settings = here.settings.model_copy(update={"alert_urls": SecretStr(f"webhook+https://example.com/{SECRET}")})
    run = here.run(DAY, DAY, ALERTS)
    reported = "URL number 1 of ALERT_URLS gets no alert: it is a webhook, and ALERT_WEBHOOK_SECRET, "
    (check,) = run.checks
    assert (run.success, check.passed) == (True, False)
    assert (check.description or "").startswith(reported)
    output = capsys.readouterr()
    assert output.err.splitlines() == [f"some alerts cannot be sent: {reported}which signs its messages, is not set"]
    assert "ALERT  ERROR opened: audit/alerts alerts_are_delivered" in output.out
    assert SECRET not in output.out
    assert "alerts_are_delivered" in (here.settings.dagster_home / "alerts" / "alerts.jsonl").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("in_the_way", ["alerts", f"alerts/{STORE_FILE}", "alerts/alerts.lock"])
def test_a_file_where_a_folder_belongs_or_the_other_way_round_ends_no_run(
    in_the_way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Deployment(tmp_path)
    path = here.settings.dagster_home / in_the_way
    path.parent.mkdir(parents=True)
    if in_the_way == "alerts":
        path.write_bytes(b"")
    else:
        path.mkdir()
    run = here.run(DAY, DAY, ALERTS)
    assert run.success
    first, again = capsys.readouterr().err.splitlines()
    assert first == again
    assert first.startswith(f"alerts cannot be sent: {here.settings.dagster_home / 'alerts'}")
    assert "cannot be used" in first


def test_whatever_the_alerts_raise_a_run_starts_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise LookupError(SECRET)

    monkeypatch.setattr(Alerting, "_work", broken)
    monkeypatch.setattr("engagement_assets.assets.alerts.signs_of_life", broken)
    run = Deployment(tmp_path).run(DAY, DAY, ALERTS)
    (check,) = run.checks
    assert (run.success, check.passed) == (True, False)
    reported = f"the state of the alerts cannot be read: LookupError in {Path(__file__).name}, line "
    assert (check.description or "").startswith(reported)
    output = capsys.readouterr()
    reported = f"alerts cannot be sent: LookupError in {Path(__file__).name}, line "
    assert [line[: len(reported)] for line in output.err.splitlines()] == [reported, reported]
    assert SECRET not in output.out + output.err
