"""Fixtures that several test rooms share, and what stands at the end of the output.

Belongs here: the table of alerts that were sent and received, and what was not tested. Not here: fixtures of one room.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

_ALERT_CASE = "alert case"


@pytest.fixture(scope="session", autouse=True)
def _models_are_defined_once() -> Iterator[None]:
    """The models' definitions follow from the dbt project and the days alone, and cost half a second each time."""
    definitions = sys.modules.get("engagement_assets.definitions")
    if definitions is None:
        yield  # no test here needs them, and to import them costs seconds
        return
    define = definitions.dbt_model_assets
    defined: dict[tuple[str, str, date, date | None], Any] = {}

    def define_once(manifest: Mapping[str, Any], start_date: date, lineage: Any, last_day: date | None) -> Any:
        metadata = manifest["metadata"]
        key = (metadata["invocation_id"], metadata["adapter_type"], start_date, last_day)
        if key not in defined:
            defined[key] = define(manifest, start_date, lineage, last_day)
        return defined[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definitions, "dbt_model_assets", define_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _migrations_are_read_once() -> Iterator[None]:
    """Whoever opens a storage of Dagster has Alembic read some ninety files of migrations, and each test opens some."""
    read: dict[str | None, ScriptDirectory] = {}
    from_config = ScriptDirectory.from_config

    def read_once(config: Config) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in read:
            read[location] = from_config(config)
        return read[location]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", read_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_load_waits_for_the_disk() -> Iterator[None]:
    """Each commit waits until all that the machine has not written yet is on disk; no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sync", lambda: None)
        yield


@pytest.fixture
def record_alert_case(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Keep a line of the table of alerts, which stands at the end of the output."""

    def record(
        case: str, *, transitions: int, messages: int, received: Mapping[str, int], distinct: Mapping[str, int]
    ) -> None:
        shown = [" ".join(f"{name} {count}" for name, count in counts.items()) for counts in (received, distinct)]
        record_property(_ALERT_CASE, f"{case:<92}{transitions:>12}{messages:>10}   {shown[0]:<26}{shown[1]}")

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of alerts, and last of all which tests did not run, and why."""
    _write_alerts(terminalreporter)
    _write_not_run(terminalreporter)


def _write_alerts(terminalreporter: pytest.TerminalReporter) -> None:
    """The alerts of whichever tests have sent any; the last two columns count up over a test."""
    lines = [
        line
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == _ALERT_CASE and report.when == "call"
    ]
    if lines:
        terminalreporter.section("alerts")
        terminalreporter.write_line(f"{'case':<92}{'transitions':>12}{'messages':>10}   {'deliveries':<26}by key")
        for line in lines:
            terminalreporter.write_line(line)


def _write_not_run(terminalreporter: pytest.TerminalReporter) -> None:
    """A line per reason for which tests were skipped; each reason says what to do."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("tests that did not run")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:>5}  {reason}")
