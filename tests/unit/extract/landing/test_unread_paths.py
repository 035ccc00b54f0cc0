"""What lies beside the folders that sources read is told once, by the source that it resembles."""

from pathlib import Path

import pytest

from engagement_assets.contracts.extraction import UnreadPath
from engagement_assets.extract.landing.event_files import list_landing_files
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.unread_paths import unread_paths
from engagement_assets.extract.mobile import EVENT_FILES
from engagement_assets.sources import LANDING_PREFIXES


def _zone(tmp_path: Path, *keys: str) -> Landing:
    for key in keys:
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Landing(str(tmp_path))


def test_all_folders_that_sources_read_are_known() -> None:
    assert sorted(LANDING_PREFIXES) == [
        "lingokids/activities",
        "lingokids/events",
        "lingokids/users",
        "mobile_events",
        "runna/activities",
    ]


@pytest.mark.parametrize(
    ("key", "stranger", "meant"),
    [
        ("mobile-events/a.csv", "mobile-events", "mobile_events"),
        ("Mobile_Events/a.csv", "Mobile_Events", "mobile_events"),
        ("events.csv", "events.csv", "mobile_events"),
        ("lingokids/event/a.jsonl", "lingokids/event", "lingokids/events"),
        ("lingokids/user.jsonl", "lingokids/user.jsonl", "lingokids/users"),
        ("runna/activity/2021-01-05/a.json", "runna/activity", "runna/activities"),
        ("Runna/activities/2021-01-05/a.json", "Runna", "runna/activities"),
    ],
)
def test_a_stranger_is_told_by_one_source(tmp_path: Path, key: str, stranger: str, meant: str) -> None:
    landing = _zone(tmp_path, key)
    told = {prefix: found for prefix in LANDING_PREFIXES if (found := unread_paths(landing, prefix, LANDING_PREFIXES))}
    assert told == {meant: [UnreadPath(stranger, f"no source reads it; is {meant}/ meant?")]}


def test_nothing_is_told_of_what_sources_read_and_of_work_in_progress(tmp_path: Path) -> None:
    landing = _zone(tmp_path, *(f"{prefix}/a" for prefix in LANDING_PREFIXES), ".hidden/a", "lingokids/_staging/a")
    assert [unread_paths(landing, prefix, LANDING_PREFIXES) for prefix in LANDING_PREFIXES] == [[]] * len(
        LANDING_PREFIXES
    )


@pytest.mark.parametrize("name", ["a.CSV", "a.csv.bz2", "a.ndjson", "README.md"])
def test_a_file_with_another_ending_is_told(tmp_path: Path, name: str) -> None:
    landing = _zone(tmp_path, f"mobile_events/x/{name}", "mobile_events/b.csv", "mobile_events/_c.txt")
    readable, refused, unread = list_landing_files(landing, EVENT_FILES.prefix, EVENT_FILES.suffixes)
    assert ([file.key for file in readable], refused) == (["mobile_events/b.csv"], [])
    assert unread == [UnreadPath(f"mobile_events/x/{name}", "its name does not end with .csv or .csv.gz")]
