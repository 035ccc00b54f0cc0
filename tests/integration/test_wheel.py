"""The wheel, installed away from the checkout: it has all that it needs, and writes nothing into itself.

Belongs here: what differs for an installed package. Not here: what commands do (their own tests).
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import duckdb
import pytest

from engagement_assets.installation import PACKAGE, PROJECT_ROOT
from engagement_assets.sandbox.sample_data import write_sample_landing

pytestmark = pytest.mark.integration

DAY = date(2024, 1, 1)
MADE = ("dbt_project/target/manifest.json", "dbt_project/logs/dbt.log", "dbt_project/warehouse.duckdb")
FACTS = (
    "learning.fct__activity_exits",
    "mobility.fct__mobile_sessions",
    "product.fct__user_events",
    "strava.fct__strava_activities",
    "training.fct__activities",
)
UV = [sys.executable, "-m", "uv"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `uv build` does, by the build tools that are installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    # Of a copy, since setuptools leaves its own files beside what it builds; with what dbt may have left.
    copy = folder / "source"
    made = shutil.ignore_patterns("target", "__pycache__")
    for name in ("engagement_assets", "dbt_project"):
        shutil.copytree(PROJECT_ROOT / name, copy / name, ignore=made)
    for path in PROJECT_ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, copy / path.name)
    for name in MADE:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).touch()
    _run(
        [*UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder],
        copy,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel, and takes all other packages from that of the tests."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    _run([*UV, "venv", "--quiet", "--offline", "--python", sys.executable, environment], wheel.parent)
    python = environment / "bin" / "python"
    _run([*UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel], wheel.parent)
    (packages,) = environment.glob("lib/*/site-packages")
    # The editable project of the tests is not found this way, since its own `.pth` is not read.
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment


def _run(command: list[str | Path], folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "UV_CACHE_DIR", "TMPDIR"}}
    ended = subprocess.run(command, cwd=folder, env=kept, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _files(folder: Path) -> dict[Path, int]:
    """When each file was written, without those of Python itself."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_it_holds_what_lies_beside_the_package_and_nothing_that_was_made_there(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"engagement_assets"}
    source = wheel.parent / "source"
    beside = {*(source / "dbt_project").rglob("*"), source / "dagster.yaml", source / "workspace.yaml"}
    lies_in_the_package = {f"engagement_assets/{path.relative_to(source)}" for path in beside if path.is_file()}
    assert lies_in_the_package - names == {f"engagement_assets/{name}" for name in MADE}
    assert {f"engagement_assets/report/page/{path.name}" for path in (PACKAGE / "report/page").iterdir()} <= names


def test_it_works_in_an_empty_folder_and_writes_nowhere_else(installed: Path, tmp_path: Path) -> None:
    python, command = (installed / "bin" / name for name in ("python", "engagement-assets"))
    (packages,) = installed.glob("lib/*/site-packages")
    before = _files(installed)
    where = "import engagement_assets.installation as found; print(found.PACKAGE)"
    assert _run([python, "-c", where], tmp_path) == f"{packages / 'engagement_assets'}\n"

    # Plain Dagster, before any command of the project.
    _run([python, "-m", "dagster", "definitions", "validate", "-m", "engagement_assets.definitions"], tmp_path)
    # The demo's first day, of all sources, with less of the files.
    landing = tmp_path / "data" / "demo" / "landing"
    write_sample_landing(
        landing,
        start=DAY,
        days=1,
        runna_activities_per_day=2,
        lingokids_events_per_day=20,
        mobile_events_per_day=20,
    )
    told = _run([command, "backfill", f"FROM={DAY}", f"TO={DAY}"], tmp_path)

    published = tmp_path / "data" / "demo" / "published.duckdb"
    assert f"Published   {published}" in told
    with duckdb.connect(str(published), read_only=True) as connection:
        rows = {table: connection.execute(f"select count(*) from {table}").fetchall()[0][0] for table in FACTS}
    assert min(rows.values()) > 0, rows
    assert (tmp_path / "data" / "demo" / "report" / "engagement_report.html").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    assert _files(installed) == before
