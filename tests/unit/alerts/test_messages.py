"""What a message says: all that a person needs, digests, titles."""

import msgspec
import pytest

from engagement_assets.alerts.incidents import WHOLE, Change, Kind, Severity, Subject
from engagement_assets.alerts.lineage import Lineage
from engagement_assets.alerts.messages import duration, severity_of
from tests.unit.alerts.alert_outcomes import CHECK, FINDING, START, lineage, message, timedelta, transition


def test_a_message_says_all_that_a_person_needs() -> None:
    (item,) = message(transition(failures=4)).items
    assert msgspec.to_builtins(item) == {
        "state": "opened",
        "severity": "error",
        "kind": "check",
        "asset": "raw_toy/events",
        "name": "holds",
        "partitions": ["2024-01-02"],
        "sentence": "3 rows are wrong",
        "since": START.isoformat().replace("+00:00", "Z"),
        "times_failed": 4,
        "runbook": "https://wiki.example/runbook.md#holds",
        "rerun": "make backfill FROM=2024-01-02 TO=2024-01-02 SELECT='key:\"raw_toy/events\"+'",
        "blocked": True,
        "observed": "3",
        "expected": "0",
        "failing_rows": 3,
        "lasted_s": None,
        "owners": ["team:toys"],
        "tables_downstream": ["toy/table"],
        "run_url": "https://dagster.example/runs/run-1",
        "asset_url": "https://dagster.example/assets/raw_toy/events?view=checks",
    }


def test_a_resolve_says_how_long_it_lasted() -> None:
    told = message(transition(Change.RESOLVED))
    assert told.title == "ERROR resolved: raw_toy/events holds"
    assert told.items[0].lasted_s == 2 * 3600 + 300


def test_an_asset_as_a_whole_names_the_days_of_its_run() -> None:
    (item,) = message(transition(failing_days={WHOLE: Severity.ERROR})).items
    assert item.partitions == ["2024-01-01 to 2024-01-02"]
    assert "FROM=2024-01-01 TO=2024-01-02" in item.rerun


def test_errors_come_before_warnings_and_both_before_what_is_over() -> None:
    def of(name: str, change: Change, severity: Severity) -> object:
        return transition(change, subject=msgspec.structs.replace(CHECK, name=name), severity=severity)

    told = message(
        of("over", Change.RESOLVED, Severity.ERROR),
        of("warns", Change.OPENED, Severity.WARN),
        of("fails", Change.ESCALATED, Severity.ERROR),
    )
    assert [item.name for item in told.items] == ["fails", "warns", "over"]
    assert told.title == "ERROR: 1 opened, 1 escalated, 1 resolved"


@pytest.mark.parametrize(("failures", "is_digest"), [(10, False), (11, True)])
def test_more_than_ten_failures_are_a_digest_that_names_ten(failures: int, is_digest: bool) -> None:
    told = message(
        *(transition(subject=msgspec.structs.replace(CHECK, name=f"check_{number:02}")) for number in range(failures))
    )
    assert (told.is_digest, told.failures, len(told.items)) == (is_digest, failures, 10)
    assert told.counts == {
        "state": {"opened": failures},
        "severity": {"error": failures},
        "asset": {CHECK.asset: failures},
    }


def test_a_check_counts_once_for_each_day_that_it_names() -> None:
    days = {f"2024-01-{day:02}": Severity.ERROR for day in range(1, 13)}
    assert message(transition(failing_days=days)).failures == 12
    unnamed = msgspec.structs.replace(FINDING, days_are_named=False)
    assert message(transition(failing_days=days, finding=unnamed)).failures == 1


def test_checks_that_never_ran_are_counted_by_asset() -> None:
    subject = msgspec.structs.replace(CHECK, kind=Kind.NOT_RUN)
    told = message(transition(), transition(subject=subject, severity=Severity.WARN))
    assert told.checks_not_run == {"raw_toy/events": 1}
    assert (told.failures, len(told.items)) == (1, 1)
    alone = message(transition(subject=subject, severity=Severity.WARN))
    assert (alone.title, alone.severity) == ("WARN opened: 1 planned checks never ran", Severity.WARN)


def test_the_severity_is_the_highest() -> None:
    warning = transition(severity=Severity.WARN)
    assert severity_of([warning]) == Severity.WARN
    assert severity_of([warning, transition()]) == Severity.ERROR


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (61, "1 min 1 s"), (7_500, "2 h 5 min"), (190_000, "2 d 4 h")]
)
def test_a_duration_is_said_in_two_units(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


@pytest.fixture
def graph() -> Lineage:
    return lineage()


def test_a_step_belongs_to_the_owners_of_its_assets(graph: Lineage) -> None:
    step = Subject(Kind.STEP, "", "raw_toy")
    assert graph.owners(step) == ["team:toys"]
    assert graph.tables_downstream(step) == ["toy/table"]
    assert graph.step_is_partitioned("raw_toy")
    assert not graph.step_is_partitioned("staging__stg_toy")
    assert graph.runbook_entry(step).endswith("#a-run-failed")


def test_a_dbt_test_stands_for_its_table_as_a_whole_and_has_one_runbook_entry(graph: Lineage) -> None:
    subject = Subject(Kind.CHECK, "toy/table", "is_unique")
    assert graph.runbook_entry(subject).endswith("#dbt-tests")
    keys = sorted(graph.graph.asset_check_keys)
    assert [graph.judges_the_whole(key) for key in keys] == [False, True]


def test_what_the_graph_does_not_know_any_more_is_told_all_the_same(graph: Lineage) -> None:
    subject = Subject(Kind.CHECK, "gone/table", "is_unique")
    assert (graph.owners(subject), graph.tables_downstream(subject)) == ([], [])
    gone = transition(subject=subject).incident
    assert graph.command([gone]) == "make backfill FROM=2024-01-02 TO=2024-01-02 SELECT='*'"
