"""Ten faults in the SQL of dbt, each put into a copy of the project: the named tests must fail there.

Belongs here: the faults, and the tests that find them. Not here: faults in Python, which mutmut makes (`make mutants`).
`make sql-faults` runs this file; `make test` does not, because each fault costs a build of its area.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).parents[2]
COPIED = ("dagster.yaml", "dbt_project", "engagement_assets", "examples", "pyproject.toml", "tests")
UNIT_TESTS = "test_data_tests.py::test_the_unit_tests_of_the_models_pass[{area}]"
SOME_TESTS_FAILED = 1  # pytest's exit code; any other means that the tests could not run


@dataclass(frozen=True)
class Fault:
    """What a model says, what the fault makes of it, and a test that must notice."""

    kind: str
    model: str
    right: str
    wrong: str
    found_by: str = UNIT_TESTS

    @property
    def area(self) -> str:
        return Path(self.model).parent.name


FAULTS = [
    Fault(
        "greater or equal for greater",
        "marts/training/lap_pace_adherence.sql",
        "average_speed_m_per_s > pace_fast_m_per_s",
        "average_speed_m_per_s >= pace_fast_m_per_s",
    ),
    Fault(
        "a join condition dropped",
        "marts/training/weekly_plan_distance.sql",
        "and weeks.plan_id = previous_weeks.plan_id",
        "",
    ),
    Fault(
        "versions not reduced to the newest",
        "marts/product/fct__user_events.sql",
        "versions_numbered.position_from_newest = 1",
        "versions_numbered.position_from_newest >= 1",
    ),
    Fault(
        "count for count distinct",
        "marts/product/weekly_active_users.sql",
        "count(distinct user_id)",
        "count(user_id)",
    ),
    Fault(
        "another key in the change log",
        "marts/mobility/weekly_booking_conversion.sql",
        "changed_key_in_log = period_start('week', 'session_date')",
        "changed_key_in_log = 'session_date'",
        "test_mobility_incremental.py::test_a_late_session_gives_the_users_later_ones_other_numbers",
    ),
    Fault(
        "a window one day short",
        "marts/mobility/weekly_booking_conversion.sql",
        ", (5), (6))",
        ", (5))",
        "test_mobility_incremental.py::test_a_late_session_gives_the_users_later_ones_other_numbers",
    ),
    Fault(
        "a coalesce lost",
        "marts/strava/strava_weekly_kudos_change.sql",
        "coalesce(sum(runs.kudos_count), 0)",
        "sum(runs.kudos_count)",
    ),
    Fault(
        "another period",
        "intermediate/learning/int_lingokids_periods_changed.sql",
        "period_start(grain, 'event_date')",
        "period_start('week', 'event_date')",
        "test_learning_incremental.py::test_a_rebuilt_window_is_as_the_lake_has_it_now",
    ),
    Fault(
        "NULL compared with <>",
        "intermediate/learning/int_lingokids_users_latest.sql",
        "latest.{{ boundary }} is distinct from previous.{{ boundary }}",
        "latest.{{ boundary }} <> previous.{{ boundary }}",
        "test_learning_incremental.py::test_a_user_is_followed_to_the_days_of_earlier_events",
    ),
    Fault(
        "another column in a join",
        "marts/engagement/weekly_retention.sql",
        "and cohort_weeks.week_start_date = users_active.week_start_date",
        "and cohort_weeks.cohort_week_start_date = users_active.week_start_date",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.area}: {fault.kind}")
def test_a_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    for name in COPIED:
        source = PROJECT_ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, tmp_path / name)
    model = tmp_path / "dbt_project" / "models" / fault.model
    sql = model.read_text()
    assert sql.count(fault.right) == 1, f"the fault no longer fits {fault.model}: expected once: {fault.right}"
    model.write_text(sql.replace(fault.right, fault.wrong))

    test = f"tests/integration/{fault.found_by.format(area=fault.area)}"
    command = [sys.executable, "-m", "pytest", "--exitfirst", "-p", "no:cacheprovider", test]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert found.returncode == SOME_TESTS_FAILED, f"{test} does not notice it:\n{found.stdout}"
