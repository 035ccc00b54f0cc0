"""What `make rekey` prints: what it rewrote, what is to be built again, and why it refused."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.commands import rekey as command
from engagement_assets.commands.rekey import backfills
from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake.lake import WHOLE_DATASET_DAY, Lake
from engagement_assets.lake.rekey import RewrittenLoad
from engagement_assets.lake.retention import prune_raw_days
from engagement_assets.privacy.policy import PrivacyPolicy
from tests.lake_loads import DAY_1, DAY_2, DAY_3, Found, publish, window

OLD, NEW = "o" * 32, "n" * 32
START = date(2021, 1, 1)


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with a day, under the old key; `.env` names the new one and the old one."""
    lake = Lake(str(tmp_path / "lake"), PrivacyPolicy(OLD))
    row = {"event_id": "e1", "device_id": "phone", "day": DAY_1, "source_path": "a.csv"}
    publish(lake, Found({MOBILE_EVENTS: [row]}), window(DAY_1), 1, name="mobile_events")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("PSEUDONYM_KEY", f"{NEW},{OLD}")
    return lake


def test_the_command_says_what_it_did_and_what_is_to_do(loaded: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main() == 0
    fingerprint = str(PrivacyPolicy(f"{NEW},{OLD}").key_fingerprint)[:8]
    held = f"{loaded.uri} holds pseudonyms for child, device under the key with the fingerprint {fingerprint}"
    assert capsys.readouterr().out.splitlines() == [
        "mobile_events: 1 files rewritten",
        held,
        "The warehouse still holds the ids of before. Build its tables again, from the lake:",
        "  make backfill FROM=2024-03-01 TO=2024-03-01 SELECT='group:mobility or key:\"published/mobility\"'",
    ]
    assert command.main() == 0
    assert capsys.readouterr().out.splitlines() == [held]


def test_a_refusal_is_an_error(
    loaded: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", NEW)
    assert command.main() == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: {loaded.uri} holds pseudonyms for child, device under the key with")


@pytest.mark.parametrize(
    ("policy", "over_all"),
    [
        (
            PrivacyPolicy(NEW, frozenset(PersonalKind)),
            ["make backfill FROM=2021-01-01 TO=2024-03-02 SELECT='group:eng"],
        ),
        (PrivacyPolicy(None, frozenset(PersonalKind)), []),
        (PrivacyPolicy(NEW), []),
    ],
)
def test_each_source_has_a_command_and_users_concern_all_sources(policy: PrivacyPolicy, over_all: list[str]) -> None:
    rewritten = [
        RewrittenLoad("lingokids_users", 1, (WHOLE_DATASET_DAY,)),
        RewrittenLoad("user_events", 2, (DAY_1, DAY_2)),
    ]
    commands = backfills(rewritten, policy, START, {})
    assert [line[:55] for line in commands] == [
        "make backfill FROM=2021-01-01 TO=2021-01-01 SELECT='gro",
        "make backfill FROM=2024-03-01 TO=2024-03-02 SELECT='gro",
    ] + [line[:55] for line in over_all]


def test_days_that_retention_has_removed_are_told_and_not_built(
    loaded: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"event_id": "e3", "device_id": "phone", "day": DAY_3, "source_path": "a.csv"}
    publish(loaded, Found({MOBILE_EVENTS: [row]}), window(DAY_2, DAY_3), 2, name="mobile_events")
    prune_raw_days(loaded, MOBILE_EVENTS, DAY_3, lambda: lambda day: day == DAY_2, dry_run=False)
    assert command.main() == 0
    *_, first, second, removed = capsys.readouterr().out.splitlines()
    assert (first[:46], second[:46]) == (
        "  make backfill FROM=2024-03-01 TO=2024-03-01 ",
        "  make backfill FROM=2024-03-03 TO=2024-03-03 ",
    )
    assert removed.startswith("raw_mobile/events of 2024-03-02 was removed by RAW_RETENTION_DAYS and cannot be built")
