"""What lies beside the landing folders that sources read is reported by the load of the one that it resembles."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.assets.raw_assets import raw_assets
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE
from engagement_assets.extract.runna.source import RUNNA
from engagement_assets.partitions import range_tags
from engagement_assets.resources import ApiClients
from engagement_assets.settings import Settings
from tests.lake_loads import window

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 1)


@pytest.mark.parametrize(
    ("source", "stranger", "asset"),
    [
        (MOBILE, "mobile-events", "raw_mobile/events"),
        (LINGOKIDS, "lingokids/event", "raw_lingokids/events"),
        (LINGOKIDS, "lingokids/user", "raw_lingokids/users"),
        (RUNNA, "runna/activity", "raw_runna/activities"),
    ],
)
def test_a_load_reports_what_lies_beside_its_folder(source: Source, stranger: str, asset: str, tmp_path: Path) -> None:
    for name in ("mobile-events", "lingokids/event", "lingokids/user", "runna/activity"):
        (tmp_path / "landing" / name).mkdir(parents=True)
    settings = Settings(
        _env_file=None, landing_uri=str(tmp_path / "landing"), lake_uri=str(tmp_path / "lake"), start_date=DAY
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            raw_assets(source, settings),
            instance=instance,
            resources={"settings": settings, "api_clients": ApiClients(settings)},
            tags=range_tags(window(DAY, DAY)),
        )
    found = {
        item.asset_key.to_user_string(): item.metadata["never_read"].value
        for item in result.get_asset_check_evaluations()
        if item.check_name == "every_file_is_read"
    }
    assert found[asset] == 1
    (said,) = [
        str(item.description)
        for item in result.get_asset_check_evaluations()
        if item.check_name == "every_file_is_read" and item.asset_key.to_user_string() == asset
    ]
    assert f"{stranger}` (no source reads it; is " in said
