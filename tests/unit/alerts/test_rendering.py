"""How messages look: hostile text stays text, and Slack's limits hold."""

import json
from datetime import date, timedelta

import msgspec
import pytest

from engagement_assets.alerts.incidents import Change, Kind, Severity, Subject, Transition
from engagement_assets.alerts.rendering import (
    SLACK_BLOCKS,
    SLACK_HEADER,
    SLACK_SECTION,
    as_slack,
    as_text,
    cut,
)
from tests.unit.alerts.alert_outcomes import CHECK, FINDING, message, transition

HOSTILE = "<!channel> <https://evil.example|click> & <@U123>"


def _finding(sentence: str) -> object:
    return msgspec.structs.replace(FINDING, sentence=sentence)


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
        "    blocked      yes: what is made of it was not built, and keeps its last good content",
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


def test_many_failing_days_are_told_in_a_few_words() -> None:
    """A source that stopped years ago, with a gap in every week before: 1,000 days and more."""
    days = [str(date(2020, 1, 6) + timedelta(days=number)) for number in range(1_200) if number % 7]
    told = as_text(message(transition(failing_days=dict.fromkeys(days, Severity.WARN))))
    (partitions,) = [line for line in told.splitlines() if line.startswith("    partitions")]
    assert partitions.endswith("2020-02-04 to 2020-02-09, and 998 more days")
    assert len(told) < 1_000


def test_slack_gets_a_header_and_a_section_per_check() -> None:
    body = as_slack(message(transition(), transition(subject=msgspec.structs.replace(CHECK, name="other"))))
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "section"]
    assert body["text"] == "ERROR: 2 opened"
    assert (
        "`make backfill FROM=2024-01-02 TO=2024-01-02 SELECT='key:\"raw_toy/events\"+'`"
        in body["blocks"][1]["text"]["text"]
    )


def test_slack_and_digests_tell_of_what_is_over_as_of_the_past() -> None:
    over = transition(Change.RESOLVED)
    assert "\nit was: 3 rows are wrong\n" in as_slack(message(over))["blocks"][1]["text"]["text"]
    digest = as_text(message(*[over] * 11)).splitlines()
    assert digest[4].endswith("lasted 2 h 5 min · it was: 3 rows are wrong")


def test_hostile_text_mentions_and_links_nothing_in_slack() -> None:
    shown = json.dumps(as_slack(message(transition(finding=_finding(HOSTILE)))))
    assert "<!channel>" not in shown
    assert "<https://evil" not in shown
    assert "&lt;!channel&gt;" in shown


def test_slack_makes_links_of_our_own_addresses_alone_and_unfurls_none() -> None:
    body = as_slack(message(transition(finding=_finding("@here https://evil.example/x.png"))))
    (section,) = body["blocks"][1:]
    assert section["text"]["verbatim"] is True
    assert "\n@here https://evil.example/x.png\n" in section["text"]["text"]
    assert "*run*  <https://dagster.example/runs/run-1>" in section["text"]["text"]
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_hostile_text_steers_no_terminal() -> None:
    name = "a\x1b[2J\u202eb\nALERT  ERROR opened: nothing"
    hostile = transition(
        subject=msgspec.structs.replace(CHECK, name=name, asset=name),
        finding=msgspec.structs.replace(FINDING, sentence=name, observed=name, expected=name),
    )
    for told in (
        message(hostile),
        message(*[hostile] * 11),
        message(msgspec.structs.replace(hostile, change=Change.RESOLVED)),
    ):
        text = as_text(told)
        assert all(sign == "\n" or sign.isprintable() for sign in text)
        assert [line for line in text.splitlines()[1:] if line.startswith("ALERT")] == []
        assert "a\\x1b[2J\\u202eb ALERT ERROR opened: nothing" in text


@pytest.mark.parametrize("sign", ["<", "&", "x", "*"])
def test_the_longest_message_keeps_within_the_limits_of_slack(sign: str) -> None:
    long = sign * 5_000
    transitions = [
        transition(subject=msgspec.structs.replace(CHECK, name=f"{long}{number}"), finding=_finding(long))
        for number in range(60)
    ]
    for told in (message(*transitions), message(*transitions[:10])):
        body = as_slack(told)
        assert len(body["blocks"]) <= SLACK_BLOCKS
        assert len(body["blocks"][0]["text"]["text"]) <= SLACK_HEADER
        assert max(len(block["text"]["text"]) for block in body["blocks"][1:]) <= SLACK_SECTION


@pytest.mark.parametrize(
    ("text", "expected"), [("ab", "ab"), ("abcdef", "abcd…"), ("ab&amp;c", "ab…"), ("a&lt;bcd", "a…")]
)
def test_a_cut_leaves_no_half_of_an_escaped_sign(text: str, expected: str) -> None:
    assert cut(text, 5) == expected
