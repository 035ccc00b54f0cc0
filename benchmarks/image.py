"""`make image-size`: how large the image is and how long it takes to load the code, without a container engine.

Belongs here: running the build stage of `deploy/Dockerfile` in a temporary folder. Not here: what the stage does, or
whether an engine builds it.

`PYTHON` should be the Python of the image; its minor version is told. The size of the base image is an estimate.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engagement_assets.installation import PROJECT_ROOT

LIMIT_MB, BASE_IMAGE_MB = 800, 125
ENVIRONMENT = "/opt/engagement-assets"
DEFINITIONS = ["-m", "dagster", "definitions", "validate", "-m", "engagement_assets.definitions"]


def build_stage() -> Iterator[tuple[str, str]]:
    """The instructions of the stage that installs the packages, and what stands behind each."""
    text = (PROJECT_ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    _, stage = text.split(" AS build\n")
    lines = re.sub(r"^#.*\n", "", stage.partition("\nFROM ")[0], flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, lines.splitlines()):
        instruction, _, rest = line.partition(" ")
        yield instruction, rest


def lay_out(root: Path, python: str) -> Path:
    """Run the stage below `root`, with `python` in place of the image's own; returns the environment."""
    environment = root / ENVIRONMENT.lstrip("/")
    programs = root / "programs"
    subprocess.run([python, "-m", "venv", programs], check=True)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    variables = kept | {"PATH": f"{programs}/bin:{os.environ['PATH']}"}
    folder = root
    for instruction, rest in build_stage():
        if instruction == "WORKDIR":
            folder = root / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            *sources, target = rest.split()
            for source in map(PROJECT_ROOT.joinpath, sources):
                if source.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
                    shutil.copytree(source, folder / target, ignore=ignored)
                else:
                    shutil.copy(source, folder)
        elif instruction == "RUN":
            command = rest.replace(ENVIRONMENT, str(environment))
            subprocess.run(["/bin/bash", "-euc", command], cwd=folder, env=variables, check=True, stdout=sys.stderr)
    return environment


def megabytes(folder: Path, pattern: str = "*") -> float:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file() and not path.is_symlink()) / 1e6


def seconds_to_load(environment: Path, folder: Path) -> float:
    """From the start of a process until all definitions are valid; the first time dbt has to parse, into `folder`."""
    variables = {"PATH": os.environ["PATH"], "DAGSTER_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.perf_counter()
    subprocess.run(
        [environment / "bin" / "python", *DEFINITIONS], cwd=folder, env=variables, check=True, capture_output=True
    )
    return time.perf_counter() - began


def main() -> int:
    python = os.environ.get("PYTHON") or sys.executable
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        environment = lay_out(root, python)
        total, compiled = megabytes(environment), megabytes(environment, "*.pyc")
        version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        home = root / "home"
        home.mkdir()
        (home / "dagster.yaml").touch()
        first, second = (seconds_to_load(environment, home) for _ in range(2))
    whole = total + BASE_IMAGE_MB
    print(f"{version}: packages {total - compiled:.0f} MB, compiled {compiled:.0f} MB, base about {BASE_IMAGE_MB} MB")
    print(f"together {whole:.0f} MB, limit {LIMIT_MB} MB; definitions load in {first:.1f} s, then in {second:.1f} s")
    return 0 if whole <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
