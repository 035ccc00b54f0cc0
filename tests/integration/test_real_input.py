"""Real input gives exactly the figures that were counted by hand (REAL_INPUT_DIR names the folder)."""

from datetime import date, datetime
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment
from tests.real_input import REAL_INPUT_DIR, needs_real_input

pytestmark = [pytest.mark.integration, needs_real_input]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    landing = Path(REAL_INPUT_DIR) / "landing"
    deployment = Deployment(tmp_path_factory.mktemp("real"), landing=landing)
    learning = deployment.run(date(2021, 1, 1), date(2021, 1, 21), "+group:learning")
    training = deployment.run(date(2024, 10, 1), date(2024, 10, 2), "+group:training")
    assert learning.failures == ()
    assert training.failures == ()
    return deployment


def test_runna_accepts_four_activities_and_quarantines_two_files(deployment: Deployment) -> None:
    assert deployment.query(
        "select activity_id, lap_count, step_count, steps_covered, is_completed, created_at "
        "from training.fct__activities order by activity_id"
    ) == [
        ("activity1", 18, 18, 18, True, datetime(2024, 2, 5, 16, 21, 53)),
        ("activity2", 6, 5, 5, True, datetime(2024, 8, 11, 9, 35, 32, 948000)),
        ("activity5", 18, 18, 18, True, datetime(2024, 2, 5, 16, 21, 53)),
        ("activity6", 18, 18, 18, True, datetime(2024, 2, 5, 16, 21, 53)),
    ]
    assert deployment.query(
        "select source_path, reason_code from audit.rejected_records where source = 'runna' order by source_path"
    ) == [
        ("runna/activities/2024-10-01/not-json.json", "not_json"),
        (
            "runna/activities/2024-10-01/take-home-example-activity-1-with-no-activity-id.json",
            "missing_activity_id",
        ),
    ]


def test_runna_dimensions_and_bridges(deployment: Deployment) -> None:
    assert deployment.query("select workout_id from training.dim__workouts order by 1") == [
        ("200m-Repeats",),
        ("200m-Repeats-5",),
        ("5km-Long-Run",),
    ]
    assert deployment.query("select plan_id, plan_length_weeks from training.dim__plans order by 1") == [
        ("HILLY_HALF", 10),
        ("TEN_K_V2", 8),
    ]
    assert deployment.query("select count(*) from training.bdg__activity_to_laps") == [(60,)]
    assert deployment.query(
        "select workout_id, count(*) from training.bdg__workout_to_steps group by all order by 1"
    ) == [("200m-Repeats", 18), ("200m-Repeats-5", 18), ("5km-Long-Run", 5)]


def test_runna_laps_against_their_pace_bands(deployment: Deployment) -> None:
    assert deployment.query(
        "select lap_index, average_speed_m_per_s, pace_status from training.lap_pace_adherence "
        "where activity_id = 'activity1' and lap_index in (0, 1, 2, 3) order by lap_index"
    ) == [
        (0, 2.772, "no_target"),
        (1, 3.515, "in_band"),
        (2, 2.744, "faster"),
        (3, 3.303, "slower"),
    ]


def test_the_sixth_lap_of_the_long_run_has_no_step(deployment: Deployment) -> None:
    assert deployment.query(
        "select lap_index, pace_status from training.lap_pace_adherence "
        "where activity_id = 'activity2' and lap_index = 5"
    ) == [(5, "no_target")]


def test_lingokids_totals(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select
            sum(plays), sum(completed_plays), sum(duration_ms), sum(played_ms)
        from learning.engagement_daily
        """
    ) == [(4_575, 2_871, 1_385_798_585, 435_074_951)]
    assert deployment.query(
        """
        select
            count(*), count(distinct user_id), count(distinct activity_id),
            count(*) filter (where duration_ms > 3600000), count(*) filter (where duration_ms = 0),
            count(*) filter (where country_code = 'unknown'), count(*) filter (where activity_type = 'unknown')
        from learning.fct__activity_exits
        """
    ) == [(4_575, 291, 399, 18, 156, 0, 0)]


def test_lingokids_by_status(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select
            subscription_status, count(*) as plays, sum(duration_ms),
            count(*) filter (where is_completed), count(distinct user_id)
        from learning.fct__activity_exits
        group by all
        order by plays desc
        """
    ) == [
        ("free", 3_860, 1_150_127_021, 2_387, 291),
        ("trial", 572, 90_636_843, 376, 39),
        ("subscribed", 114, 142_142_970, 87, 5),
        ("lapsed", 29, 2_891_751, 21, 4),
    ]


def test_lingokids_by_week(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select week_start_date, sum(plays), sum(duration_ms), sum(completed_plays)
        from learning.engagement_weekly group by all order by all
        """
    ) == [
        (date(2020, 12, 28), 273, 117_767_284, 166),
        (date(2021, 1, 4), 1_396, 636_530_233, 809),
        (date(2021, 1, 11), 1_688, 311_151_914, 1_099),
        (date(2021, 1, 18), 1_218, 320_349_154, 797),
    ]
    assert deployment.query(
        """
        select period_start_date, active_users from learning.learning_active_users
        where grain = 'week' and dimension_name = 'all' order by all
        """
    ) == [
        (date(2020, 12, 28), 44),
        (date(2021, 1, 4), 118),
        (date(2021, 1, 11), 140),
        (date(2021, 1, 18), 101),
    ]


def test_lingokids_by_dimension(deployment: Deployment) -> None:
    def plays_by(column: str, limit: int) -> list[tuple[object, ...]]:
        return deployment.query(
            f"select {column}, sum(plays) as plays from learning.engagement_daily "
            f"group by all order by plays desc limit {limit}"
        )

    assert plays_by("activity_id", 5) == [
        ("bathroom_game", 409),
        ("game_runner_vegetables", 320),
        ("lk_chant_abc", 311),
        ("game_pastry_maker", 298),
        ("regular_a", 126),
    ]
    assert plays_by("activity_type", 4) == [
        ("game", 2_815),
        ("video", 1_103),
        ("traceable", 586),
        ("audiobook", 71),
    ]
    assert plays_by("country_code", 3) == [("us", 749), ("in", 685), ("co", 674)]
    assert plays_by("os_name", 3) == [("iOS", 2_886), ("Android", 1_689)]
    assert plays_by("collection_id", 1) == [("none", 4_038)]


def test_the_longest_played_activity_as_sent(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select activity_id, duration_ms from learning.top_activities
        where grain = 'month' and rank_by_duration = 1
        """
    ) == [("game_hidden_objects_ingredients", 253_368_749)]


def test_every_record_is_accounted_for(deployment: Deployment) -> None:
    assert deployment.query(
        """
        select source, dataset, sum(records_read), sum(accepted), sum(quarantined), sum(duplicates)
        from audit.ingestion_loads
        where partition_date between date '2021-01-01' and date '2021-01-21' and dataset = 'events'
            or partition_date between date '2024-10-01' and date '2024-10-02' and source = 'runna'
        group by all
        order by all
        """
    ) == [
        ("lingokids", "events", 4_575, 4_575, 0, 0),
        ("runna", "activities", 6, 4, 2, 0),
        ("runna", "activity_laps", 60, 60, 0, 0),
        ("runna", "workout_steps", 59, 59, 0, 0),
    ]
