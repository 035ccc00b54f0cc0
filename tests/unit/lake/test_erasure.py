"""Erased persons leave the lake with all that names them, and no load brings them back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS
from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from engagement_assets.extract.user_events.source import USER_EVENTS
from engagement_assets.lake.erasure import days_of
from engagement_assets.lake.held_days import release
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.load import open_load
from engagement_assets.lake.tombstones import APPLIED, ErasureKeyError
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    Found,
    Reject,
    event,
    events,
    files_below,
    load_time,
    publish,
    published,
    quarantined,
    records,
    window,
)
from tests.unit.lake.erasures import KEY, erase_persons, erasing_lake, load_events

COUNTS = ("partition_date", "status", "records_read", "accepted", "quarantined", "duplicates", "erased", "rows_in_day")


def _bytes_with(folder: Path, text: str) -> list[str]:
    return [path for path in files_below(folder) if text.encode() in (folder / path).read_bytes()]


def test_a_person_leaves_every_day_and_a_later_load_does_not_bring_them_back(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    rows = [event("e1", DAY_1, user_id="anna"), event("e2", DAY_1, user_id="ben"), event("e3", DAY_2, user_id="anna")]
    load_events(lake, 1, *rows)

    request = erase_persons(lake, "lingokids", "user", "anna")
    assert (request.state, request.records_erased, request.persons[0].was_found) == (APPLIED, 2, True)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2")]
    assert days_of(lake, request) == {LINGOKIDS_EVENTS.key: [DAY_1, DAY_2]}

    load_events(lake, 2, *rows, event("e4", DAY_2, user_id="anna"), event("e5", DAY_2, user_id="ben"))
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2"), (DAY_2, "e5")]
    assert records(lake, *COUNTS) == [
        (DAY_1, "erased", 2, 1, 0, 0, 1, 1),
        (DAY_1, "published", 2, 1, 0, 0, 1, 1),
        (DAY_1, "published", 2, 2, 0, 0, 0, 2),
        (DAY_2, "erased", 1, 0, 0, 0, 1, 0),
        (DAY_2, "published", 1, 1, 0, 0, 0, 1),
        (DAY_2, "published", 3, 1, 0, 0, 2, 1),
    ]
    assert _bytes_with(tmp_path, "anna") == []


def test_somebody_who_is_not_there_gets_a_tombstone_all_the_same(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    request = erase_persons(lake, "lingokids", "user", "anna", "carl")
    assert [person.was_found for person in request.persons] == [False, False]
    assert records(lake, "status") == []
    load_events(lake, 1, event("e1", DAY_1, user_id="ANNA "), event("e2", DAY_1, user_id="annabel"))
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2")]


@pytest.mark.parametrize("pseudonym_key", [None, "p" * 32])
def test_a_user_takes_the_children_along(tmp_path: Path, pseudonym_key: str | None) -> None:
    lake = erasing_lake(tmp_path, pseudonym_key=pseudonym_key)
    rows = [
        event("e1", DAY_1, user_id="anna", child_id="kim"),
        event("e2", DAY_1, user_id="ben", child_id="kim"),
        event("e3", DAY_1, user_id="ben", child_id="lou"),
    ]
    load_events(lake, 1, *rows)
    erase_persons(lake, "lingokids", "user", "anna")
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e3")]
    load_events(lake, 2, *rows, event("e4", DAY_1, user_id="ben", child_id="kim"))
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e3")]


def test_a_device_is_found_by_its_pseudonym(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path, pseudonym_key="p" * 32)
    load_events(lake, 1, event("e1", DAY_1, device_id="phone"), event("e2", DAY_1, device_id="tablet"))
    erase_persons(lake, "lingokids", "device", "phone")
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2")]


def test_a_snapshot_loses_the_row_of_a_user(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    users = Found({LINGOKIDS_USERS: [{"user_id": "anna", "source_path": "u"}, {"user_id": "ben", "source_path": "u"}]})
    publish(lake, users, None, 1, name="lingokids_users")
    erase_persons(lake, "lingokids", "user", "anna")
    publish(lake, users, None, 2, name="lingokids_users")
    assert published(lake, LINGOKIDS_USERS, "user_id") == [(date(1970, 1, 1), "ben")]


def test_laps_and_rejected_laps_go_with_their_activity(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)

    def load(number: int) -> None:
        people = {"a1": "anna", "a2": "ben"}
        found = Found(
            {
                RUNNA_ACTIVITIES: [
                    {"activity_id": name, "user_id": user, "day": DAY_1, "source_path": f"r/{name}.json"}
                    for name, user in people.items()
                ],
                RUNNA_ACTIVITY_LAPS: [
                    {"activity_id": name, "lap_index": 0, "day": DAY_1, "source_path": f"r/{name}.json"}
                    for name in people
                ],
            },
            rejects=[Reject(RUNNA_ACTIVITY_LAPS, DAY_1, f"r/{name}.json", 1) for name in people],
        )
        publish(lake, found, window(DAY_1), number, name="runna")

    load(1)
    request = erase_persons(lake, "runna", "user", "anna")
    after = [(DAY_1, "a2")]
    for number in (2, 3):
        assert published(lake, RUNNA_ACTIVITIES, "activity_id") == after
        assert published(lake, RUNNA_ACTIVITY_LAPS, "activity_id") == after
        assert quarantined(lake, "source_path") == [(DAY_1, "r/a2.json")]
        load(number)
    assert request.records_erased == 3
    laps = [row[1:] for row in records(lake, "dataset", *COUNTS) if row[0] == "activity_laps"]
    assert laps[0] == (DAY_1, "erased", 4, 1, 1, 0, 2, 1)
    assert laps[1] == (DAY_1, "published", 4, 1, 1, 0, 2, 1)


@pytest.mark.parametrize(
    ("user", "published_rows", "held_rows"),
    [("anna", [], [(DAY_1, "a2")]), ("ben", [(DAY_1, "a1")], [])],
    ids=["of the version that is published", "of the version that is held"],
)
def test_the_other_version_of_a_file_keeps_its_laps(
    tmp_path: Path, user: str, published_rows: list[Any], held_rows: list[Any]
) -> None:
    """Anna's activity is published; the file was then replaced by Ben's, which is held."""
    lake = erasing_lake(tmp_path)
    for number, (activity_id, owner) in enumerate([("a1", "anna"), ("a2", "ben")], start=1):
        row = {"activity_id": activity_id, "day": DAY_1, "source_path": "r/p.json"}
        found = Found(
            {RUNNA_ACTIVITIES: [{**row, "user_id": owner}], RUNNA_ACTIVITY_LAPS: [{**row, "lap_index": 0}]},
            rejects=[Reject(RUNNA_ACTIVITY_LAPS, DAY_1, "r/p.json", number)],
        )
        held = {DAY_1: ["has_not_shrunk"]} if number == 2 else {}
        publish(lake, found, window(DAY_1), number, name="runna", held=held)

    assert erase_persons(lake, "runna", "user", user).records_erased == 3
    for dataset in (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS):
        assert published(lake, dataset, "activity_id") == published_rows
    assert len(quarantined(lake, "source_path")) == len(published_rows)
    with open_load(lake, "runna", run_id="r", started_at=load_time(3)) as load:
        release(load, [RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS], [DAY_1], "known")
    for dataset in (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS):
        assert published(lake, dataset, "activity_id") == held_rows
    assert len(quarantined(lake, "source_path")) == len(held_rows)


def test_an_athlete_takes_all_of_strava(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    found = Found(
        {
            STRAVA_ACTIVITIES: [{"activity_id": 1, "day": DAY_1, "source_path": "page"}],
            STRAVA_ACTIVITY_KUDOS: [
                {"activity_id": 1, "observed_on": DAY_2, "kudos_count": 3, "day": DAY_1, "source_path": "page"}
            ],
        },
        rejects=[Reject(STRAVA_ACTIVITIES, DAY_1, "page")],
    )
    cells = Path(lake.location(lake.places_key("strava")))
    cells.parent.mkdir(parents=True)
    cells.write_text('{"4711": {"2024-1": [51.525, -0.125]}}', encoding="utf-8")
    for number in (1, 2):
        publish(lake, found, window(DAY_1), number, name="strava")
        if number == 1:
            assert erase_persons(lake, "strava", "athlete", "4711").records_erased == 3
            assert not cells.exists()
        assert published(lake, STRAVA_ACTIVITIES, "activity_id") == []
        assert published(lake, STRAVA_ACTIVITY_KUDOS, "activity_id") == []
        assert quarantined(lake, "dataset") == []


def test_a_corporation_takes_the_events_of_its_users(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    rows = [
        {"event_id": "e1", "user_id": "u1", "user_corporate_id": "acme", "day": DAY_1},
        {"event_id": "e2", "user_id": "u1", "user_corporate_id": "other", "day": DAY_1},
    ]
    publish(lake, Found({USER_EVENTS: rows}), window(DAY_1), 1, name="user_events")
    erase_persons(lake, "user_events", "corporation", "acme")
    assert published(lake, USER_EVENTS, "event_id") == [(DAY_1, "e2")]


def _rejects(*texts: str) -> Sequence[Reject]:
    return [Reject(LINGOKIDS_EVENTS, DAY_1, f"{number}.jsonl", 1, raw_text=text) for number, text in enumerate(texts)]


def test_rejected_records_that_name_the_person_leave_the_quarantine_and_do_not_return(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    texts = ['{"user_id": "anna"}', '{"user_id": "anna"', "mail=anna&x", '{"user_id": "annabel"}']
    of_annabel = '{"fields": {"user_id": "annabel"}, "others": []}'
    load_events(lake, 1, rejects=_rejects(*texts))
    erase_persons(lake, "lingokids", "user", "anna")
    # Of a text that is broken only the length was kept, which is nobody's.
    broken = [(DAY_1, '{"length": 11}'), (DAY_1, '{"length": 18}')]
    assert quarantined(lake, "record") == [(DAY_1, of_annabel), *broken]
    load_events(lake, 2, rejects=_rejects(*texts), files_read=("0.jsonl", "1.jsonl", "2.jsonl", "3.jsonl"))
    assert quarantined(lake, "record") == [(DAY_1, of_annabel)]
    assert (DAY_1, "published", 4, 0, 1, 0, 3, 0) in records(lake, *COUNTS)


def test_a_held_day_is_released_without_the_person(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    found = events(
        event("e1", DAY_1, user_id="anna"),
        event("e2", DAY_1, user_id="ben"),
        rejects=_rejects('{"user_id": "anna"}', '{"user_id": "ben"}'),
    )
    publish(lake, found, window(DAY_1), 1, name="lingokids_events", held={DAY_1: ["reconciles"]})
    assert erase_persons(lake, "lingokids", "user", "anna").records_erased == 2
    with open_load(lake, "lingokids_events", run_id="r", started_at=load_time(2)) as load:
        release(load, [LINGOKIDS_EVENTS], [DAY_1], "known")
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2")]
    assert quarantined(lake, "record") == [(DAY_1, '{"fields": {"user_id": "ben"}, "others": []}')]
    assert records(lake, *COUNTS)[-1] == (DAY_1, "published", 4, 1, 1, 0, 2, 1)


def test_a_held_day_whose_record_a_kill_has_taken_loses_the_person_and_gets_no_record(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    found = events(event("e1", DAY_1, user_id="anna"), rejects=_rejects('{"user_id": "anna"}'))
    publish(lake, found, window(DAY_1), 1, name="lingokids_events", held={DAY_1: ["reconciles"]})
    Path(lake.location(lake.held_record_key("lingokids_events", DAY_1))).unlink()
    assert erase_persons(lake, "lingokids", "user", "anna").records_erased == 2
    assert _bytes_with(tmp_path / "lake", "anna") == []
    assert lake.held_days("lingokids_events") == []


def test_a_lake_put_back_from_a_backup_applies_what_it_lacks_before_its_first_load(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    row = event("e1", DAY_1, user_id="anna")
    # Another lake with the same tombstones beside it.
    old = Lake(str(tmp_path / "backup"), lake.policy)
    load_events(old, 1, row)
    load_events(lake, 1, row)
    erase_persons(lake, "lingokids", "user", "anna")
    assert published(old, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e1")]

    publish(old, Found({LINGOKIDS_USERS: []}), None, 2, name="lingokids_users")
    assert published(old, LINGOKIDS_EVENTS, "event_id") == []


@pytest.mark.parametrize(("key", "says"), [(None, "ERASURE_KEY is not set"), ("x" * 32, "is not the key with which")])
def test_without_the_key_of_the_tombstones_nothing_is_loaded(tmp_path: Path, key: str | None, says: str) -> None:
    lake = erasing_lake(tmp_path)
    erase_persons(lake, "lingokids", "user", "anna")
    other = Lake(lake.uri, replace(lake.policy, erasure_key=key))
    with pytest.raises(ErasureKeyError, match=says):
        load_events(other, 1, event("e1", DAY_1, user_id="anna"))
    with pytest.raises(ErasureKeyError, match=says):
        erase_persons(other, "lingokids", "user", "ben")


def test_tombstones_of_one_source_say_nothing_of_another(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    erase_persons(lake, "runna", "user", "anna")
    erase_persons(lake, "lingokids", "device", "anna")
    load_events(lake, 1, event("e1", DAY_1, user_id="anna"))
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e1")]


def test_the_key_and_ids_stand_in_no_text_of_a_policy_or_request(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path)
    request = erase_persons(lake, "lingokids", "user", "anna")
    assert KEY not in repr(lake.policy)
    assert request.persons[0].hash not in repr(request)
