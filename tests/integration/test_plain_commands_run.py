"""The README's commands for plain Dagster and dbt do what they say, and leave nothing in the checkout.

Belongs here: those that need no data. Those that load or build need a deployment with data, some of them a daemon.
"""

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.instance.home import prepare_dagster_home
from tests.integration.deployment import Deployment
from tests.plain_commands import PROGRAMS, folder_of, readme_commands

SAYS = {
    "dagster asset list": "learning/engagement_weekly\n",
    "dg list defs": "learning/engagement_weekly ",
    "dbt ls": "engagement_assets.marts.learning.engagement_weekly\n",
    "dbt docs generate": "Catalog written to",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> dict[str, str]:
    """That of a shell in which the README's exports have been made; nothing is loaded."""
    assert manifest.nodes
    settings = Deployment(tmp_path_factory.mktemp("plain")).settings
    prepare_dagster_home(settings)
    venv = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{venv}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(venv.parent),
        "DAGSTER_HOME": str(settings.dagster_home),
        "LANDING_URI": settings.landing_uri,
        "LAKE_URI": settings.lake_uri,
        "WAREHOUSE_PATH": str(settings.warehouse_path),
        "PUBLISHED_WAREHOUSE_PATH": str(settings.published_warehouse_path),
        "DBT_TARGET_PATH": str(settings.dagster_home / "dbt"),
        "DBT_LOG_PATH": str(settings.dagster_home / "logs"),
    }


def _stray() -> set[Path]:
    """What a program might leave in the checkout: dbt's own files and databases."""
    return {*(PROJECT_ROOT / "dbt_project").iterdir(), *PROJECT_ROOT.glob("*.duckdb"), *PROJECT_ROOT.glob("logs")}


def _run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(line, comments=True),
        cwd=PROJECT_ROOT / folder_of(line),
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_each_runs_as_it_stands_and_leaves_nothing(environment: dict[str, str]) -> None:
    lines = {
        command: next(each for each in readme_commands() if f"{each} ".startswith(f"{command} ")) for command in SAYS
    }
    before = _stray()
    # The programs at the same time, since most of what they do is to import; dbt's commands share what is parsed.
    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        ends = [
            pool.submit(lambda mine: {each: _run(lines[each], environment) for each in mine}, mine)
            for program in PROGRAMS
            if (mine := [each for each in SAYS if each.startswith(f"{program} ")])
        ]
    done = {command: end for each in ends for command, end in each.result().items()}
    assert {command: end.returncode for command, end in done.items()} == dict.fromkeys(SAYS, 0), [
        end.stdout + end.stderr for end in done.values() if end.returncode
    ]
    assert {command: text for command, text in SAYS.items() if text not in done[command].stdout} == {}
    # dg must find the environment that it runs in.
    assert [command for command, end in done.items() if "does not match" in end.stderr] == []
    assert _stray() == before
