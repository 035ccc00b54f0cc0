"""A window of Runna batches: which files count, under which day, and that nothing is lost."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pytest

from engagement_assets.contracts.extraction import ALL_DAYS, DayWindow, UnreadPath
from engagement_assets.extract.landing.files import Landing
from engagement_assets.extract.runna import extraction as runna
from engagement_assets.extract.runna.source import RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS
from tests.real_input import REAL_INPUT_DIR, needs_real_input
from tests.unit.extract.runna.batch_loads import FIXTURES, Loaded, activity, put

DATASETS = (RUNNA_ACTIVITIES, RUNNA_ACTIVITY_LAPS, RUNNA_WORKOUT_STEPS)
FIRST, SECOND = date(2024, 1, 5), date(2024, 1, 6)
BOTH_DAYS = DayWindow(FIRST, date(2024, 1, 7))
# The day on which the activity of the fixtures was run.
RUN_ON = date(2024, 2, 5)
EXTRACTED_AT = datetime(2024, 1, 7, 3, tzinfo=UTC)


Extract = Callable[..., Loaded]


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def extract(landing: Path, tmp_path: Path) -> Iterator[Extract]:
    with duckdb.cursor() as connection:

        def load(window: DayWindow = BOTH_DAYS, uri: str = str(landing), **options: Any) -> Loaded:
            workdir = tmp_path / "it's work"
            workdir.mkdir()
            options = {"calendar": ALL_DAYS, "extracted_at": EXTRACTED_AT, "progress": lambda _: None, **options}
            zone = Landing(uri)
            return Loaded(connection, runna.extract(runna.BatchReading(connection, zone, window, workdir, **options)))

        yield load


def test_a_window_without_files_has_days_with_zeros(extract: Extract) -> None:
    loaded = extract()
    for dataset in DATASETS:
        assert loaded.accepted(dataset, "*") == []
    zeros = {dataset.name: (0, 0, 0, 0, 0) for dataset in DATASETS}
    assert (loaded.counts(FIRST), loaded.counts(SECOND)) == (zeros, zeros)
    assert loaded.rejected() == []
    assert loaded.rows(loaded.extraction.unknown_fields) == []
    assert loaded.extraction.files_read == ()


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_columns_and_types_are_those_of_the_dataset(dataset: Any, extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "a.json")
    loaded = extract()
    described = loaded.rows(f"describe {loaded.extraction.accepted[dataset.key]}")
    assert {name: kind for name, kind, *_ in described} == {**dataset.columns, "day": "DATE"}


def test_values_arrive_with_their_units(extract: Extract, landing: Path) -> None:
    key = put(landing, RUN_ON, "deep/er/a.json", "times_with_fractions.json")
    loaded = extract(DayWindow(RUN_ON, RUN_ON + timedelta(days=1)))
    assert loaded.accepted(RUNNA_ACTIVITIES, "created_on, planned_workout_date, extracted_at, source_path, day") == [
        (
            datetime(2024, 2, 5, 16, 21, 53),
            date(2024, 2, 5),
            datetime(2024, 1, 7, 3),
            key,
            RUN_ON,
        )
    ]
    assert loaded.accepted(
        RUNNA_ACTIVITY_LAPS, "activity_id, lap_index, started_at, moving_time_ms, source_path, day"
    ) == [
        ("activity-1", 0, datetime(2024, 2, 5, 16, 21, 53), 721401, key, RUN_ON),
        ("activity-1", 1, datetime(2024, 2, 5, 16, 33, 54, 401000), 0, key, RUN_ON),
        ("activity-1", 2, datetime(2024, 2, 5, 16, 45, 55, 802000), 2, key, RUN_ON),
        ("activity-1", 3, datetime(2024, 2, 5, 16, 57, 57, 203000), 3, key, RUN_ON),
    ]
    assert loaded.accepted(RUNNA_WORKOUT_STEPS, "activity_id, workout_id, step_index, repeat_number, source_path, day")[
        2:4
    ] == [
        ("activity-1", "intervals", 2, 1, key, RUN_ON),
        ("activity-1", "intervals", 3, 2, key, RUN_ON),
    ]


def test_an_empty_text_is_null(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "a.json", activity(unitOfMeasure="", recordType=None))
    assert extract().accepted(RUNNA_ACTIVITIES, "unit_of_measure, record_type") == [(None, None)]


def test_each_batch_keeps_its_own_copy_of_an_activity(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "a.json")
    put(landing, SECOND, "b.json", activity(laps=[]))
    loaded = extract()
    assert loaded.accepted(RUNNA_ACTIVITIES, "day, activity_id, lap_count") == [
        (FIRST, "activity-1", 4),
        (SECOND, "activity-1", 0),
    ]
    assert loaded.accepted(RUNNA_ACTIVITY_LAPS, "day, lap_index") == [(FIRST, n) for n in range(4)]
    assert loaded.counts(SECOND)["activities"] == (1, 1, 1, 0, 0)


def test_the_greatest_path_of_a_batch_wins_as_a_whole(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "b.json", "lap_negative_duration.json")
    put(landing, FIRST, "a/z.json")
    winner = put(landing, FIRST, "c.json", activity(laps=[{"distance": 1}], weekOfPlan=9))
    loaded = extract()
    assert loaded.accepted(RUNNA_ACTIVITIES, "source_path, week_of_plan") == [(winner, 9)]
    assert loaded.accepted(RUNNA_ACTIVITY_LAPS, "source_path, lap_index") == [(winner, 0)]
    assert loaded.counts(FIRST) == {
        "activities": (3, 3, 1, 0, 2),
        "activity_laps": (3, 9, 1, 1, 7),
        "workout_steps": (3, 18, 6, 0, 12),
    }


def test_every_fixture_is_accounted_for(extract: Extract, landing: Path) -> None:
    for number, path in enumerate(sorted(FIXTURES.iterdir())):
        content = path.read_bytes().replace(b'"activity-1"', b'"activity-%d"' % number)
        put(landing, FIRST, path.name, content)
    loaded = extract()
    assert loaded.counts(FIRST) == {
        "activities": (61, 61, 43, 18, 0),
        "activity_laps": (61, 155, 149, 6, 0),
        "workout_steps": (61, 188, 169, 19, 0),
    }
    assert set(loaded.rejected("reason_code")) == {
        (reason,)
        for reason in (
            *("empty_file", "not_utf8", "not_json", "truncated_json", "nesting_too_deep"),
            *("not_an_object", "missing_activity_id", "missing_user_id"),
            *("wrong_type", "wrong_value", "negative_value", "not_a_number", "no_place"),
        )
    }


def test_what_is_rejected_shows_its_place_and_its_text(extract: Extract, landing: Path) -> None:
    whole = put(landing, FIRST, "a.json", b"no json \xff" + b"x" * 100_000)
    lap = put(landing, FIRST, "b.json", activity(laps=[{"distance": 1}, {"distance": -1}]))
    assert extract().rejected("source_path, dataset, day, position, raw_text, message") == [
        (
            *(whole, RUNNA_ACTIVITIES.key, FIRST, None),
            "no json \ufffd" + "x" * (65_536 - 11),
            "expected UTF-8, found byte 0xff at offset 8",
        ),
        (
            *(lap, RUNNA_ACTIVITY_LAPS.key, FIRST, 1),
            '{"distance": -1}',
            "laps[1].distance: expected `float` >= 0.0, found -1",
        ),
    ]


def test_a_file_above_the_limit_is_not_read(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "at_the_limit.json", activity())
    limit = len(activity())
    put(landing, FIRST, "above.json", activity(activityId="activity-22"))
    loaded = extract(max_file_bytes=limit)
    assert loaded.accepted(RUNNA_ACTIVITIES, "activity_id") == [("activity-1",)]
    assert loaded.rejected("reason_code, message") == [
        (
            "file_too_large",
            f"expected at most {limit:,} bytes, found {limit + 1:,}; it was not read",
        )
    ]


def test_a_file_of_200_mb_is_not_read(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "a.json", b'{"activityId": "')
    with (landing / f"runna/activities/{FIRST}/a.json").open("r+b") as sparse:
        sparse.truncate(200 * 1024 * 1024)
    [row] = extract().rejected("reason_code, raw_text, record_hash, message")
    assert row == (
        "file_too_large",
        None,
        None,
        "expected at most 67,108,864 bytes, found 209,715,200; it was not read",
    )


def test_links_out_of_the_landing_zone_are_refused(extract: Extract, landing: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_bytes(activity())
    put(landing, FIRST, "a.json")
    batch = landing / "runna" / "activities"
    (batch / FIRST.isoformat() / "link.json").symlink_to(outside / "secret.json")
    (batch / FIRST.isoformat() / "folder").symlink_to(outside)
    (batch / SECOND.isoformat()).symlink_to(outside)
    loaded = extract()
    assert loaded.accepted(RUNNA_ACTIVITIES, "source_path") == [(f"runna/activities/{FIRST}/a.json",)]
    refused = ("refused_path", None, "the link leads out of the landing zone")
    assert loaded.rejected("source_path, reason_code, raw_text, message") == [
        (f"runna/activities/{FIRST}/folder", *refused),
        (f"runna/activities/{FIRST}/link.json", *refused),
        (f"runna/activities/{SECOND}", *refused),
    ]


def test_folders_that_are_no_dates_are_not_read_and_told_by_name(extract: Extract, landing: Path) -> None:
    put(landing, "2024-1-5", "a.json")
    put(landing, "20240106", "b.json")
    put(landing, "_uploading", "c.json")
    put(landing, "2024-01-07", "another_day.json")
    loaded = extract()
    assert loaded.rejected("source_path") == []
    assert loaded.extraction.never_read == (
        UnreadPath("runna/activities/2024-1-5", "its name is not a date YYYY-MM-DD"),
        UnreadPath("runna/activities/20240106", "its name is not a date YYYY-MM-DD"),
    )


def test_a_file_that_goes_while_it_is_read_is_unreadable(
    extract: Extract, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put(landing, FIRST, "a.json")
    monkeypatch.setattr(Landing, "local_path", lambda *_: landing / "gone.json")
    assert extract().rejected("source_path, reason_code, raw_text, message") == [
        (
            key,
            "unreadable_file",
            None,
            "the file is listed but cannot be opened: No such file or directory",
        )
    ]


def test_a_name_that_is_not_utf8_is_refused(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, os.fsdecode(b"lauf-\xfc.json"))
    assert extract().rejected("source_path, reason_code, message") == [
        (
            f"runna/activities/{FIRST}/lauf-\ufffd.json",
            "refused_path",
            "the file name is not UTF-8",
        )
    ]


def test_a_remote_zone_is_fetched_batch_by_batch(extract: Extract, tmp_path: Path) -> None:
    zone = fsspec.filesystem("memory")
    prefix = f"/{tmp_path.name}/runna/activities/{FIRST}"
    zone.pipe(
        {
            f"{prefix}/a.json": activity(),
            f"{prefix}/large.json": activity(activityId="x" * 1_000),
            f"{prefix}/../{SECOND}/../escape.json": activity(activityId="escaped"),
        }
    )
    loaded = extract(uri=f"memory://{tmp_path.name}", max_file_bytes=len(activity()))
    assert loaded.accepted(RUNNA_ACTIVITIES, "activity_id, source_path") == [
        ("activity-1", f"runna/activities/{FIRST}/a.json")
    ]
    assert loaded.rejected("source_path, reason_code, raw_text") == [
        (f"runna/activities/{FIRST}/../{SECOND}/../escape.json", "refused_path", None),
        (f"runna/activities/{FIRST}/large.json", "file_too_large", None),
    ]
    assert [path for path in tmp_path.rglob("*.json") if path.is_file()] == []


def test_unknown_fields_are_counted_per_day(extract: Extract, landing: Path) -> None:
    put(landing, FIRST, "a.json", "unknown_fields.json")
    put(landing, SECOND, "b.json", activity(shoes=1))
    loaded = extract()
    assert loaded.rows(f"from ({loaded.extraction.unknown_fields}) order by all") == [
        (RUNNA_ACTIVITIES.key, FIRST, "planDetails.coach", 1),
        (RUNNA_ACTIVITIES.key, FIRST, "plannedWorkoutMetadata.surface", 1),
        (RUNNA_ACTIVITIES.key, FIRST, "shoes", 1),
        (RUNNA_ACTIVITIES.key, SECOND, "shoes", 1),
        (RUNNA_ACTIVITY_LAPS.key, FIRST, "power", 2),
        (RUNNA_WORKOUT_STEPS.key, FIRST, "label", 1),
        (RUNNA_WORKOUT_STEPS.key, FIRST, "note", 2),
    ]


def test_progress_names_every_two_thousand_files_of_a_day(
    extract: Extract, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runna, "_FILES_PER_PROGRESS_LINE", 64)
    for number in range(100):
        put(landing, FIRST, f"{number:03}.json", b"x")
    put(landing, SECOND, "a.json")
    lines: list[str] = []
    loaded = extract(progress=lines.append)
    assert lines == ["raw_runna/activities 2024-01-05: 64 of 100 files"]
    assert len(loaded.extraction.files_read) == 101


@needs_real_input
def test_the_real_files_give_the_figures_that_come_with_them(extract: Extract) -> None:
    days = DayWindow(date(2024, 10, 1), date(2024, 10, 3))
    loaded = extract(window=days, uri=f"{REAL_INPUT_DIR}/landing")
    assert loaded.accepted(RUNNA_ACTIVITIES, "activity_id, created_on, lap_count, step_count, _extra") == [
        ("activity1", datetime(2024, 2, 5, 16, 21, 53), 18, 18, None),
        ("activity2", datetime(2024, 8, 11, 9, 35, 32, 948000), 6, 5, None),
        ("activity5", datetime(2024, 2, 5, 16, 21, 53), 18, 18, None),
        ("activity6", datetime(2024, 2, 5, 16, 21, 53), 18, 18, None),
    ]
    assert loaded.accepted(RUNNA_ACTIVITIES, "count(distinct workout_id), count(distinct plan_id)") == [(3, 2)]
    assert [reason for (reason,) in loaded.rejected("reason_code")] == [
        "missing_activity_id",
        "not_json",
    ]
    assert loaded.counts(date(2024, 10, 1)) == {
        "activities": (5, 5, 3, 2, 0),
        "activity_laps": (5, 54, 54, 0, 0),
        "workout_steps": (5, 54, 54, 0, 0),
    }
    assert loaded.counts(date(2024, 10, 2))["workout_steps"] == (1, 5, 5, 0, 0)
