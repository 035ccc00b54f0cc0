"""What the console shows of a run that goes on."""

import logging
from types import SimpleNamespace

import dagster as dg

from engagement_assets.commands.progress import Counter

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
