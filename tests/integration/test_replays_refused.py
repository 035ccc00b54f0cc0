"""What a replay does not do: days that are not loaded, held or removed, another key, rows that a check halts."""

from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.extract.lines import json_records
from engagement_assets.extract.lingokids import LINGOKIDS
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from engagement_assets.lake.retention import prune_raw_days
from tests.integration.raw_loads import DAY_1, DAY_2, RawLoads, land_mobile_events, let_events_be_unnamed
from tests.unit.extract.lingokids_loads import event, write_events
from tests.unit.extract.mobile_loads import HEADER, row, write_file

pytestmark = pytest.mark.integration


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    return [str(item.step_failure_data.user_failure_data) for item in result.all_events if item.is_step_failure]


def test_what_a_check_halts_stays_in_quarantine_and_the_lake_as_it_was(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_mobile_events(landing)
    loads = RawLoads(tmp_path, landing, MOBILE, check_severities="mobile.rejected_share=halt")
    first = RawLoads(tmp_path, landing, MOBILE)
    assert first.run().success
    before = loads.content()
    let_events_be_unnamed(monkeypatch)
    result = loads.run(replay=True)
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.check_name, check.severity) for check in failed] == [("rejected_share", dg.AssetCheckSeverity.ERROR)]
    assert loads.content() == before


def test_days_that_were_never_loaded_or_are_held_are_refused(tmp_path: Path, landing: Path) -> None:
    write_file(landing, "2024-01-01.csv", HEADER, row("u1", "2024-01-01 10:00:00"), "too;few")
    loads = RawLoads(tmp_path, landing, MOBILE)
    assert loads.run(DAY_1, DAY_1).success
    (failure,) = _failures(loads.run(DAY_1, DAY_2, replay=True))
    assert "2024-01-02 of mobile_events was never loaded, expected days that were" in failure
    holding = RawLoads(tmp_path, landing, MOBILE, check_severities="rejected_share=halt")
    assert not holding.run(DAY_1, DAY_1).success
    (failure,) = _failures(loads.run(DAY_1, DAY_1, replay=True))
    assert (
        "2024-01-01 of mobile_events is held, and its quarantine with it: release it or load it again first" in failure
    )


def test_a_day_that_retention_has_removed_is_refused(tmp_path: Path, landing: Path) -> None:
    write_file(landing, "2024-01-01.csv", HEADER, row("u1", "2024-01-01 10:00:00"), "too;few")
    loads = RawLoads(tmp_path, landing, MOBILE)
    assert loads.run(DAY_1, DAY_1).success
    prune_raw_days(loads.lake, MOBILE_EVENTS, DAY_2, lambda: lambda _: True, dry_run=False)
    before = loads.content()
    (failure,) = _failures(loads.run(DAY_1, DAY_1, replay=True))
    assert "2024-01-01 of mobile_events was removed by RAW_RETENTION_DAYS" in failure
    assert loads.content() == before


def test_a_replay_under_another_key_is_refused(tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = event("e1", "2024-01-01 10:00:00", data={"activity_id": "a", "duration": 100})
    write_events(landing, "2024-01-01.jsonl", long, event("e2", "2024-01-01 11:00:00"))
    monkeypatch.setattr(json_records, "MAX_SECONDS", 60)
    assert RawLoads(tmp_path, landing, LINGOKIDS).run(DAY_1, DAY_1).success
    monkeypatch.undo()
    keyed = RawLoads(tmp_path, landing, LINGOKIDS, pseudonym_key="k" * 32)
    before = keyed.content()
    assert not keyed.run(DAY_1, DAY_1, replay=True).success
    assert keyed.content() == before
