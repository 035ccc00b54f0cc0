"""Quarantined records are read again after a fix: the result is what a clean load gives."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engagement_assets.commands.range_run import RangeRequest, run_range
from engagement_assets.extract.instants import bound_sql, instant_sql
from engagement_assets.extract.lines import json_records
from engagement_assets.extract.lingokids import LINGOKIDS, LINGOKIDS_EVENTS, LINGOKIDS_USERS
from engagement_assets.extract.mobile import MOBILE, MOBILE_EVENTS
from engagement_assets.extract.runna import parts as runna_parts
from engagement_assets.extract.runna import rows as runna_rows
from engagement_assets.extract.runna.activity_files import read_activity
from engagement_assets.extract.runna.documents import UnusableRecordError
from engagement_assets.extract.runna.source import RUNNA
from engagement_assets.extract.services.records import BadValueError, text
from engagement_assets.extract.strava import extraction as strava
from engagement_assets.extract.strava.source import ACTIVITY
from engagement_assets.lake.commit import finish_commits
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.replay import Choice
from engagement_assets.per_source import PerSource
from engagement_assets.sandbox.sample_data import write_sample_landing
from engagement_assets.sources import RAW_DATASETS
from tests.integration.deployment import Deployment, differences
from tests.integration.raw_loads import DAY_1, DAY_2, DAY_3, RawLoads, land_mobile_events, let_events_be_unnamed
from tests.integration.services import FIRST_DAY, services
from tests.lake_loads import parquet_rows, quarantined, records, window
from tests.unit.extract.lingokids_loads import event, write_events
from tests.unit.extract.mobile_loads import HEADER, row, write_file

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures"
PLACES = ("dataset", "source_path", "position", "reason_code")


def test_after_a_fix_the_tables_are_those_of_a_clean_load(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample_landing(landing, start=DAY_1, days=3, runna_activities_per_day=1, lingokids_events_per_day=40)
    mended = Deployment(tmp_path / "mended", landing=landing)
    mended.settings = mended.settings.model_copy(update={"rejected_share_halt": PerSource(1.0)})
    monkeypatch.setattr(json_records, "MAX_SECONDS", 60)
    assert mended.run(DAY_1, DAY_3, "+group:learning").failures == ()
    ((strict,),) = mended.query("select count(*) from audit.rejected_records")
    monkeypatch.undo()

    replayed = run_range(mended.settings, RangeRequest(window(DAY_1, DAY_3), "+group:learning", replay=Choice()))

    assert replayed.failures == ()
    clean = Deployment(tmp_path / "clean", landing=landing)
    assert clean.run(DAY_1, DAY_3, "+group:learning").failures == ()
    assert differences(mended.tables(), clean.tables()) == {}
    columns = "source, dataset, partition_date, source_path, position, raw_text, reason_code, message"
    still_bad = f"select {columns} from audit.rejected_records order by all"
    assert mended.query(still_bad) == clean.query(still_bad)
    ((left,),) = mended.query("select count(*) from audit.replayed_records")
    assert left == strict - len(mended.query(still_bad)) > 0
    assert mended.query(
        "select distinct records_read = accepted + quarantined + duplicates from audit.ingestion_loads "
        "where status = 'replayed'"
    ) == [(True,)]


@pytest.mark.parametrize("files_are_gone", [True, False], ids=["from their kept texts", "from their files"])
def test_rows_come_back_under_their_own_headers_and_the_rest_stays(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch, files_are_gone: bool
) -> None:
    land_mobile_events(landing)
    loads = RawLoads(tmp_path / "mended", landing, MOBILE, quarantine_raw_text=files_are_gone)
    assert loads.run().success
    first_times = quarantined(loads.lake, "source_path", "position", "first_quarantined_at")
    if files_are_gone:
        shutil.rmtree(landing / "mobile_events")
    let_events_be_unnamed(monkeypatch)

    assert loads.run(replay=True, replay_reason_code="missing_event_name").success

    land_mobile_events(landing)
    clean = RawLoads(tmp_path / "clean", landing, MOBILE)
    assert clean.run().success
    assert loads.rows(MOBILE_EVENTS) == clean.rows(MOBILE_EVENTS)
    assert len(loads.rows(MOBILE_EVENTS)[MOBILE_EVENTS.key]) == 4
    places = ("source_path", "position", "record", "record_hash", "header", "reason_code", "message")
    assert quarantined(loads.lake, *places) == quarantined(clean.lake, *places)
    since = quarantined(loads.lake, "source_path", "position", "first_quarantined_at")
    assert len(since) == 2
    assert set(since) < set(first_times)
    assert loads.trace("partition_date", "source_path", "position", "became", "accepted_on") == [
        # Of two that are one event the later line stays, as always.
        (DAY_1, "mobile_events/2024-01-01.csv", 3, "duplicate", None),
        (DAY_1, "mobile_events/2024-01-01.csv", 4, "accepted", DAY_1),
        (DAY_2, "mobile_events/2024-01-01.csv", 7, "accepted", DAY_2),
        (DAY_3, "mobile_events/2024-01-03.csv", 2, "accepted", DAY_3),
    ]
    counts = ("partition_date", "records_read", "accepted", "quarantined", "duplicates")
    replays = [item[1:] for item in records(loads.lake, "status", *counts) if item[0] == "replayed"]
    assert replays == [(DAY_1, 3, 1, 1, 1), (DAY_2, 1, 1, 0, 0), (DAY_3, 2, 1, 1, 0)]


def test_a_second_replay_changes_no_byte(tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land_mobile_events(landing)
    loads = RawLoads(tmp_path, landing, MOBILE)
    assert loads.run().success
    let_events_be_unnamed(monkeypatch)
    assert loads.run(replay=True).success
    before = loads.content()
    again = loads.run(replay=True)
    assert again.success
    assert {check.passed for check in again.get_asset_check_evaluations()} == {True}
    assert loads.content() == before


def test_a_replay_that_is_killed_is_nothing_or_whole(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_mobile_events(landing)
    loads = RawLoads(tmp_path, landing, MOBILE)
    assert loads.run().success
    let_events_be_unnamed(monkeypatch)
    before = loads.content()

    def before_the_journal(*_: object) -> None:
        raise OSError("killed")

    def after_the_journal(lake: Lake, name: str) -> None:
        if Path(lake.location(f".journal/{name}.json")).exists():
            raise OSError("killed")

    for step, killed, is_visible in (
        ("engagement_assets.lake.load.commit", before_the_journal, False),
        ("engagement_assets.lake.commit._finish_commit", after_the_journal, True),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step, killed)
            assert not loads.run(replay=True).success
        assert loads.content() == before
        finish_commits(loads.lake)
        assert (loads.content() != before) is is_visible
    assert len(loads.rows(MOBILE_EVENTS)[MOBILE_EVENTS.key]) == 4
    assert len(loads.trace("position")) == 4
    assert len(quarantined(loads.lake, "position")) == 2


def _let_days_be_written_as_here(patch: pytest.MonkeyPatch) -> None:
    for known in (instant_sql, bound_sql):
        patch.setattr(json_records, known.__name__, partial(_or_as_here, known))


def _or_as_here(known: Callable[[str], str], text: str) -> str:
    return f"coalesce({known(text)}, try_strptime({text}, '%d.%m.%Y %H:%M'))"


def test_a_record_of_another_day_waits_until_that_day_is_in_the_range(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(
        landing, "2024-01-01.jsonl", event("e1", "2024-01-01 10:00:00"), event("e2", occurred_at="02.01.2024 11:00")
    )
    loads = RawLoads(tmp_path, landing, LINGOKIDS)
    assert loads.run().success
    _let_days_be_written_as_here(monkeypatch)
    before = loads.content()
    assert loads.run(DAY_1, DAY_1, replay=True).success
    assert loads.content() == before
    assert loads.run(DAY_1, DAY_2, replay=True).success
    assert [found[0] for found in loads.rows(LINGOKIDS_EVENTS)[LINGOKIDS_EVENTS.key]] == [DAY_1, DAY_2]
    assert quarantined(loads.lake, "position") == []
    assert loads.trace("partition_date", "position", "accepted_on") == [(DAY_1, 2, DAY_2)]


def test_pseudonyms_that_an_older_version_kept_in_texts_stay(tmp_path: Path, landing: Path) -> None:
    write_events(landing, "2024-01-01.jsonl", event("e1", "2024-01-01 10:00:00"), "{")
    loads = RawLoads(tmp_path, landing, LINGOKIDS, pseudonym_key="k" * 32, land_unneeded_ids="child")
    assert loads.run(DAY_1, DAY_1).success
    (path,) = Path(loads.lake.uri).glob(f"records/rejected/day={DAY_1}/*.parquet")
    text = json.dumps(event("e2", "2024-01-01 11:00:00", child_id="a pseudonym"))
    duckdb.execute(
        f"copy (select * replace ($text as raw_text, null as record, null as record_hash, true as has_pseudonyms) "
        f"from read_parquet('{path}', hive_partitioning = false)) to '{path}' (format parquet)",
        {"text": text},
    )
    assert loads.run(DAY_1, DAY_1, replay=True).success
    assert [found[5] for found in loads.rows(LINGOKIDS_EVENTS)[LINGOKIDS_EVENTS.key]][1] == "a pseudonym"


@pytest.mark.parametrize("change", ["gone", "other line"])
def test_a_record_whose_file_does_not_hold_it_says_that_it_cannot_be_rebuilt(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    write_file(landing, "2024-01-01.csv", HEADER, row("u1", "2024-01-01 10:00:00", event_name=""))
    loads = RawLoads(tmp_path, landing, MOBILE)
    assert loads.run(DAY_1, DAY_1).success
    let_events_be_unnamed(monkeypatch)
    file = landing / "mobile_events" / "2024-01-01.csv"
    if change == "other line":
        file.write_text(f"{HEADER}\n\n{row('u2', '2024-01-01 10:00:00', event_name='')}\n", encoding="utf-8")
    else:
        file.unlink()
    for _ in range(2):
        replayed = loads.run(DAY_1, DAY_1, replay=True)
        assert replayed.success
        (found,) = replayed.asset_materializations_for_node("raw_mobile_events")
        assert found.metadata["cannot_be_rebuilt"].value == 1
        assert loads.trace("became", "source_path", "position") == [
            ("cannot_be_rebuilt", "mobile_events/2024-01-01.csv", 2)
        ]
    assert quarantined(loads.lake, "position") == [(DAY_1, 2)]


def test_an_old_snapshot_does_not_replace_a_newer_one(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = landing / "lingokids" / "users"
    users.mkdir(parents=True)
    lines = {
        "2024-01-01.jsonl": [("u1", "ES", "01.01.2024 10:00"), ("u2", "GB", "01.01.2024 10:00")],
        "2024-01-02.jsonl": [("u1", "PT", "2024-01-01 10:00:00")],
    }
    for name, found in lines.items():
        texts = [
            json.dumps({"user_id": user, "country_code": country, "registration_at": at}) for user, country, at in found
        ]
        (users / name).write_text("\n".join([*texts, ""]), encoding="utf-8")
    loads = RawLoads(tmp_path, landing, LINGOKIDS)
    assert loads.run(DAY_1, DAY_1).success
    _let_days_be_written_as_here(monkeypatch)
    assert loads.run(DAY_1, DAY_1, replay=True, replay_dataset="users").success
    rows = parquet_rows(Path(loads.lake.uri), f"{LINGOKIDS_USERS.key}/*/data.parquet", "user_id", "country_code")
    assert rows == [("u1", "PT"), ("u2", "GB")]
    assert loads.trace("position", "became", "accepted_on") == [(1, "duplicate", None), (2, "accepted", None)]


def test_a_document_is_read_from_its_file_or_from_its_text_and_a_part_needs_the_file(
    tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample_landing(landing, start=DAY_1, days=1, runna_activities_per_day=6, lingokids_events_per_day=1)
    batch = landing / "runna" / "activities" / str(DAY_1)
    whole = json.loads((FIXTURES / "runna" / "activity.json").read_text(encoding="utf-8"))
    (batch / "whole.json").write_text(json.dumps(whole | {"activityId": "whole"}), encoding="utf-8")

    def refuse(data: bytes, file: int) -> Any:
        if b'"whole"' in data:
            raise UnusableRecordError("not_json", "expected another writer")
        return read_activity(data, file)

    monkeypatch.setattr(runna_rows, "MAX_STEPS", 4)
    monkeypatch.setattr(runna_parts, "read_activity", refuse)
    loads = RawLoads(tmp_path / "mended", landing, RUNNA, quarantine_raw_text=True)
    assert loads.run(DAY_1, DAY_1).success
    monkeypatch.undo()
    parts = {
        path
        for dataset, path, *_ in [found[1:] for found in quarantined(loads.lake, *PLACES)]
        if dataset == "workout_steps"
    }
    kept, gone = sorted(parts)[:2]
    kept_file, gone_file = ((landing / path).read_bytes() for path in (kept, gone))
    clean = RawLoads(tmp_path / "clean", landing, RUNNA)
    assert clean.run(DAY_1, DAY_1).success
    shutil.rmtree(batch)
    batch.mkdir()
    (landing / kept).write_bytes(kept_file)
    assert gone_file

    assert loads.run(DAY_1, DAY_1, replay=True).success

    found, expected = (item.rows(*RUNNA.datasets) for item in (loads, clean))
    for key, rows in expected.items():
        assert [item for item in found[key] if kept in item or "runna/activities/2024-01-01/whole.json" in item] == [
            item for item in rows if kept in item or "runna/activities/2024-01-01/whole.json" in item
        ]
    left = {path for path, became in loads.trace("source_path", "became") if became == "accepted"}
    assert left == {kept, "runna/activities/2024-01-01/whole.json"}
    assert (gone, "cannot_be_rebuilt") in loads.trace("source_path", "became")
    assert gone in {path for _, path in quarantined(loads.lake, "source_path")}


def test_records_of_services_come_back_without_asking_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fussy(value: object) -> str:
        if "Run" in str(value):
            raise BadValueError("too_usual", "another name", value)
        return text(value)

    fields = tuple(replace(item, convert=fussy) if item.path == "name" else item for item in ACTIVITY.fields)
    last = date(2024, 1, 5)
    rows = "raw_strava/activities", "raw_strava/activity_kudos", "raw_user_events/events"
    with services(tmp_path / "mended") as mended, services(tmp_path / "clean") as clean:
        assert clean.load(FIRST_DAY, last).success
        monkeypatch.setattr(strava, "ACTIVITY", replace(ACTIVITY, fields=fields))
        lenient = PerSource(1.0)
        options: dict[str, Any] = {"user_events_device_id_max_length": 35, "rejected_share_halt": lenient}
        assert mended.load(FIRST_DAY, last, quarantine_raw_text=True, **options).success
        monkeypatch.undo()
        asked = len(mended.apis.strava.requests), len(mended.apis.user_events.requests)
        assert mended.load(FIRST_DAY, last, config={"replay": True}).success
        assert (len(mended.apis.strava.requests), len(mended.apis.user_events.requests)) == asked
        for dataset in RAW_DATASETS:
            if dataset.key in rows:
                columns = ", ".join(name for name in dataset.columns if name != "extracted_at")
                assert mended.lake_rows(dataset.key, columns) == clean.lake_rows(dataset.key, columns)
        trace = dict(mended.lake_rows("records/replayed", "source, count(*)", "became = 'accepted' group by all"))
        assert min(trace["strava"], trace["user_events"]) > 0
