"""Whatever is evaluated, whenever a round runs and whichever channel is down: the reports are those of a plain model.

The model keeps days in a dictionary and knows neither store, outbox nor channels.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.alerts.alerting import Alerting
from engagement_assets.alerts.channels import ChannelError
from engagement_assets.alerts.delivery import deliver
from engagement_assets.alerts.incidents import EVERYTHING, WHOLE, Finding, Kind, Outcome, Severity, Subject
from engagement_assets.alerts.messages import Message
from engagement_assets.alerts.run_results import Results
from engagement_assets.alerts.store import AlertStore
from tests.unit.alerts.alert_outcomes import LINKS, START, lineage

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
# Where there is no disk to wait for.
MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
REPEAT_AFTER = timedelta(hours=24)
LINEAGE = lineage()
Reported = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Evaluation:
    """A check over the first to the last of days; none of them, or some, fail."""

    check: str
    first: int
    last: int
    failing: frozenset[int]
    severity: Severity
    whole: bool

    def days(self) -> list[str]:
        """The days judged."""
        return [WHOLE] if self.whole else DAYS[self.first : self.last + 1]

    def failing_days(self) -> tuple[str, ...]:
        """Those that fail."""
        return tuple(day for place, day in enumerate(self.days()) if place in self.failing)


@st.composite
def evaluations(draw: st.DrawFn) -> Evaluation:
    first = draw(st.integers(0, 2))
    check = draw(st.sampled_from(["by_day", "by_day_too", "as_a_whole"]))
    return Evaluation(
        check,
        first,
        draw(st.integers(first, 2)),
        draw(st.frozensets(st.integers(0, 2), max_size=2)),
        draw(st.sampled_from(Severity)),
        check == "as_a_whole",
    )


Run = list[Evaluation]
STEPS = st.lists(
    st.one_of(
        st.lists(evaluations(), min_size=1, max_size=3),
        st.sampled_from(["look", "first down", "first up", "second down", "second up"]),
        st.integers(1, 30).map(lambda hours: timedelta(hours=hours)),
    ),
    max_size=25,
)


@dataclass
class Model:
    """What should be reported."""

    failing: dict[str, dict[str, Severity]] = field(default_factory=lambda: defaultdict(dict))
    worst: dict[str, Severity] = field(default_factory=dict)
    told_at: dict[str, datetime] = field(default_factory=dict)
    messages: list[set[Reported]] = field(default_factory=list)

    def look(self, runs: list[Run], now: datetime) -> None:
        """Follow the runs, then remind."""
        for run in runs:
            self._report(
                {reported for check in {item.check for item in run} if (reported := self._follow(check, run, now))}
            )
        reminded = {check for check, at in self.told_at.items() if at + REPEAT_AFTER <= now}
        self.told_at |= dict.fromkeys(reminded, now)
        self._report({("still failing", check, self._shown(self.failing[check])) for check in reminded})

    def _follow(self, check: str, run: Run, now: datetime) -> Reported | None:
        before = dict(self.failing[check])
        days = self.failing[check]
        for evaluation in run:
            if evaluation.check == check:
                for day in evaluation.days():
                    days.pop(day, None)
                days |= dict.fromkeys(evaluation.failing_days(), evaluation.severity)
        if not days:
            self.told_at.pop(check, None)
            self.worst.pop(check, None)
            return ("resolved", check, self._shown(before)) if before else None
        worst = Severity.ERROR if Severity.ERROR in days.values() else Severity.WARN
        if not before:
            change = "opened"
        elif (self.worst[check], worst) == (Severity.WARN, Severity.ERROR):
            change = "escalated"
        elif set(days) - set(before):
            change = "still failing"
        else:
            return None
        self.worst[check] = max(worst, self.worst.get(check, Severity.WARN), key=list(Severity).index)
        self.told_at[check] = now
        return change, check, self._shown(days)

    def _report(self, reported: set[Reported]) -> None:
        if reported:
            self.messages.append(reported)

    def _shown(self, days: dict[str, Severity]) -> tuple[str, ...]:
        return tuple(sorted(day for day in days if day != WHOLE))


@dataclass
class Place:
    """A channel that may be down."""

    name: str
    is_down: bool = False
    taken: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Take the message, or be down."""
        if self.is_down:
            raise ChannelError("down")
        self.taken.append(message)


def _outcome(evaluation: Evaluation, at: datetime) -> Outcome:
    days = evaluation.days()
    return Outcome(
        Subject(Kind.CHECK, "raw_toy/events", evaluation.check),
        at,
        EVERYTHING if evaluation.whole else (days[0], days[-1]),
        evaluation.failing_days(),
        evaluation.severity,
        Finding("it fails", "run"),
    )


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_the_reports_are_those_of_the_model_and_each_channel_takes_them_once(
    steps: list[Run | str | timedelta],
) -> None:
    now = START
    places = [Place("first"), Place("second")]
    model, waiting = Model(), list[Run]()

    with TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as folder:
        alerting = Alerting(Path(folder), LINKS, REPEAT_AFTER, places, now=lambda: now)

        def look() -> None:
            with closing(AlertStore(alerting.store_path)) as store:
                for number, run in enumerate(waiting):
                    at = now - timedelta(seconds=len(waiting) - number)
                    alerting.record(store, Results([[_outcome(item, at) for item in run]]), LINEAGE)
                alerting.record_reminders(store, LINEAGE)
                deliver(store.path, places, alerting.backoff, alerting.now)
            model.look(waiting, now)
            waiting.clear()

        for step in steps:
            now += timedelta(minutes=1)
            if isinstance(step, list):
                waiting.append(step)
            elif isinstance(step, timedelta):
                now += step
            elif step == "look":
                look()
            else:
                name, state = step.split()
                next(place for place in places if place.name == name).is_down = state == "down"
        for place in places:
            place.is_down = False
        look()
        now += alerting.backoff.longest
        look()
        with closing(AlertStore(alerting.store_path)) as store:
            assert store.undelivered([place.name for place in places]) == []

    for place in places:
        assert [_reported(message) for message in place.taken] == model.messages
        assert len({message.key for message in place.taken}) == len(place.taken)


def _reported(message: Message) -> set[Reported]:
    items = [msgspec.to_builtins(item) for item in message.items]
    return {(item["state"], item["name"], tuple(_days(item["partitions"]))) for item in items}


def _days(ranges: list[str]) -> Iterator[str]:
    """The days of ranges such as `2024-01-01 to 2024-01-03`."""
    for reported in ranges:
        first, _, last = reported.partition(" to ")
        yield from (day for day in DAYS if first <= day <= (last or first))
