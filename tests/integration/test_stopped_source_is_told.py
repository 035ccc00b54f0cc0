"""Sources that stopped years ago are told of in one message that a person can read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.alerts.alerting import SENSOR, Alerting
from engagement_assets.definitions import build_defs
from engagement_assets.extract.services.client import Clock
from engagement_assets.lake.lake import Lake
from engagement_assets.settings import Settings
from tests.lake_loads import DAY_1, event, events, publish, window

pytestmark = pytest.mark.integration

NOW = datetime(2028, 3, 1, 13, tzinfo=UTC)


def test_each_source_is_told_once_with_its_days_as_a_range(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    publish(lake, events(event("a", DAY_1)), window(DAY_1), 1, name="lingokids_events")
    settings = Settings(
        _env_file=None, landing_uri=str(tmp_path), lake_uri=lake.uri, dagster_home=tmp_path, start_date=DAY_1
    )
    defs = build_defs(settings, Clock(lambda: NOW))
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def("freshness").execute_in_process(instance=instance).success
        Alerting.of(settings).work(instance, defs.resolve_asset_graph(), SENSOR)
    (line,) = (tmp_path / "alerts" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert (told["title"], told["failures"], len(line) < 10_000) == ("WARN: 7 opened", 7, True)
    (item,) = [item for item in told["items"] if item["asset"] == "raw_lingokids/events"]
    assert item["sentence"] == "the newest day is 2024-03-01, expected 2028-02-29 by 2028-03-01 12:00 UTC"
    assert item["partitions"] == ["2024-03-02 to 2028-02-29"]
    assert item["rerun"] == "make backfill FROM=2024-03-02 TO=2028-02-29 SELECT='key:\"raw_lingokids/events\"+'"
