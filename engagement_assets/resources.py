"""What assets need beside the settings: clients of the services, and the clock that they go by.

Belongs here: putting clients together from settings. Not here: what a client does (see `extract/`).
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from engagement_assets.extract.services.client import Answer, Clock, HttpApi
from engagement_assets.extract.strava.api import StravaApi, StravaLimits
from engagement_assets.extract.strava.tokens import StravaTokens
from engagement_assets.extract.user_events.api import UserEventsApi, wait_as_told
from engagement_assets.settings import Settings


@dataclass(frozen=True)
class ApiClients:
    """Makes a client for the time of a load; tests give it a clock of their own."""

    settings: Settings
    clock: Clock = field(default_factory=Clock)

    @property
    def missing_for_strava(self) -> list[str]:
        """The settings without which there is no Strava account to read."""
        wanted = {
            "STRAVA_CLIENT_ID": self.settings.strava_client_id,
            "STRAVA_CLIENT_SECRET": self.settings.strava_client_secret,
            "STRAVA_REFRESH_TOKEN": self.settings.strava_refresh_token,
        }
        return [name for name, value in wanted.items() if not value]

    @property
    def missing_for_user_events(self) -> list[str]:
        """The settings without which there is no user-events service to read."""
        wanted = {
            "USER_EVENTS_API_URL": self.settings.user_events_api_url,
            "USER_EVENTS_API_TOKEN": self.settings.user_events_api_token,
        }
        return [name for name, value in wanted.items() if not value]

    @contextmanager
    def strava(self, progress: Callable[[str], None]) -> Iterator[StravaApi]:
        """A client of Strava; `progress` is told of waits and second tries."""
        settings = self.settings
        assert settings.strava_client_secret and settings.strava_refresh_token  # noqa: S101, PT018 - the caller asked

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
        """A client of the user-events service; `progress` is told of waits and second tries."""
        settings = self.settings
        assert settings.user_events_api_token  # noqa: S101 - the caller asked
        waiting = wait_as_told(self.clock, progress)
        with closing(HttpApi("the user-events service", self.clock, progress, waiting)) as http:
            yield UserEventsApi(settings.user_events_api_url, settings.user_events_api_token.get_secret_value(), http)
