"""What the lake removes when it is old: each rule removes what it should and keeps the rest."""

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.lake.commit import exclusive
from engagement_assets.lake.day_files import sql_text
from engagement_assets.lake.lake import Lake
from engagement_assets.lake.rekey import rekey
from engagement_assets.lake.retention import PrunedDayError, prune_abandoned, prune_quarantine, prune_raw_days
from engagement_assets.privacy.policy import PrivacyPolicy
from engagement_assets.sources import RAW_DATASETS
from tests.lake_loads import (
    DAY_1,
    DAY_2,
    DAY_3,
    FIRST_LOAD,
    Reject,
    event,
    events,
    parquet_rows,
    publish,
    published,
    quarantined,
    window,
)

NAME = LINGOKIDS_EVENTS.load_name
THREE_DAYS = events(event("a", DAY_1), event("b", DAY_2), event("c", DAY_3))


def _files(lake: Lake) -> dict[str, bytes]:
    root = Path(lake.uri)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("r*/**/*") if path.is_file()}


def _is_built(day: date) -> bool:
    return day != DAY_2


def test_old_days_go_once_the_tables_have_them_and_leave_a_mark(lake: Lake) -> None:
    publish(lake, THREE_DAYS, window(DAY_1, DAY_3), 1, name=NAME)
    before = _files(lake)
    summary = prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_3, lambda: _is_built, dry_run=True)
    assert _files(lake) == before
    assert prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_3, lambda: _is_built, dry_run=False) == summary
    key = f"raw_lingokids/events/day={DAY_1}"
    assert (summary.what, summary.count, summary.bytes, summary.names) == (
        f"days of {LINGOKIDS_EVENTS.key}",
        1,
        len(before[f"{key}/data.parquet"]),
        (f"{key}/data.parquet",),
    )
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_2, "b"), (DAY_3, "c")]
    assert f"{key}/pruned.parquet" in _files(lake)
    assert prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_3, lambda: _is_built, dry_run=False).count == 0


def test_a_held_day_stays(lake: Lake) -> None:
    publish(lake, THREE_DAYS, window(DAY_1, DAY_3), 1, name=NAME)
    publish(lake, events(event("d", DAY_1)), window(DAY_1), 2, name=NAME, held={DAY_1: ["reconciles"]})
    assert prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_3, lambda: lambda _: True, dry_run=False).count == 1
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_3, "c")]


def test_a_day_that_a_load_has_published_meanwhile_stays(lake: Lake) -> None:
    publish(lake, THREE_DAYS, window(DAY_1, DAY_3), 1, name=NAME)
    known: list[date] = []

    def built_days() -> Callable[[date], bool]:
        if not known:
            publish(lake, events(event("late", DAY_1)), window(DAY_1), 2, name=NAME)
        known.append(DAY_1)
        return lambda day: len(known) == 1 or day != DAY_1

    assert prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_3, built_days, dry_run=False).names == (
        f"raw_lingokids/events/day={DAY_2}/data.parquet",
    )
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "a"), (DAY_1, "late"), (DAY_3, "c")]


def test_a_day_that_was_removed_is_not_replaced_by_less_until_its_mark_is_gone(lake: Lake) -> None:
    publish(lake, THREE_DAYS, window(DAY_1, DAY_3), 1, name=NAME)
    prune_raw_days(lake, LINGOKIDS_EVENTS, DAY_2, lambda: _is_built, dry_run=False)
    late = events(event("late", DAY_1))
    with pytest.raises(PrunedDayError, match=r"2024-03-01 .* was removed by RAW_RETENTION.*remove .*pruned.parquet"):
        publish(lake, late, window(DAY_1), 2, name=NAME)
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_2, "b"), (DAY_3, "c")]
    Path(lake.location(lake.pruned_key(LINGOKIDS_EVENTS, DAY_1))).unlink()
    publish(lake, late, window(DAY_1), 3, name=NAME)
    assert published(lake, LINGOKIDS_EVENTS, "event_id")[0] == (DAY_1, "late")


def _quarantine(lake: Lake, number: int, *places: tuple[date, str]) -> None:
    rejects = [Reject(LINGOKIDS_EVENTS, day, path) for day, path in places]
    days = sorted(day for day, _ in places)
    publish(
        lake,
        events(rejects=rejects, files_read=tuple(path for _, path in places)),
        window(days[0], days[-1]),
        number,
        name=NAME,
    )


def test_quarantined_records_go_by_the_time_when_they_were_quarantined_first(lake: Lake) -> None:
    _quarantine(lake, 0, (DAY_1, "events/old"), (DAY_2, "events/old too"))
    _quarantine(lake, 10, (DAY_2, "events/new"))
    moment = FIRST_LOAD + timedelta(seconds=5)
    before = _files(lake)
    summary = prune_quarantine(lake, moment, dry_run=True)
    assert _files(lake) == before
    assert prune_quarantine(lake, moment, dry_run=False) == summary
    assert (summary.what, summary.count) == ("quarantined records", 2)
    assert quarantined(lake, "source_path") == [(DAY_2, "events/new")]
    assert prune_quarantine(lake, moment, dry_run=False).count == 0


def test_records_of_a_version_that_knew_no_first_time_go_by_the_time_of_their_load(lake: Lake) -> None:
    _quarantine(lake, 0, (DAY_1, "events/old"))
    _quarantine(lake, 20, (DAY_2, "events/new"))
    for path in Path(lake.uri).glob("records/rejected/*/raw_lingokids.events.parquet"):
        file = sql_text(str(path))
        kept = f"select * replace (cast(null as timestamp) as first_quarantined_at) from read_parquet({file})"
        duckdb.execute(f"create or replace temp table kept as {kept}")
        duckdb.execute(f"copy (select * exclude (day) from kept) to {file} (format parquet)")
    # Read again, the old one keeps the time that is known of it.
    _quarantine(lake, 10, (DAY_1, "events/old"), (DAY_2, "events/newer"))
    moment = FIRST_LOAD + timedelta(seconds=5)
    summary = prune_quarantine(lake, moment, dry_run=True)
    assert prune_quarantine(lake, moment, dry_run=False) == summary
    assert summary.count == 1
    assert quarantined(lake, "source_path") == [(DAY_2, "events/new"), (DAY_2, "events/newer")]
    assert prune_quarantine(lake, FIRST_LOAD + timedelta(seconds=15), dry_run=False).count == 1
    assert quarantined(lake, "source_path") == [(DAY_2, "events/new")]


def test_a_dry_run_over_the_quarantine_leaves_what_a_killed_load_has_left(lake: Lake) -> None:
    _quarantine(lake, 0, (DAY_1, "events/old"))
    left = Path(lake.uri) / ".aside" / NAME / "part"
    _leave(left, timedelta(days=2))
    assert prune_quarantine(lake, FIRST_LOAD + timedelta(seconds=5), dry_run=True).count == 1
    assert left.read_text(encoding="utf-8") == "left"


def test_a_record_that_is_read_again_keeps_its_first_time(lake: Lake) -> None:
    _quarantine(lake, 0, (DAY_1, "file"))
    _quarantine(lake, 10, (DAY_1, "file"))
    first = FIRST_LOAD.replace(tzinfo=None)
    assert quarantined(lake, "first_quarantined_at", "quarantined_at") == [
        (DAY_1, first, first + timedelta(seconds=10))
    ]


def test_a_key_that_is_set_later_does_not_renew_first_times(lake: Lake) -> None:
    _quarantine(lake, 0, (DAY_1, "file"))
    with_key = Lake(lake.uri, PrivacyPolicy("k" * 32))
    list(rekey(with_key))
    _quarantine(with_key, 10, (DAY_1, "file"))
    assert quarantined(lake, "first_quarantined_at") == [(DAY_1, FIRST_LOAD.replace(tzinfo=None))]


@pytest.mark.parametrize(
    ("source_path", "text", "is_known"),
    [("page", "{", True), ("page", "other", False), ("events/file", "{", True), ("events/file", "a pseudonym", True)],
)
def test_records_of_older_versions_are_known_by_their_texts_or_places(
    lake: Lake, source_path: str, text: str, is_known: bool
) -> None:
    _quarantine(lake, 0, (DAY_1, source_path))
    (path,) = Path(lake.uri).glob(f"records/rejected/day={DAY_1}/*.parquet")
    file = sql_text(str(path))
    duckdb.execute(
        f"copy (select * replace ($text as raw_text, null as record, null as record_hash) "
        f"from read_parquet({file}, hive_partitioning = false)) to {file} (format parquet)",
        {"text": text},
    )
    _quarantine(lake, 10, (DAY_1, source_path))
    first = FIRST_LOAD.replace(tzinfo=None) + timedelta(seconds=0 if is_known else 10)
    assert max(quarantined(lake, "first_quarantined_at", "record is not null"), key=lambda row: row[2])[1] == first


def _leave(path: Path, age: timedelta) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left", encoding="utf-8")
    moment = datetime.now(UTC).timestamp() - age.total_seconds()
    for item in (path, path.parent):
        os.utime(item, (moment, moment))


def test_leftovers_go_when_nobody_can_be_at_work_with_them(lake: Lake, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "published.duckdb"
    old, young = timedelta(days=2), timedelta(hours=1)
    root = Path(lake.uri)
    for name, age in {"killed": old, "to_be_finished": old, "at_work": old, "just_begun": young}.items():
        _leave(root / ".aside" / name / "part", age)
    (root / ".journal").mkdir()
    (root / ".journal" / "to_be_finished.json").write_text("[]", encoding="utf-8")
    _leave(tmp_path / "copies" / ".published.duckdb.draft", old)
    _leave(copy, old)
    before = datetime.now(UTC) - timedelta(days=1)
    with exclusive(lake, "at_work"):
        summary = prune_abandoned(lake, copy, before, dry_run=True)
        assert (summary.what, summary.count, summary.bytes) == ("leftovers of killed runs", 2, 8)
        assert prune_abandoned(lake, copy, before, dry_run=False) == summary
    left = sorted(path.name for path in (root / ".aside").iterdir())
    assert left == ["just_begun", "to_be_finished"]
    assert [path.name for path in copy.parent.iterdir()] == ["published.duckdb"]


def test_pages_that_failed_runs_left_go_also_if_the_lake_is_in_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lake = Lake("s3://bucket/lake")
    pages = lake.pages_folder("user_events")
    _leave(pages / "failed" / "events-2024-03-01.json", timedelta(days=2))
    _leave(pages / "at_work" / "events-2024-03-01.json", timedelta(hours=1))
    _leave(Lake("s3://bucket/other").pages_folder("user_events") / "failed" / "page.json", timedelta(days=2))
    before = datetime.now(UTC) - timedelta(days=1)
    copy = tmp_path / "published.duckdb"
    summary = prune_abandoned(lake, copy, before, dry_run=True)
    assert (summary.count, summary.bytes, summary.names) == (1, 4, (str(pages / "failed"),))
    assert prune_abandoned(lake, copy, before, dry_run=False) == summary
    assert [path.name for path in pages.iterdir()] == ["at_work"]
    assert len(list(tmp_path.rglob("page.json"))) == 1


def test_every_dataset_is_pruned_under_the_name_that_it_is_loaded_as(lake: Lake) -> None:
    assert sorted({dataset.load_name for dataset in RAW_DATASETS}) == [
        *("lingokids_activities", "lingokids_events", "lingokids_users"),
        *("mobile_events", "runna", "strava", "user_events"),
    ]
    assert parquet_rows(Path(lake.uri), "*", "1") == []
