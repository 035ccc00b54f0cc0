"""The graph of a deployment with all sources, as Dagster loads it."""

from datetime import date

import dagster as dg
import pytest

from engagement_assets.definitions import build_defs
from engagement_assets.settings import Settings

START = date(2024, 1, 1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("deployment")
    return Settings(
        _env_file=None,
        landing_uri=str(root / "landing"),
        start_date=START,
        strava_client_id="1",
        strava_client_secret="a secret",
        strava_refresh_token="a token",
        user_events_api_url="http://127.0.0.1/events",
        user_events_api_token="a token",
    )


@pytest.fixture(scope="module")
def defs(settings: Settings) -> dg.Definitions:
    return build_defs(settings)


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
