"""What the project writes is for its owner, or for a group that a setting names; an `.env` for others is told."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets import definitions
from engagement_assets.commands.process import load_settings
from engagement_assets.instance.event_log import BatchingSqliteStorage
from engagement_assets.instance.private_files import keep_files_private, refuse_others, warn_of_readable
from engagement_assets.settings import Settings


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Others may read what the process writes, as is usual, until something changes it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _modes(folder: Path) -> tuple[int, int]:
    (folder / "new").mkdir()
    (folder / "new/file").write_text("x", encoding="utf-8")
    return (folder / "new").stat().st_mode & 0o777, (folder / "new/file").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("given", "folder", "file"),
    [({}, 0o700, 0o600), ({"files_umask": "027"}, 0o750, 0o640), ({"files_umask": "7"}, 0o770, 0o660)],
)
def test_new_files_are_for_the_owner_or_a_group(tmp_path: Path, given: dict[str, str], folder: int, file: int) -> None:
    keep_files_private(Settings.model_validate(given))
    assert _modes(tmp_path) == (folder, file)


@pytest.mark.parametrize("mask", ["022", "0", "707", "777", "rwx", "-7", ""])
def test_a_umask_that_lets_others_in_or_the_owner_out_is_refused(mask: str) -> None:
    with pytest.raises(ValueError, match=r"such as 077 or 027, found "):
        Settings.model_validate({"files_umask": mask})


@pytest.mark.parametrize(("before", "after"), [(0o022, 0o077), (0o002, 0o077), (0o027, 0o027), (0o077, 0o077)])
def test_without_settings_a_process_refuses_others_and_leaves_a_group_in(before: int, after: int) -> None:
    os.umask(before)
    refuse_others()
    assert os.umask(before) == after


def test_whoever_opens_dagster_s_storage_writes_private_files(tmp_path: Path) -> None:
    BatchingSqliteStorage(str(tmp_path))
    assert _modes(tmp_path) == (0o700, 0o600)


def test_a_command_writes_private_files(tmp_path: Path) -> None:
    load_settings(_env_file=None)
    assert _modes(tmp_path) == (0o700, 0o600)


def test_a_code_server_writes_private_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the person who runs the tests
    monkeypatch.setattr(definitions, "build_defs", lambda _settings: dg.Definitions())
    made: Any = definitions.defs
    made.load_fn()
    assert _modes(tmp_path) == (0o700, 0o600)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o620])
def test_a_file_of_secrets_that_others_can_read_is_told(tmp_path: Path, mode: int) -> None:
    path = tmp_path / ".env"
    path.touch()
    path.chmod(mode)
    with pytest.warns(UserWarning, match="holds secrets") as warned:
        warn_of_readable(path)
    assert [str(each.message) for each in warned] == [
        f"{path} holds secrets, and others can read it (mode {mode:o}), expected 600: chmod 600 {path}"
    ]


@pytest.mark.parametrize("mode", [None, 0o600, 0o400, 0o700])
def test_a_file_of_secrets_for_its_owner_and_none_are_fine(tmp_path: Path, mode: int | None) -> None:
    path = tmp_path / ".env"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    with warnings.catch_warnings(action="error"):
        warn_of_readable(path)
