"""Settings: each one is documented, and sample data never mixes with real input."""

from pathlib import Path

import pytest

from engagement_assets.settings import PROJECT_ROOT, Settings

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
    example = Settings(_env_file=PROJECT_ROOT / ".env.example")
    assert example == Settings()


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


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "a-very-secret-key")
    settings = Settings()
    assert "a-very-secret-key" not in repr(settings)
    assert settings.pseudonym_key is not None
    assert settings.pseudonym_key.get_secret_value() == "a-very-secret-key"
