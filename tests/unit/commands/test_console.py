"""`engagement-assets`: the commands of make, in the same words."""

import os
import re
import sys

import pytest

from engagement_assets.commands import console, start
from engagement_assets.commands.arguments import PARSERS
from engagement_assets.installation import PROGRAM, PROJECT_ROOT


@pytest.fixture(autouse=True)
def _no_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(console, "exit_process", leave)


def _called(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[object, list[str]]:
    """The exit code, and how the command was started."""
    started: list[str] = []

    def start_command() -> int:
        started.extend(sys.argv[1:])
        return 0

    monkeypatch.setattr(start, "main", start_command)
    monkeypatch.setattr(sys, "argv", ["engagement-assets", *words])
    with pytest.raises(SystemExit) as ended:
        console.main()
    return ended.value.code, started


def test_it_has_the_commands_of_make_in_the_words_of_make() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    described = dict(re.findall(r"^([a-z-]+):.*## (.*)$", makefile, re.MULTILINE))
    assert {name: described[name] for name in console.COMMANDS} == console.COMMANDS
    assert set(PARSERS) | {"sweep"} == set(console.COMMANDS)
    assert PROGRAM == "make"  # in a checkout


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_them(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _called(monkeypatch, *words) == (0, [])
    told = capsys.readouterr().out
    assert [name for name in console.COMMANDS if f"\n  {name} " not in told] == []


def test_another_command_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _called(monkeypatch, "backfil") == (2, [])
    assert capsys.readouterr().err.startswith("error: there is no command 'backfil'; expected one of demo, dev, ")


@pytest.mark.parametrize(
    "words",
    [
        ["FROM=2024-01-01", "TO=2024-01-02", "SELECT=+group:learning"],
        ["--from=2024-01-01", "--to=2024-01-02", "--select=+group:learning"],
    ],
)
def test_words_and_options_say_the_same(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--from=2024-01-01", "--to=2024-01-02", "--select=+group:learning"]
    assert _called(monkeypatch, "backfill", *words) == (0, ["backfill", *options])


def test_flags_settings_and_empty_words_are_read_as_make_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDING_URI", "/before")
    monkeypatch.setenv("PORT", "3000")
    words = ["DRY_RUN=1", "LANDING_URI=/a=b", "PORT=3001", "REASON="]
    assert _called(monkeypatch, "prune", *words) == (0, ["prune", "--dry-run"])
    assert (os.environ["LANDING_URI"], os.environ["PORT"]) == ("/a=b", "3001")
    assert _called(monkeypatch, "prune", "DRY_RUN=") == (0, ["prune"])


def test_sweep_is_an_erasure_that_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _called(monkeypatch, "sweep", "SOURCE=runna", "KIND=user") == (
        0,
        ["erase", "--source=runna", "--kind=user", "--verify"],
    )


def test_a_query_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["SELECT PLAYS=1 FROM t", "FORMAT=csv", "SPREADSHEET=1"]
    assert _called(monkeypatch, "ask", *words) == (0, ["ask", words[0], "--format=csv", "--spreadsheet"])
    assert _called(monkeypatch, "ask", f"SQL={words[0]}") == (0, ["ask", f"--sql={words[0]}"])
