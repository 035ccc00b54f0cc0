"""What a message says: all that a person needs, digests, titles."""

from datetime import date, timedelta

import msgspec
import pytest

from engagement_assets.alerts.incidents import WHOLE, Change, Kind, Severity, Subject, Transition
from engagement_assets.alerts.lineage import Lineage
from engagement_assets.alerts.messages import as_text, duration, severity_of
from tests.unit.alerts.alert_outcomes import CHECK, START, lineage, message, transition


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
    reported = message(transition(Change.RESOLVED))
    assert reported.title == "RESOLVED: raw_toy/events holds"
    assert reported.items[0].lasted_s == 2 * 3600 + 300


def test_an_asset_as_a_whole_names_the_days_of_its_run() -> None:
    (item,) = message(transition(failing_days={WHOLE: Severity.ERROR})).items
    assert item.partitions == ["2024-01-01 to 2024-01-02"]
    assert "FROM=2024-01-01 TO=2024-01-02" in item.rerun


def test_errors_come_before_warnings_and_both_before_what_is_over() -> None:
    def of(name: str, change: Change, severity: Severity) -> Transition:
        return transition(change, subject=msgspec.structs.replace(CHECK, name=name), severity=severity)

    reported = message(
        of("over", Change.RESOLVED, Severity.ERROR),
        of("warns", Change.OPENED, Severity.WARN),
        of("fails", Change.ESCALATED, Severity.ERROR),
    )
    assert [item.name for item in reported.items] == ["fails", "warns", "over"]
    assert reported.title == "ERROR: 1 opened, 1 escalated, 1 resolved"


@pytest.mark.parametrize(("failures", "is_digest"), [(10, False), (11, True)])
def test_more_than_ten_failures_are_a_digest_that_names_ten(failures: int, is_digest: bool) -> None:
    reported = message(
        *(transition(subject=msgspec.structs.replace(CHECK, name=f"check_{number:02}")) for number in range(failures))
    )
    assert (reported.is_digest, reported.failures, len(reported.items)) == (is_digest, failures, 10)
    assert reported.counts == {
        "state": {"opened": failures},
        "severity": {"error": failures},
        "asset": {CHECK.asset: failures},
    }


def test_run_again_of_a_digest_is_for_all_that_is_open_and_for_nothing_that_is_over() -> None:
    def of_day(number: int, change: Change) -> Transition:
        return transition(
            change,
            subject=msgspec.structs.replace(CHECK, name=f"check_{number:02}"),
            failing_days={f"2024-01-{number:02}": Severity.ERROR},
        )

    opened = [of_day(number, Change.OPENED) for number in range(1, 15)]
    over = [of_day(number, Change.RESOLVED) for number in range(16, 28)]
    assert "FROM=2024-01-01 TO=2024-01-14" in message(*opened).rerun
    mixed = message(*opened[:2], *over).rerun
    assert "FROM=2024-01-01 TO=2024-01-02" in mixed
    assert "2024-01-1" not in mixed
    assert message(*over).rerun == ""
    assert "run again" not in as_text(message(*over))


def _failing(*days: str) -> dict[str, Severity]:
    return dict.fromkeys(days, Severity.ERROR)


def test_a_check_counts_once_however_many_days_fail_and_names_them_as_ranges() -> None:
    stopped = [str(date(2023, 1, 1) + timedelta(days=number)) for number in range(1_000)]
    reported = message(transition(failing_days=_failing(*stopped, "2026-01-01")))
    assert (reported.failures, reported.is_digest) == (1, False)
    assert reported.counts == {"state": {"opened": 1}, "severity": {"error": 1}, "asset": {CHECK.asset: 1}}
    assert reported.items[0].partitions == ["2023-01-01 to 2025-09-26", "2026-01-01"]
    assert len(msgspec.json.encode(reported)) < 2_000


def test_partitions_that_are_no_days_are_named_as_they_are() -> None:
    reported = message(transition(failing_days=_failing("north", "south")))
    assert reported.items[0].partitions == ["north", "south"]
    assert "FROM=2024-01-01 TO=2024-01-02" in reported.items[0].rerun


@pytest.mark.parametrize(
    ("days", "ranges"),
    [
        (("2024-01-05",), ["2024-01-05 TO=2024-01-05"]),
        (("2024-01-05", "2024-01-06", "2024-02-09"), ["2024-01-05 TO=2024-01-06", "2024-02-09 TO=2024-02-09"]),
        (
            ("2024-01-01", "2024-01-03", "2024-01-05"),
            ["2024-01-01 TO=2024-01-01", "2024-01-03 TO=2024-01-03", "2024-01-05 TO=2024-01-05"],
        ),
    ],
)
def test_run_again_names_the_failing_days_alone(days: tuple[str, ...], ranges: list[str]) -> None:
    """Not those of the run that found them, 2024-01-01 to 2024-01-02."""
    selection = "SELECT='key:\"raw_toy/events\"+'"
    expected = "; ".join(f"make backfill FROM={days} {selection}" for days in ranges)
    assert message(transition(failing_days=_failing(*days))).items[0].rerun == expected


def test_many_blocks_of_days_are_run_again_as_one_range_which_says_so() -> None:
    days = _failing("2024-01-01", "2024-01-03", "2024-01-05", "2024-01-09", "2024-01-10")
    assert message(transition(failing_days=days)).items[0].rerun == (
        "make backfill FROM=2024-01-01 TO=2024-01-10 SELECT='key:\"raw_toy/events\"+'"
        "  # covers the 5 failing days among 10"
    )


def test_a_command_for_several_checks_covers_the_days_of_each() -> None:
    other = msgspec.structs.replace(CHECK, name="other")
    reported = message(
        transition(failing_days=_failing("2024-01-09")), transition(subject=other, failing_days={WHOLE: Severity.ERROR})
    )
    assert [part.partition(" SELECT")[0] for part in reported.rerun.split("; ")] == [
        "make backfill FROM=2024-01-01 TO=2024-01-02",
        "make backfill FROM=2024-01-09 TO=2024-01-09",
    ]


def test_checks_that_never_ran_are_counted_by_asset() -> None:
    subject = msgspec.structs.replace(CHECK, kind=Kind.NOT_RUN)
    reported = message(transition(), transition(subject=subject, severity=Severity.WARN))
    assert reported.checks_not_run == {"raw_toy/events": 1}
    assert (reported.title, reported.failures, len(reported.items)) == (
        "ERROR: 1 opened, 1 planned checks never ran",
        1,
        1,
    )
    alone = message(transition(subject=subject, severity=Severity.WARN))
    assert (alone.title, alone.severity) == ("WARN: 1 planned checks never ran", Severity.WARN)
    over = message(transition(Change.RESOLVED), transition(subject=subject, severity=Severity.WARN))
    assert (over.title, over.severity) == ("WARN: 1 resolved, 1 planned checks never ran", Severity.WARN)


def test_the_severity_is_the_highest() -> None:
    warning = transition(severity=Severity.WARN)
    assert severity_of([warning]) == Severity.WARN
    assert severity_of([warning, transition()]) == Severity.ERROR


def test_the_heading_is_that_of_what_is_open() -> None:
    over = transition(Change.RESOLVED)
    warns = transition(
        Change.STILL_FAILING, subject=msgspec.structs.replace(CHECK, name="warns"), severity=Severity.WARN
    )
    mixed = message(over, warns)
    assert (mixed.title, mixed.severity) == ("WARN: 1 still failing, 1 resolved", Severity.WARN)
    also_fails = message(over, warns, transition(subject=msgspec.structs.replace(CHECK, name="fails")))
    assert (also_fails.title, also_fails.severity) == ("ERROR: 1 opened, 1 still failing, 1 resolved", Severity.ERROR)


def test_a_message_of_what_is_over_says_so() -> None:
    over = [
        transition(Change.RESOLVED, subject=msgspec.structs.replace(CHECK, name=f"{number}")) for number in range(11)
    ]
    assert message(*over[:2]).title == "RESOLVED: 2 resolved"
    assert message(*over).title == "RESOLVED digest of 11: 11 resolved"


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


def test_what_the_graph_no_longer_knows_is_still_reported(graph: Lineage) -> None:
    subject = Subject(Kind.CHECK, "gone/table", "is_unique")
    assert (graph.owners(subject), graph.tables_downstream(subject)) == ([], [])
    gone = transition(subject=subject).incident
    assert graph.command([gone]) == "make backfill FROM=2024-01-02 TO=2024-01-02 SELECT='*'"


def test_a_step_without_tables_and_days_has_no_command_since_a_load_would_repair_nothing(graph: Lineage) -> None:
    daily = transition(subject=Subject(Kind.STEP, "", "prune"), failing_days={WHOLE: Severity.ERROR}).incident
    assert graph.command([daily]).startswith("make backfill FROM=2024-01-01 TO=2024-01-02 ")
    finding = msgspec.structs.replace(daily.finding, run_days=None)
    assert graph.command([msgspec.structs.replace(daily, finding=finding)]) == ""
