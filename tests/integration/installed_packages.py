"""Packages that only some tests need, installed by uv into a folder of their own.

Belongs here: installing what a file in `tests/fixtures/installed` pins, with its hashes. Not here: what the project and
all its tests need (the lock files).

`uv pip compile --universal --python-version 3.11 --generate-hashes` has written these files.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from engagement_assets.commands.install import pip_settings, uv_environment

PINNED = Path(__file__).parents[1] / "fixtures" / "installed"
UV = [
    sys.executable,
    "-m",
    "uv",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--require-hashes",
    "--only-binary",
    ":all:",
]


def environment_with(name: str, folder: Path) -> dict[str, str]:
    """Install what `name` pins into `folder`; returns the variables with which Python prefers it.

    Skips the test, with the reason, if no package index answers.
    """
    requirements = PINNED / f"{name}.txt"
    # As `make install` does: an environment that it has made has no pip of its own.
    pip = sys.executable if find_spec("pip") else f"{sys.base_prefix}/bin/python3"
    ended = subprocess.run(
        [*UV, "--python", sys.executable, "--target", str(folder), "-r", str(requirements)],
        env={**os.environ, **uv_environment(pip_settings([pip, "-m", "pip"]), os.environ)},
        check=False,
        capture_output=True,
        text=True,
    )
    if re.search("error sending request|dns error|operation timed out", ended.stderr):
        pytest.skip(f"no package index answers, so {name} cannot be installed: {ended.stderr}")
    assert ended.returncode == 0, ended.stderr
    return {**os.environ, "PYTHONPATH": str(folder)}
