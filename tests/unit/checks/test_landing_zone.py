"""The checks of files in the landing zone, each both ways."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.checks.landing_zone import every_file_is_read, files_hold_what_was_loaded
from engagement_assets.contracts.extraction import UnreadPath
from engagement_assets.contracts.load_checks import Severity
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.load import open_load
from tests.lake_loads import DAY_1, DAY_2, event, events, load_time, publish, window

WINDOW = window(DAY_1, DAY_2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_nothing_is_reported_where_every_file_is_read() -> None:
    outcome = every_file_is_read(RUNNA_ACTIVITIES, ())
    assert (dict(outcome.findings), outcome.figures) == ({}, {"never_read": 0})


def test_what_is_never_read_is_reported_by_name_and_about_no_day() -> None:
    unread = [UnreadPath("mobile-events", "is mobile_events/ meant?"), UnreadPath("a.CSV", "no suffix")]
    outcome = every_file_is_read(RUNNA_ACTIVITIES, unread)
    (finding,) = outcome.findings.values()
    assert (outcome.dataset, list(outcome.findings)) == (RUNNA_ACTIVITIES, [WHOLE_DATASET_DAY])
    assert finding.severity == Severity.WARN
    assert finding.sentence == (
        "the landing zone has files or folders that no load reads (2): `a.CSV` (no suffix); `mobile-events` (is "
        "mobile_events/ meant?). Rename or move what is meant to be loaded"
    )
    assert outcome.figures == {"never_read": 2}


def test_many_files_are_reported_by_the_first_of_their_names() -> None:
    outcome = every_file_is_read(RUNNA_ACTIVITIES, [UnreadPath(f"{number:02}", "why") for number in range(25)])
    (finding,) = outcome.findings.values()
    assert finding.sentence.startswith(
        "the landing zone has files or folders that no load reads (25): `00` (why); `01` (why); "
    )
    assert "`19` (why); and 5 more. Rename" in finding.sentence
    assert finding.keys == ("00", "01", "02", "03", "04")


def _missing(lake: Lake, *rows: tuple[str, date, str], read: tuple[str, ...], forget: bool = False) -> dict[date, str]:
    """What is reported of a load of these events, which is not published."""
    found = events(*(event(name, day, path) for name, day, path in rows), files_read=read)
    with open_load(lake, "source", run_id="run", started_at=load_time(2)) as load:
        load.stage(found.extraction(load.started_at), WINDOW, forget=forget)
        outcome = files_hold_what_was_loaded(load, LINGOKIDS_EVENTS, read)
    assert outcome.figures["records_not_in_their_files"] == sum(item.rows or 0 for item in outcome.findings.values())
    for finding in outcome.findings.values():
        assert (finding.observed, finding.expected) == (f"{finding.rows} in no file", "0 in no file")
    return {day: finding.sentence for day, finding in outcome.findings.items()}


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    rows = [event("1", DAY_1, "a"), event("2", DAY_1, "a"), event("3", DAY_1, "b"), event("4", DAY_2, "a")]
    publish(lake, events(*rows, files_read=("a", "b")), WINDOW, 1)
    return lake


def test_a_replaced_file_that_lost_events_is_reported_with_their_number(loaded: Lake) -> None:
    sentences = _missing(loaded, ("3", DAY_1, "b"), ("4", DAY_2, "a"), read=("a", "b"))
    assert sentences == {
        DAY_1: "2 events came from landing files that are still there and no longer hold them: `a` (2). They stay "
        "in the lake. Check whether the files were replaced by something else; run this day with allow_shrink if the "
        "events are meant to go"
    }


def test_each_such_file_is_reported_the_one_that_lost_most_first(loaded: Lake) -> None:
    sentences = _missing(loaded, read=("a", "b"))
    assert "`a` (2), `b` (1). They stay" in sentences[DAY_1]
    assert sentences[DAY_2].startswith("1 events came from")


@pytest.mark.parametrize(
    ("rows", "read", "forget"),
    [
        # All is there, in whatever file.
        ([("1", DAY_1, "c"), ("2", DAY_1, "a"), ("3", DAY_1, "b"), ("4", DAY_2, "a")], ("a", "b", "c"), False),
        # A file that has gone is no file that was replaced.
        ([("1", DAY_1, "a"), ("2", DAY_1, "a"), ("4", DAY_2, "a")], ("a",), False),
        # It is meant.
        ([], ("a", "b"), True),
    ],
)
def test_nothing_is_reported_where_no_file_lost_an_event(
    loaded: Lake, rows: list[tuple[str, date, str]], read: tuple[str, ...], forget: bool
) -> None:
    assert _missing(loaded, *rows, read=read, forget=forget) == {}
