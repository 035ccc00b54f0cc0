"""Every setting of the project, read from the environment or from `.env`.

Belongs here: one field per variable, with its unit, default and meaning; those about personal data are in
`privacy_settings.py`, those of what people read in `publishing_settings.py`, those about Spark in `spark_settings.py`,
those about S3 in `s3_settings.py`.
Not here: anything that acts on a setting.
Each variable is listed in `.env.example`; a test compares the two.
"""

import ipaddress
import os
import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engagement_assets.contracts.event_identity import EventIdentity
from engagement_assets.contracts.extraction import Calendar, DayWindow
from engagement_assets.contracts.source import Source
from engagement_assets.installation import IS_CHECKOUT, PROJECT_ROOT
from engagement_assets.per_source import NumberPerSource, PerSource, Severities, SeverityPerCheck
from engagement_assets.privacy_settings import PrivacySettings
from engagement_assets.publishing_settings import PublishingSettings
from engagement_assets.s3_settings import S3Settings
from engagement_assets.secret_files import with_secret_files
from engagement_assets.spark_settings import SparkSettings
from engagement_assets.storage_url import why_url_is_refused

_STRAVA_API, _STRAVA_OAUTH = "https://www.strava.com/api/v3", "https://www.strava.com/oauth"
# What others call the same database; psycopg2 is the driver that Dagster uses.
# The days of the sample data, and all days that there are in the demo.
SAMPLE_DAYS = DayWindow(date(2024, 1, 1), date(2024, 2, 5))
# Setting one of these only causes a warning. ALERT_TIME_ZONE was removed too, but every old `.env` sets it.
_NO_LONGER_READ: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("alert_quiet_hours", "alert_warning_digest_at"), "warnings go out at once, like errors")
    | {
        "strava_place_decimals": "no place is kept, since rounding hides no home; STRAVA_PLACES=coarse keeps one "
        "cell of about 5 km per season"
    }
)


class Settings(S3Settings, SparkSettings, PrivacySettings, PublishingSettings):
    """Settings of one deployment.

    Without `LANDING_URI` the project runs on the sandbox's sample data and writes to `data/demo/`; with it, to `data/`.
    So sample data never mixes with real input.
    """

    # Errors name no input: it may be a secret.
    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    secrets_dir: Path | None = Field(
        default=None, description="Folder with a file per secret, named as its setting; variables win over files."
    )
    landing_uri: str = Field(default="", description="Folder or s3:// URL of the landing zone (runna/, lingokids/, …).")
    lake_uri: str = Field(default="", description="Folder or s3:// URL of the lake.")
    warehouse_path: Path = Field(default=Path(), description="The DuckDB file that dbt writes; one writer at a time.")
    models_dir: Path = Field(default=Path(), description="Folder of the versions of the model of kudos.")
    dagster_home: Path = Field(default=Path(), description="Where Dagster keeps its settings, runs and events.")
    dagster_storage_url: SecretStr | None = Field(
        default=None,
        description="The PostgreSQL database in which Dagster keeps runs and events instead of SQLite files.",
    )
    start_date: date = Field(default=date(2021, 1, 1), description="The first daily partition, a UTC day.")
    max_days_ahead: int = Field(
        default=1,
        ge=0,
        description="How many UTC days after the current one a record's own time may lie; records further ahead, or "
        "before START_DATE, are quarantined as outside_calendar.",
    )
    backfill_days_per_run: int = Field(
        default=0, ge=0, description="How many days each run of a backfill in the UI covers; 0: one run covers all."
    )
    allow_shrink: bool = Field(
        default=False,
        description="Let a day replace its last load even if landing files of that load are gone.",
    )
    build_unchanged: bool = Field(
        default=False,
        description="Build and publish an area also if all that it reads is the same as at its last build.",
    )
    dbt_as_command: bool = Field(default=False, description="Run dbt as a command in each step, not in its process.")
    strava_api_base_url: str = Field(default=_STRAVA_API, description="Strava's API.")
    strava_oauth_base_url: str = Field(default=_STRAVA_OAUTH, description="Strava's token service.")
    strava_client_id: str = Field(default="", description="The application's id at Strava.")
    strava_client_secret: SecretStr | None = Field(default=None, description="The application's secret.")
    strava_refresh_token: SecretStr | None = Field(
        default=None,
        description="The first refresh token; later ones live in the token file.",
    )
    strava_token_path: Path = Field(default=Path(), description="The private file with the newest refresh token.")
    strava_trailing_days: int = Field(
        default=30, ge=0, description="How many days before its own a daily run reads again: kudos, names, deletions."
    )
    user_events_api_url: str = Field(default="", description="The user-events service.")
    user_events_api_token: SecretStr | None = Field(default=None, description="Its api-token.")
    user_events_trailing_days: int = Field(
        default=3, ge=0, description="How many days before its own a daily run reads again: late events."
    )
    user_event_identity: EventIdentity = Field(
        default=EventIdentity.EVENT,
        description="What identifies a user event: event (ids, or device, time, type and path) or device_and_time.",
    )
    user_events_device_id_max_length: int = Field(
        default=64,
        ge=1,
        description="The longest device id; an event with a longer one is rejected.",
    )
    api_retry_delay_s: int = Field(
        default=60,
        ge=0,
        description="Seconds until the first retry of a step whose service did not answer, or that found a lock held; "
        "twice as long until the second.",
    )
    schedules_on: bool = Field(
        default=False,
        description="Schedules and sensors are on from the start; otherwise you switch each on in the UI.",
    )
    schedule_time_zone: str = Field(default="UTC", description="The time zone of SCHEDULE_HOUR, by its IANA name.")
    schedule_hour: int = Field(default=4, ge=0, le=23, description="The hour at which schedules run, local time.")
    catch_up_days: int = Field(
        default=14, ge=1, description="How many days back sensors look for missing and stale days."
    )
    catch_up_attempts: int = Field(
        default=3, ge=1, description="How many runs may fail for a day before it is left to a person."
    )
    landing_settle_s: int = Field(
        default=60,
        ge=0,
        description="How many seconds a landing file must rest before a sensor requests its day. Until then, loads "
        "expect that it may still be written.",
    )
    check_severities: SeverityPerCheck = Field(
        default=Severities(),
        description="Severities that differ: '<check>=warn' or '<source>.<check>=halt', separated by commas.",
    )
    rejected_share_warn: NumberPerSource = Field(
        default=PerSource(0.01),
        description="The share of rejected records of a day above which `rejected_share` warns.",
    )
    rejected_share_halt: NumberPerSource = Field(
        default=PerSource(0.05), description="The share of rejected records above which the day is held."
    )
    rejected_share_min_records: NumberPerSource = Field(
        default=PerSource(100), description="A day with fewer records is never held for its rejected share."
    )
    freshness_hours: NumberPerSource = Field(
        default=PerSource(12),
        description="Hours after the end of a UTC day until it must be loaded; 0: no deadline.",
    )
    code_git_url: str = Field(
        default="",
        description="The GitHub or GitLab repository to which code links in the UI lead; empty: local files.",
    )
    code_git_branch: str = Field(default="main", description="Its branch.")
    extract_processes: int = Field(default=2, ge=1, description="How many processes decode activity files in parallel.")
    duckdb_memory_limit: str = Field(
        default="2GB",
        description="Memory that DuckDB may take for one load before it spills to disk.",
    )
    runna_memory_limit: str = Field(
        default="100MB",
        description="The same for a load of activity files, which needs less than 500 MB, all processes together.",
    )

    alert_urls: SecretStr | None = Field(
        default=None,
        description="Where alerts go besides console and file; URLs, separated by spaces or commas.",
    )
    alert_webhook_secret: SecretStr | None = Field(default=None, description="Signs messages to a webhook.")
    alert_interval_s: int = Field(default=30, ge=1, description="Seconds between two rounds of the alert sensor.")
    alert_repeat_hours: float = Field(
        default=24, gt=0, description="Hours until a failure that lasts is reported again."
    )
    dagster_ui_url: str = Field(default="http://127.0.0.1:3000", description="Where alerts link to runs and assets.")
    ui_hosts: str = Field(default="", description="Further hosts under which people open the UI, parted by commas.")
    runbook_url: str = Field(default="docs/runbook.md", description="Where alerts link to a check's entry.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the files of SECRETS_DIR after variables and `.env`."""
        return with_secret_files(settings_cls, (init_settings, env_settings, dotenv_settings, file_secret_settings))

    @field_validator("secrets_dir")
    @classmethod
    def _is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"expected a folder with a file per secret, found none at {folder}")
        return folder

    @model_validator(mode="before")
    @classmethod
    def _warn_of_removed_settings(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        for name, instead in _NO_LONGER_READ.items():
            # A variable without a field is among the values only if `.env` sets it.
            if values.get(name) or os.environ.get(name.upper()):
                warnings.warn(f"{name.upper()} is no longer read: {instead}", stacklevel=2)
        return values

    @field_validator("schedule_time_zone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"expected the name of a time zone, such as Europe/Berlin, found {name!r}")
        return name

    @field_validator("dagster_storage_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url and (refused := why_url_is_refused(url.get_secret_value())):
            raise ValueError(
                "expected the URL of a PostgreSQL database, such as postgresql://user:password@host:5432/dagster, "
                f"{refused}"
            )
        return url

    @field_validator("strava_api_base_url", "strava_oauth_base_url", "user_events_api_url")
    @classmethod
    def _keeps_tokens_private(cls, url: str) -> str:
        # Defaults are validated too, and need no look.
        if url not in {"", _STRAVA_API, _STRAVA_OAUTH}:
            _refuse_tokens_in_clear(url)
        return url

    @model_validator(mode="after")
    def _fill_paths(self) -> Self:
        data = _data_folder() if self.landing_uri else _data_folder() / "demo"
        self.landing_uri = self.landing_uri or str(data / "landing")
        self.lake_uri = self.lake_uri or str(data / "lake")
        for field, name in (
            ("warehouse_path", "warehouse.duckdb"),
            ("published_warehouse_path", "published.duckdb"),
            ("strava_token_path", "strava_token.json"),
            ("report_dir", "report"),
            ("dagster_home", "dagster_home"),
        ):
            if getattr(self, field) == Path():
                setattr(self, field, data / name)
        if self.models_dir == Path():
            self.models_dir = self.published_warehouse_path.with_name("models")
        if self.erasures_path == Path():
            self.erasures_path = self.dagster_home.with_name("erasures")
        if self.runs_on_sample_data and "start_date" not in self.model_fields_set:
            self.start_date = SAMPLE_DAYS.start
        return self

    @property
    def runs_on_sample_data(self) -> bool:
        """Whether this is the demo, without a landing zone of its own."""
        return self.landing_uri == str(_data_folder() / "demo" / "landing")

    def freshness_hours_of(self, source: str) -> float | None:
        """Hours after the end of a day until a source's day must be loaded; None for no deadline.

        The sample data has none: it is old, and no more will come.
        """
        return None if self.runs_on_sample_data else self.freshness_hours.of(source) or None

    def raw_retention_days_of(self, source: str) -> int:
        """Days after which a source's raw days are removed; 0 keeps them.

        The sample data stays unless RAW_RETENTION_DAYS is set: it is old from the start, and about nobody.
        """
        if self.runs_on_sample_data and "raw_retention_days" not in self.model_fields_set:
            return 0
        return int(self.raw_retention_days.of(source))

    @property
    def last_sample_day(self) -> date | None:
        """The last daily partition if this is the demo, whose days end with the sample; None if days go on."""
        return SAMPLE_DAYS.days()[-1] if self.runs_on_sample_data else None

    def last_day_at(self, now: datetime) -> date:
        """The last daily partition as of `now`: the current UTC day, or the sample's last."""
        return self.last_sample_day or now.astimezone(UTC).date()

    def calendar_at(self, now: datetime) -> Calendar:
        """The days on which a record's own time may lie, as of `now`; in the demo, as of the sample's last day."""
        last_midnight = datetime.combine(self.last_day_at(now), time(), UTC)
        return Calendar.at(last_midnight, self.start_date, self.max_days_ahead)

    def missing_for(self, source: Source) -> list[str]:
        """The settings that are missing to load the source."""
        return [name for name in source.required_settings if not getattr(self, name.lower())]

    def trailing_days_of(self, source: Source) -> int:
        """How many days before its own a daily run of the source reads again."""
        return int(getattr(self, source.trailing_days_setting.lower())) if source.trailing_days_setting else 0


def _data_folder() -> Path:
    """Where data lies by default: in the checkout, or for an installed package where it is started, as `.env` does."""
    return (PROJECT_ROOT if IS_CHECKOUT else Path.cwd()) / "data"


def _refuse_tokens_in_clear(url: str) -> None:
    """Refuse a service's URL if requests would expose their token: without TLS, and not on this machine.

    Raises:
        ValueError: the URL is refused; the text has its scheme and host only.
    """
    # Half a second, which only who sets a URL has to wait.
    httpx = import_module("httpx")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        found = "what is no URL"
    else:
        if parsed.host and (parsed.scheme == "https" or (parsed.scheme == "http" and _is_this_machine(parsed.host))):
            return
        found = f"{parsed.scheme or 'none'}://{parsed.host}"
    raise ValueError(
        "expected an https:// URL (http:// for this machine alone: 127.0.0.1, localhost, [::1]), since a token travels "
        f"with each request, found {found}"
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
