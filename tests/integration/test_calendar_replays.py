"""Records that lie before START_DATE: quarantined, then read by a replay once an earlier one says so."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from engagement_assets.contracts.datasets import Dataset
from engagement_assets.contracts.source import Source
from engagement_assets.extract.lingokids import LINGOKIDS, LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from tests.integration.raw_loads import RawLoads
from tests.lake_loads import quarantined
from tests.unit.extract.lingokids_loads import event, write_events
from tests.unit.extract.mobile_loads import HEADER, row, write_file

pytestmark = pytest.mark.integration

NEW_YEARS_EVE, DAY_1, DAY_3 = date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 3)
EARLY, LATER = "2023-12-31 23:59:00", "2024-01-02 10:00:00"


def _csv(root: Path) -> Path:
    return write_file(root, "new_year.csv", HEADER, row("u1", EARLY), row("u2", LATER))


def _jsonl(root: Path) -> Path:
    write_events(root, "new_year.jsonl", event("e1", EARLY), event("e2", LATER))
    return root / "lingokids/events/new_year.jsonl"


@pytest.mark.parametrize(
    ("source", "write", "dataset"),
    [(MOBILE, _csv, MOBILE_EVENTS), (LINGOKIDS, _jsonl, LINGOKIDS_EVENTS)],
    ids=["csv", "jsonl"],
)
@pytest.mark.parametrize("file_has_gone", [True, False])
def test_what_was_outside_comes_in_by_a_replay_under_an_earlier_start_date(
    tmp_path: Path,
    source: Source,
    write: Callable[[Path], Path],
    dataset: Dataset,
    file_has_gone: bool,
) -> None:
    landing = tmp_path / "landing"
    file = write(landing)
    loads = RawLoads(tmp_path, landing, source, quarantine_raw_text=file_has_gone)
    assert loads.run().success
    assert quarantined(loads.lake, "dataset", "reason_code") == [(date(2024, 1, 2), "events", "outside_calendar")]

    if file_has_gone:
        file.unlink()
    earlier = RawLoads(tmp_path, landing, source, start_date=NEW_YEARS_EVE)
    assert earlier.run(NEW_YEARS_EVE, NEW_YEARS_EVE).success
    assert earlier.run(NEW_YEARS_EVE, DAY_3, replay=True).success

    assert quarantined(loads.lake, "reason_code") == []
    assert loads.trace("became", "accepted_on") == [("accepted", NEW_YEARS_EVE)]
    clean = RawLoads(tmp_path / "clean", landing, source, start_date=NEW_YEARS_EVE)
    write(landing)
    assert clean.run(NEW_YEARS_EVE, DAY_3).success
    assert earlier.rows(dataset) == clean.rows(dataset)
    assert len(clean.rows(dataset)[dataset.key]) == 2
