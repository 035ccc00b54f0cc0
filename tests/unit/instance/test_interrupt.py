"""What is done when somebody interrupts a command, in processes of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engagement_assets.instance.interrupt import INTERRUPTED, SENTENCE, for_a_child_of_its_own

BEGIN = """
import sys, threading
from pathlib import Path
from engagement_assets.instance.interrupt import end_on_interrupt, for_a_child_of_its_own, last_act
end_on_interrupt()
def at_work():
    print("at work", flush=True)
    threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _interrupts_are_not_ignored() -> Iterator[None]:
    """Whoever starts the tests in the background may have Ctrl-C ignored, and programs pass that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupt(program: str, *arguments: str) -> tuple[int, str, str]:
    """Ctrl-C when the program says that it is at work: exit code, what it has output since, its errors."""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    return process.returncode, output, errors


def test_one_sentence_is_told_and_nothing_after_it() -> None:
    program = """
with last_act(lambda: print("more", flush=True)):
    at_work()
"""
    assert _interrupt(program) == (INTERRUPTED, "", f"\n{SENTENCE}\n")


def test_last_acts_are_done_the_newest_first_and_their_block_is_not_left(tmp_path: Path) -> None:
    program = """
begun, left = threading.Event(), threading.Event()
def tell(text):
    with open(sys.argv[1], "a") as file:
        print(text, file=file)
def outer():
    tell("left" if left.wait(0.5) else "outer")
def inner():
    tell("inner")
    begun.set()
with last_act(outer):
    with last_act(inner):
        print("at work", flush=True)
        begun.wait()
    left.set()
    threading.Event().wait()
"""
    assert _interrupt(program, str(tmp_path / "acts"))[0] == INTERRUPTED
    assert (tmp_path / "acts").read_text().split() == ["inner", "outer"]


def test_what_an_act_could_not_do_is_told() -> None:
    program = """
def fails():
    raise OSError("no space left")
with last_act(fails):
    at_work()
"""
    assert _interrupt(program) == (INTERRUPTED, "", f"\n{SENTENCE}\nerror: no space left\n")


def test_an_act_that_does_not_end_holds_nobody_up() -> None:
    program = """
with last_act(threading.Event().wait):
    at_work()
"""
    assert _interrupt(program) == (INTERRUPTED, "", f"\n{SENTENCE}\n")


def test_a_child_is_interrupted_by_who_knows_it_alone(tmp_path: Path) -> None:
    """A terminal interrupts all processes of a group, which is for the command; Dagster interrupts its children."""
    program = """
import signal, subprocess
def blocks_interrupts():
    code = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
blocked = blocks_interrupts()
with for_a_child_of_its_own():
    of_its_own = blocks_interrupts()
Path(sys.argv[1]).write_text(f"{blocked} {of_its_own} {blocks_interrupts()}")
at_work()
"""
    assert _interrupt(program, str(tmp_path / "blocked"))[0] == INTERRUPTED
    assert (tmp_path / "blocked").read_text() == "True False True"


def test_a_child_does_not_ignore_interrupts_because_its_command_does() -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"

    def child_ignores() -> bool:
        return subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert child_ignores()
        with for_a_child_of_its_own():
            assert not child_ignores()
        assert child_ignores()
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_files_of_the_demos_bad_day_come_back(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / "batch").mkdir(exist_ok=True)
        (tmp_path / "batch" / f"{name}.json").touch()
    program = """
from engagement_assets.commands.demo import files_gone
with files_gone(Path(sys.argv[1])):
    assert [path.name for path in Path(sys.argv[1]).iterdir()] == ["b.json"]
    at_work()
"""
    assert _interrupt(program, str(tmp_path / "batch"))[0] == INTERRUPTED
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.json", "b.json", "batch", "c.json"]
