"""What the alerts read from a real Dagster instance: runs of every kind, in whichever order they end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from engagement_assets.alerts.alerting import SHELL, Alerting, AlertsBusyError
from engagement_assets.alerts.channels import FileChannel
from engagement_assets.alerts.history import signs_of_life
from engagement_assets.alerts.lineage import Links
from engagement_assets.alerts.store import alert_store
from engagement_assets.contracts import check_metadata
from tests.integration.alert_location import (
    BREAKS_TAG,
    EVENTS,
    NOT_JUDGED,
    NOTES,
    RANGE_TAGS,
    TABLE,
    Fails,
    raw_notes,
    run,
)
from tests.integration.alert_reader import GRAPH, REPEAT_AFTER, Reader

pytestmark = pytest.mark.integration

ONE, TWO = "2024-01-01", "2024-01-02"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def reader(tmp_path: Path, instance: dg.DagsterInstance) -> Reader:
    return Reader(tmp_path / "alerts", instance)


def _report(instance: dg.DagsterInstance, check: str, *, passed: bool, **metadata: Any) -> None:
    instance.report_runless_asset_event(
        AssetCheckEvaluation(asset_key=EVENTS, check_name=check, passed=passed, metadata=metadata)
    )


@pytest.mark.parametrize("days", [(ONE,), ()])
def test_a_check_that_had_nothing_to_judge_settles_nothing(
    instance: dg.DagsterInstance, reader: Reader, days: tuple[str, ...]
) -> None:
    run(instance, ONE, TWO, holds_00=Fails(days=days))
    reported = days or (f"{ONE} to {TWO}",)
    assert reader.reported() == [[("opened", "holds_00", reported)]]
    run(instance, ONE, TWO, holds_00=NOT_JUDGED)
    assert reader.reported() == []
    run(instance, ONE, TWO)
    assert reader.reported() == [[("resolved", "holds_00", reported)]]


def test_a_blocking_failure_is_reported_once_though_its_step_and_run_fail_too(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    run(instance, ONE, TWO, adds_up=Fails())
    assert reader.reported() == [[("opened", "adds_up", (f"{ONE} to {TWO}",))]]
    assert reader.messages()[0]["items"][0]["blocked"]
    run(instance, ONE, TWO)
    assert reader.reported() == [[("resolved", "adds_up", (f"{ONE} to {TWO}",))]]


def test_a_step_that_fails_without_a_check_is_reported_once_and_not_the_checks_that_it_kept_from_running(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    run(instance, ONE, tags={BREAKS_TAG: "no space left"})
    run(instance, ONE, tags={BREAKS_TAG: "no space left"})
    assert reader.reported() == [[("opened", "toy_table", (ONE,))]]
    (message,) = reader.messages()
    assert message["items"][0]["sentence"] == "RuntimeError: no space left"
    assert message["checks_not_run"] == {}
    run(instance, TWO)
    assert reader.reported() == [[("resolved", "toy_table", (ONE,))]]


def test_the_one_step_of_an_area_resolves_what_its_three_steps_of_older_versions_left_open(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    @dg.asset
    def toy_marts() -> None:
        raise RuntimeError("no space left")

    @dg.multi_asset(specs=[dg.AssetSpec("toy_marts")])
    def other_models() -> None:
        return

    @dg.multi_asset(specs=[dg.AssetSpec("toy_marts")])
    def toy_models() -> None:
        return

    dg.materialize([toy_marts], instance=instance, raise_on_error=False)
    dg.materialize([other_models], instance=instance)
    assert reader.reported() == [[("opened", "toy_marts", ())]]
    dg.materialize([toy_models], instance=instance)
    assert reader.reported() == [[("resolved", "toy_marts", ())]]


def test_a_run_that_is_killed_is_reported_once_and_resolved_by_one_that_comes_to_its_end(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    nightly = _nightly()
    killed = instance.create_run_for_job(nightly, tags=dict.fromkeys(RANGE_TAGS, ONE))
    assert reader.reported() == []
    instance.report_run_failed(killed, "the process of this run was killed")
    (reported,) = reader.reported()
    assert reported == [("opened", "nightly", (ONE,))]
    assert reader.messages()[0]["items"][0]["sentence"].endswith("the process of this run was killed")
    nightly.execute_in_process(instance=instance, partition_key=TWO)
    assert reader.reported() == []
    nightly.execute_in_process(instance=instance, partition_key=ONE)
    assert reader.reported() == [[("resolved", "nightly", (ONE,))]]


def _nightly() -> dg.JobDefinition:
    job = dg.define_asset_job("nightly", selection=[NOTES])
    return dg.Definitions(assets=[raw_notes], jobs=[job]).resolve_job_def("nightly")


def test_a_cancelled_run_opens_nothing_and_its_checks_that_never_ran_neither(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    instance.report_run_canceled(instance.create_run_for_job(_nightly()))
    assert (reader.work().runs_read, reader.messages()) == (1, [])


def test_a_run_that_succeeded_says_which_of_its_checks_never_ran(instance: dg.DagsterInstance, reader: Reader) -> None:
    """Such as a dbt test of a table that has never been built."""
    run = instance.create_run_for_job(_nightly())
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "nightly"), run.run_id)
    assert reader.reported() == [[]]
    (message,) = reader.messages()
    assert (message["title"], message["checks_not_run"]) == (
        "WARN: 1 planned checks never ran",
        {"raw_toy/notes": 1},
    )


def _interrupt(instance: dg.DagsterInstance, interrupt: type[BaseException], *, is_asked_for: bool) -> None:
    @dg.asset(key=NOTES)
    def interrupted(context: dg.AssetExecutionContext) -> None:
        if is_asked_for:
            instance.report_run_canceling(context.run)
        raise interrupt

    with pytest.raises(interrupt):
        dg.materialize([interrupted], instance=instance)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, DagsterExecutionInterruptedError])
def test_a_step_whose_run_was_cancelled_opens_nothing(
    instance: dg.DagsterInstance, reader: Reader, interrupt: type[BaseException]
) -> None:
    _interrupt(instance, interrupt, is_asked_for=True)
    assert (reader.work().runs_read, reader.messages()) == (1, [])


def test_a_step_that_was_interrupted_although_nobody_asked_for_it_is_reported_by_its_run(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    _interrupt(instance, KeyboardInterrupt, is_asked_for=False)
    (reported,) = reader.reported()
    assert [state for state, *_ in reported] == ["opened"]
    (item,) = reader.messages()[0]["items"]
    assert (item["kind"], "interrupted unexpectedly" in item["sentence"]) == ("run", True)


def test_evaluations_that_belong_to_no_run_are_read_once(instance: dg.DagsterInstance, reader: Reader) -> None:
    _report(instance, "holds_00", passed=False)
    _report(instance, "holds_01", passed=True)
    assert reader.reported() == [[("opened", "holds_00", ())]]
    assert reader.reported() == []
    reader.later = timedelta(minutes=6)
    assert reader.reported() == []
    _report(instance, "holds_00", passed=True)
    assert reader.reported() == [[("resolved", "holds_00", ())]]


def test_evaluations_are_read_after_dagsters_records_were_made_anew(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    with alert_store(reader.path.with_name("alerts.sqlite")) as store:
        store.mark_events_read([(2_000_000, datetime.now(UTC) - timedelta(days=30))])
    _report(instance, "are_whole", passed=False)
    assert reader.reported() == [[("opened", "are_whole", ())]]
    assert reader.reported() == []


def test_a_check_says_which_days_it_judged_beyond_those_of_its_run(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    days = {check_metadata.FIRST_DAY_JUDGED: "2024-01-01", check_metadata.LAST_DAY_JUDGED: "2024-01-31"}
    _report(instance, "holds_00", passed=False, **{check_metadata.FAILING_DAYS: ["2024-01-15"]}, **days)
    assert reader.reported() == [[("opened", "holds_00", ("2024-01-15",))]]
    later = {check_metadata.FIRST_DAY_JUDGED: "2024-01-16", check_metadata.LAST_DAY_JUDGED: "2024-02-15"}
    _report(instance, "holds_00", passed=True, **{check_metadata.FAILING_DAYS: []}, **later)
    assert reader.reported() == []
    _report(instance, "holds_00", passed=True, **{check_metadata.FAILING_DAYS: []}, **days)
    assert reader.reported() == [[("resolved", "holds_00", ("2024-01-15",))]]


def test_days_that_are_named_as_an_interval_fail_and_come_right_one_by_one(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    _report(instance, "holds_00", passed=False, **{check_metadata.FAILING_DAYS: ["2024-01-01/2024-01-05"]})
    assert reader.reported() == [[("opened", "holds_00", ("2024-01-01 to 2024-01-05",))]]
    third = {check_metadata.FIRST_DAY_JUDGED: "2024-01-03", check_metadata.LAST_DAY_JUDGED: "2024-01-03"}
    _report(instance, "holds_00", passed=True, **{check_metadata.FAILING_DAYS: []}, **third)
    days = {check_metadata.FIRST_DAY_JUDGED: "2024-01-06", check_metadata.LAST_DAY_JUDGED: "2024-01-06"}
    _report(instance, "holds_00", passed=False, **{check_metadata.FAILING_DAYS: ["2024-01-06"]}, **days)
    assert reader.reported() == [
        [("still failing", "holds_00", ("2024-01-01 to 2024-01-02", "2024-01-04 to 2024-01-06"))]
    ]


def test_a_run_that_ends_late_does_not_bring_back_what_another_has_fixed_since(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    """Its check ran first; the run then went on with other things."""
    job = dg.define_asset_job("slow", selection=[NOTES])
    slow_job = dg.Definitions(assets=[raw_notes], jobs=[job]).resolve_job_def("slow")
    slow = instance.create_run_for_job(slow_job, tags=dict.fromkeys(RANGE_TAGS, ONE))
    evaluation = AssetCheckEvaluation(
        asset_key=NOTES, check_name="are_legible", passed=False, metadata={check_metadata.FAILING_DAYS: [ONE]}
    )
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, "slow", event_specific_data=evaluation),
        slow.run_id,
    )
    run(instance, ONE, assets=[raw_notes])
    assert reader.reported() == []
    instance.report_run_canceled(slow)
    assert (reader.work().runs_read, reader.messages()) == (1, [])


def test_a_backfill_waits_for_its_last_run_unless_it_takes_long(instance: dg.DagsterInstance, reader: Reader) -> None:
    backfill = PartitionBackfill("b", BulkActionStatus.REQUESTED, False, {}, 0.0, asset_selection=[NOTES])
    instance.add_backfill(backfill)
    tags = {"dagster/backfill": "b"}
    run(instance, ONE, assets=[raw_notes], tags=tags, are_legible=Fails(days=(ONE,)))
    assert reader.reported() == []
    reader.later = timedelta(hours=1)
    assert reader.reported() == [[("opened", "are_legible", (ONE,))]]
    reader.later = timedelta()
    run(instance, TWO, assets=[raw_notes], tags=tags, are_legible=Fails(days=(TWO,)))
    assert reader.reported() == []
    instance.update_backfill(backfill._replace(status=BulkActionStatus.COMPLETED_FAILED))
    assert reader.reported() == [[("still failing", "are_legible", (f"{ONE} to {TWO}",))]]


def test_the_first_round_looks_back_a_day(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    run(instance, ONE, holds_00=Fails(days=(ONE,)))
    reader = Reader(tmp_path / "today", instance)
    assert [message["title"] for message in reader.messages()] == ["ERROR opened: raw_toy/events holds_00"]


def test_a_run_that_is_deleted_before_it_was_read_is_forgotten(instance: dg.DagsterInstance, reader: Reader) -> None:
    job = dg.define_asset_job("nightly", selection=[NOTES])
    started = instance.create_run_for_job(dg.Definitions(assets=[raw_notes], jobs=[job]).resolve_job_def("nightly"))
    reader.work()
    instance.delete_run(started.run_id)
    reader.work()
    run(instance, ONE, holds_00=Fails(days=(ONE,)))
    assert reader.reported() == [[("opened", "holds_00", (ONE,))]]


def test_the_check_of_the_alerts_passes_while_they_work_and_fails_when_they_have_stopped(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    def troubles(*, daemon_expected: bool) -> list[str]:
        return signs_of_life(reader.alerting, instance, reader.now(), daemon_expected=daemon_expected).troubles

    assert troubles(daemon_expected=True) == []
    run(instance, ONE)
    assert troubles(daemon_expected=True) == []
    reader.later = timedelta(minutes=16)
    silent, unread = troubles(daemon_expected=True)
    assert silent.startswith("the alert sensor last worked 16 min")
    assert unread.startswith("1 runs ended and nobody has read their checks")
    reader.work(SHELL)
    assert troubles(daemon_expected=False) == []

    reader.path.mkdir()  # a channel that cannot be written
    run(instance, ONE, adds_up=Fails())
    reader.work()
    assert troubles(daemon_expected=True) == []
    reader.later = timedelta(minutes=90)
    reader.work()
    (undelivered,) = troubles(daemon_expected=True)
    assert undelivered.startswith("1 messages are not delivered, the first to file since")


def test_where_nobody_ever_asked_for_alerts_only_a_launched_run_misses_them(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    run(instance, ONE)
    never = Alerting(tmp_path / "never", Links("", ""), REPEAT_AFTER, [])
    now = datetime.now(UTC) + timedelta(days=1)
    assert signs_of_life(never, instance, now, daemon_expected=False).troubles == []
    assert signs_of_life(never, instance, now, daemon_expected=True).troubles == [
        "the alert sensor has never worked; switch it on in the Dagster UI"
    ]


def test_two_processes_do_not_do_the_same_work(instance: dg.DagsterInstance, reader: Reader) -> None:
    class Again(FileChannel):
        def send(self, _message: object) -> None:
            with pytest.raises(AlertsBusyError):
                reader.work()
            self.tried = True

    channel = Again(reader.path)
    run(instance, ONE, adds_up=Fails())
    Alerting(reader.alerting.folder, Links("", ""), REPEAT_AFTER, [channel]).work(instance, GRAPH, SHELL)
    assert channel.tried


def test_the_lines_of_a_description_are_shown_as_one_with_a_mark_between_them(
    instance: dg.DagsterInstance, reader: Reader
) -> None:
    run(instance, ONE, TWO, holds_00=Fails(days=(ONE, TWO), sentence=f"{ONE}: 3 are wrong\n{TWO}: 4 are wrong"))
    reader.work()
    assert reader.messages()[0]["items"][0]["sentence"] == f"{ONE}: 3 are wrong; {TWO}: 4 are wrong"


def test_the_severity_of_a_warning_is_reported(instance: dg.DagsterInstance, reader: Reader) -> None:
    evaluation = AssetCheckEvaluation(
        asset_key=TABLE, check_name="adds_up", passed=False, severity=AssetCheckSeverity.WARN
    )
    instance.report_runless_asset_event(evaluation)
    reader.work()
    (message,) = reader.messages()
    assert (message["severity"], message["items"][0]["blocked"]) == ("warn", False)
