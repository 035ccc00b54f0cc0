"""Erased persons whose ids the lake holds as pseudonyms, under the key of the erasure, another one or none."""

import shutil
from pathlib import Path

import pytest

from engagement_assets.contracts.personal import PersonalKind
from engagement_assets.extract.lingokids import LINGOKIDS_EVENTS
from engagement_assets.extract.mobile import MOBILE_EVENTS
from engagement_assets.lake.pseudonym_key import Mark, OtherPseudonymKeyError, Pseudonyms, write_mark
from engagement_assets.lake.rekey import rekey
from engagement_assets.privacy.pseudonyms import pseudonym
from tests.lake_loads import DAY_1, Found, event, files_below, publish, published, window
from tests.unit.lake.erasures import erase_persons, erasing_lake, load_events


def test_an_id_in_another_case_is_found_by_its_pseudonym_under_a_key_that_was_replaced(tmp_path: Path) -> None:
    rows = [{"event_id": name, "device_id": name, "day": DAY_1, "source_path": "a.csv"} for name in ("Phone", "Tablet")]
    found = Found({MOBILE_EVENTS: rows})
    publish(erasing_lake(tmp_path, pseudonym_key="p" * 32), found, window(DAY_1), 1, name="mobile_events")
    lake = erasing_lake(tmp_path, pseudonym_key=f"{'q' * 32},{'p' * 32}")
    list(rekey(lake))
    erase_persons(lake, "mobile", "device", "PHONE")
    assert published(lake, MOBILE_EVENTS, "device_id") == [(DAY_1, pseudonym(f"{'q' * 32},{'p' * 32}", "tablet"))]


def test_a_child_whose_pseudonym_alone_was_known_stays_out_under_another_key(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path, pseudonym_key="p" * 32)
    rows = [event("e1", DAY_1, user_id="anna", child_id="kim"), event("e2", DAY_1, user_id="ben", child_id="kim")]
    load_events(lake, 1, *rows)
    erase_persons(lake, "lingokids", "user", "anna")
    later = erasing_lake(tmp_path, pseudonym_key=f"{'q' * 32},{'p' * 32}")
    list(rekey(later))
    load_events(later, 2, *rows, event("e3", DAY_1, user_id="ben", child_id="lou"))
    assert published(later, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e3")]


def test_a_rewriting_to_another_key_first_takes_out_whom_a_backup_has_brought_back(tmp_path: Path) -> None:
    users = frozenset({PersonalKind.USER})
    lake = erasing_lake(tmp_path, pseudonym_key="p" * 32, pseudonymized=users)
    load_events(lake, 1, event("e1", DAY_1, user_id="anna"), event("e2", DAY_1, user_id="ben"))
    shutil.copytree(tmp_path / "lake", tmp_path / "backup")
    erase_persons(lake, "lingokids", "user", "anna")
    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(tmp_path / "backup", tmp_path / "lake")
    list(rekey(erasing_lake(tmp_path, pseudonym_key=f"{'q' * 32},{'p' * 32}", pseudonymized=users)))
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == [(DAY_1, "e2")]


@pytest.mark.parametrize("key", [None, "q" * 32], ids=["none", "another"])
def test_nobody_is_erased_under_a_key_by_which_they_cannot_be_found(tmp_path: Path, key: str | None) -> None:
    lake = erasing_lake(tmp_path, pseudonym_key="p" * 32)
    load_events(lake, 1, event("e1", DAY_1, device_id="phone"))
    with pytest.raises(OtherPseudonymKeyError, match=r"under which nobody can be found there\. Restore PSEUDONYM_KEY"):
        erase_persons(erasing_lake(tmp_path, pseudonym_key=key), "lingokids", "device", "phone")
    assert files_below(tmp_path / "erasures") == []
    erase_persons(erasing_lake(tmp_path, pseudonym_key=f"{'q' * 32},{'p' * 32}"), "lingokids", "device", "phone")
    assert published(lake, LINGOKIDS_EVENTS, "event_id") == []


def test_nobody_is_erased_while_a_rewriting_to_another_key_has_not_ended(tmp_path: Path) -> None:
    lake = erasing_lake(tmp_path, pseudonym_key="p" * 32)
    load_events(lake, 1, event("e1", DAY_1, device_id="phone"))
    later = erasing_lake(tmp_path, pseudonym_key=f"{'q' * 32},{'p' * 32}")
    write_mark(lake, Mark(Pseudonyms.under(lake.policy), becomes=Pseudonyms.under(later.policy)))
    with pytest.raises(OtherPseudonymKeyError, match="`make rekey` is at work or was interrupted"):
        erase_persons(later, "lingokids", "device", "phone")
