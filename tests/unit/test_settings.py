"""Settings: each one is documented, and sample data never mixes with real input."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from engagement_assets.contracts.kept_places import KeptPlaces
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.per_source import PerSource
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.settings import Settings

KEY = "0123456789abcdef0123456789abcdef"
VARIABLES = [name.upper() for name in Settings.model_fields]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # no .env of the person who runs the tests


def test_every_setting_stands_in_the_example_file_and_no_other() -> None:
    lines = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    listed = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    assert sorted(listed) == sorted(VARIABLES)


def test_the_example_file_gives_the_defaults() -> None:
    # Without a landing zone the sample's days would be those of the demo.
    example = Settings(_env_file=PROJECT_ROOT / ".env.example", landing_uri="/landing")
    assert example == Settings(landing_uri="/landing")


def test_without_a_landing_zone_everything_lies_in_the_demo_folder() -> None:
    settings = Settings()
    demo = PROJECT_ROOT / "data" / "demo"
    assert settings.landing_uri == str(demo / "landing")
    assert settings.lake_uri == str(demo / "lake")
    assert settings.warehouse_path == demo / "warehouse.duckdb"
    assert settings.published_warehouse_path == demo / "published.duckdb"
    assert settings.dagster_home == demo / "dagster_home"


def test_with_a_landing_zone_nothing_lies_in_the_demo_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANDING_URI", "/somewhere/landing")
    settings = Settings()
    data = PROJECT_ROOT / "data"
    assert settings.landing_uri == "/somewhere/landing"
    assert settings.lake_uri == str(data / "lake")
    assert settings.published_warehouse_path == data / "published.duckdb"


def test_a_variable_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI", "/a/lake")
    monkeypatch.setenv("WAREHOUSE_PATH", "/a/warehouse.duckdb")
    settings = Settings()
    assert settings.lake_uri == "/a/lake"
    assert settings.warehouse_path == Path("/a/warehouse.duckdb")


@pytest.mark.parametrize("is_in_file", [True, False])
def test_settings_that_are_no_longer_read_are_warned_of(
    is_in_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_in_file:
        (tmp_path / ".env").write_text("ALERT_QUIET_HOURS=22:00-07:00\nALERT_TIME_ZONE=UTC\nALERT_REPEAT_HOURS=12\n")
    else:
        monkeypatch.setenv("ALERT_QUIET_HOURS", "22:00-07:00")
        monkeypatch.setenv("ALERT_REPEAT_HOURS", "12")
    with pytest.warns(UserWarning, match="ALERT_QUIET_HOURS") as warned:
        assert Settings().alert_repeat_hours == 12
    assert [str(each.message) for each in warned] == [
        "ALERT_QUIET_HOURS is no longer read: warnings go out at once, like errors"
    ]


def test_what_children_did_stays_for_thirteen_months_and_the_sample_data_for_ever() -> None:
    own = Settings(landing_uri="/somewhere/landing")
    assert (own.raw_retention_days_of("lingokids"), own.raw_retention_days_of("strava")) == (396, 0)
    assert Settings().raw_retention_days_of("lingokids") == 0
    assert Settings(raw_retention_days=PerSource(0, {"lingokids": 100})).raw_retention_days_of("lingokids") == 100


def test_rounded_places_are_no_longer_kept_and_the_old_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAVA_PLACE_DECIMALS", "2")
    with pytest.warns(UserWarning, match="STRAVA_PLACE_DECIMALS") as warned:
        assert Settings().strava_places is KeptPlaces.NONE
    assert [str(each.message) for each in warned] == [
        "STRAVA_PLACE_DECIMALS is no longer read: no place is kept, since rounding hides no home; "
        "STRAVA_PLACES=coarse keeps one cell of about 5 km per season"
    ]


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", KEY)
    settings = Settings()
    assert KEY not in repr(settings)
    assert KEY not in repr(settings.privacy_policy)
    assert settings.privacy_policy == PrivacyPolicy(KEY, erasures=settings.erasures_path)


@pytest.mark.parametrize(
    ("key", "length"),
    [("k" * 31, 31), (f"{KEY},{'k' * 31}", 31), (f"{KEY},", 0), ("é" * 15, 30), (f" {'k' * 31} ", 31)],
)
def test_a_key_that_could_be_guessed_is_refused_and_not_shown(key: str, length: int) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(pseudonym_key=SecretStr(key))
    text = str(refused.value)
    assert f"expected at least 32 bytes, so that nobody finds the key by trying, found {length}; make" in text
    assert "openssl rand -hex 32" in text
    assert "kkk" not in text
    assert KEY not in text


def test_an_erasure_key_that_could_be_guessed_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match=r"expected at least 32 bytes, .* found 31; make a key") as refused:
        Settings(erasure_key=SecretStr("k" * 31))
    assert "kkk" not in str(refused.value)
    assert Settings(erasure_key=SecretStr(KEY)).privacy_policy.erasure_key == KEY


@pytest.mark.parametrize(("key", "read"), [("é" * 16, "é" * 16), (f"{KEY}n , {KEY}", f"{KEY}n,{KEY}")])
def test_a_key_of_32_bytes_may_stand_before_older_ones(key: str, read: str) -> None:
    assert Settings(pseudonym_key=SecretStr(key)).pseudonym_key_text == read


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "postgres"])
def test_the_database_of_runs_may_be_spelled_as_others_do(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_STORAGE_URL", f"{scheme}://user:{KEY}@host/runs")
    settings = Settings()
    assert settings.dagster_storage_url == SecretStr(f"{scheme}://user:{KEY}@host/runs")
    assert KEY not in repr(settings)
    monkeypatch.setenv("DAGSTER_STORAGE_URL", "")
    assert Settings().dagster_storage_url is None


@pytest.mark.parametrize("wrong", [f"mysql://user:{KEY}@host/runs", f"{KEY}@host/runs", "postgresql://", "postgresql"])
def test_another_database_of_runs_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(ValidationError, match="expected the URL of a PostgreSQL database, such as ") as refused:
        Settings(dagster_storage_url=SecretStr(wrong))
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "credentials",
    ["u:part1/part2", "u:part1@part2", "u:part1%part2", "u:part1%zzpart2", "u:part1%00part2", "u:part1 part2"],
)
@pytest.mark.parametrize("place", ["host:5432/runs", "host/runs", "[::1]:5432/runs", "/runs?host=/run/postgresql"])
def test_a_password_that_would_be_taken_for_another_part_is_refused_and_not_shown(credentials: str, place: str) -> None:
    with pytest.raises(ValidationError, match="blanks in the user, the password and all else as %2F %40") as refused:
        Settings(dagster_storage_url=SecretStr(f"postgresql://{credentials}@{place}"))
    assert "part" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", ["postgresql://u:part1", "postgresql://u:part1/runs", "postgresql://u:5432:part1/runs"]
)
def test_a_password_without_a_host_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(ValidationError, match="found one that can be read in more than one way") as refused:
        Settings(dagster_storage_url=SecretStr(wrong))
    assert "part" not in str(refused.value)


@pytest.mark.parametrize(
    "right",
    [
        "u:p%2Fa%40r%25t@host:5432/runs",
        "u:p?a#r:t&!@host/runs?sslmode=require",
        "u@[::1]:5432/runs",
        "u:p@one:5432,two:5433/runs",
        "u@/runs?host=/run/postgresql",
        "host/runs",
        "/runs",
    ],
)
def test_a_url_that_all_readers_split_alike_is_taken(right: str) -> None:
    url = SecretStr(f"postgresql://{right}")
    assert Settings(dagster_storage_url=url).dagster_storage_url == url


def test_kinds_of_ids_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYMIZE", "device, user")
    monkeypatch.setenv("LAND_UNNEEDED_IDS", "child")
    policy = Settings().privacy_policy
    assert policy.pseudonymized == {PersonalKind.DEVICE, PersonalKind.USER}
    assert policy.landed_unneeded == {PersonalKind.CHILD}


@pytest.mark.parametrize("kinds", ["place", "child,phone", "child;device"])
def test_what_is_no_kind_of_id_is_refused(kinds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYMIZE", kinds)
    with pytest.raises(ValidationError, match=r"expected kinds of ids \(athlete, child, corporation, device, user\)"):
        Settings()


URLS = ("strava_api_base_url", "strava_oauth_base_url", "user_events_api_url")


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/api", "HTTPS://example.com:8443", "http://127.0.0.1:8000/events", "http://localhost",
        "http://LOCALHOST:1", "http://[::1]:8000/", "http://127.8.0.1", "https://127.0.0.1",
    ],
)  # fmt: skip
def test_a_service_is_asked_over_tls_or_on_this_machine(name: str, url: str) -> None:
    given: dict[str, Any] = {name: url}
    assert getattr(Settings(**given), name) == url


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://example.com/api", "http://example.com"),
        ("http://user:secret@example.com", "http://example.com"),
        ("http://127.0.0.1@example.com", "http://example.com"),
        ("http://127.0.0.1.example.com", "http://127.0.0.1.example.com"),
        ("http://localhost.example.com/", "http://localhost.example.com"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http://[2001:db8::1]", "http://2001:db8::1"),
        ("ftp://127.0.0.1/events", "ftp://127.0.0.1"),
        ("https://", "https://"),
        ("nonsense", "none://"),
        ("http://[::1", "what is no URL"),
        ("http://a:b/events", "what is no URL"),
    ],
)
def test_a_service_that_would_get_its_token_in_clear_is_refused(name: str, url: str, found: str) -> None:
    given: dict[str, Any] = {name: url}
    with pytest.raises(ValidationError) as refused:
        Settings(**given)
    ((error,),) = [refused.value.errors()]
    assert error["loc"] == (name,)
    assert error["msg"] == (
        "Value error, expected an https:// URL (http:// for this machine alone: 127.0.0.1, localhost, [::1]), since a "
        f"token travels with each request, found {found}"
    )


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SECRETS_DIR, still empty."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("SECRETS_DIR", str(folder))
    return folder


def test_a_secret_may_be_a_file_and_is_not_shown(secrets: Path) -> None:
    url = f"postgresql://user:{KEY}@host/runs"
    (secrets / "dagster_storage_url").write_text(f"{url}\n")
    (secrets / "PSEUDONYM_KEY").write_text(KEY)
    (secrets / "erasure_key").write_text("\n")  # as an empty variable: the default
    (secrets / "of_another_program").write_text(KEY)
    settings = Settings()
    assert (settings.dagster_storage_url, settings.pseudonym_key_text) == (SecretStr(url), KEY)
    assert settings.erasure_key is None
    assert KEY not in repr(settings)


def test_a_variable_and_a_line_of_env_win_over_a_file(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alert_urls", "alert_webhook_secret", "user_events_api_token"):
        (secrets / name).write_text("of the file")
    monkeypatch.setenv("ALERT_URLS", "of the variable")
    monkeypatch.delenv("SECRETS_DIR")
    (tmp_path / ".env").write_text(f"SECRETS_DIR={secrets}\nALERT_WEBHOOK_SECRET=of .env\n")
    settings = Settings()
    found = (settings.alert_urls, settings.alert_webhook_secret, settings.user_events_api_token)
    assert [each and each.get_secret_value() for each in found] == ["of the variable", "of .env", "of the file"]
    monkeypatch.delenv("ALERT_URLS")
    assert Settings().alert_urls == SecretStr("of the file")


def test_a_wrong_secret_of_a_file_is_refused_and_not_shown(secrets: Path) -> None:
    (secrets / "dagster_storage_url").write_text(f"mysql://user:{KEY}@host/runs")
    with pytest.raises(ValidationError, match="expected the URL of a PostgreSQL database, such as ") as refused:
        Settings()
    assert KEY not in str(refused.value)


def test_a_folder_of_secrets_that_is_not_there_is_refused(secrets: Path) -> None:
    secrets.rmdir()
    with pytest.raises(ValidationError, match=f"expected a folder with a file per secret, found none at {secrets}"):
        Settings()
