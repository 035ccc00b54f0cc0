"""A lake that is not on this machine: the same graph, the same tables; and several machines that load it."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import fsspec.config
import pytest
from pydantic import SecretStr

from engagement_assets.lake.lake import Lake
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.sources import RAW_DATASETS
from tests.integration.deployment import Deployment
from tests.integration.killed_processes import Command
from tests.s3_server import Bucket, serving

pytestmark = pytest.mark.integration

RAW_FILES = "group:raw_runna or group:raw_lingokids"
JANUARY = [date(2024, 1, day) for day in range(1, 5)]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setattr(fsspec.config, "conf", {})
    return Bucket()


@pytest.fixture
def url(bucket: Bucket) -> Iterator[str]:
    with serving(bucket) as found:
        yield found
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def _use_bucket(deployment: Deployment, url: str) -> None:
    settings = deployment.settings
    settings.lake_uri, settings.s3_endpoint_url = "s3://bucket/lake", url
    settings.s3_access_key_id, settings.s3_secret_access_key = "id", SecretStr("secret")
    settings.use_s3()


def test_a_lake_on_s3_gives_the_same_tables_to_an_instance_that_has_loaded_nothing(tmp_path: Path, url: str) -> None:
    landing = tmp_path / "landing"
    write_sample_landing(landing, start=date(2024, 1, 1), days=2, lingokids_events_per_day=20)
    local = Deployment(tmp_path / "local", landing=landing)
    loading, remote = (Deployment(tmp_path / name, landing=landing) for name in ("loading", "remote"))
    _use_bucket(loading, url)
    _use_bucket(remote, url)
    for deployment, selection in (
        (local, '+key:"published/learning"'),
        (loading, "group:raw_lingokids"),
        (remote, '+key:"published/learning" and not group:raw_lingokids'),
    ):
        run = deployment.run(date(2024, 1, 1), date(2024, 1, 2), selection)
        assert run.success, run.failures
    tables = local.tables()
    assert len(tables["learning.fct__activity_exits"]) > 20
    assert remote.tables() == tables


def test_two_instances_load_one_lake_and_one_of_them_is_killed_in_a_commit(
    tmp_path: Path, bucket: Bucket, url: str
) -> None:
    """The first is killed when the store has the first file of its commit; the second loads days of the first too."""
    landing = tmp_path / "landing"
    write_sample_landing(
        landing, start=JANUARY[0], days=len(JANUARY), runna_activities_per_day=4, lingokids_events_per_day=20
    )
    alone = Deployment(tmp_path / "alone", landing=landing)
    assert alone.run(JANUARY[0], JANUARY[-1], RAW_FILES).success
    deployments = {name: Deployment(tmp_path / name, landing=landing) for name in ("first", "second")}

    def start(name: str, first: date, last: date) -> Command:
        deployments[name].settings.lake_uri = "s3://bucket/lake"
        return deployments[name].start(
            first,
            last,
            RAW_FILES,
            S3_ENDPOINT_URL=url,
            S3_ACCESS_KEY_ID=name,
            S3_SECRET_ACCESS_KEY="secret",
            API_RETRY_DELAY_S="0",
            BACKFILL_DAYS_PER_RUN="1",
        )

    first = start("first", JANUARY[0], JANUARY[2])

    def kill_in_commit(key_id: str, method: str, key: str) -> None:
        if (key_id, method) == ("first", "PUT") and key.startswith("lake/raw_runna/") and "data.parquet" in key:
            os.killpg(first.process.pid, signal.SIGKILL)
            # Nobody waits for a minute until the first one is taken for dead.
            bucket.ahead_s += 120
            bucket.before = lambda *_: None

    bucket.before = kill_in_commit
    second = start("second", JANUARY[1], JANUARY[3])
    first.process.join()
    assert first.process.exitcode == -signal.SIGKILL
    assert _journals(bucket) > 0
    second_said = second.output.read().decode()
    second.process.join()
    assert second.process.exitcode == 0, second_said
    again = start("first", JANUARY[0], JANUARY[2])
    again_said = again.output.read().decode()
    again.process.join()
    assert again.process.exitcode == 0, again_said

    _use_bucket(deployments["first"], url)
    expected = _rows(Lake(alone.settings.lake_uri))
    assert {key for key, rows in expected.items() if rows} >= {"raw_runna/activities", "raw_lingokids/events"}
    assert _rows(Lake("s3://bucket/lake")) == expected
    assert [name for name in bucket.objects if "/.aside/" in name] == []
    assert _journals(bucket) == 0
    assert bucket.key_ids >= {"first", "second"}


def _journals(bucket: Bucket) -> int:
    registers = [json.loads(content) for name, content in bucket.objects.items() if "/.claims/" in name]
    return sum(claim["journal"] is not None for claims in registers for claim in claims.values())


def _rows(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """Key of a dataset → its rows with their days, without the times of loading; also what is rejected and held."""
    found = {}
    with duckdb.connect() as connection:
        lake.lend_file_system(connection)
        for dataset in RAW_DATASETS:
            for name, keys in (("", lake.all_day_keys(dataset)), (" rejected", lake.all_quarantine_keys(dataset))):
                left_out = "extracted_at" if not name else "quarantined_at, first_quarantined_at, run_id"
                files = [lake.location(key) for key in keys]
                query = f"select * exclude ({left_out}) from read_parquet($1, hive_partitioning = true) order by all"
                found[dataset.key + name] = connection.execute(query, [files]).fetchall() if files else []
    return found
