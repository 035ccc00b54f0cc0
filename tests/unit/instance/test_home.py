"""Whose `dagster.yaml` lies in DAGSTER_HOME: the project's is written anew, a team's stays byte for byte."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.event_log import BatchingEventLogStorage
from engagement_assets.instance.home import MARK, DagsterHomeError, prepare_dagster_home, why_home_is_refused
from engagement_assets.settings import Settings

EARLIER = PROJECT_ROOT / "tests" / "fixtures" / "dagster_home"
URL = "postgresql://dagster:secret-word@127.0.0.1/runs"
THEIRS = """# kept by the platform team
storage:
  postgres: {postgres_url: {env: PLATFORM_DATABASE}}
concurrency:
  pools: {granularity: op, default_limit: 1}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_STORAGE_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def _settings(home: Path, **given: Any) -> Settings:
    return Settings(_env_file=None, dagster_home=home, **given)


def _written_by_0_1_0(home: Path) -> str:
    return (EARLIER / "written_by_0_1_0.yaml").read_text(encoding="utf-8").replace("FOLDER", json.dumps(str(home)))


def _written_by_0_2_0(home: Path) -> str:
    """This version wrote the folder as YAML does, which breaks a long one where it has a blank."""
    text = (EARLIER / "written_by_0_2_0.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    settings["storage"]["custom"]["config"]["base_dir"] = str(home)
    written = yaml.safe_dump(settings)
    assert text.splitlines()[:5] == written.splitlines()[:5]
    return written


def test_a_new_home_gets_a_marked_file_that_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "home" / "dagster.yaml"
    prepare_dagster_home(_settings(path.parent))
    first = path.read_text(encoding="utf-8")
    assert first.startswith(f"{MARK}\n")
    assert os.environ["DAGSTER_HOME"] == str(path.parent)
    path.write_text(f"{MARK}\ntelemetry: {{enabled: true}}\n", encoding="utf-8")
    prepare_dagster_home(_settings(path.parent))
    assert path.read_text(encoding="utf-8") == first
    assert [each.name for each in path.parent.iterdir()] == ["dagster.yaml"]
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)


def test_a_process_of_another_container_with_the_same_id_keeps_its_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)
    theirs = tmp_path / ".dagster.yaml.7"
    theirs.write_text("half of it", encoding="utf-8")
    prepare_dagster_home(_settings(tmp_path))
    assert theirs.read_text(encoding="utf-8") == "half of it"


@pytest.mark.parametrize("text", [THEIRS, "", "no: [mapping", "- a list\n", "run_queue: {max_concurrent_runs: 4}\r\n"])
def test_a_file_of_others_stays_byte_for_byte_and_is_told_once(
    tmp_path: Path, text: str, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "dagster.yaml"
    path.write_bytes(text.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for _ in range(2):
            prepare_dagster_home(_settings(tmp_path))
    assert path.read_bytes() == text.encode()
    assert len(recwarn) == 1
    assert str(recwarn[0].message).startswith(f"{path} is not of this project and stays as it is: it ")
    assert os.environ["DAGSTER_HOME"] == str(tmp_path)


def test_what_is_told_of_a_file_of_others_names_what_differs(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(THEIRS, encoding="utf-8")
    differing = (
        "its own concurrency, nux, run_coordinator, run_launcher, run_monitoring, run_retries, storage, telemetry"
    )
    with pytest.warns(UserWarning, match=rf"{differing}\. Compare"):
        prepare_dagster_home(_settings(tmp_path))
    with pytest.warns(UserWarning, match="DAGSTER_STORAGE_URL is set, but the file does not name it") as told:
        prepare_dagster_home(_settings(tmp_path, dagster_storage_url=URL))
    assert "secret-word" not in str(told[0].message)


@pytest.mark.parametrize("folder", ["home", "a home: 'quoted'", "a " * 50])
@pytest.mark.parametrize("written", [_written_by_0_1_0, _written_by_0_2_0])
def test_a_file_of_an_earlier_version_is_written_anew(tmp_path: Path, folder: str, written: Any) -> None:
    home = tmp_path / folder.strip()
    home.mkdir()
    path = home / "dagster.yaml"
    path.write_text(written(home), encoding="utf-8")
    prepare_dagster_home(_settings(home))
    assert path.read_text(encoding="utf-8").startswith(MARK)


@pytest.mark.parametrize("written", [_written_by_0_1_0, _written_by_0_2_0])
@pytest.mark.parametrize(
    ("before", "after"),
    [("default_limit: 1", "default_limit: 2"), ("/home", "/elsewhere"), ("enabled: false", "enabled: true")],
)
def test_a_changed_file_of_an_earlier_version_is_a_team_s(
    tmp_path: Path, written: Any, before: str, after: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    changed = written(home).replace(before, after)
    (home / "dagster.yaml").write_text(changed, encoding="utf-8")
    with pytest.warns(UserWarning, match="stays as it is"):
        prepare_dagster_home(_settings(home))
    assert (home / "dagster.yaml").read_text(encoding="utf-8") == changed


def test_without_the_mark_the_file_is_a_team_s(tmp_path: Path) -> None:
    prepare_dagster_home(_settings(tmp_path))
    path = tmp_path / "dagster.yaml"
    own = path.read_text(encoding="utf-8").removeprefix(f"{MARK}\n")
    path.write_text(own, encoding="utf-8")
    with pytest.warns(UserWarning, match="stays as it is: it says the same"):
        prepare_dagster_home(_settings(tmp_path))
    assert path.read_text(encoding="utf-8") == own


def test_the_database_is_named_by_its_variable_and_a_lost_variable_is_no_way_back(tmp_path: Path) -> None:
    prepare_dagster_home(_settings(tmp_path, dagster_storage_url=URL))
    text = (tmp_path / "dagster.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["storage"]["custom"] == {
        "module": "engagement_assets.instance.postgres_storage",
        "class": "PostgresStorage",
        "config": {"postgres_url": {"env": "DAGSTER_STORAGE_URL"}},
    }
    assert "secret-word" not in text
    assert os.environ.pop("DAGSTER_STORAGE_URL") == URL

    refused = why_home_is_refused(_settings(tmp_path))
    assert str(refused).startswith("DAGSTER_STORAGE_URL: expected the URL of the PostgreSQL database that holds the ")
    with pytest.raises(DagsterHomeError, match="found nothing; set it, or remove "):
        prepare_dagster_home(_settings(tmp_path))
    assert (tmp_path / "dagster.yaml").read_text(encoding="utf-8") == text
    assert why_home_is_refused(_settings(tmp_path, dagster_storage_url=URL)) is None
