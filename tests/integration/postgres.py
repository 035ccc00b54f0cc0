"""A PostgreSQL server for tests: a cluster of its own in a temporary folder, reached through a socket in it.

Belongs here: starting it and ending it. Not here: what a test keeps in it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "dagster"


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database; without PostgreSQL on this machine the test is skipped."""
    programs = server_programs()
    # Not in pytest's folder, which others cannot enter: the server never runs as root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, account.pw_uid, account.pw_gid)

    def run(program: str, *arguments: str) -> None:
        ended = subprocess.run(
            [programs / program, "-D", folder / "data", *arguments],
            cwd=folder,
            user=account.pw_uid if os.geteuid() == 0 else None,
            group=account.pw_gid if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be open as long as the server
            stderr=subprocess.DEVNULL,
            check=False,
        )
        log = folder / "log"
        assert ended.returncode == 0, log.read_text(encoding="utf-8") if log.exists() else program

    try:
        run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "start", "--wait", f"--log={folder}/log", f"--options={options}")
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder)


def server_programs() -> Path:
    """The folder of the server's programs, the newest if there are several."""
    on_path = filter(None, [shutil.which("pg_ctl")])
    of_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    for path in (*map(Path, on_path), *reversed(of_debian)):
        return path.parent
    pytest.skip("there is no PostgreSQL to keep Dagster's records in: `apt-get install postgresql`")
