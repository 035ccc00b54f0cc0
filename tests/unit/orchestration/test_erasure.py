"""The job takes ids from a private file alone, and hands them to the command on standard input."""

import subprocess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_assets.orchestration.erasure import erasure_job


def _run(path: Path) -> dg.ExecuteInProcessResult:
    config = {"ops": {"erase_persons": {"config": {"source": "runna", "kind": "user", "ids_path": str(path)}}}}
    return erasure_job().execute_in_process(run_config=config, raise_on_error=False)


@pytest.mark.parametrize("status", [0, 1])
def test_the_ids_reach_the_command_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    path = tmp_path / "ids"
    path.write_text("anna\n", encoding="utf-8")
    path.chmod(0o600)
    calls: list[tuple[list[str], bytes]] = []

    def run(command: list[str], *, stdin: Any, **_options: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command, stdin.read()))
        return subprocess.CompletedProcess(command, status, stdout="Request 1")

    monkeypatch.setattr(subprocess, "run", run)
    result = _run(path)
    assert result.success == (status == 0)
    ((command, given),) = calls
    assert command[-4:] == ["--source", "runna", "--kind", "user"]
    assert given == b"anna\n"
    assert not [event for event in result.all_events if "anna" in str(event)]


@pytest.mark.parametrize("mode", [0o640, None])
def test_a_file_that_others_can_read_or_that_is_not_there_is_refused(tmp_path: Path, mode: int | None) -> None:
    path = tmp_path / "ids"
    if mode is not None:
        path.write_text("anna\n", encoding="utf-8")
        path.chmod(mode)
    assert not _run(path).success
