"""Activity files with defects, from the landing zone to the tables that people read.

Belongs here: what rejected parts, absent values and days without files do to the figures. Not here: what one file
becomes (see `tests/unit/extract/test_runna_*.py`), or changes between builds (see `test_training_incremental.py`).
"""

import shutil
from datetime import date, datetime
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures" / "runna"
FIRST, LAST = date(2021, 1, 5), date(2021, 1, 12)
FILES = {
    date(2021, 1, 5): (
        "repeat_between_steps",
        "repeat_with_bad_duration",
        "repeat_with_bad_order",
        "repeat_of_no_times",
        "last_step_with_bad_duration",
        "middle_step_with_bad_duration",
        "user_id_of_blanks",
        "created_on_as_empty_text",
        "plan_details_as_empty_list",
        "week_of_plan_as_empty_text",
        "planned_workout_as_empty_list",
    ),
    date(2021, 1, 8): ("created_half_a_year_before_its_lap",),
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    deployment = Deployment(tmp_path_factory.mktemp("files"))
    for day, names in FILES.items():
        folder = deployment.landing / "runna" / "activities" / day.isoformat()
        folder.mkdir(parents=True)
        for name in names:
            shutil.copyfile(FIXTURES / f"{name}.json", folder / f"{name}.json")
    assert deployment.run(FIRST, LAST, "+group:training").failures == ()
    return deployment


def test_nothing_counts_as_completed_after_a_step_of_unknown_length(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select activity_id, lap_count, step_count, steps_covered, is_completed from training.fct__activities
        where activity_id not like 'x-%' order by all
        """
    ) == [
        ("badduration", 8, None, None, None),
        ("badorder", 8, None, None, None),
        ("good", 8, 8, 8, True),
        ("laststep", 1, 2, 1, False),
        ("open", 8, None, None, None),
        ("plain", 1, 3, 1, False),
        ("t1", 1, 1, 1, True),
    ]
    assert deployment.query(
        "select workout_id, step_count from training.dim__workouts where step_count is null order by 1"
    ) == [
        ("w-badduration", None),
        ("w-badorder", None),
        ("w-open", None),
        ("w-x-planned", None),
    ]


def test_no_lap_is_held_against_the_step_of_another(deployment: Deployment) -> None:
    for activity in ("badduration", "badorder", "open"):
        assert deployment.query(
            "select step_index, pace_status, count(*) from training.lap_pace_adherence "
            f"where activity_id = '{activity}' group by all order by all"
        ) == [(0, "in_band", 1), (None, "no_target", 7)]
        assert deployment.query(
            f"select compared_time_ms, no_target_lap_count from training.activity_pace_adherence "
            f"where activity_id = '{activity}'"
        ) == [(300_000, 7)]
        assert deployment.query(
            f"select step_index, user_id from training.workout_leaderboard where workout_id = 'w-{activity}'"
        ) == [(0, f"u-{activity}")]


def test_steps_without_a_place_are_quarantined_and_counted(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select regexp_extract(source_path, '[^/]+$') as file, position, reason_code from audit.rejected_records
        where dataset = 'workout_steps' order by all
        """
    ) == [
        ("last_step_with_bad_duration.json", 1, "negative_value"),
        ("middle_step_with_bad_duration.json", 1, "negative_value"),
        ("repeat_of_no_times.json", 1, "wrong_value"),
        ("repeat_of_no_times.json", 2, "no_place"),
        ("repeat_with_bad_duration.json", 1, "negative_value"),
        ("repeat_with_bad_duration.json", 2, "no_place"),
        ("repeat_with_bad_order.json", 1, "wrong_value"),
        ("repeat_with_bad_order.json", 2, "no_place"),
    ]
    assert deployment.query(
        """
        select dataset, records_read, accepted, quarantined, duplicates from audit.ingestion_loads
        where partition_date = date '2021-01-05' order by all
        """
    ) == [("activities", 11, 10, 1, 0), ("activity_laps", 38, 38, 0, 0), ("workout_steps", 25, 17, 8, 0)]


def test_tempo_sessions_end_with_the_newest_loaded_day(deployment: Deployment) -> None:
    # The activity of the last file is older than half a year.
    assert deployment.query(
        "select activity_id, period_start_date, period_end_date from training.tempo_sessions order by all"
    ) == [(activity, date(2020, 7, 13), date(2021, 1, 12)) for activity in ("good", "x-created", "x-plan", "x-week")]


def test_an_id_of_blanks_is_no_user(deployment: Deployment) -> None:
    assert deployment.query(
        "select reason_code from audit.rejected_records where source_path like '%/user_id_of_blanks.json'"
    ) == [("missing_user_id",)]
    assert deployment.query("select count(*) from training.fct__activities where trim(user_id) = ''") == [(0,)]


def test_what_says_nothing_is_null_and_the_activity_is_there(deployment: Deployment) -> None:
    started_at = datetime(2021, 1, 4, 7)
    assert deployment.query(
        """
        select activity_id, plan_id, week_of_plan, step_count, created_at from training.fct__activities
        where activity_id like 'x-%' order by all
        """
    ) == [
        ("x-created", None, None, 1, started_at),
        ("x-plan", None, None, 1, started_at),
        ("x-planned", None, None, None, started_at),
        ("x-week", None, None, 1, started_at),
    ]
