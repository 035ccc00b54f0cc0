"""A deployment on PostgreSQL is backed up, lost and put back by the commands of docs/deployment.md.

Belongs here: what those commands save, and how work goes on after them. Not here: files of a run that was killed (the
tests of kills), or tombstones that are newer than a lake (the tests of erasures).
"""

import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pytest
from pydantic import SecretStr

from engagement_assets.alerts.alerting import alerts_folder
from engagement_assets.alerts.store import STORE_FILE, alert_store
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.home import prepare_dagster_home
from engagement_assets.lake.lake import Lake
from engagement_assets.partitions import range_tags
from engagement_assets.per_source import PerSource
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.deployment import Deployment, differences
from tests.integration.postgres import USER, postgres_server, server_programs
from tests.lake_loads import window

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = (date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3))
# The broken file of the first day opens an incident, and holds nothing.
SETTINGS: dict[str, Any] = {"start_date": FIRST, "rejected_share_halt": PerSource(1.0)}
LEARNING = "+group:learning"
EVENTS = dg.AssetKey(["raw_lingokids", "events"])
DATABASE = "of_a_team"
TOMBSTONE = "erasures/a-tombstone.parquet"


def blocks_of_docs() -> tuple[str, str]:
    """The commands that back a deployment up, and those that put it back."""
    page = (PROJECT_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    _, section = page.split("<!-- tests/integration/test_backup.py runs this block")
    backup, restore = re.findall(r"^```sh\n(.*?)^```", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    return backup, restore


class State(NamedTuple):
    """What must be the same before and after."""

    warehouse: dict[str, list[tuple[Any, ...]]]
    published: dict[str, list[tuple[Any, ...]]]
    audit: list[tuple[Any, ...]]
    lake: dict[str, bytes]
    runs: list[tuple[str, str, dict[str, str]]]
    events: list[list[tuple[str, float]]]
    loaded_days: set[str]
    incidents: dict[tuple[str, str], list[str]]
    messages: list[str]
    alerts_file: bytes


def _state(deployment: Deployment) -> State:
    settings = deployment.settings
    lake = Path(settings.lake_uri)
    folder = alerts_folder(settings)
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance, alert_store(folder / STORE_FILE) as store:
        runs = list(instance.get_runs(ascending=True))
        return State(
            warehouse=deployment.tables(published=False),
            published=deployment.tables(),
            audit=deployment.query("select * from audit.ingestion_loads order by all"),
            lake={str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*") if path.is_file()},
            runs=[(run.run_id, run.status.value, dict(run.tags)) for run in runs],
            events=[[(entry.message, entry.timestamp) for entry in instance.all_logs(run.run_id)] for run in runs],
            loaded_days=instance.get_materialized_partitions(EVENTS),
            incidents={
                (subject.asset, subject.name): list(incident.failing_days)
                for subject, incident in store.incidents().items()
            },
            messages=[message.key for message in store.messages()],
            alerts_file=(folder / "alerts.jsonl").read_bytes(),
        )


def _run_commands(block: str, server: str, **places: Path) -> None:
    environment = {
        "PATH": f"{server_programs()}:{os.environ['PATH']}",
        "PGHOST": server.partition("host=")[2],
        "PGUSER": USER,
        "PGDATABASE": DATABASE,
        **{name: str(path) for name, path in places.items()},
    }
    ended = subprocess.run(
        ["/bin/bash", "-euc", block], env=environment, check=False, capture_output=True, text=True, cwd="/"
    )
    assert ended.returncode == 0, ended.stderr


def _on(deployment: Deployment, server: str) -> None:
    """Name the database of a server in the settings."""
    url = SecretStr(server.replace("/postgres?", f"/{DATABASE}?"))
    deployment.settings = deployment.settings.model_copy(update={**SETTINGS, "dagster_storage_url": url})


def _run_cut_off(deployment: Deployment) -> str:
    """A run from a shell that a stop has cut off: it counts as running, and its lock is there."""
    with dg.DagsterInstance.get() as instance:

        @dg.asset
        def users() -> None: ...

        job = dg.Definitions(assets=[users]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=range_tags(window(THIRD)))
    (deployment.settings.dagster_home / "range_runs" / f"{run.run_id}.lock").touch()
    return run.run_id


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_STORAGE_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_what_was_lost_is_put_back_and_the_next_day_is_loaded_as_if_nothing_had_happened(tmp_path: Path) -> None:
    backup, restore = blocks_of_docs()
    landing, data = tmp_path / "landing", tmp_path / "data"
    places = {"DATA": data, "BACKUP": tmp_path / "backups" / "monday", "ERASURES": tmp_path / "backups" / "erasures"}
    write_sample_landing(landing, start=FIRST, days=3, runna_activities_per_day=1, lingokids_events_per_day=40)
    broken = min(path for path in (landing / "lingokids" / "events").rglob("*") if path.is_file())
    broken.write_text(broken.read_text(encoding="utf-8") + "no JSON\n" * 5, encoding="utf-8")
    straight = Deployment(tmp_path / "straight", landing=landing)
    straight.settings = straight.settings.model_copy(update=SETTINGS)
    assert straight.run(FIRST, THIRD, LEARNING).failures == ()
    deployment = Deployment(data, landing=landing)

    with postgres_server() as server:
        _run_commands(f"createdb {DATABASE}", server)
        _on(deployment, server)
        assert deployment.run(FIRST, SECOND, LEARNING).failures == ()
        cut_off = _run_cut_off(deployment)
        (data / TOMBSTONE).parent.mkdir(exist_ok=True)
        (data / TOMBSTONE).write_bytes(b"at the backup")
        before = _state(deployment)
        _run_commands(backup, server, **places)
        (places["ERASURES"] / Path(TOMBSTONE).name).write_bytes(b"of an erasure after it")
    shutil.rmtree(data)

    with postgres_server() as server:
        _run_commands(restore, server, **places)
        _on(deployment, server)
        after = _state(deployment)
        for name, value in before._asdict().items():
            assert getattr(after, name) == value, name
        assert before.loaded_days == {str(FIRST), str(SECOND)}
        assert before.incidents == {("raw_lingokids/events", "rejected_share"): [str(FIRST)]}
        assert all(before.warehouse.values())
        assert (data / TOMBSTONE).read_bytes() == b"of an erasure after it"

        assert deployment.run(THIRD, THIRD, LEARNING).failures == ()
        end = _state(deployment)
        assert {run_id: status for run_id, status, _ in end.runs}[cut_off] == "FAILURE"
        assert end.loaded_days == {str(day) for day in (FIRST, SECOND, THIRD)}
        # The incident is the one of before: it is neither told again nor forgotten.
        assert {**end.incidents, **before.incidents} == end.incidents
        assert end.messages[: len(before.messages)] == before.messages
        assert Lake(deployment.settings.lake_uri).held_days("lingokids") == []

        assert differences(end.warehouse, straight.tables(published=False)) == {}
        assert differences(end.published, straight.tables()) == {}
