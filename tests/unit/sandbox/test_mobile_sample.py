"""The scooter app's sample: read as counted, and with every border case that sessions have."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.contracts.extraction import DayWindow
from engagement_assets.sandbox.mobile_sample import COLUMNS, ROW_DEFECTS, mobile_files
from engagement_assets.sandbox.sample_draws import SampleParameters
from engagement_assets.sandbox.sample_ledger import LedgerKeeper, SampleLedger
from tests.unit.extract.lingokids_loads import Loaded
from tests.unit.extract.mobile_loads import load_events

KEY = "raw_mobile/events"
START, DAYS = date(2024, 1, 1), 35
GAP_S = 900


def written(root: Path, per_day: int) -> SampleLedger:
    keeper = LedgerKeeper()
    for key, content in mobile_files(SampleParameters(20240101, START, DAYS, 1, 1, per_day), keeper):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return keeper.ledger()


def read(root: Path) -> Loaded:
    return load_events(root, root / "w", DayWindow(START, START + timedelta(days=DAYS)))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleLedger, Loaded]:
    root = tmp_path_factory.mktemp("landing")
    return written(root, 200), read(root)


@pytest.fixture(scope="module")
def events(sample: tuple[SampleLedger, Loaded]) -> list[dict[str, Any]]:
    return sample[1].accepted


def neighbours(events: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any], float]]:
    """Events next to each other of one user and device, and the seconds between them."""

    def owner(event: dict[str, Any]) -> tuple[str, str]:
        return event["anonymous_id"].lower(), event["device_id"].lower()

    ordered = sorted(events, key=lambda event: (*owner(event), event["created_at"]))
    for one, other in pairwise(ordered):
        if owner(one) == owner(other):
            yield one, other, (other["created_at"] - one["created_at"]).total_seconds()


@pytest.mark.parametrize("per_day", [8, 60])
def test_the_files_hold_what_the_ledger_says(per_day: int, tmp_path: Path) -> None:
    ledger, loaded = written(tmp_path, per_day), read(tmp_path)

    for day, (_, _, records, quarantined, duplicates) in loaded.counts.items():
        assert day is not None
        tally = ledger.day(KEY, day)
        assert (tally.records, tally.broken_count, tally.duplicates) == (records, quarantined, duplicates), day
    assert len(ledger.accepted_ids[KEY]) == len(loaded.accepted) == ledger.total(KEY).accepted


def test_every_defect_is_there_and_named_as_the_quarantine_names_it(sample: tuple[SampleLedger, Loaded]) -> None:
    ledger, loaded = sample

    assert set(ledger.total(KEY).broken) == set(ROW_DEFECTS)
    assert Counter(row["reason_code"] for row in loaded.rejected) == ledger.total(KEY).broken
    assert max(day.broken_count / day.records for day in ledger.days) < 0.02


def test_gaps_lie_around_the_border_of_a_session(events: list[dict[str, Any]]) -> None:
    gaps = Counter(seconds for *_, seconds in neighbours(events))

    assert min(gaps[899.0], gaps[900.0], gaps[901.0], gaps[899.999], gaps[0.0]) > 10


def test_sessions_go_on_after_midnight_also_with_ids_in_the_other_case(events: list[dict[str, Any]]) -> None:
    nights = [
        (one["anonymous_id"] == other["anonymous_id"])
        for one, other, seconds in neighbours(events)
        if seconds < GAP_S and one["day"] != other["day"]
    ]

    assert len(nights) > 20
    # The days' exports write ids in capitals in turn.
    assert set(nights) == {False}


def test_users_have_two_devices_and_events_come_late_and_without_a_time_of_receipt(
    events: list[dict[str, Any]],
) -> None:
    devices: dict[str, set[str]] = {}
    for event in events:
        devices.setdefault(event["anonymous_id"].lower(), set()).add(event["device_id"].lower())
    delays = Counter((date.fromisoformat(Path(event["source_path"]).name[:10]) - event["day"]).days for event in events)

    assert set(map(len, devices.values())) == {1, 2}
    assert set(delays) >= {0, 1, 2, 3, 4}
    assert 0 < sum(event["received_at"] is None for event in events) < 0.02 * len(events)


def test_files_are_written_in_every_way(tmp_path: Path) -> None:
    written(tmp_path, 30)
    folder = tmp_path / "mobile_events"
    header = ";".join(COLUMNS).encode()

    first_lines = {path.name: path.read_bytes().partition(b"\n")[0] for path in folder.glob("2024-01-0*.csv")}
    assert first_lines["2024-01-01.csv"] == header
    assert first_lines["2024-01-02.csv"].startswith(b"created_at;event_name")
    assert b"\ncreated_at;event_name" in (folder / "2024-01-03.csv").read_bytes()
    assert (folder / "2024-01-04.csv.gz").exists()
    assert (folder / "early/2024-01-05T12.csv").exists()
    assert first_lines["2024-01-06.csv"].startswith(b'\xef\xbb\xbf"anonymous_id";')
    day_before = set((folder / "2024-01-20.csv").read_bytes().replace(b'"', b"").split(b"\r\n"))
    assert len(day_before & set((folder / "2024-01-21.csv").read_bytes().split(b"\n"))) > 1


def test_one_file_has_a_column_that_no_contract_names(sample: tuple[SampleLedger, Loaded]) -> None:
    fields = {(row[0], row[1]) for row in sample[1].unknown_fields}

    assert (date(2024, 1, 18), "campaign") in fields
    assert {name for _, name in fields} == {"campaign"}
    assert len({event["source_path"] for event in sample[1].accepted if event["_extra"]}) == 1
