"""Commands that rewrite the lake say what to do when there is no room for it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.commands import erase, erased_tables, prune
from engagement_assets.lake.commit import LakeFullError


@pytest.mark.parametrize(
    ("run", "rewriting", "arguments"),
    [
        (prune.main, (prune, "prune_all"), []),
        (erase.main, (erase, "_erase"), ["--source", "lingokids", "--kind", "user"]),
        (erased_tables.main, (erased_tables, "unfinished"), []),
    ],
    ids=["prune", "erase", "erased_tables"],
)
def test_a_full_disk_is_an_error_that_says_what_to_do(
    run: Callable[[], int],
    rewriting: tuple[Any, str],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def is_full(*_: object, **__: object) -> None:
        raise LakeFullError("no room left")

    monkeypatch.chdir(tmp_path)
    for name in ("LANDING_URI", "LAKE_URI", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr(*rewriting, is_full)
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    monkeypatch.setattr("sys.stdin", io.StringIO("anna\n"))
    assert run() == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: no room left"
