"""What the console shows of a run that goes on."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import dagster as dg
import pytest

from engagement_assets.commands import progress
from engagement_assets.commands.progress import Counter, silence_told

WEEKS, MONTHS, AUDIT = (dg.AssetKey(name) for name in ("weeks", "months", "audit"))


def _record(key: dg.AssetKey, *, is_made: bool = True) -> logging.LogRecord:
    record = logging.LogRecord("run", logging.DEBUG, "", 0, "", None, None)
    record.dagster_meta = {"dagster_event": SimpleNamespace(is_step_materialization=is_made, asset_key=key)}
    return record


def test_each_table_that_a_command_makes_is_counted_once() -> None:
    counter = Counter()
    assert str(counter) == "preparing"
    counter.begin({WEEKS, MONTHS})
    assert str(counter) == "0 of 2 tables"
    for record in (_record(WEEKS), _record(WEEKS), _record(MONTHS, is_made=False), _record(AUDIT)):
        counter.emit(record)
    assert str(counter) == "1 of 2 tables"
    counter.begin({MONTHS})
    assert str(counter) == "0 of 1 tables"


def test_a_silence_is_told_until_something_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tells: list[Callable[[], None]] = []
    now = 100.0

    @contextmanager
    def every_few_seconds(tell: Callable[[], None]) -> Iterator[None]:
        tells.append(tell)
        yield

    monkeypatch.setattr(progress, "every_few_seconds", every_few_seconds)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    before = sys.stdout
    with silence_told():
        now = 104.0
        tells[0]()
        now = 108.0
        tells[0]()
        sys.stdout.write("a step\n")
        now = 111.0
        tells[0]()
        now = 112.0
        tells[0]()
    assert capsys.readouterr().out == "  4 s\n  8 s\na step\n  4 s\n"
    assert sys.stdout is before
