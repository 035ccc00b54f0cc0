"""What a person reads when S3 cannot be used: one sentence, whatever is wrong, and nothing when all is well."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from engagement_assets.commands import start
from engagement_assets.commands.arguments import PARSERS
from engagement_assets.commands.buckets import why_unsafe, why_unusable
from engagement_assets.commands.preflight import refusals
from engagement_assets.settings import Settings
from tests.s3_server import Bucket as Store
from tests.s3_server import serving

URI = "s3://bucket/landing"
KEY = "landing/mobile_events/a.csv"
ERROR = "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
LISTING = (
    f"<ListBucketResult><Name>bucket</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>"
    f'<Contents><Key>{KEY}</Key><Size>5</Size><ETag>"1"</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified>'
    "</Contents></ListBucketResult>"
)


class Bucket:
    """What the server answers: to a list, and to everything else."""

    listing: tuple[int, str] = (200, LISTING)
    file: tuple[int, str] = (403, ERROR.format(code="AccessDenied", message="Access Denied"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """A server that the settings of AWS name, with credentials for it."""
    answers = Bucket()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers.listing if "list-type=2" in self.path else answers.file
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(text.encode())

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield answers
    server.shutdown()
    server.server_close()


def test_a_bucket_that_answers_is_usable_and_other_places_are_not_asked(bucket: Bucket) -> None:
    assert why_unusable("LANDING_URI", URI) is None
    bucket.listing = (500, "")
    assert [why_unusable("LANDING_URI", uri) for uri in ("/landing", "memory://landing")] == [None, None]


@pytest.mark.usefixtures("bucket")
def test_without_credentials_they_are_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert why_unusable("LANDING_URI", URI) == (
        "LANDING_URI: s3://bucket/landing: expected credentials of S3, found none that work (Unable to locate "
        "credentials); set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "found none that work (The config profile (nobody) could not be found)" in str(why_unusable("LAKE_URI", URI))


@pytest.mark.parametrize(
    ("status", "code", "message", "sentence"),
    [
        (404, "NoSuchBucket", "No such bucket", "expected a bucket, found none of this name (No such bucket); correct"),
        (403, "AccessDenied", "Access Denied", "expected to be let in, found: Access Denied; check the credentials"),
        (403, "InvalidAccessKeyId", "Unknown id", "expected to be let in, found: Unknown id; check the credentials"),
        (400, "ExpiredToken", "It expired", "expected to be let in, found: It expired; check the credentials"),
        (501, "NotImplemented", "What is a list?", "expected an answer of S3, found: "),
    ],
)
def test_what_s3_refuses_is_told_with_what_to_do(
    bucket: Bucket, status: int, code: str, message: str, sentence: str
) -> None:
    bucket.listing = (status, ERROR.format(code=code, message=message))
    assert str(why_unusable("LAKE_URI", URI)).startswith(f"LAKE_URI: {URI}: {sentence}")


@pytest.mark.usefixtures("bucket")
def test_an_impossible_name_and_an_endpoint_where_nobody_listens_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "expected a bucket, found none of this name (Parameter validation failed: Invalid bucket name" in str(
        why_unusable("LANDING_URI", "s3://a bucket/landing")
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert str(why_unusable("LANDING_URI", URI)).startswith(
        f"LANDING_URI: {URI}: expected an answer of S3, found: Could not connect to the endpoint URL"
    )


@pytest.mark.usefixtures("bucket")
def test_a_lake_needs_a_store_with_conditional_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    with serving(store) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert [why_unsafe(uri) for uri in ("/lake", "memory://lake", "s3://bucket/lake")] == [None, None, None]
        store.honours_conditions = False
        assert str(why_unsafe("s3://bucket/lake")).startswith(
            "LAKE_URI: s3://bucket/lake: expected a store that does not overwrite an object when a PUT says so, found "
            "one that ignores If-None-Match: * and If-Match."
        )
    assert store.objects == {}


@pytest.mark.usefixtures("bucket")
def test_a_lake_whose_store_fails_a_write_is_told() -> None:
    assert str(why_unsafe(URI)).startswith(f"LAKE_URI: {URI}: expected an answer of S3, found: ")


@pytest.mark.parametrize(
    ("command", "arguments", "asked"),
    [
        ("check", [], ["LANDING_URI"]),
        ("backfill", ["--from=2024-01-01", "--to=2024-01-01"], ["LANDING_URI", "LAKE_URI", "EXPORT_DIR"]),
        (
            "replay",
            ["--source=mobile", "--from=2024-01-01", "--to=2024-01-01"],
            ["LANDING_URI", "LAKE_URI", "EXPORT_DIR"],
        ),
        ("release", ["--source=mobile", "--day=2024-01-01", "--reason=why"], ["LAKE_URI", "EXPORT_DIR"]),
        ("prune", [], ["LAKE_URI", "EXPORT_DIR"]),
        ("rekey", [], ["LAKE_URI", "EXPORT_DIR"]),
        ("erase", ["--source=runna", "--kind=user"], ["LAKE_URI", "EXPORT_DIR"]),
    ],
)
def test_commands_ask_before_they_read(
    bucket: Bucket, tmp_path: Path, command: str, arguments: list[str], asked: list[str]
) -> None:
    bucket.listing = (403, ERROR.format(code="AccessDenied", message="Access Denied"))
    places: dict[str, Any] = {
        name: tmp_path / name for name in ("warehouse_path", "published_warehouse_path", "dagster_home")
    }
    settings = Settings(
        _env_file=None, landing_uri=URI, lake_uri=URI, export_dir=URI, report_dir=tmp_path / "report", **places
    )
    refused = refusals(command, settings, PARSERS[command]().parse_args(arguments))
    assert [sentence.partition(":")[0] for sentence in refused] == asked


@pytest.mark.usefixtures("bucket")
def test_a_file_that_may_be_listed_and_not_read_ends_a_command_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANDING_URI", URI)
    monkeypatch.setattr("sys.argv", ["start", "check"])
    assert start.main() == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert error.startswith(f"error: LANDING_URI: {URI}: expected to be let in, found: ")


@pytest.mark.usefixtures("bucket")
def test_an_error_of_anything_else_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDING_URI", URI)
    monkeypatch.setattr("sys.argv", ["start", "check"])

    def fails(*_: object) -> Iterator[None]:
        raise PermissionError("a file on this machine")

    monkeypatch.setattr("engagement_assets.commands.check.read_landing", fails)
    with pytest.raises(PermissionError, match="a file on this machine"):
        start.main()
