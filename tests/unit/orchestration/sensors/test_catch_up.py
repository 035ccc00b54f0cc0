"""Missing and stale days: requested once, as one range per source, a bounded number of times."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.assets.dbt_models import readable_window
from engagement_assets.contracts.source import Source
from engagement_assets.lake.lake import Lake
from engagement_assets.orchestration.sensors.runs import Plan, Tick
from engagement_assets.partitions import window_of_tags
from tests.unit.orchestration.sensors.graphs import FAILURE, SUCCESS, Graph, day, graph, window

FILE_SOURCES = {"runna", "lingokids", "mobile"}
IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# At midnight UTC the schedule has not had its hour yet: yesterday may not be due.
OLD_DAYS = [day(5), day(4), day(3), day(2)]


@pytest.fixture
def deployment() -> Iterator[Graph]:
    with graph(catch_up_attempts=2) as made:
        # Whether yesterday is due depends on the hour at which the test runs.
        made.load([day(1)])
        yield made


def _requested(result: dg.SensorResult) -> dict[str, tuple[str, str]]:
    windows = {str(request.job_name): window_of_tags(request.tags) for request in result.run_requests or []}
    return {name: (str(item.start), str(item.days()[-1])) for name, item in windows.items()}


def _plan(deployment: Graph, wanted: list[int], now: datetime, **inputs: int) -> Plan:
    tick = Tick("catch_up", deployment.instance, deployment.repository, in_progress={}, max_attempts=3, now=now)
    return tick.plan(deployment.sets["runna"], {day(back): inputs.get("newest", 0) for back in wanted})


def test_days_of_a_weekend_are_one_run_per_source(deployment: Graph) -> None:
    deployment.load([day(5), day(4)])
    assert set(deployment.sets) == FILE_SOURCES
    assert _requested(deployment.sense("catch_up")) == {
        f"daily_{source}": (str(day(3)), str(day(2))) for source in FILE_SOURCES
    }


def test_only_the_source_that_failed_is_caught_up(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["runna", "mobile"])
    deployment.load([day(5), day(4), day(2)], sources=["lingokids"])
    assert _requested(deployment.sense("catch_up")) == {"daily_lingokids": (str(day(3)), str(day(3)))}


def test_of_several_blocks_the_oldest_comes_first(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["runna", "mobile"])
    deployment.load([day(4), day(3)], sources=["lingokids"])
    assert _requested(deployment.sense("catch_up")) == {"daily_lingokids": (str(day(5)), str(day(5)))}


def test_nothing_is_requested_when_every_due_day_is_there(deployment: Graph) -> None:
    deployment.load(OLD_DAYS)
    result = deployment.sense("catch_up")
    assert result.run_requests == []
    assert result.skip_reason == dg.SkipReason("every day is there")


def test_days_before_the_horizon_and_the_day_at_work_are_left_alone() -> None:
    with graph(start_date=day(30), catch_up_days=3, schedule_hour=0) as deployment:
        deployment.load([day(1)])
        (first, last) = _requested(deployment.sense("catch_up"))["daily_runna"]
        assert first >= str(day(4))
        assert last == str(day(2))


def test_a_raw_dataset_that_is_missing_makes_its_day_missing(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["lingokids", "mobile"])
    runna = deployment.sets["runna"]
    deployment.materialize(runna.raw[:-1], OLD_DAYS)
    deployment.materialize(runna.raw[-1:], [day(5), day(4), day(3)])
    assert _requested(deployment.sense("catch_up")) == {"daily_runna": (str(day(2)), str(day(2)))}


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_nothing_is_requested_twice_while_a_run_is_in_progress(deployment: Graph, status: dg.DagsterRunStatus) -> None:
    deployment.load(OLD_DAYS, sources=["lingokids", "mobile"])
    run = deployment.run(deployment.sets["runna"], window(5, 2), status)
    result = deployment.sense("catch_up")
    assert result.run_requests == []
    assert result.skip_reason == dg.SkipReason(f"runna waits for run {run.run_id}")


def test_a_run_over_all_sources_counts_for_each(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["lingokids", "mobile"])
    run = dg.DagsterRun("daily_engagement", status=dg.DagsterRunStatus.STARTED)
    deployment.instance.add_run(run)
    assert deployment.sense("catch_up").skip_reason == dg.SkipReason(f"runna waits for run {run.run_id}")


def test_a_run_of_another_source_keeps_none_waiting(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["lingokids", "mobile"])
    deployment.run(deployment.sets["mobile"], window(1), dg.DagsterRunStatus.STARTED, sensor="landing_files")
    assert _requested(deployment.sense("catch_up")) == {"daily_runna": (str(day(5)), str(day(2)))}


def test_a_failed_try_is_repeated_after_pauses_that_double_and_then_given_up(deployment: Graph) -> None:
    runna, now = deployment.sets["runna"], datetime.now(UTC)
    requests = [*_plan(deployment, [3, 2], now).requests]
    for tries, pause in ((1, 1), (2, 2)):
        deployment.run(runna, window(3, 2), FAILURE)
        early, due = (now + timedelta(hours=pause, minutes=minutes) for minutes in (-5, 5))
        waiting = _plan(deployment, [3, 2], early)
        assert (waiting.requests, waiting.remarks) == ([], ["runna pauses after a failed run"]), tries
        requests += _plan(deployment, [3, 2], due).requests
    last = deployment.run(runna, window(3, 2), FAILURE)
    end = _plan(deployment, [3, 2], now + timedelta(days=9))
    assert end.requests == []
    assert {given_up: tried.failed for given_up, tried in end.given_up.items()} == {day(3): 3, day(2): 3}
    assert {tried.last_run_id for tried in end.given_up.values()} == {last.run_id}
    assert len({request.run_key for request in requests}) == 3


def test_a_run_that_failed_while_the_clock_was_ahead_is_no_reason_to_wait_until_then(deployment: Graph) -> None:
    deployment.run(deployment.sets["runna"], window(3), FAILURE)
    (request,) = _plan(deployment, [3], datetime.now(UTC) - timedelta(days=30)).requests
    assert window_of_tags(request.tags) == window(3)


def test_a_day_that_was_given_up_does_not_keep_others_from_being_caught_up(deployment: Graph) -> None:
    for _ in range(3):
        deployment.run(deployment.sets["runna"], window(3), FAILURE)
    (request,) = _plan(deployment, [4, 3, 2], datetime.now(UTC)).requests
    assert window_of_tags(request.tags) == window(4)


def test_tries_on_older_input_do_not_count(deployment: Graph) -> None:
    for _ in range(3):
        deployment.run(deployment.sets["runna"], window(3), FAILURE, newest_input=7)
    assert _plan(deployment, [3], datetime.now(UTC), newest=7).requests == []
    assert len(_plan(deployment, [3], datetime.now(UTC), newest=8).requests) == 1


def test_giving_up_is_reported_once_and_so_is_its_end(deployment: Graph) -> None:
    deployment.load(OLD_DAYS, sources=["lingokids", "mobile"])
    deployment.load([day(5), day(4), day(2)], sources=["runna"])
    runs = [deployment.run(deployment.sets["runna"], window(3), FAILURE) for _ in range(2)]
    result = deployment.sense("catch_up")
    (evaluation,) = result.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert (evaluation.check_name, evaluation.passed) == ("is_caught_up", False)
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert evaluation.asset_key == dg.AssetKey(["raw_runna", "activities"])
    assert evaluation.metadata["failing_days"].value == [str(day(3))]
    assert runs[-1].run_id in (evaluation.description or "")
    assert result.skip_reason == dg.SkipReason(f"runna {day(3)}: 2 runs failed, left to a person")

    assert deployment.sense("catch_up", result.cursor).asset_events == []
    deployment.load([day(3)], sources=["runna"])
    (fixed,) = deployment.sense("catch_up", result.cursor).asset_events
    assert isinstance(fixed, dg.AssetCheckEvaluation)
    assert (fixed.passed, fixed.metadata["failing_days"].value) == (True, [])


def test_models_of_days_that_were_loaded_after_them_are_requested_and_nothing_else(deployment: Graph) -> None:
    deployment.load(OLD_DAYS)
    mobile = deployment.sets["mobile"]
    assert deployment.sense("late_data").skip_reason == dg.SkipReason("every day is there")
    deployment.materialize(mobile.raw, [day(4), day(3)])
    result = deployment.sense("late_data")
    (request,) = result.run_requests or []
    assert _requested(result) == {"daily_mobile": (str(day(4)), str(day(3)))}
    assert set(request.asset_selection or []) == set(mobile.models)
    assert set(mobile.raw).isdisjoint(mobile.models)

    deployment.materialize(mobile.windowed, [day(4), day(3)])
    assert deployment.sense("late_data").run_requests == []


def test_models_of_good_days_follow_though_a_neighbour_is_held(deployment: Graph) -> None:
    deployment.load([day(5), day(2)], sources=["lingokids"])
    lingokids = deployment.sets["lingokids"]
    deployment.materialize(lingokids.raw, [day(4)])
    assert _requested(deployment.sense("late_data")) == {"daily_lingokids": (str(day(4)), str(day(4)))}


def test_models_follow_a_dataset_without_days_that_was_loaded_after_all_of_them(deployment: Graph) -> None:
    lingokids = deployment.sets["lingokids"]
    users = [key for key in lingokids.unpartitioned_raw if key.path[-1] == "users"]
    deployment.materialize(users)
    deployment.load(OLD_DAYS)
    # Another day was built since, which has taken the users in for all days.
    assert deployment.sense("late_data").run_requests == []
    deployment.materialize(users)
    result = deployment.sense("late_data")
    (request,) = result.run_requests or []
    assert _requested(result) == {"daily_lingokids": (str(day(1)), str(day(1)))}
    assert set(request.asset_selection or []) == set(lingokids.models)

    deployment.materialize(lingokids.windowed, [day(2)])
    assert deployment.sense("late_data").run_requests == []


def test_a_dataset_without_days_waits_for_a_first_day() -> None:
    with graph() as deployment:
        deployment.materialize(deployment.sets["lingokids"].unpartitioned_raw)
        assert deployment.sense("late_data").run_requests == []


def test_late_data_that_cannot_be_built_is_given_up_until_it_changes(deployment: Graph) -> None:
    mobile = deployment.sets["mobile"]
    deployment.load(OLD_DAYS)
    deployment.materialize(mobile.raw, [day(4)])
    (request,) = deployment.sense("late_data").run_requests or []
    newest_input = int(request.tags["engagement/newest_input"])
    for _ in range(2):
        deployment.run(mobile, window(4), FAILURE, sensor="late_data", newest_input=newest_input)
    result = deployment.sense("late_data")
    assert result.run_requests == []
    (evaluation,) = result.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert (evaluation.check_name, evaluation.asset_key) == ("follows_its_input", mobile.windowed[0])
    deployment.materialize(mobile.raw, [day(4)])
    assert len(deployment.sense("late_data", result.cursor).run_requests or []) == 1


def test_a_load_of_one_day_has_read_the_days_before_it_too() -> None:
    service = {"user_events_api_url": "http://127.0.0.1/events", "user_events_api_token": "a token"}
    with graph(user_events_trailing_days=2, **service) as deployment:
        deployment.load([*OLD_DAYS, day(1)])
        deployment.materialize(deployment.sets["user_events"].raw, [day(2)])
        assert _requested(deployment.sense("late_data")) == {"daily_user_events": (str(day(4)), str(day(2)))}


def _remove(folder: Path, source: Source, *days: date) -> None:
    """Leave the marks of retention in the lake."""
    lake = Lake(str(folder / "lake"))
    for removed in days:
        mark = Path(lake.location(lake.pruned_key(source.datasets[0], removed)))
        mark.parent.mkdir(parents=True)
        mark.touch()


def test_days_before_a_stale_one_that_retention_removed_are_not_requested_with_it(tmp_path: Path) -> None:
    service = {"user_events_api_url": "http://127.0.0.1/events", "user_events_api_token": "a token"}
    with graph(tmp_path, user_events_trailing_days=2, **service) as deployment:
        user_events = deployment.sets["user_events"]
        _remove(tmp_path, user_events.source, day(4))
        deployment.load([*OLD_DAYS, day(1)])
        deployment.materialize(user_events.raw, [day(2)])
        result = deployment.sense("late_data")
        assert _requested(result) == {"daily_user_events": (str(day(3)), str(day(2)))}
        (request,) = result.run_requests or []
        requested = window_of_tags(request.tags)
        assert readable_window(Lake(str(tmp_path / "lake")), user_events.source, requested, requested) == requested


def test_stale_days_that_retention_removed_are_told_and_keep_no_other_from_being_built(tmp_path: Path) -> None:
    with graph(tmp_path) as deployment:
        mobile = deployment.sets["mobile"]
        _remove(tmp_path, mobile.source, day(4))
        deployment.load([*OLD_DAYS, day(1)])
        deployment.materialize(mobile.raw, [day(4), day(3)])
        assert _requested(deployment.sense("late_data")) == {"daily_mobile": (str(day(3)), str(day(3)))}
        deployment.materialize(mobile.windowed, [day(3)])
        assert deployment.sense("late_data").skip_reason == dg.SkipReason(
            f"mobile {day(4)}: removed by RAW_RETENTION_DAYS, the tables stay as they are"
        )


def test_missing_days_that_retention_removed_are_not_requested(tmp_path: Path) -> None:
    """Such as after Dagster's records were made anew."""
    with graph(tmp_path) as deployment:
        _remove(tmp_path, deployment.sets["mobile"].source, day(5), day(4))
        deployment.load([day(1)])
        requested = _requested(deployment.sense("catch_up"))
        assert requested == {
            f"daily_{name}": (str(day(3 if name == "mobile" else 5)), str(day(2))) for name in FILE_SOURCES
        }


def test_a_source_without_settings_is_not_asked_for(deployment: Graph) -> None:
    assert {"strava", "user_events"}.isdisjoint(deployment.sets)
    assert "daily_strava" not in {job.name for job in deployment.repository.get_all_jobs()}


def test_a_finished_run_of_another_sensor_is_no_try(deployment: Graph) -> None:
    for _ in range(3):
        deployment.run(deployment.sets["runna"], window(3), SUCCESS, sensor="landing_files")
    assert _plan(deployment, [3], datetime.now(UTC)).given_up == {}
