"""The sandbox in place of the two HTTP services, while a command runs on sample data.

Belongs here: when the sandbox stands in for a service. Not here: what it answers (`sandbox/`).
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.extract.strava.source import STRAVA
from engagement_assets.extract.user_events.source import USER_EVENTS_SOURCE
from engagement_assets.sandbox.api_servers import SandboxCredentials, SandboxUrls, sandbox_process
from engagement_assets.settings import SAMPLE_DAYS, Settings

_STATE_FILE = "sandbox_state.json"


@contextmanager
def with_services(settings: Settings) -> Iterator[Settings]:
    """The settings; on sample data they name the sandbox for each service that they lack.

    On your own input they stay as they are, since made-up records must not mix with real ones.

    Raises:
        SystemExit: the extra `sandbox` is not installed; standard error says so.
    """
    missing = [*settings.missing_for(STRAVA), *settings.missing_for(USER_EVENTS_SOURCE)]
    if not settings.runs_on_sample_data or not missing:
        yield settings
        return
    state_path = Path(settings.landing_uri).parent / _STATE_FILE
    with ExitStack() as stack:
        try:
            sandbox = sandbox_process(state_path=state_path, start=SAMPLE_DAYS.start, days=len(SAMPLE_DAYS.days()))
            urls = stack.enter_context(sandbox)
        except ImportError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(2) from None
        services = strava_settings(urls) if settings.missing_for(STRAVA) else {}
        services |= user_events_settings(urls) if settings.missing_for(USER_EVENTS_SOURCE) else {}
        if "strava_places" not in settings.model_fields_set:
            # Nobody lives at the sample's places, and the report gets its map.
            services["strava_places"] = KeptPlaces.COARSE
        yield settings.model_copy(update=services)


def strava_settings(urls: SandboxUrls) -> dict[str, Any]:
    """The settings that name the sandbox's Strava."""
    return {
        "strava_api_base_url": urls.strava_api_base_url,
        "strava_oauth_base_url": urls.strava_oauth_base_url,
        "strava_client_id": SandboxCredentials.strava_client_id,
        "strava_client_secret": SecretStr(SandboxCredentials.strava_client_secret),
        "strava_refresh_token": SecretStr(SandboxCredentials.strava_refresh_token),
    }


def user_events_settings(urls: SandboxUrls) -> dict[str, Any]:
    """The settings that name the sandbox's user-events service."""
    return {
        "user_events_api_url": urls.user_events_api_url,
        "user_events_api_token": SecretStr(SandboxCredentials.user_events_api_token),
    }
