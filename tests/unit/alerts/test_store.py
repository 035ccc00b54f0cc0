"""The store's file: its version, what it is upgraded from, and what makes it unusable."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from engagement_assets.alerts import store as stores
from engagement_assets.alerts.history import AlertState, alert_states
from engagement_assets.alerts.incidents import Change, Kind
from engagement_assets.alerts.store import STORE_FILE, AlertStore, AlertStoreError, alert_store
from tests.unit.alerts.alert_outcomes import CHECK, after, message, transition

OPEN = AlertState("raw_toy/events", "holds", "open", "error", "2024-03-01T12:00:00+00:00", "", 1, "2024-01-02")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that is in use: something fails, and a message says that it had been resolved before."""
    path = tmp_path / STORE_FILE
    with alert_store(path) as store:
        store.keep_incident(transition().incident)
        store.record(message(transition(Change.RESOLVED, opened_at=after(days=-1))), ["file"])
    return path


def _set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {version}")


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("pragma user_version").fetchone()[0])


def test_a_store_from_before_there_were_versions_keeps_what_it_has(path: Path) -> None:
    _set_version(path, 0)
    with alert_store(path) as store:
        assert list(store.incidents()) == [CHECK]
        assert [kept.key for kept in store.messages()] == ["key-1"]
    assert _version(path) == 1


def test_a_store_in_which_warnings_wait_for_quiet_hours_and_digest_is_read(path: Path) -> None:
    """A version before held them back; the message goes out now."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("insert into waiting_warnings (body, recorded_at) values ('{}', '2024-03-01')")
        connection.execute("update messages set not_before = ?", (after(hours=8).isoformat(timespec="microseconds"),))
    with alert_store(path) as store:
        assert list(store.incidents()) == [CHECK]
        assert [delivery.message.key for delivery in store.outbox("file")] == ["key-1"]
    assert _version(path) == 1


def test_an_upgrade_is_done_as_a_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrades = stores._UPGRADES
    monkeypatch.setattr(stores, "_UPGRADES", (*upgrades, "alter table facts add column at text; nonsense"))
    with pytest.raises(AlertStoreError, match="syntax error"), alert_store(path):
        pass
    assert _version(path) == 1
    monkeypatch.setattr(stores, "_UPGRADES", (*upgrades, "alter table facts add column at text"))
    with alert_store(path) as store:
        assert list(store.incidents()) == [CHECK]
    assert _version(path) == 2


def test_a_store_of_a_newer_version_is_left_alone(path: Path) -> None:
    _set_version(path, 2)
    before = path.read_bytes()
    with pytest.raises(AlertStoreError, match=r"alerts.sqlite has version 2 .* up to 1: go back to the version"):
        AlertStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_store_says_what_to_do(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with pytest.raises(AlertStoreError, match=r"file is not a database.*move the file away"), alert_store(path):
        pass


def test_a_store_whose_bodies_are_damaged_says_what_to_do(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("update incidents set body = '{'")
    with pytest.raises(AlertStoreError, match=r"damaged.*move the file away"), alert_store(path) as store:
        store.incidents()


def test_a_store_that_another_program_locks_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LOCKED_S", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        with (
            pytest.raises(AlertStoreError, match=r"database is locked. .* close the program"),
            alert_store(path) as store,
            store.transaction(),
        ):
            pass
    with alert_store(path) as store, store.transaction():
        assert list(store.incidents()) == [CHECK]


def test_open_and_resolved_alerts_come_newest_first(path: Path) -> None:
    since, until = "2024-02-29T12:00:00+00:00", "2024-03-01T12:00:00+00:00"
    with alert_store(path) as store:
        assert alert_states(store) == (
            OPEN,
            AlertState("raw_toy/events", "holds", "resolved", "error", since, until, 1),
        )


def test_a_planned_check_that_never_ran_is_no_open_alert(path: Path) -> None:
    never_ran = replace(transition().incident, subject=replace(CHECK, kind=Kind.NOT_RUN))
    with alert_store(path) as store:
        store.keep_incident(never_ran)
        assert [state.state for state in alert_states(store)] == ["open", "not run", "resolved"]


def test_what_is_tried_in_a_copy_is_in_no_file(path: Path) -> None:
    with alert_store(path) as store, closing(store.copy()) as copy:
        copy.forget_incident(CHECK)
        assert (list(copy.incidents()), list(store.incidents())) == ([], [CHECK])
        assert [kept.key for kept in copy.messages()] == ["key-1"]
