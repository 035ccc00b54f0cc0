"""The settings about S3: what they hand to fsspec, what is refused, and that no secret is shown."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import fsspec.config
import pytest
from pydantic import ValidationError

from engagement_assets.settings import Settings
from engagement_assets.transform.dbt_profile import DbtProfile
from engagement_assets.transform.invocations import build_by_command
from tests.s3_server import Bucket, serving

SECRET = "hush-hush"
KEY = {"s3_access_key_id": "whose-key", "s3_secret_access_key": SECRET}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fsspec.config, "conf", {})
    yield
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def _settings(**given: Any) -> Settings:
    return Settings(_env_file=None, landing_uri="s3://bucket/landing", **given)


def test_what_is_set_is_what_the_store_sees() -> None:
    bucket = Bucket({"bucket/landing/a": b"1"})
    with serving(bucket) as url:
        _settings(**KEY, s3_endpoint_url=url, s3_region="eu-central-1", s3_session_token="for an hour").use_s3()
        filesystem, path = fsspec.core.url_to_fs("s3://bucket/landing/a")
        assert filesystem.cat_file(path) == b"1"
    (key_id,), authorizations = bucket.key_ids, bucket.authorizations
    assert key_id == "whose-key"
    assert all("/eu-central-1/s3/" in found and "x-amz-security-token" in found for found in authorizations)


def test_what_is_not_set_stays_what_the_sdk_finds() -> None:
    _settings().use_s3()
    assert fsspec.config.conf == {}
    _settings(s3_region="eu-central-1").use_s3()
    assert fsspec.config.conf == {"s3": {"client_kwargs": {"region_name": "eu-central-1"}}}


def test_dbt_as_a_command_gets_them_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _settings(**KEY).use_s3()
    program = tmp_path / "dbt"
    program.write_text('#!/bin/sh\nprintf %s "$FSSPEC_S3" > "$(dirname "$0")/seen"\n')
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    build_by_command([], [], DbtProfile.duckdb(tmp_path / "warehouse.duckdb"), "s3://bucket/lake", lambda _: None)
    assert (tmp_path / "seen").read_text() == '{"key": "whose-key", "secret": "hush-hush"}'


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"s3_access_key_id": "whose-key"}, "expected the secret of S3_ACCESS_KEY_ID, found none"),
        ({"s3_secret_access_key": SECRET}, "expected S3_ACCESS_KEY_ID too, found it empty"),
        ({"s3_session_token": SECRET}, "expected S3_ACCESS_KEY_ID too, found it empty"),
    ],
)
def test_half_a_key_is_refused_and_not_shown(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence) as refusal:
        _settings(**given)
    assert SECRET not in str(refusal.value)


def test_no_secret_is_shown() -> None:
    settings = _settings(**KEY, s3_session_token=SECRET)
    assert SECRET not in repr(settings) + str(settings.model_dump(mode="json"))
