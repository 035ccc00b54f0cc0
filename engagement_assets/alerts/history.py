"""What the alerts know, for whoever shows it: what fails now, and what was resolved.

Belongs here: reading it from the store. Not here: reporting it as it happens (`alerting.py`), or how a page shows it
(`report/`).

It contains no value of a record, only names, states, counts and times.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engagement_assets.alerts.incidents import Change
from engagement_assets.alerts.store import STORE_FILE, alert_store


@dataclass(frozen=True)
class AlertState:
    """Something that fails or failed: `open` or `resolved`, since when and until when (UTC, ISO)."""

    asset: str
    name: str
    state: str
    severity: str
    since: str
    until: str
    times_failed: int


def alert_states(folder: Path) -> tuple[AlertState, ...]:
    """What fails now and what was resolved, newest first; nothing if there was never an alert.

    `folder` is that of the alerts. A digest contributes only what it names.

    Raises:
        AlertStoreError: the store cannot be used.
    """
    path = folder / STORE_FILE
    if not path.exists():
        return ()
    with alert_store(path) as store:
        incidents, messages = store.incidents(), store.messages()
    states = [
        AlertState(at.asset, at.name, "open", now.severity.value, _text(now.opened_at), "", now.failures)
        for at, now in incidents.items()
    ]
    states += [
        AlertState(
            item.asset,
            item.name,
            "resolved",
            item.severity.value,
            _text(item.since),
            _text(message.recorded_at),
            item.times_failed,
        )
        for message in messages
        for item in message.items
        if item.state == Change.RESOLVED
    ]
    return tuple(sorted(states, key=lambda state: (state.since, state.asset, state.name), reverse=True))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
