"""What the alerts know, for whoever shows it: what fails now, what was resolved, whether the alerts themselves work.

Belongs here: reading it from the store. Not here: reporting it as it happens (`alerting.py`), how a page (`report/`) or
an asset with its check (`assets/alerts.py`) shows it.

It contains no value of a record, only names, states, counts and times.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from engagement_assets.alerts.alerting import SENSOR, SHELL, Alerting
from engagement_assets.alerts.incidents import Change, Kind, Subject
from engagement_assets.alerts.messages import days_failing, duration
from engagement_assets.alerts.run_results import ended_and_unread_since
from engagement_assets.alerts.store import AlertStore, alert_store

# Long enough for a sensor that is busy, short enough to notice on the day on which it stopped.
SILENT_AFTER = timedelta(minutes=15)
UNDELIVERED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class AlertState:
    """Something that fails or failed, since when and until when (UTC, ISO).

    Its state is `open`, `resolved`, or `not run` for a check that a run planned and never evaluated: nothing failed.
    `failing_days` are those on which it fails now, as text.
    """

    asset: str
    name: str
    state: str
    severity: str
    since: str
    until: str
    times_failed: int
    failing_days: str = ""


def alert_states(store: AlertStore) -> tuple[AlertState, ...]:
    """What fails now and what was resolved, newest first. A digest contributes only what it names."""
    incidents, messages = store.incidents(), store.messages()
    states = [
        AlertState(
            at.asset,
            at.name,
            _state(at),
            now.severity.value,
            _text(now.opened_at),
            "",
            now.failures,
            ", ".join(days_failing(now)),
        )
        for at, now in incidents.items()
    ]
    for message in messages:
        until = _text(message.recorded_at)
        states += [
            AlertState(it.asset, it.name, "resolved", it.severity.value, _text(it.since), until, it.times_failed)
            for it in message.items
            if it.state == Change.RESOLVED
        ]
    return tuple(sorted(states, key=lambda state: (state.since, state.asset, state.name), reverse=True))


@dataclass(frozen=True)
class SignsOfLife:
    """What the store says about the alerts' work; `troubles` are sentences for a person."""

    sensor_worked_at: datetime | None
    shell_worked_at: datetime | None
    failing_now: int
    undelivered: int
    troubles: list[str]


def signs_of_life(
    alerting: Alerting, instance: dg.DagsterInstance, now: datetime, *, daemon_expected: bool
) -> SignsOfLife:
    """Read the store; `daemon_expected` says that the sensor should be at work.

    Raises:
        AlertStoreError: the store cannot be used.
    """
    with alert_store(alerting.store_path) as store:
        sensor, shell = store.last_beat(SENSOR), store.last_beat(SHELL)
        troubles = list(alerting.troubles)
        if daemon_expected and sensor is None:
            troubles.append("the alert sensor has never worked; switch it on in the Dagster UI")
        elif daemon_expected and sensor is not None and sensor < now - SILENT_AFTER:
            ago = duration(now - sensor)
            troubles.append(f"the alert sensor last worked {ago} ago; see its ticks in the Dagster UI")
        # Before the alerts first worked there was nothing that they should have read.
        begun = sensor is not None or shell is not None
        if unread := ended_and_unread_since(instance, store, now - SILENT_AFTER) if begun else []:
            troubles.append(f"{len(unread)} runs ended and nobody has read their checks, such as {unread[0]}")
        waiting = store.undelivered([channel.name for channel in alerting.channels])
        if late := [item for item in waiting if item[1] < now - UNDELIVERED_AFTER]:
            channel, since, error = late[0]
            first = f"the first to {channel} since {since:%F %R}{f': {error}' if error else ''}"
            troubles.append(f"{len(late)} messages are not delivered, {first}")
        return SignsOfLife(sensor, shell, len(store.incidents()), len(waiting), troubles)


def _state(subject: Subject) -> str:
    return "not run" if subject.kind == Kind.NOT_RUN else "open"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
