"""What assets need besides the settings: clients of the services, and their clock.

Belongs here: building clients from settings. Not here: what a client does (see `extract/`).
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from engagement_assets.extract.services.client import Answer, Clock, HttpApi
from engagement_assets.extract.strava.api import StravaApi, StravaLimits
from engagement_assets.extract.strava.tokens import StravaTokens
from engagement_assets.extract.user_events.api import UserEventsApi, waiting_as_requested
from engagement_assets.settings import Settings


@dataclass(frozen=True)
class ApiClients:
    """Builds clients, each for one load; tests use their own clock."""

    settings: Settings
    clock: Clock = field(default_factory=Clock)

    @contextmanager
    def strava(self, progress: Callable[[str], None]) -> Iterator[StravaApi]:
        """A client of Strava; `progress` gets a line about each wait and retry."""
        settings = self.settings
        assert settings.strava_client_secret and settings.strava_refresh_token  # noqa: S101, PT018 - the asset exists only with them

        def too_many_requests(answer: Answer) -> None:
            limits.too_many_requests(answer)

        with closing(HttpApi("Strava", self.clock, progress, too_many_requests)) as http:
            limits = StravaLimits(http)
            tokens = StravaTokens(
                path=settings.strava_token_path,
                oauth_base_url=settings.strava_oauth_base_url,
                client_id=settings.strava_client_id,
                client_secret=settings.strava_client_secret.get_secret_value(),
                first_refresh_token=settings.strava_refresh_token.get_secret_value(),
                http=http,
            )
            yield StravaApi(settings.strava_api_base_url, tokens, http, limits)

    @contextmanager
    def user_events(self, progress: Callable[[str], None]) -> Iterator[UserEventsApi]:
        """A client of the user-events service; `progress` gets a line about each wait and retry."""
        settings = self.settings
        assert settings.user_events_api_token  # noqa: S101 - the asset exists only with it
        too_many_requests = waiting_as_requested(self.clock, progress)
        with closing(HttpApi("the user-events service", self.clock, progress, too_many_requests)) as http:
            yield UserEventsApi(settings.user_events_api_url, settings.user_events_api_token.get_secret_value(), http)
