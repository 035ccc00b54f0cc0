"""Sound tables of the strava area, defects in them, and the data tests that find each.

Belongs here: what `test_data_tests.py` builds, spoils and expects. Not here: running tests.
"""

from datetime import date, datetime, time, timedelta

from engagement_assets.extract.strava.source import STRAVA_ACTIVITIES, STRAVA_ACTIVITY_KUDOS
from tests.integration.defects import Area, Defect, tests_in
from tests.integration.warehouse_builder import WarehouseBuilder

STRAVA = "+path:models/marts/strava"
DAYS = [date(2024, 12, 22), date(2024, 12, 29), date(2025, 1, 6)]
READ = datetime(2025, 1, 10)


def _build(warehouse: WarehouseBuilder) -> None:
    """A run in each of four weeks but one, a deleted run and a ride on the last day; each observed twice. Built."""
    for number, day in enumerate(DAYS, start=1):
        run = {
            "activity_id": number,
            "activity_type": "Run",
            "sport_type": "Run",
            "started_at": datetime.combine(day, time(10)),
            "distance_m": 5_000.3,
            "moving_time_s": 1_500,
            "total_elevation_gain_m": 10.1,
            "kudos_count": number,
            "athlete_count": 1,
            "extracted_at": READ,
        }
        rows: list[dict[str, object]] = [run]
        if day == DAYS[-1]:
            rows += [run | {"activity_id": 8, "deleted_at": READ}]
            rows += [run | {"activity_id": 9, "activity_type": "Ride", "sport_type": "Ride"}]
        warehouse.write_day(STRAVA_ACTIVITIES, day, rows)
        observations: list[dict[str, object]] = [
            {
                "activity_id": row["activity_id"],
                "observed_on": READ.date() + timedelta(days=later),
                "kudos_count": number * later,
                "started_at": row["started_at"],
                "sport_type": row["sport_type"],
                "distance_m": row["distance_m"],
                "moving_time_s": row["moving_time_s"],
                "athlete_count": 1,
                "name_word_count": 2,
                "extracted_at": READ,
            }
            for row in rows
            for later in (0, 1)
        ]
        warehouse.write_day(STRAVA_ACTIVITY_KUDOS, day, observations)
    warehouse.build(DAYS[0], DAYS[-1], STRAVA)


DEFECTS: dict[str, Defect] = {
    "doubled": (
        [
            "insert into intermediate.int_strava_activities_by_day "
            "from intermediate.int_strava_activities_by_day where activity_id = 1",
            "insert into intermediate.int_strava_activities_latest "
            "from intermediate.int_strava_activities_latest where activity_id = 1",
            "insert into intermediate.int_strava_activity_kudos_by_day "
            "from intermediate.int_strava_activity_kudos_by_day where activity_id = 1",
            "insert into intermediate.int_strava_kudos_observed "
            "from intermediate.int_strava_kudos_observed where activity_id = 1",
            "insert into fct__strava_activities from fct__strava_activities where activity_id = 1",
            "insert into strava_kudos_history from strava_kudos_history where activity_id = 1",
            "insert into strava_monthly_summary from strava_monthly_summary where run_count = 2",
            "insert into strava_yearly_summary from strava_yearly_summary",
            "insert into strava_weekly_kudos_change from strava_weekly_kudos_change where total_kudos = 3",
            "insert into strava_kudos_by_workout_type from strava_kudos_by_workout_type",
            "insert into intermediate.int_strava_activities_first_seen "
            "from intermediate.int_strava_activities_first_seen where activity_id = 1",
            "insert into kudos_training_examples from kudos_training_examples where activity_id = 1",
            "insert into kudos_prediction_inputs from kudos_prediction_inputs where activity_id = 9",
        ],
        [
            "assert_every_kudos_observation_is_in_the_history_once",
            "assert_every_run_is_in_its_month",
            "assert_every_strava_activity_is_in_the_fact_once",
            "assert_kudos_of_runs_are_the_same_in_every_table",
            "strava_activities_by_day_hold_an_activity_once",
            "strava_kudos_are_observed_once_a_day",
            "strava_kudos_by_day_hold_an_observation_once",
            "strava_kudos_history_holds_an_observation_once",
            "strava_weekly_kudos_change_holds_a_week_once",
            "strava_years_add_up_to_their_months",
            "unique_fct__strava_activities_activity_id",
            "unique_int_strava_activities_first_seen_activity_id",
            "unique_int_strava_activities_latest_activity_id",
            "unique_kudos_prediction_inputs_activity_id",
            "unique_kudos_training_examples_activity_id",
            "unique_strava_kudos_by_workout_type_workout_type_name",
            "unique_strava_monthly_summary_month_start_date",
            "unique_strava_yearly_summary_year_start_date",
        ],
    ),
    "lost": (
        [
            "delete from fct__strava_activities where activity_id = 1",
            "delete from strava_kudos_history where activity_id = 2",
            "delete from strava_weekly_kudos_change where run_count = 0",
        ],
        [
            "assert_every_kudos_observation_is_in_the_history_once",
            "assert_every_run_is_in_its_month",
            "assert_every_strava_activity_is_in_the_fact_once",
            "assert_kudos_of_runs_are_the_same_in_every_table",
            "assert_weeks_are_compared_with_exactly_the_week_before",
            "strava_kudos_are_of_known_activities",
        ],
    ),
    "untrue": (
        [
            "update fct__strava_activities set started_at = started_at + interval 1 day where activity_id = 1",
            "update fct__strava_activities set workout_type_name = 'unknown' where activity_id = 2",
            "update fct__strava_activities set activity_type = 'Run', workout_type_name = 'race' where activity_id = 9",
            "update fct__strava_activities set is_deleted = false where activity_id = 8",
            "update strava_kudos_history set kudos_change = 7 where activity_id = 1",
            "update strava_yearly_summary set total_distance_m = total_distance_m + 1e-6",
            "update kudos_training_examples set settled_on = activity_date + 6 where activity_id = 1",
            "update kudos_training_examples set iso_weekday = 8 where activity_id = 2",
        ],
        [
            "assert_every_run_is_in_its_month",
            "assert_every_strava_activity_is_in_the_fact_once",
            "assert_kudos_of_runs_are_the_same_in_every_table",
            "examples_lie_in_their_week",
            "kudos_of_examples_are_settled",
            "strava_activities_are_deleted_since_an_instant",
            "strava_activities_lie_on_the_day_they_started",
            "strava_kudos_change_since_the_observation_before",
            "strava_runs_and_only_runs_have_a_workout_type_name",
            "strava_workout_types_are_known",
            "strava_years_add_up_to_their_months",
            "what_strava_types_as_a_run_is_one",
        ],
    ),
    "called_deleted": (
        ["update fct__strava_activities set is_deleted = true, deleted_at = extracted_at where activity_id = 9"],
        ["assert_every_strava_activity_is_in_the_fact_once"],
    ),
    "mis-summed": (
        [
            "update strava_monthly_summary set total_elevation_gain_m = 0",
            "update strava_kudos_by_workout_type set total_kudos = total_kudos + 1",
        ],
        [
            "assert_every_run_is_in_its_month",
            "assert_kudos_of_runs_are_the_same_in_every_table",
            "strava_years_add_up_to_their_months",
        ],
    ),
}

STRAVA_TABLES = Area(
    schema="strava",
    build=_build,
    unit_tests=tests_in("unit", "models/staging/strava", "models/intermediate/strava", "models/marts/strava"),
    data_tests=tests_in("data", "models/intermediate/strava", "models/marts/strava", "tests/strava"),
    defects=DEFECTS,
)
