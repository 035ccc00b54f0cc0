"""A Thrift server of Apache Spark for these tests, which `make spark-parity` runs."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from engagement_assets.commands.spark import CONFIGURATION, server_command, spark_home, why_refused
from engagement_assets.settings import Settings
from engagement_assets.spark_settings import SparkEndpoint
from tests.free_port import free_port

STARTS_WITHIN_S = 300


@dataclass
class SparkServer:
    """A server and the folder of its tables, `<schema>.db/<table>/*.parquet`."""

    settings: Settings
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def endpoint(self) -> SparkEndpoint:
        """Where it answers."""
        return self.settings.spark_endpoint

    @property
    def tables(self) -> Path:
        """The folder of the schemas."""
        return self.folder / "tables"


def start_server(folder: Path, configuration: Mapping[str, str] = CONFIGURATION) -> SparkServer:
    """A server that answers, with the settings of `make spark` or others; it keeps its tables in the folder."""
    refused = why_refused()
    assert refused is None, refused
    settings = Settings(spark_thrift_port=free_port(), spark_threads=2)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        environment = os.environ | {"SPARK_HOME": str(spark_home())}
        command = server_command(settings, folder, configuration)
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    ends = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", settings.spark_thrift_port), timeout=1):
            return SparkServer(settings, folder, process)
        time.sleep(0.5)
    process.kill()
    raise AssertionError((folder / "log").read_text()[-2000:])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    started = start_server(tmp_path_factory.mktemp("spark"))
    yield started
    started.process.kill()
    started.process.wait()
