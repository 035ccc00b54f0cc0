"""What the alerts remember, in one SQLite file: runs read, incidents, and the outbox of messages.

Belongs here: tables, and transactions over them. Not here: what is decided (`incidents.py`, `alerting.py`).

The transaction that marks a run as read also writes its incidents and messages, and a message is marked as delivered
after it was sent. So a kill between any two steps loses nothing, and at worst sends a message again with the same key.

The file knows the version of its tables (`user_version`). A change of the tables, or of what the bodies hold, is one
more entry of `_UPGRADES`, never a change of an entry that has been released.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from engagement_assets.alerts.incidents import Incident, Outcome, Subject
from engagement_assets.alerts.messages import Message

STORE_FILE = "alerts.sqlite"
IN_MEMORY = Path(":memory:")
# Run ids are looked at again this far back: storages other than SQLite may make them visible out of order.
RUN_OVERLAP = 100
# A run may go on for this long after one of its evaluations was repeated by another run.
EVALUATIONS_KEPT = timedelta(days=7)
DELIVERED_KEPT = timedelta(days=90)
# For messages to a channel that the settings no longer name, or that refuses them.
ABANDONED_AFTER = timedelta(days=7)
# How long to wait for another process that writes.
LOCKED_S = 30
_START_AFRESH = "move the file away; the alerts then start afresh with the runs of the last day and report what fails"
FIX_THE_DISK = "If the disk is full, make room; this user must be able to write to the folder"

# What upgrades a file from each version to the next. Files from before versions existed have the tables and version 0.
# `waiting_warnings` is no longer used, and nobody waits for `not_before`: it says when a message was recorded.
_UPGRADES = (
    """
create table if not exists facts (name text primary key, value text not null) without rowid;
create table if not exists runs (
    run_id text primary key, storage_id integer not null, backfill_id text not null, read_at text
) without rowid;
create index if not exists runs_unread on runs (storage_id) where read_at is null;
create table if not exists runless_events (storage_id integer primary key, at text not null);
create table if not exists incidents (
    kind text, asset text, name text, body blob not null, primary key (kind, asset, name)
) without rowid;
create table if not exists evaluations (
    kind text, asset text, name text, first_day text not null, last_day text not null, at text not null
);
create index if not exists evaluations_of on evaluations (asset, name, kind, at);
create table if not exists waiting_warnings (number integer primary key, body blob not null, recorded_at text not null);
create table if not exists messages (
    number integer primary key, key text unique not null, body blob not null, recorded_at text not null,
    not_before text not null
);
create table if not exists deliveries (
    number integer not null, channel text not null, attempts integer not null, next_at text not null,
    is_refused integer not null, delivered_at text, error text, primary key (number, channel)
) without rowid;
create index if not exists deliveries_due on deliveries (channel, number) where delivered_at is null
""",
)


class AlertStoreError(RuntimeError):
    """The store cannot be used. The text says why, and what to do."""


@contextmanager
def alert_store(path: Path) -> Iterator["AlertStore"]:
    """The store, open until the block ends.

    Raises:
        AlertStoreError: the file is locked, damaged, not a store, or written by a newer version of the project.
    """
    try:
        with closing(AlertStore(path)) as store:
            yield store
    except sqlite3.OperationalError as error:
        advice = "If it is locked, close the program that writes to it; if the disk is full, make room"
        raise AlertStoreError(f"{path} cannot be used: {error}. {advice}") from error
    except (sqlite3.Error, msgspec.DecodeError) as error:
        reason = f"{path} is damaged or not a store of alerts: {error}. To go on, {_START_AFRESH}"
        raise AlertStoreError(reason) from error


@dataclass(frozen=True)
class Delivery:
    """A message that a channel has not taken yet. If `is_refused`, the channel was there and did not want it."""

    number: int
    message: Message
    attempts: int
    next_at: datetime
    is_refused: bool


class AlertStore:
    """The open file. Several processes may have it open; one writes at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, create it if it is missing, and upgrade its tables.

        Raises:
            AlertStoreError: a newer version of the project has written it, or its folder cannot be created.
            sqlite3.Error: it is locked, damaged or something else.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AlertStoreError(f"{path.parent} cannot be used: {error}. {FIX_THE_DISK}") from error
        self._connection = sqlite3.connect(path, timeout=LOCKED_S, isolation_level=None)
        self._execute, self._executemany = self._connection.execute, self._connection.executemany
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def _upgrade(self) -> None:
        if self._version() == len(_UPGRADES):
            return
        with self.transaction():
            version = self._version()
            if version > len(_UPGRADES):
                raise AlertStoreError(
                    f"{self.path} has version {version} of the alerts' tables, and this version of the project knows "
                    f"them up to {len(_UPGRADES)}: go back to the version that wrote it, or {_START_AFRESH}"
                )
            for upgrade in _UPGRADES[version:]:
                for statement in upgrade.split(";"):
                    self._execute(statement)
            self._execute(f"pragma user_version = {len(_UPGRADES)}")

    def _version(self) -> int:
        return int(self._execute("pragma user_version").fetchone()[0])

    def copy(self) -> "AlertStore":
        """A copy in memory, in which one can try what is never to be written."""
        copied = AlertStore(IN_MEMORY)
        self._connection.backup(copied._connection)
        return copied

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written in the block becomes visible together, or not at all."""
        self._execute("begin immediate")
        try:
            yield
        except BaseException:
            self._execute("rollback")
            raise
        self._execute("commit")

    def fact(self, name: str) -> str | None:
        """A single value that is kept by name."""
        row = self._execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Keep a single value."""
        self._execute("insert or replace into facts values (?, ?)", (name, value))

    # Runs

    def watch(self, runs: Iterable[tuple[str, int, str]]) -> None:
        """Watch runs, given as id, storage id, and backfill or an empty text. Known runs stay as they are."""
        self._executemany("insert or ignore into runs values (?, ?, ?, null)", runs)

    def watched(self) -> dict[str, str]:
        """The backfill, or an empty text, of each run that has not been read, by its id."""
        rows = self._execute("select run_id, backfill_id from runs where read_at is null order by storage_id")
        return dict(rows.fetchall())

    def mark_read(self, run_ids: Iterable[str], now: datetime) -> None:
        """These runs are done with."""
        self._executemany("update runs set read_at = ? where run_id = ?", [(_text(now), run_id) for run_id in run_ids])

    def unread_events(self, storage_ids: Iterable[int]) -> set[int]:
        """Which of these events without a run have not been read."""
        return set(storage_ids) - {row[0] for row in self._execute("select storage_id from runless_events")}

    def mark_events_read(self, events: Iterable[tuple[int, datetime]]) -> None:
        """These events are done with."""
        rows = [(storage_id, _text(at)) for storage_id, at in events]
        self._executemany("insert or ignore into runless_events values (?, ?)", rows)

    def settled_event(self, before: datetime) -> int:
        """The newest event read that is so old that no earlier one can still appear; 0 when there is none.

        Earlier events are forgotten, since nobody will ask for them again.
        """
        query = "select coalesce(max(storage_id), 0) from runless_events where at < ?"
        (newest,) = self._execute(query, (_text(before),)).fetchone()
        self._execute("delete from runless_events where storage_id < ?", (newest,))
        return int(newest)

    def forget_events(self) -> None:
        """No event without a run has been read."""
        self._execute("delete from runless_events")

    # Incidents

    def incidents(self) -> dict[Subject, Incident]:
        """Everything that fails."""
        bodies = self._execute("select body from incidents").fetchall()
        found = [msgspec.json.decode(body, type=Incident) for (body,) in bodies]
        return {incident.subject: incident for incident in found}

    def keep_incident(self, incident: Incident) -> None:
        """Write an incident as it is now."""
        row = (*_key(incident.subject), msgspec.json.encode(incident))
        self._execute("insert or replace into incidents values (?, ?, ?, ?)", row)

    def forget_incident(self, subject: Subject) -> None:
        """This no longer fails."""
        self._execute("delete from incidents where kind = ? and asset = ? and name = ?", _key(subject))

    def keep_evaluations(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what was evaluated when."""
        rows = [(*_key(outcome.subject), *outcome.judged, _text(outcome.at)) for outcome in outcomes]
        self._executemany("insert into evaluations values (?, ?, ?, ?, ?, ?)", rows)

    def is_superseded(self, outcome: Outcome, day: str) -> bool:
        """Whether a later evaluation of the same subject and day has already been followed."""
        query = """
            select 1 from evaluations
            where kind = ? and asset = ? and name = ? and at > ? and (? = '' or (first_day <= ? and last_day >= ?))
            """
        row = (*_key(outcome.subject), _text(outcome.at), day, day, day)
        return self._execute(query, row).fetchone() is not None

    # Outbox

    def record(self, message: Message, channels: Collection[str]) -> None:
        """Put a message into the outbox, once for each channel."""
        at = _text(message.recorded_at)
        insert = "insert into messages (key, body, recorded_at, not_before) values (?, ?, ?, ?)"
        number = self._execute(insert, (message.key, msgspec.json.encode(message), at, at)).lastrowid
        # Due at once, also if the clock is ahead now and is put right later.
        rows = [(number, channel, _text(datetime.min.replace(tzinfo=UTC))) for channel in channels]
        self._executemany("insert into deliveries values (?, ?, 0, ?, 0, null, null)", rows)

    def outbox(self, channel: str) -> list[Delivery]:
        """What a channel has not taken yet, oldest first, including what is to be tried again later."""
        rows = self._execute(
            """
            select number, body, attempts, next_at, is_refused from deliveries inner join messages using (number)
            where channel = ? and delivered_at is null order by number
            """,
            (channel,),
        ).fetchall()
        return [
            Delivery(number, msgspec.json.decode(body, type=Message), attempts, _instant(next_at), bool(is_refused))
            for number, body, attempts, next_at, is_refused in rows
        ]

    def messages(self) -> list[Message]:
        """Every message that is kept, sent or not, oldest first."""
        bodies = self._execute("select body from messages order by number").fetchall()
        return [msgspec.json.decode(body, type=Message) for (body,) in bodies]

    def mark_delivered(self, delivery: Delivery, channel: str, now: datetime) -> None:
        """The channel has taken the message."""
        change = "delivered_at = ?, attempts = attempts + 1, error = null"
        row = (_text(now), delivery.number, channel)
        self._execute(f"update deliveries set {change} where number = ? and channel = ?", row)

    def mark_failed(self, delivery: Delivery, channel: str, next_at: datetime, error: str, *, is_refused: bool) -> None:
        """The channel has not taken the message; it is tried again from `next_at` on."""
        change = "next_at = ?, attempts = attempts + 1, error = ?, is_refused = ?"
        row = (_text(next_at), error, is_refused, delivery.number, channel)
        self._execute(f"update deliveries set {change} where number = ? and channel = ?", row)

    def undelivered(self, channels: Collection[str]) -> list[tuple[str, datetime, str]]:
        """What these channels have not taken, oldest first: channel, since when (UTC), last error or an empty text."""
        rows = self._execute(
            """
            select channel, not_before, coalesce(error, '') from deliveries inner join messages using (number)
            where delivered_at is null order by number
            """
        ).fetchall()
        return [(channel, _instant(since), error) for channel, since, error in rows if channel in channels]

    # Signs of life

    def beat(self, worker: str, now: datetime) -> None:
        """Note that a worker has done its work."""
        self.remember(f"worked_at/{worker}", _text(now))

    def last_beat(self, worker: str) -> datetime | None:
        """When a worker last did its work; None if it never has."""
        beat = self.fact(f"worked_at/{worker}")
        return None if beat is None else _instant(beat)

    def prune(self, now: datetime, newest_run: int, channels: Collection[str]) -> None:
        """Remove what nobody asks for any more."""
        self._execute("delete from evaluations where at < ?", (_text(now - EVALUATIONS_KEPT),))
        self._execute("delete from runs where read_at is not null and storage_id < ?", (newest_run - RUN_OVERLAP,))
        query = """
            select number, channel, is_refused from deliveries inner join messages using (number)
            where delivered_at is null and not_before < ?
            """
        overdue = self._execute(query, (_text(now - ABANDONED_AFTER),)).fetchall()
        given_up = [
            (number, channel) for number, channel, is_refused in overdue if is_refused or channel not in channels
        ]
        self._executemany("delete from deliveries where number = ? and channel = ?", given_up)
        waiting = "select number from deliveries where delivered_at is null"
        settled = f"delete from messages where recorded_at < ? and number not in ({waiting})"
        self._execute(settled, (_text(now - DELIVERED_KEPT),))
        self._execute("delete from deliveries where number not in (select number from messages)")


def _key(subject: Subject) -> tuple[Any, ...]:
    return subject.kind.value, subject.asset, subject.name


def _text(moment: datetime) -> str:
    """Instants as texts of one length, so that they sort."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
