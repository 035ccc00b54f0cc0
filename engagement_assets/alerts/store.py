"""What the alerts remember, in one SQLite file: runs read, incidents, and the outbox of messages.

Belongs here: tables, and transactions over them. Not here: what is decided (`incidents.py`, `alerting.py`).

A run is marked as read in the transaction that writes its incidents and its messages, and a message is marked as
delivered after it was sent. So a kill between any two steps loses nothing, and at worst sends a message again, with the
same key.

The file knows the version of its tables (`user_version`). A change of the tables, or of what the bodies hold, is one
more entry of `_UPGRADES`, never a change of an entry that has been out.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from engagement_assets.alerts.incidents import Incident, Outcome, Subject, Transition
from engagement_assets.alerts.messages import Message

STORE_FILE = "alerts.sqlite"
# Ids of runs are looked at again this far back: with a storage other than SQLite they become visible out of order.
RUN_OVERLAP = 100
# As long as this a run may go on after an evaluation that another run has made again since.
EVALUATIONS_KEPT = timedelta(days=7)
DELIVERED_KEPT = timedelta(days=90)
# What waits for a channel that no setting names any more, or that refuses it.
ABANDONED_AFTER = timedelta(days=7)
# As long as this another process may write.
LOCKED_S = 30
_BEGIN_ANEW = (
    "move the staged file: the alerts then begin anew with the runs of the last day, and tell again of what fails"
)
MEND_THE_DISK = "If the disk is full, make room; the folder must be one that this user may write to"

# What takes a file from each version to the next. Files from before there were versions have the tables and say 0.
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
    """The store cannot be used; the text says why, and what to do."""


@contextmanager
def alert_store(path: Path) -> Iterator["AlertStore"]:
    """The store, open until the block ends.

    Raises:
        AlertStoreError: the file is locked, damaged, no store at all, or of a newer version of the project.
    """
    try:
        with closing(AlertStore(path)) as store:
            yield store
    except sqlite3.OperationalError as error:
        raise AlertStoreError(
            f"{path} cannot be used: {error}. If it is locked, close the program that writes to it; if the disk is "
            "full, make room"
        ) from error
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise AlertStoreError(f"{path} is no store of alerts, or damaged: {error}. To go on, {_BEGIN_ANEW}") from error


@dataclass(frozen=True)
class WatchedRun:
    """A run that has not been read yet."""

    run_id: str
    backfill_id: str


@dataclass(frozen=True)
class Delivery:
    """A message that a channel has not taken yet; `is_refused` tells that the channel was there and did not want it."""

    number: int
    message: Message
    attempts: int
    next_at: datetime
    is_refused: bool


class AlertStore:
    """The file, open; several processes may have it, one writes at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it when it is not there, and bring its tables up to date.

        Raises:
            AlertStoreError: a newer version of the project has written it, or its folder cannot be made.
            sqlite3.Error: it is locked, damaged or something else.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AlertStoreError(f"{path.parent} cannot be used: {error}. {MEND_THE_DISK}") from error
        self._connection = sqlite3.connect(path, timeout=LOCKED_S, isolation_level=None)
        try:
            self._upgrade()
        except BaseException:
            self._connection.close()
            raise

    def _upgrade(self) -> None:
        if self._version() == len(_UPGRADES):
            return
        with self.transaction():
            version = self._version()
            if version > len(_UPGRADES):
                raise AlertStoreError(
                    f"{self.path} has version {version} of the alerts' tables, and this version of the project knows "
                    f"them up to {len(_UPGRADES)}: go back to the version that wrote it, or {_BEGIN_ANEW}"
                )
            for upgrade in _UPGRADES[version:]:
                for statement in upgrade.split(";"):
                    self._connection.execute(statement)
            self._connection.execute(f"pragma user_version = {len(_UPGRADES)}")

    def _version(self) -> int:
        return int(self._connection.execute("pragma user_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside becomes visible together, or not at all."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def fact(self, name: str) -> str | None:
        """A single value that is remembered by name."""
        row = self._connection.execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Keep a single value."""
        self._connection.execute("insert or replace into facts values (?, ?)", (name, value))

    # Runs

    def watch(self, runs: Iterable[tuple[str, int, str]]) -> None:
        """Watch runs, given as id, storage id, and backfill or an empty text; those that are known stay as they are."""
        self._connection.executemany("insert or ignore into runs values (?, ?, ?, null)", runs)

    def watched(self) -> list[WatchedRun]:
        """The runs that have not been read."""
        rows = self._connection.execute(
            "select run_id, backfill_id from runs where read_at is null order by storage_id"
        )
        return [WatchedRun(*row) for row in rows.fetchall()]

    def mark_read(self, run_ids: Iterable[str], now: datetime) -> None:
        """These runs are done with."""
        self._connection.executemany(
            "update runs set read_at = ? where run_id = ?", [(_text(now), run_id) for run_id in run_ids]
        )

    def unread_events(self, storage_ids: Iterable[int]) -> set[int]:
        """Which of these events, which belong to no run, have not been read."""
        known = {row[0] for row in self._connection.execute("select storage_id from runless_events").fetchall()}
        return set(storage_ids) - known

    def mark_events_read(self, events: Iterable[tuple[int, datetime]]) -> None:
        """These events are done with."""
        rows = [(storage_id, _text(at)) for storage_id, at in events]
        self._connection.executemany("insert or ignore into runless_events values (?, ?)", rows)

    def settled_event(self, before: datetime) -> int:
        """The newest event read that is old enough for none before it to appear any more; 0 when there is none.

        What lies before it is forgotten, since nobody will ask for it again.
        """
        (newest,) = self._connection.execute(
            "select coalesce(max(storage_id), 0) from runless_events where at < ?", (_text(before),)
        ).fetchone()
        self._connection.execute("delete from runless_events where storage_id < ?", (newest,))
        return int(newest)

    # Incidents

    def incidents(self) -> dict[Subject, Incident]:
        """Everything that fails."""
        rows = self._connection.execute("select body from incidents").fetchall()
        found = [msgspec.json.decode(body, type=Incident) for (body,) in rows]
        return {incident.subject: incident for incident in found}

    def keep_incident(self, incident: Incident) -> None:
        """Write what an incident is now."""
        self._connection.execute(
            "insert or replace into incidents values (?, ?, ?, ?)",
            (*_key(incident.subject), msgspec.json.encode(incident)),
        )

    def forget_incident(self, subject: Subject) -> None:
        """Nothing fails any more."""
        self._connection.execute("delete from incidents where kind = ? and asset = ? and name = ?", _key(subject))

    def keep_evaluations(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what was evaluated when."""
        self._connection.executemany(
            "insert into evaluations values (?, ?, ?, ?, ?, ?)",
            [(*_key(outcome.subject), *outcome.judged, _text(outcome.at)) for outcome in outcomes],
        )

    def is_superseded(self, outcome: Outcome, day: str) -> bool:
        """Whether a later evaluation of the same thing, and of this day, has been followed already."""
        row = self._connection.execute(
            """
            select 1 from evaluations
            where
                kind = ? and asset = ? and name = ? and at > ?
                and (? = '' or (first_day <= ? and last_day >= ?))
            limit 1
            """,
            (*_key(outcome.subject), _text(outcome.at), day, day, day),
        ).fetchone()
        return row is not None

    # Outbox

    def wait_for_digest(self, transitions: Iterable[Transition], now: datetime) -> None:
        """Keep warnings for the digest of the day."""
        self._connection.executemany(
            "insert into waiting_warnings (body, recorded_at) values (?, ?)",
            [(msgspec.json.encode(transition), _text(now)) for transition in transitions],
        )

    def take_waiting(self, before: datetime) -> list[Transition]:
        """The warnings that were kept before an instant; they are removed."""
        rows = self._connection.execute(
            "select body from waiting_warnings where recorded_at < ? order by number", (_text(before),)
        ).fetchall()
        self._connection.execute("delete from waiting_warnings where recorded_at < ?", (_text(before),))
        return [msgspec.json.decode(body, type=Transition) for (body,) in rows]

    def record(self, message: Message, not_before: datetime, channels: Collection[str]) -> None:
        """Put a message into the outbox, once for each channel."""
        inserted = self._connection.execute(
            "insert into messages (key, body, recorded_at, not_before) values (?, ?, ?, ?)",
            (message.key, msgspec.json.encode(message), _text(message.recorded_at), _text(not_before)),
        )
        self._connection.executemany(
            "insert into deliveries values (?, ?, 0, ?, 0, null, null)",
            [(inserted.lastrowid, channel, _text(not_before)) for channel in channels],
        )

    def outbox(self, channel: str, now: datetime) -> list[Delivery]:
        """What a channel has not taken though its time has come, oldest first; some of it is to be tried later."""
        rows = self._connection.execute(
            """
            select
                messages.number, messages.body, deliveries.attempts, deliveries.next_at, deliveries.is_refused
            from deliveries inner join messages on deliveries.number = messages.number
            where deliveries.channel = ? and deliveries.delivered_at is null and messages.not_before <= ?
            order by messages.number
            """,
            (channel, _text(now)),
        ).fetchall()
        return [
            Delivery(number, msgspec.json.decode(body, type=Message), attempts, _instant(next_at), bool(is_refused))
            for number, body, attempts, next_at, is_refused in rows
        ]

    def messages(self) -> list[Message]:
        """Every message that is kept, sent or not, oldest first."""
        rows = self._connection.execute("select body from messages order by number").fetchall()
        return [msgspec.json.decode(body, type=Message) for (body,) in rows]

    def mark_delivered(self, delivery: Delivery, channel: str, now: datetime) -> None:
        """The channel has taken the message."""
        self._connection.execute(
            """
            update deliveries set delivered_at = ?, attempts = attempts + 1, error = null
            where number = ? and channel = ?
            """,
            (_text(now), delivery.number, channel),
        )

    def mark_failed(self, delivery: Delivery, channel: str, next_at: datetime, error: str, *, is_refused: bool) -> None:
        """The channel has not taken the message; it is tried again from `next_at` on."""
        self._connection.execute(
            """
            update deliveries set next_at = ?, attempts = attempts + 1, error = ?, is_refused = ?
            where number = ? and channel = ?
            """,
            (_text(next_at), error, is_refused, delivery.number, channel),
        )

    def undelivered(self, channels: Collection[str]) -> list[tuple[str, datetime, str]]:
        """What these channels have not taken though its time has come, oldest first.

        Returns:
            Channel, since when (UTC), the last error or an empty text.
        """
        rows = self._connection.execute(
            """
            select deliveries.channel, messages.not_before, coalesce(deliveries.error, '')
            from deliveries inner join messages on deliveries.number = messages.number
            where deliveries.delivered_at is null order by messages.number
            """
        ).fetchall()
        return [(channel, _instant(since), error) for channel, since, error in rows if channel in channels]

    # Signs of life

    def beat(self, worker: str, now: datetime) -> None:
        """Note that a worker has done its work."""
        self.remember(f"worked_at/{worker}", _text(now))

    def last_beat(self, worker: str) -> datetime | None:
        """When a worker last did its work; None when it never has."""
        beat = self.fact(f"worked_at/{worker}")
        return None if beat is None else _instant(beat)

    def prune(self, now: datetime, newest_run: int, channels: Collection[str]) -> None:
        """Remove what nobody asks for any more."""
        delete = self._connection.execute
        delete("delete from evaluations where at < ?", (_text(now - EVALUATIONS_KEPT),))
        delete("delete from runs where read_at is not null and storage_id < ?", (newest_run - RUN_OVERLAP,))
        abandoned = [
            (number, channel)
            for number, channel, is_refused in delete(
                """
                select deliveries.number, deliveries.channel, deliveries.is_refused
                from deliveries inner join messages on deliveries.number = messages.number
                where deliveries.delivered_at is null and messages.not_before < ?
                """,
                (_text(now - ABANDONED_AFTER),),
            ).fetchall()
            if is_refused or channel not in channels
        ]
        self._connection.executemany("delete from deliveries where number = ? and channel = ?", abandoned)
        delete(
            """
            delete from messages
            where
                recorded_at < ?
                and number not in (select number from deliveries where delivered_at is null)
            """,
            (_text(now - DELIVERED_KEPT),),
        )
        delete("delete from deliveries where number not in (select number from messages)")


def _key(subject: Subject) -> tuple[Any, ...]:
    return subject.kind.value, subject.asset, subject.name


def _text(moment: datetime) -> str:
    """Instants as texts of one length, so that they sort."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
