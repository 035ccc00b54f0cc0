"""`make install`: the packages of a lock file into `.venv`, by the uv of the lock.

Belongs here: creating `.venv`, and where packages come from. Not here: which packages (`pyproject.toml`), their
versions and hashes (`requirements.lock`, and `requirements-dev.lock` with the tools for tests and lint as well). This
runs before anything is installed, so it uses the standard library alone.

uv does not read pip's settings, so it is told them: a machine may reach a mirror alone. A file that does not have the
hash of the lock is refused, wherever it comes from.
"""

import ast
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DEV_LOCK = ROOT / "requirements-dev.lock"
# uv installs the rest, and setuptools builds the project's own package.
TOOLS = ("uv", "setuptools")
TELLS_EVERY_S = 4
# pip's names of settings, and uv's variables for the same.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "no-index": "UV_NO_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main(lock: Path) -> None:
    """Install the packages of a lock file, and the project itself.

    Raises:
        SystemExit: a step failed; standard error says why.
    """
    # Putting a pip into `.venv` takes longer than all the rest, so that of PYTHON is used if it has one.
    has_pip = find_spec("pip") is not None
    pip = [sys.executable if has_pip else str(PYTHON), "-m", "pip"]
    with telling("Creating .venv"):
        venv.create(VENV, symlinks=True, with_pip=not has_pip)
    environment = os.environ | uv_environment(pip_settings(pip), os.environ)
    with telling("Installing uv, which installs the rest"):
        install_tools(pip, DEV_LOCK.read_text(encoding="utf-8"))
    # Whatever is built, is built with the setuptools of the lock: an isolated build would take the newest one, and
    # check no hash.
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), "--no-build-isolation"]
    with telling(f"Installing the packages of {lock.name}"):
        run([*uv, "--require-hashes", "-r", str(lock)], environment)
        run([*uv, "--no-deps", "--editable", str(ROOT)], environment)


def install_tools(pip: Sequence[str], locked: str) -> None:
    """Install the locked versions of what installs and builds.

    Raises:
        SystemExit: it failed, or `locked` lacks one of them.
    """
    requirements = "\n".join(locked_requirement(tool, locked) for tool in TOOLS)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tools.txt").write_text(requirements + "\n", encoding="utf-8")
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        run([*pip, "--python", str(PYTHON), "install", *options, "-r", f"{folder}/tools.txt"], os.environ)


def locked_requirement(package: str, locked: str) -> str:
    """The lines of a package in a lock file: its version and its hashes.

    Raises:
        SystemExit: there are none.
    """
    requirement = re.search(rf"^{package}==(?:.*\\\n)*.*", locked, re.MULTILINE)
    if requirement is None:
        raise SystemExit(
            f"error: expected a line '{package}==…' in {DEV_LOCK}, found none; run `git checkout {DEV_LOCK.name}`"
        )
    return requirement[0]


def pip_settings(pip: Sequence[str]) -> str:
    """What is set in pip's files and variables, a line for each: `global.index-url='https://…'`."""
    command = [*pip, "config", "list"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - pip


def uv_environment(settings: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv take packages from where pip takes them; those that are set already stay."""
    found: dict[str, dict[str, str]] = {}
    for line in settings.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        found.setdefault(section, {})[key] = ast.literal_eval(value)
    # As pip does: a variable wins over its section of a command, and that over the section for all commands.
    pip = found.get("global", {}) | found.get("install", {}) | found.get(":env:", {})
    variables = {UV_VARIABLES[key]: value for key, value in pip.items() if key in UV_VARIABLES}
    if links := variables.get("UV_FIND_LINKS"):
        variables["UV_FIND_LINKS"] = ",".join(links.split())
    # As pip does: the locked version may be on any index.
    variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in variables.items() if name not in environment}


def run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command; what it installs is not listed.

    Raises:
        SystemExit: it failed.
    """
    with subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stderr is not None  # noqa: S101 - a pipe
        for line in process.stderr:
            if not line.startswith((" + ", " - ", " ~ ")):
                print(f"  {line}", end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise SystemExit(f"error: {' '.join(command)} ended with code {process.returncode}; see above")


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Print what is done, and every few seconds that it still is."""
    started = time.monotonic()
    print(what, flush=True)
    with every_few_seconds(lambda: print(f"  {time.monotonic() - started:.0f} s", flush=True)):
        yield


@contextmanager
def every_few_seconds(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` every few seconds, from a thread of its own, until the block ends."""
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(TELLS_EVERY_S):
            tell()

    thread = threading.Thread(target=go_on, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main(ROOT / sys.argv[1])
