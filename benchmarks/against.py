"""This checkout beside another commit of it: the same work by both, in turn, on one machine.

    python -m benchmarks.against <commit> [--works day nothing_new backfill definitions lint] [--runs 3]

The other commit gets a worktree and a virtual environment of its own, by its own `make install-dev`. Both read the same
landing files and the same sandbox. Prints medians of the seconds and of the CPU seconds of whole processes, with those
that they start, and the ratio of each to the other commit's; figures of different runs cannot be compared.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from benchmarks.daily_run import FIRST_DAY, places_of, sandbox
from engagement_assets.installation import PROJECT_ROOT

BACKFILL_DAYS = 365
MAKE = shutil.which("make") or "make"


@dataclass
class Tree:
    """A checkout at work, with the places of its deployment below `root`."""

    name: str
    code: Path
    root: Path
    environment: Mapping[str, str]
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def run(self, *command: str, deployment: str = "deployment") -> tuple[float, float]:
        """Seconds and CPU seconds of a command; `python` is the checkout's own."""
        executable = str(self.code / ".venv" / "bin" / "python") if command[0] == "python" else command[0]
        environment = {**os.environ, **self.environment, **places_of(self.root / deployment)}
        # A process that may not keep its bytecode compiles every import again.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started, used = time.monotonic(), _cpu_of_children()
        subprocess.run(
            [executable, *command[1:]], cwd=self.code, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return time.monotonic() - started, _cpu_of_children() - used

    def backfill(self, first: date, last: date, deployment: str = "deployment") -> tuple[float, float]:
        """The same of one run over these days."""
        module = ("-m", "engagement_assets.commands.backfill")
        days = ("--from", first.isoformat(), "--to", last.isoformat())
        return self.run("python", *module, *days, deployment=deployment)


def one_day(tree: Tree, history: int, number: int) -> tuple[float, float]:
    """The next day on top of the history."""
    day = FIRST_DAY + timedelta(days=history + number)
    return tree.backfill(day, day)


def nothing_new(tree: Tree, history: int, _number: int) -> tuple[float, float]:
    """The last day of the history again, of which nothing has changed."""
    day = FIRST_DAY + timedelta(days=history - 1)
    return tree.backfill(day, day)


def whole_year(tree: Tree, _history: int, number: int) -> tuple[float, float]:
    """A year in one run, into an empty lake."""
    return tree.backfill(FIRST_DAY, FIRST_DAY + timedelta(days=BACKFILL_DAYS - 1), f"year{number}")


def definitions(tree: Tree, _history: int, _number: int) -> tuple[float, float]:
    """What the UI and each run load first."""
    load = "from engagement_assets.definitions import build_defs; from engagement_assets.settings import Settings; "
    return tree.run("python", "-c", load + "build_defs(Settings()).resolve_asset_graph()")


def lint(tree: Tree, _history: int, _number: int) -> tuple[float, float]:
    """`make lint`."""
    return tree.run(MAKE, "lint")


WORKS: Mapping[str, Callable[[Tree, int, int], tuple[float, float]]] = {
    "nothing_new": nothing_new,
    "day": one_day,
    "backfill": whole_year,
    "definitions": definitions,
    "lint": lint,
}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of the commit with what it needs installed."""
    git = ["git", "-C", str(PROJECT_ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), commit], check=True, stdout=subprocess.DEVNULL)
    try:
        subprocess.run([MAKE, "install-dev"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--history", type=int, default=30, help="days that are loaded before single days are")
    parser.add_argument("--runs", type=int, default=3, help="runs of each work, in turn")
    arguments = parser.parse_args()
    span = max(arguments.history + arguments.runs, BACKFILL_DAYS if "backfill" in arguments.works else 0)
    with (
        tempfile.TemporaryDirectory(prefix="against-") as name,
        worktree(arguments.commit, Path(name) / "base") as base,
    ):
        folder = Path(name)
        with sandbox(folder, span) as environment:
            trees = [
                Tree(arguments.commit, base, folder / "of_base", environment),
                Tree("here", PROJECT_ROOT, folder / "of_here", environment),
            ]
            if {"day", "nothing_new"} & set(arguments.works):
                for tree in trees:
                    tree.backfill(FIRST_DAY, FIRST_DAY + timedelta(days=arguments.history - 1))
            for work in arguments.works:
                for number in range(arguments.runs):
                    for tree in trees:
                        tree.seconds.setdefault(work, []).append(WORKS[work](tree, arguments.history, number))
                print(comparison(work, *trees), flush=True)


def comparison(work: str, base: Tree, here: Tree) -> str:
    """A line: medians of seconds and CPU seconds, with their ratios."""
    parts = []
    for name, index in (("seconds", 0), ("CPU seconds", 1)):
        medians = [statistics.median(found[index] for found in tree.seconds[work]) for tree in (base, here)]
        parts.append(f"{medians[0]:.1f} to {medians[1]:.1f} {name} ({medians[1] / medians[0]:.2f})")
    return f"{work}: {', '.join(parts)}"


if __name__ == "__main__":
    main()
