"""Where an erasure looks for Dagster's records besides files; what it does in PostgreSQL is an integration test."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from engagement_assets.instance.database_records import (
    DatabaseRecordsError,
    blank_in_database,
    places_in_database,
)
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.privacy.sweep import Search
from engagement_assets.settings import Settings

SEARCH = Search.of(["anna"])


def test_records_in_files_are_no_business_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    assert places_in_database(tmp_path, SEARCH) == []
    prepare_dagster_home(Settings(_env_file=None, dagster_home=tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.run_storage.set_cursor_values({"anna": "anna"})
        assert places_in_database(tmp_path, SEARCH) == []
        blank_in_database(tmp_path, SEARCH)
        assert instance.run_storage.get_cursor_values({"anna"}) == {"anna": "anna"}


def test_records_that_nobody_can_search_prove_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").touch()
    elsewhere = SimpleNamespace(run_storage=None, event_log_storage=None, schedule_storage=None)
    monkeypatch.setattr(dg.DagsterInstance, "from_config", lambda _home: nullcontext(elsewhere))
    for look in (places_in_database, blank_in_database):
        with pytest.raises(DatabaseRecordsError, match="expected a storage in SQLite or PostgreSQL, found neither"):
            look(tmp_path, SEARCH)
