"""What a reader hands over without erased persons equals what it hands over if their records had never arrived."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow, Extraction
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.landing.event_files import WantedDays
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.landing.index import FileIndex
from engagement_assets.extract.lingokids import EVENT_FILES
from engagement_assets.extract.mobile import EVENT_FILES as MOBILE_FILES
from engagement_assets.extract.reading import Reading
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.privacy.erasure import without_erased
from engagement_assets.privacy.tombstones import ErasedPersons, person_hash, tokens
from engagement_assets.sources import RAW_DATASETS
from tests.unit.extract import lingokids_loads

KEY = "e" * 32
DATASETS = {dataset.key: dataset for dataset in RAW_DATASETS}
DAY = date(2024, 1, 5)
EXAMPLES = int(os.environ.get("ERASURE_EXAMPLES", "3"))
NOW = datetime(2024, 1, 7, 3, tzinfo=UTC)
ACTIVITY = json.loads((Path(__file__).parents[2] / "fixtures/runna/activity.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Copy:
    """One record: what it is, whose it is, in which of three files, and what tells it from other copies."""

    number: int
    identity: int
    user: str
    file: int
    text: int
    is_bad: bool


# What each copy is, whose, in which file, with which text, and whether it cannot be used.
DRAWN = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["anna", "ben"]), st.integers(0, 2), st.integers(0, 3), st.booleans()),
    max_size=10,
)


def _erased(source: str, person: str = "anna") -> ErasedPersons:
    place = source, PersonalKind.USER
    return ErasedPersons(KEY, {place: frozenset({person_hash(KEY, source, PersonalKind.USER, person)})}, {})


def _lingokids(connection: duckdb.DuckDBPyConnection, folder: Path, copies: Sequence[Copy]) -> Extraction:
    lines: dict[int, list[str]] = {}
    for copy in copies:
        event = lingokids_loads.event(f"e{copy.identity}", f"{DAY} 10:00:00", user_id=copy.user, name=str(copy.text))
        lines.setdefault(copy.file, []).append(json.dumps(event)[: -1 if copy.is_bad else None])
    for file, texts in lines.items():
        lingokids_loads.write_events(folder / "landing", f"{file}.jsonl", *texts)
    return EVENT_FILES.extract(_reading(connection, folder), _days())


def _mobile(connection: duckdb.DuckDBPyConnection, folder: Path, copies: Sequence[Copy]) -> Extraction:
    header = "anonymous_id;business_zoned;context_app_version;context_device_id;context_os_name;event_name;"
    lines = {file: [f"{header}received_at;created_at"] for file in {copy.file for copy in copies}}
    for copy in copies:
        time = "never" if copy.is_bad else f"{DAY} 10:00:0{copy.text}"
        lines[copy.file].append(f"{copy.user.upper()};z;1;d{copy.identity};iOS;Opened;{time};{time}")
    for file, texts in lines.items():
        path = folder / f"landing/mobile_events/{DAY}-{file}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return MOBILE_FILES.extract(_reading(connection, folder), _days())


def _runna(connection: duckdb.DuckDBPyConnection, folder: Path, copies: Sequence[Copy]) -> Extraction:
    # A path is one document, so each copy has a file of its own.
    for copy in copies:
        laps = [*ACTIVITY["laps"][: copy.text], *([5] if copy.is_bad else [])]
        document = {**ACTIVITY, "activityId": f"a{copy.identity}", "userId": copy.user, "laps": laps}
        path = folder / f"landing/runna/activities/{DAY}/{copy.file}-{copy.number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
    return runna.extract(
        runna.BatchReading(
            connection=connection,
            landing=Landing(str(folder / "landing")),
            window=DayWindow(DAY, date(2024, 1, 6)),
            workdir=folder / "work",
            calendar=ALL_DAYS,
            extracted_at=NOW,
            progress=lambda _: None,
            processes=1,
        )
    )


def _reading(connection: duckdb.DuckDBPyConnection, folder: Path) -> Reading:
    return Reading(
        connection=connection,
        landing=Landing(str(folder / "landing")),
        workdir=folder / "work",
        extracted_at=NOW,
        progress=lambda _: None,
    )


def _days() -> WantedDays:
    window = DayWindow(DAY, date(2024, 1, 6))
    return WantedDays(window=window, calendar=ALL_DAYS, index=FileIndex(), known_undated_days={})


Read = Callable[[duckdb.DuckDBPyConnection, Path, Sequence[Copy]], Extraction]


class Handed:
    """What an extraction hands over, and its counts."""

    def __init__(self, folder: Path, read: Read, copies: Sequence[Copy], erased: ErasedPersons | None) -> None:
        (folder / "landing").mkdir(parents=True)
        (folder / "work").mkdir()
        with duckdb.connect() as connection:
            found = read(connection, folder, copies)
            if erased:
                found = without_erased(connection, found, DATASETS, erased)

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(f"from ({query}) order by all").fetchall()

            self.accepted = {key: rows(query) for key, query in found.accepted.items()}
            self.rejected: list[tuple[Any, ...]] = rows(
                f"select dataset, day, raw_text, reason_code from ({found.rejected})"
            )
            counts = f"select null::bigint as erased where false union all by name select * from ({found.counts})"
            names = "dataset, records_read, quarantined, duplicates, coalesce(erased, 0)"
            self.counts: dict[str, tuple[int, ...]] = {
                row[0]: row[1:] for row in rows(f"select {names} from ({counts})")
            }


@pytest.fixture(scope="module")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("drawn")


@pytest.mark.parametrize(("source", "read"), [("lingokids", _lingokids), ("mobile", _mobile), ("runna", _runna)])
@settings(max_examples=EXAMPLES, deadline=None)
@given(drawn=DRAWN)
@example(drawn=[(0, "anna", 0, 3, False), (0, "ben", 1, 1, False), (0, "ben", 2, 2, True), (1, "anna", 0, 0, True)])
def test_nothing_shows_that_an_erased_person_was_ever_there(
    new_folder: Callable[[], Path], source: str, read: Read, drawn: list[tuple[int, str, int, int, bool]]
) -> None:
    folder = new_folder()
    copies = [Copy(number, *values) for number, values in enumerate(drawn)]
    filtered = Handed(folder / "all", read, copies, _erased(source))
    clean = Handed(folder / "clean", read, [copy for copy in copies if copy.user != "anna"], None)

    assert filtered.accepted == clean.accepted
    assert filtered.rejected == clean.rejected
    for key, (read_, quarantined, duplicates, erased) in filtered.counts.items():
        assert read_ == len(filtered.accepted[key]) + quarantined + duplicates + erased - _dropped(filtered, key)
        # Copies of a mobile event are all of one person, and of an erased one they stay duplicates.
        assert source == "mobile" or duplicates == clean.counts[key][2]


def _dropped(filtered: Handed, key: str) -> int:
    """The rejected records that are erased: an extraction counts them as quarantined, a load as it writes them."""
    return int(filtered.counts[key][1]) - [dataset for dataset, *_ in filtered.rejected].count(key)


@pytest.mark.parametrize(
    "text",
    ['{"user_id": "a-1"', "a-1;z;x", "x=a-1&y", "/users/a-1/plays", '{"ids":["b","a-1"]}', "User:a-1", "a-1"],
)
def test_an_id_is_found_in_a_text(text: str) -> None:
    assert "a-1" in tokens(text)


@pytest.mark.parametrize(
    ("person", "text"),
    [
        ("ab/cd+1==", r'{"user_id":"ab\/cd+1==","occurred_at":"x"}'),
        ("ab/cd+1==", r'{"user_id":"ab\/cd+1==","x":'),
        ("josé", r'{"user_id":"jos\u00e9"}'),
        ("a<b", r'{"user_id":"a\u003cb"}'),
        ("ab/cd+1==", r'{"data":"{\"user_id\":\"ab\\\/cd+1==\"}"}'),
        ("ab/cd", '{"note":"a\ttab","user_id":"ab\\/cd"}'),
        ("ab/cd", r'{"note":"\x","half":"\ud83d","user_id":"ab\/cd"}'),
    ],
)
def test_an_erased_person_is_found_in_a_text_that_escapes_the_id(person: str, text: str) -> None:
    assert _erased("lingokids", person).are_in("lingokids", text)
    assert not _erased("lingokids", f"{person}2").are_in("lingokids", text)


@pytest.mark.parametrize("text", ['{"user_id": "a-12"}', "ba-1", "a-1b"])
def test_a_part_of_an_id_is_not_an_id(text: str) -> None:
    assert "a-1" not in tokens(text)
