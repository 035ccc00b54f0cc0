"""Back to the version before: it refuses what this version has written, and goes on with what was saved before.

`make rollback BASE=<commit>` checks that commit out into a temporary folder and installs what its lock file pins. It
takes minutes, and needs git's history and a package index, so it is no part of `make test`.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest

from engagement_assets.commands.install import pip_settings, uv_environment
from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.sandbox.sample_data import write_sample_landing
from tests.integration.dagster_processes import environment_of
from tests.integration.deployment import Deployment, differences

pytestmark = pytest.mark.integration

BASE = os.environ.get("BASE", "")
FIRST, SECOND, THIRD, FOURTH = (date(2024, 1, day) for day in range(1, 5))
AREAS = "+group:learning or +group:mobility"
SCHEMAS = ("learning", "mobility")
REFUSED = "a newer version of this project wrote it"


class Version(NamedTuple):
    """A checkout with the Python that has its packages."""

    folder: Path
    python: Path

    def run(self, deployment: Deployment, first: date, last: date) -> subprocess.CompletedProcess[str]:
        """`make backfill` of this version."""
        days = ["--from", first.isoformat(), "--to", last.isoformat()]
        return subprocess.run(
            [self.python, "-m", "engagement_assets.commands.backfill", *days, "--select", AREAS],
            cwd=self.folder,
            env=environment_of(deployment.settings, REPORT_DIR=str(deployment.root / "report")),
            check=False,
            capture_output=True,
            text=True,
        )


NEW = Version(PROJECT_ROOT, Path(sys.executable))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The version before, with an environment of its own."""
    folder = tmp_path_factory.mktemp("version_before")
    archive = subprocess.run(["git", "archive", BASE], cwd=PROJECT_ROOT, check=True, capture_output=True).stdout  # noqa: S607
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    version = Version(folder, folder / ".venv" / "bin" / "python")
    uv = [sys.executable, "-m", "uv"]
    environment = os.environ | uv_environment(pip_settings([sys.base_prefix + "/bin/python3", "-m", "pip"]), os.environ)
    install = ["pip", "install", "--quiet", "--require-hashes", "--python", version.python, "-r", "requirements.lock"]
    for command in (["venv", "--quiet", "--python", sys.executable, ".venv"], install):
        subprocess.run([*uv, *command], cwd=folder, env=environment, check=True)
    return version


def _deployment(root: Path, landing: Path) -> Deployment:
    made = Deployment(root, landing=landing)
    made.settings = made.settings.model_copy(update={"start_date": FIRST})
    return made


@pytest.mark.skipif(not BASE, reason="names no version before: `make rollback BASE=<commit>`")
def test_the_version_before_refuses_the_lake_and_goes_on_with_what_was_saved(old: Version, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    amounts = {"runna_activities_per_day": 1, "lingokids_events_per_day": 40, "mobile_events_per_day": 40}
    write_sample_landing(landing, start=FIRST, days=4, **amounts)
    deployment = _deployment(tmp_path / "data", landing)
    assert (ended := old.run(deployment, FIRST, SECOND)).returncode == 0, ended.stdout + ended.stderr
    saved = tmp_path / "saved"
    shutil.copytree(deployment.root, saved)

    # The upgrade: no work by hand, and the day comes to the others.
    assert (ended := NEW.run(deployment, THIRD, THIRD)).returncode == 0, ended.stdout + ended.stderr
    by_new = deployment.tables(schemas=SCHEMAS)
    days = "select distinct event_date from learning.engagement_daily order by all"
    assert [day for (day,) in deployment.query(days)] == [FIRST, SECOND, THIRD]

    # Back on the same files: each load is refused, and people read on what there was.
    ended = old.run(deployment, FOURTH, FOURTH)
    assert ended.returncode == 1
    assert REFUSED in ended.stdout + ended.stderr
    assert differences(deployment.tables(schemas=SCHEMAS), by_new) == {}
    # The new version is not harmed by that.
    assert (ended := NEW.run(deployment, FOURTH, FOURTH)).returncode == 0, ended.stdout + ended.stderr

    # Back on what was saved: the days since are loaded again.
    shutil.rmtree(deployment.root)
    shutil.copytree(saved, deployment.root)
    assert (ended := old.run(deployment, THIRD, FOURTH)).returncode == 0, ended.stdout + ended.stderr
    straight = _deployment(tmp_path / "straight", landing)
    assert (ended := old.run(straight, FIRST, FOURTH)).returncode == 0, ended.stdout + ended.stderr
    assert differences(deployment.tables(schemas=SCHEMAS), straight.tables(schemas=SCHEMAS)) == {}
