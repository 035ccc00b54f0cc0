import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from engagement_assets.commands import install
from engagement_assets.commands.install import DEV_LOCK, TOOLS, locked_requirement, uv_environment

# As `pip config list` prints it.
SETTINGS = """\
:env:.find-links='/wheels /more/wheels'
global.cert='/etc/ca.crt'
global.extra-index-url='file:///second file:///third'
global.index-url='https://global.example/simple'
install.index-url='https://mirror.example/simple?a=b'
install.user='false'
"""


def test_uv_takes_packages_from_where_pip_takes_them() -> None:
    assert uv_environment(SETTINGS, {}) == {
        "SSL_CERT_FILE": "/etc/ca.crt",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple?a=b",
        "UV_INDEX": "file:///second file:///third",
        "UV_FIND_LINKS": "/wheels,/more/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_variable_of_pip_wins_over_its_files_and_one_of_uv_over_both() -> None:
    settings = SETTINGS + ":env:.index-url='https://variable.example/simple'\n"
    assert uv_environment(settings, {})["UV_DEFAULT_INDEX"] == "https://variable.example/simple"
    assert "UV_DEFAULT_INDEX" not in uv_environment(settings, {"UV_DEFAULT_INDEX": "https://own.example/simple"})


LOCKED = """\
uvicorn==1.0 \\
    --hash=sha256:aa
uv==0.13.9 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
wheel==1.0 \\
    --hash=sha256:dd
"""


def test_a_locked_package_has_its_version_and_all_its_hashes() -> None:
    assert locked_requirement("uv", LOCKED) == "uv==0.13.9 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc"


def test_a_package_that_is_not_locked_is_not_installed() -> None:
    with pytest.raises(SystemExit, match=r"expected a line 'setuptools==…' in .*requirements-dev\.lock, found none"):
        locked_requirement("setuptools", LOCKED)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_lock_has_what_installs_and_builds(tool: str) -> None:
    assert "--hash=sha256:" in locked_requirement(tool, DEV_LOCK.read_text(encoding="utf-8"))


def test_nothing_is_installed_without_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(install, "run", lambda command, _environment: commands.append(command))
    monkeypatch.setattr(install, "pip_settings", lambda _pip: "")
    monkeypatch.setattr("venv.create", lambda *_, **__: None)
    install.main(install.ROOT / "requirements.lock")
    tools, packages, project = commands
    assert "--require-hashes" in tools
    assert "--require-hashes" in packages
    assert project[-3:] == ["--no-deps", "--editable", str(install.ROOT)]
    # Some packages of the lock come as sources, which a build backend turns into a wheel.
    assert "--no-build-isolation" in packages
    assert "--no-build-isolation" in project


@pytest.mark.parametrize("smaller", ["requirements.lock", "requirements-dev.lock"])
def test_the_largest_lock_has_all_that_the_others_have(smaller: str) -> None:
    """So it is the only one that `make audit` reads."""
    largest = _locked(install.ROOT / "requirements-spark.lock")
    assert _locked(install.ROOT / smaller).items() - largest.items() == set()


def _locked(path: Path) -> Mapping[str, str]:
    """The marked versions, by package and marker; extras add no package of their own."""
    lines = re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)(.*?)\\?$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) > 100
    return {f"{name}{marker.strip()}": version for name, version, marker in lines}
