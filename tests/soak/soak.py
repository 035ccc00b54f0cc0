"""A soak: day after day runs of the whole graph while files, services, clocks, disks, processes and a receiver of
alerts misbehave.

Belongs here: the days, what is injected into them, what is done after it, and the table of all that. Not here: how one
run is made (`run_process.py`), how files arrive (`arriving_files.py`), what must hold in the end (the test).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

from engagement_assets.settings import Settings
from tests.integration.misbehaving_receiver import OK, MisbehavingReceiver
from tests.integration.services import Services
from tests.soak.alert_outbox import assert_what_was_not_taken_waits, let_the_wait_pass
from tests.soak.arriving_files import ArrivingFiles
from tests.soak.lake_volume import no_room_left
from tests.soak.run_process import RunEnd, RunOrder, run_as_process

# The zone of the machine, and the one that it is moved to: in a long soak it sees the clocks of both change.
ZONE, LATER_ZONE = "America/New_York", "Europe/Berlin"
NEW_YORK_CHANGES_ON = date(2024, 3, 10)
MOVED_ON = date(2024, 3, 20)
# A file is late by up to three days, and holds rows of up to six days before its own.
OLDEST_ROWS = timedelta(days=9)
FILE_SOURCES = "group:raw_runna or group:raw_lingokids or group:raw_mobile"
_HELD = "held, the lake keeps what it had"
ALL_SOURCES = f"{FILE_SOURCES} or group:raw_strava or group:raw_user_events"


@dataclass(frozen=True)
class Profile:
    """How long a soak is and how much is built in it.

    `daily` is what every day runs, `catch_up` what runs again, every few days, for days of which files came later;
    `areas` are the schemas that are built in all this, and `models` is what builds them anew from a lake.
    """

    first: date
    days: int
    daily: str
    catch_up: str
    models: str
    areas: tuple[str, ...]
    kill_every: int
    catch_up_every: int
    seed: int = 2024

    @property
    def last(self) -> date:
        """The last simulated day."""
        return self.first + timedelta(days=self.days - 1)

    @property
    def lake_disk_is_full_on(self) -> date:
        """The day on which the lake's disk is full."""
        return self.first + timedelta(days=self.days // 2)


@dataclass
class Injections:
    """What was injected, by kind, and how much of it has been made good so far."""

    injected: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        """A line per kind, for a person."""
        head = "what was injected"
        width = max(map(len, (head, *self.injected)))
        lines = [f"{head:{width}}  times  survived"]
        lines += [
            f"{kind:{width}}  {times:5,}  {self.survived[kind]:8,}" for kind, times in sorted(self.injected.items())
        ]
        return "\n".join(lines)


@dataclass
class Soak:
    """A soak at work: `running` are the services and the deployment, `complete` is the landing zone as it will be.

    Where the lake `has_own_volume`, that volume is full for a run; else the files of a run cannot grow.
    """

    profile: Profile
    running: Services
    complete: Path
    settings: Settings
    receiver: MisbehavingReceiver
    has_own_volume: bool = False
    injections: Injections = field(default_factory=Injections)
    runs: int = 0
    _draw: Random = field(init=False)
    _runs_until_kill: int = field(init=False)
    _lines_of_a_run: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._draw = Random(self.profile.seed)
        self._runs_until_kill = 2  # a moment can be drawn when it is known how long a run is

    def run(self) -> None:
        """All days; afterwards all files have arrived, and every day has had a run that went well."""
        profile = self.profile
        files = ArrivingFiles(self.complete, profile.first, profile.days, self._draw)
        caught_up_from = profile.first
        for number in range(profile.days):
            day = profile.first + timedelta(days=number)
            self._receive(files, day)
            evening = datetime.combine(day, time(), UTC) + timedelta(hours=26)
            self.running.apis.clock.set(evening)
            kinds = list(self._daily_run(day))
            if (number + 1) % profile.catch_up_every == 0 or day == profile.last:
                kinds += self._run(caught_up_from, day, profile.catch_up)
                caught_up_from = max(profile.first, day - OLDEST_ROWS)
            self.injections.survived.update(kinds)
        faults = [
            f"a service's answer: {request.fault}"
            for service in (self.running.apis.strava, self.running.apis.user_events)
            for request in service.requests
            if request.fault
        ]
        faults += [f"a receiver of alerts: {name}" for name in self.receiver.given.elements() if name != OK]
        self.injections.injected.update(faults)
        self.injections.survived.update(faults)  # a run in which one was not ridden out has failed, and so the soak

    def _receive(self, files: ArrivingFiles, day: date) -> None:
        for arrival in files.on(day):
            path = Path(self.settings.landing_uri) / arrival.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(arrival.content)
            if arrival.oddity:
                self.injections.injected[f"a file: {arrival.oddity}"] += 1

    def _daily_run(self, day: date) -> Iterator[str]:
        """The day's run, after one on a full disk where that is due; yields what has been made good by it."""
        profile = self.profile
        if day == profile.lake_disk_is_full_on:
            yield self._on_a_full_disk(day)
        clock_changes = day == NEW_YORK_CHANGES_ON
        yield from self._run(day, day, profile.daily, clock_changes=clock_changes)
        if clock_changes:
            kind = "the machine's clock goes back an hour in a run"
            self.injections.injected[kind] += 1
            yield kind

    def _run(self, first: date, last: date, selection: str, *, clock_changes: bool = False) -> Iterator[str]:
        """A run that goes well, after one that is killed where that is due; yields what has been made good by it.

        Faults of the services are for the run itself to ride out. A day of which too much cannot be used is held: a
        later run lets it through, when the rest of its files has arrived, on the last day at the latest.
        """
        lines = self._lines_of_a_run.get(selection)
        if self._runs_until_kill <= 0 and lines:
            yield self._killed(self._order(first, last, selection), lines)
            self._runs_until_kill = self.profile.kill_every
        self._runs_until_kill -= 1
        order = self._order(first, last, selection, clock_changes=clock_changes)
        end = self._process(order)
        others = [failure for failure in end.failures if _HELD not in failure or last == self.profile.last]
        assert others == [], f"{first} to {last}: " + "\n".join((*end.failures, *end.lines[-10:]))
        assert end.clock_jumped_s == (-3600 if clock_changes else 0), end
        if end.failures:
            self.injections.injected["a day that is held until it is whole"] += 1
            yield "a day that is held until it is whole"
        else:
            self._lines_of_a_run[selection] = len(end.lines)

    def _killed(self, order: RunOrder, lines: int) -> str:
        """A run that is killed at a moment drawn from all of its progress, as it was told the last time."""
        at_line = lines
        end = RunEnd(killed=False)
        while not end.killed:
            # What is read of a run can be behind it: one that has ended before it was killed is killed earlier.
            assert all(_HELD in failure for failure in end.failures), end.failures
            assert at_line > 1, f"the run of {order.last} could not be killed"
            at_line = self._draw.randint(1, at_line * 9 // 10)
            end = self._process(order, at_line, self._draw.uniform(0, 0.2))
        tenth = at_line * 10 // lines
        kind = f"kill -9 of the run, {tenth}0 to {tenth}9 % of its way"
        self.injections.injected[kind] += 1
        return kind

    def _on_a_full_disk(self, day: date) -> str:
        """A run whose loads find no room: each says so, and the lake stays as it was."""
        before = self.lake_files()
        if self.has_own_volume:
            kind, said = "no room left: a volume that is full", "No space left on device"
            with no_room_left(Path(self.settings.lake_uri)):
                end = self._process(self._order(day, day, self.profile.daily))
        else:
            kind, said = "no room left: files that may not grow", "File too large"
            end = self._process(self._order(day, day, self.profile.daily, lake_disk_is_full=True))
        assert len(end.failures) >= 5, end
        for failure in end.failures:
            assert "no room left for the load of" in failure, failure
            assert said in failure, failure
        assert self.lake_files() == before
        self.injections.injected[kind] += 1
        return kind

    def lake_files(self) -> dict[str, bytes]:
        """What the lake holds, without locks, the index and pages that wait for their load."""
        root = Path(self.settings.lake_uri)
        return {
            key: path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not (key := path.relative_to(root).as_posix()).startswith((".locks", ".pages"))
        }

    def _order(
        self, first: date, last: date, selection: str, *, clock_changes: bool = False, lake_disk_is_full: bool = False
    ) -> RunOrder:
        self.running.apis.clock.advance(timedelta(minutes=20))
        return RunOrder(
            self.settings,
            first,
            last,
            selection,
            self.running.apis.clock.now(),
            zone=ZONE if last < MOVED_ON else LATER_ZONE,
            clock_changes=clock_changes,
            lake_disk_is_full=lake_disk_is_full,
        )

    def _process(self, order: RunOrder, kill_at_line: int | None = None, kill_after_s: float = 0) -> RunEnd:
        self.runs += 1
        let_the_wait_pass(self.settings)
        began = datetime.now(UTC)
        end = run_as_process(order, kill_at_line, kill_after_s)
        assert_what_was_not_taken_waits(self.settings, began)
        return end
