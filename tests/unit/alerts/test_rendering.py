"""How messages look as text, and that hostile text stays text."""

from datetime import date, timedelta

import msgspec

from engagement_assets.alerts.incidents import Change, Kind, Severity, Subject, Transition
from engagement_assets.alerts.messages import as_text
from tests.unit.alerts.alert_outcomes import CHECK, FINDING, message, transition


def test_the_text_of_a_failure() -> None:
    assert as_text(message()).splitlines() == [
        "ALERT  ERROR opened: raw_toy/events holds",
        "  OPENED · ERROR · raw_toy/events · holds",
        "    3 rows are wrong",
        "    partitions   2024-01-02",
        "    observed     3",
        "    expected     0",
        "    failing rows 3",
        "    since        2024-03-01 12:00 UTC, seen failing once",
        "    blocked      yes: what is built from it was not rebuilt and keeps its last good content",
        "    owners       team:toys",
        "    affects      toy/table",
        "    run again    make backfill FROM=2024-01-02 TO=2024-01-02 SELECT='key:\"raw_toy/events\"+'",
        "    runbook      https://wiki.example/runbook.md#holds",
        "    run          https://dagster.example/runs/run-1",
        "    asset        https://dagster.example/assets/raw_toy/events?view=checks",
    ]


def test_the_text_of_a_resolve_says_how_long_it_lasted() -> None:
    lines = as_text(message(transition(Change.RESOLVED))).splitlines()
    assert lines[2] == "    it was: 3 rows are wrong"
    assert "    lasted       2 h 5 min" in lines
    assert not any("run again" in line for line in lines)


def test_the_text_of_a_digest_counts_all_and_names_ten() -> None:
    def of(number: int) -> Transition:
        return transition(subject=Subject(Kind.CHECK, f"raw_toy/{number:02}", "holds"))

    lines = as_text(message(*map(of, range(13)))).splitlines()
    assert lines[0] == "ALERT  ERROR digest of 13: 13 opened"
    assets = ", ".join(f"raw_toy/{number:02} 1" for number in range(10))
    assert lines[1:4] == ["  by state: opened 13", "  by severity: error 13", f"  by asset: {assets}, others 3"]
    assert lines[4] == "  - OPENED · ERROR · raw_toy/00 · holds · 2024-01-02 · 3 rows are wrong"
    assert lines[13:15] == ["  - OPENED · ERROR · raw_toy/09 · holds · 2024-01-02 · 3 rows are wrong", "  - and 3 more"]
    assert "FROM=2024-01-02 TO=2024-01-02" in lines[15]


def test_many_failing_days_are_shown_in_a_few_words() -> None:
    """A source that stopped years ago, with a gap in every week before: 1,000 days and more."""
    days = [str(date(2020, 1, 6) + timedelta(days=number)) for number in range(1_200) if number % 7]
    reported = as_text(message(transition(failing_days=dict.fromkeys(days, Severity.WARN))))
    (partitions,) = [line for line in reported.splitlines() if line.startswith("    partitions")]
    assert partitions.endswith("2020-02-04 to 2020-02-09, and 998 more days")
    assert len(reported) < 1_000


def test_a_digest_says_of_what_is_resolved_what_it_was_and_how_long_it_lasted() -> None:
    digest = as_text(message(*[transition(Change.RESOLVED)] * 11)).splitlines()
    assert digest[4].endswith("lasted 2 h 5 min · it was: 3 rows are wrong")


def test_hostile_text_steers_no_terminal() -> None:
    name = "a\x1b[2J\u202eb\nALERT  ERROR opened: nothing"
    hostile = transition(
        subject=msgspec.structs.replace(CHECK, name=name, asset=name),
        finding=msgspec.structs.replace(FINDING, sentence=name, observed=name, expected=name),
    )
    for reported in (
        message(hostile),
        message(*[hostile] * 11),
        message(msgspec.structs.replace(hostile, change=Change.RESOLVED)),
    ):
        text = as_text(reported)
        assert all(sign == "\n" or sign.isprintable() for sign in text)
        assert [line for line in text.splitlines()[1:] if line.startswith("ALERT")] == []
        assert "a\\x1b[2J\\u202eb ALERT ERROR opened: nothing" in text
