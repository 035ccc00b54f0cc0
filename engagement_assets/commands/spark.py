"""`make spark`: a Thrift server of Apache Spark on this machine, to try `WAREHOUSE=spark` with.

Belongs here: the server with the settings that the numbers depend on. Not here: connecting to it
(`transform/spark_warehouse.py`), or a cluster: docs/scaling.md says how to point to one.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.installation import IS_CHECKOUT, PROGRAM
from engagement_assets.settings import Settings

_SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
MIN_JAVA = 17
# Without the first two, times would be read in a zone; without the third, tables would be gone with the server.
CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.catalogImplementation": "hive",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
}


def main() -> int:
    """Run the server until it is interrupted; 1 if it cannot start."""
    settings = load_settings()
    if refused := why_refused():
        print(f"error: {refused}", file=sys.stderr)
        return 1
    folder = settings.published_warehouse_path.absolute().with_name("spark")
    folder.mkdir(parents=True, exist_ok=True)
    place = (settings.spark_thrift_host, settings.spark_thrift_port)
    print(f"Spark starts on {place[0]}:{place[1]}, with its tables in {folder}", flush=True)
    environment = os.environ | {"SPARK_HOME": str(spark_home())}
    with subprocess.Popen(server_command(settings, folder), env=environment, cwd=folder) as server:  # noqa: S603
        try:
            if _answers(server, place):
                print(f"It answers; in another terminal: WAREHOUSE=spark {PROGRAM} demo. Ctrl-C ends it", flush=True)
            return server.wait()
        except KeyboardInterrupt:  # the server got it too
            server.wait()
            return 0


def _answers(server: "subprocess.Popen[bytes]", place: tuple[str, int]) -> bool:
    """Wait until the server answers; False if it has ended instead."""
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(place, timeout=1):
            return True
        time.sleep(0.5)
    return False


def why_refused() -> str | None:
    """What is missing, and what to do."""
    if not find_spec("pyspark"):
        return "found no pyspark; run " + ("`make install-spark`" if IS_CHECKOUT else "`pip install 'pyspark==4.3.*'`")
    java = shutil.which("java", path=_java_path())
    if java is None:
        return f"Spark needs Java {MIN_JAVA} or newer, found none; install it (Debian: openjdk-17-jre-headless)"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < MIN_JAVA:
        return f"Spark needs Java {MIN_JAVA} or newer, found {version[1] if version else 'no version'} at {java}"
    return None


def server_command(settings: Settings, folder: Path, configuration: Mapping[str, str] = CONFIGURATION) -> Sequence[str]:
    """The server as a process in the foreground; its tables and its catalogue lie in `folder`."""
    options = [
        item
        for name, value in {**configuration, "spark.sql.warehouse.dir": f"{folder}/tables"}.items()
        for item in ("--conf", f"{name}={value}")
    ]
    return [
        str(spark_home() / "bin" / "spark-submit"),
        "--class", _SERVER,
        "--master", "local[*]",
        "--driver-memory", "2g",
        "--driver-java-options", f"-Dderby.system.home={folder}/catalogue -Duser.timezone=UTC",
        *options,
        "spark-internal",
        "--hiveconf", f"hive.server2.thrift.port={settings.spark_thrift_port}",
        "--hiveconf", f"hive.server2.thrift.bind.host={settings.spark_thrift_host}",
    ]  # fmt: skip


def spark_home() -> Path:
    """Where PyPI's pyspark has Spark's programs."""
    return Path(str(distribution("pyspark").locate_file("pyspark")))


def _java_path() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin" if home else None


if __name__ == "__main__":
    exit_process(main())
