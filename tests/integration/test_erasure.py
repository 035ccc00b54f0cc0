"""An erasure ends with the tables of a clean build without the person, at whatever point it comes or is killed."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_ACTIVITIES, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.lake.erasure import apply_missing, days_of, erase
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.tombstones import APPLIED, persons_of
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.transform.erased_rows import delete_erased_rows, forget_on_days, write_warehouse_anew
from tests.integration.killed_processes import all_at_once, killed_before_step
from tests.integration.warehouse_builder import WarehouseBuilder
from tests.lake_loads import (
    Found,
    Reject,
    event,
    events,
    files_below,
    load_time,
    parquet_rows,
    publish,
    published,
    quarantined,
    records,
    window,
)

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("ERASURE_EXAMPLES", "1"))
KEY = "e" * 32
DAYS = [date(2023, 12, 28) + timedelta(days=offset) for offset in range(6)]
LEARNING = "+path:models/marts/learning"
MARTS = ("fct__activity_exits", "engagement_daily", "engagement_weekly", "top_activities", "learning_active_users")
KEPT = ("int_lingokids_events_by_day", "int_lingokids_users_latest", "int_lingokids_activities_latest")
PERSONS = ("anna", "ben", "carl")


@dataclass(frozen=True)
class Event:
    """An event: whose, of which child, on which day, and in which of two loads it comes."""

    number: int
    user: str
    child: str
    day: int
    is_late: bool

    @property
    def row(self) -> Any:
        """The event as a load finds it; an id may occur on two days, also of two persons."""
        return event(
            f"e{self.number % 5}",
            DAYS[self.day],
            f"events-{self.number}.jsonl",
            occurred_at=datetime.combine(DAYS[self.day], time(10, self.number)),
            user_id=self.user,
            child_id=f"{self.user}-{self.child}",
            activity_id="song",
            duration_ms=1_000,
        )


DRAWN = st.lists(
    st.tuples(st.sampled_from(PERSONS), st.sampled_from("kl"), st.integers(0, len(DAYS) - 1), st.booleans()),
    min_size=4,
    max_size=12,
)


def _lake(folder: Path) -> Lake:
    return Lake(str(folder / "lake"), PrivacyPolicy(erasure_key=KEY, erasures=folder / "erasures"))


def _load(lake: Lake, number: int, found: Sequence[Event]) -> None:
    """A load of all days with these events, and of all users; one identity of a day comes once."""
    rows = {(each.day, each.number % 5): each.row for each in found}
    publish(lake, events(*rows.values()), window(DAYS[0], DAYS[-1]), number, name="lingokids_events")
    users = [{"user_id": name, "country_code": "es", "source_path": "users.jsonl"} for name in PERSONS]
    publish(lake, Found({LINGOKIDS_USERS: users}), None, number, name="lingokids_users")
    song = {"activity_id": "song", "activity_name": "Song", "source_path": "a.jsonl"}
    publish(lake, Found({LINGOKIDS_ACTIVITIES: [song]}), None, number, name="lingokids_activities")


def _tables(warehouse: WarehouseBuilder) -> dict[str, list[dict[str, object]]]:
    found = warehouse.tables([*(f"learning.{name}" for name in MARTS), *(f"intermediate.{name}" for name in KEPT)])
    own = {"extracted_at", "affected_from"}
    return {
        name: [{key: value for key, value in row.items() if key not in own} for row in rows]
        for name, rows in found.items()
    }


@settings(max_examples=EXAMPLES, deadline=None)
@given(drawn=DRAWN)
def test_every_table_is_that_of_a_clean_build_without_the_person(
    manifest: Manifest, drawn: list[tuple[str, str, int, bool]]
) -> None:
    found = [Event(number, *values) for number, values in enumerate(drawn)]
    # An event of another person that lost to one of Anna comes back when its file is read again.
    annas = {(each.day, each.number % 5) for each in found if each.user == "anna"}
    found = [each for each in found if each.user == "anna" or (each.day, each.number % 5) not in annas]
    early = [each for each in found if not each.is_late]
    with TemporaryDirectory() as name:
        folder = Path(name)
        lake = _lake(folder)
        _load(lake, 1, early)
        warehouse = WarehouseBuilder(folder / "erased", manifest, lake_folder=Path(lake.uri))
        warehouse.build(DAYS[0], DAYS[-1] + timedelta(days=1), LEARNING)

        request = erase(lake, "lingokids", PersonalKind.USER, ["anna"], load_time(50))
        days = days_of(lake, request).get(LINGOKIDS_EVENTS.key, [DAYS[0]])
        warehouse.build(min(days), max(days) + timedelta(days=1), LEARNING)
        erased = persons_of(lake, [request])
        assert erased
        delete_erased_rows(warehouse.warehouse_path, "lingokids", erased)
        write_warehouse_anew(warehouse.warehouse_path)
        _load(lake, 60, found)
        warehouse.build(DAYS[0], DAYS[-1] + timedelta(days=1), LEARNING)

        clean_lake = Lake(str(folder / "clean_lake"))
        others = [each for each in found if each.user != "anna"]
        _load(clean_lake, 60, others)
        clean = WarehouseBuilder(folder / "clean", manifest, lake_folder=Path(clean_lake.uri))
        clean_users = [{"user_id": name, "country_code": "es", "source_path": "users.jsonl"} for name in PERSONS[1:]]
        clean.write_whole(LINGOKIDS_USERS, clean_users)
        clean.build(DAYS[0], DAYS[-1] + timedelta(days=1), LEARNING)
        assert _tables(warehouse) == _tables(clean)


def test_days_that_retention_has_removed_lose_the_person_too(tmp_path: Path, manifest: Manifest) -> None:
    found = [Event(number, user, "k", day, is_late=False) for number, (user, day) in enumerate(
        [("anna", 0), ("ben", 0), ("anna", 1), ("anna", 2), ("ben", 3), ("carl", 3)]
    )]  # fmt: skip
    lake = _lake(tmp_path)
    _load(lake, 1, found)
    warehouse = WarehouseBuilder(tmp_path / "erased", manifest, lake_folder=Path(lake.uri))
    warehouse.build(DAYS[0], DAYS[-1] + timedelta(days=1), LEARNING)
    for day in DAYS[:2]:
        path = Path(lake.location(lake.day_key(LINGOKIDS_EVENTS, day)))
        path.replace(tmp_path / f"{day}.parquet")
        path.with_name("pruned.json").write_text("{}", encoding="utf-8")
    request = erase(lake, "lingokids", PersonalKind.USER, ["anna"], load_time(50))
    assert days_of(lake, request)[LINGOKIDS_EVENTS.key] == [DAYS[2]]
    erased = persons_of(lake, [request])
    assert erased
    forget_on_days(warehouse.warehouse_path, "lingokids", erased, DAYS[:2])
    warehouse.build(DAYS[2], DAYS[3], LEARNING)
    delete_erased_rows(warehouse.warehouse_path, "lingokids", erased)

    # The clean build still has the days.
    for day in DAYS[:2]:
        path = Path(lake.location(lake.day_key(LINGOKIDS_EVENTS, day)))
        (tmp_path / f"{day}.parquet").replace(path)
    (tmp_path / "erasures" / "erasure-0000001.parquet").unlink()
    erase(_lake(tmp_path), "lingokids", PersonalKind.USER, ["anna"], load_time(51))
    clean = WarehouseBuilder(tmp_path / "clean", manifest, lake_folder=Path(lake.uri))
    clean.build(DAYS[0], DAYS[-1] + timedelta(days=1), LEARNING)
    assert _tables(warehouse) == _tables(clean)


def test_two_erasures_at_once_wait_for_each_other(tmp_path: Path) -> None:
    _before(tmp_path)
    assert all_at_once(partial(_erase, tmp_path, "anna"), partial(_erase, tmp_path, "ben")) == [0, 0]
    state = _state(tmp_path)
    assert state["tombstones"] == [(1, APPLIED), (2, APPLIED)]
    assert (state["events"], state["users"], state["rejected"]) == ([], [], [])


def _before(folder: Path) -> None:
    lake = _lake(folder)
    rows = [event(f"{user}-{day}", day, user_id=user) for user in ("anna", "ben") for day in DAYS[:2]]
    texts = {name: json.dumps({"user_id": name}) for name in ("anna", "ben")}
    rejects = [Reject(LINGOKIDS_EVENTS, DAYS[0], f"{name}.jsonl", 1, raw_text=text) for name, text in texts.items()]
    publish(lake, events(*rows, rejects=rejects), window(DAYS[0], DAYS[1]), 1, name="lingokids_events")
    users = Found({LINGOKIDS_USERS: [{"user_id": name, "source_path": "u.jsonl"} for name in ("anna", "ben")]})
    publish(lake, users, None, 1, name="lingokids_users")


def _erase(folder: Path, person: str = "anna") -> None:
    erase(_lake(folder), "lingokids", PersonalKind.USER, [person], load_time(9))


def _state(folder: Path) -> dict[str, Any]:
    lake = _lake(folder)
    return {
        "events": published(lake, LINGOKIDS_EVENTS, "event_id"),
        "users": published(lake, LINGOKIDS_USERS, "user_id"),
        "rejected": quarantined(lake, "record"),
        "records": records(lake, "dataset", "partition_date", "status", "erased"),
        "tombstones": parquet_rows(folder / "lake", "records/erasures/*/erasure-*.parquet", "request", "state"),
    }


def test_an_erasure_that_is_killed_before_any_of_its_steps_goes_on_where_it_was(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    _before(before)
    shutil.copytree(before, after)
    _erase(after)
    expected = _state(after)
    assert expected["tombstones"] == [(1, APPLIED)]
    assert [row[1] for row in expected["events"]] == ["ben-2023-12-28", "ben-2023-12-29"]
    assert [json.loads(row[1])["fields"] for row in expected["rejected"]] == [{"user_id": "ben"}]

    kills = 0
    for step in count(14, 9):
        folder = tmp_path / f"killed before step {step}"
        shutil.copytree(before, folder)
        was_killed = killed_before_step(step, _erase, folder)
        if not was_killed:
            break
        kills += 1
        lake = _lake(folder)
        if any(folder.glob("erasures/erasure-*.parquet")):
            # Whoever comes next finishes it.
            apply_missing(lake)
            assert _state(folder) == expected, f"after a kill before step {step}"
        else:
            assert _state(folder) == _state(before), f"after a kill before step {step}"
        assert not [path for path in files_below(Path(lake.uri)) if path.startswith(".") and "erasures" not in path]
        shutil.rmtree(folder)
    assert kills >= 10
