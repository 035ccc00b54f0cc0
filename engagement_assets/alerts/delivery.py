"""Emptying the outbox: each channel gets its messages, in order, until it has taken them.

Belongs here: when a message is tried again. Not here: how a channel sends (`channels.py`).

Channels work side by side, each with its own state per message, so one that is down delays no other. Whatever a channel
raises counts as a failed delivery, which is tried again.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from engagement_assets.alerts.caught import Caught, kind_and_place
from engagement_assets.alerts.channels import LONGEST_RETRY_AFTER, Channel, ChannelError, MessageRefusedError
from engagement_assets.alerts.store import alert_store

# A round ends before the daemon gives up on its sensor (60 s); the rest waits for the next round.
LONGEST_ROUND = timedelta(seconds=20)


@dataclass(frozen=True)
class Backoff:
    """How long a channel is left alone after its n-th failure: doubling, with jitter, up to a limit."""

    first: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(minutes=10)
    draw: Callable[[], float] = random.random

    def wait(self, attempts: int, error: ChannelError) -> timedelta:
        """The time until the next attempt, which is never shorter than what the channel asks for."""
        doubled = self.first * float(2 ** min(attempts, 20))
        jittered = min(doubled, self.longest) * (0.5 + self.draw() / 2)
        return max(jittered, error.retry_after)


def deliver(
    store_path: Path, channels: Sequence[Channel], backoff: Backoff, now: Callable[[], datetime]
) -> tuple[int, int]:
    """Send what is due on each channel; returns how many messages were taken, and how many attempts failed."""
    with ThreadPoolExecutor(max_workers=len(channels)) as pool:
        counts = list(pool.map(lambda channel: _empty(store_path, channel, backoff, now), channels))
    return sum(sent for sent, _ in counts), sum(failed for _, failed in counts)


def _empty(store_path: Path, channel: Channel, backoff: Backoff, now: Callable[[], datetime]) -> tuple[int, int]:
    sent = failed = 0
    with alert_store(store_path) as store:
        until = now() + LONGEST_ROUND
        for delivery in store.outbox(channel.name):
            # No channel is left alone for longer: a later time was written while the clock was ahead.
            is_early = now() < delivery.next_at <= now() + LONGEST_RETRY_AFTER
            if is_early and delivery.is_refused:
                continue
            if is_early or now() > until:
                break  # nothing overtakes a message that waits for the channel to come back
            with Caught() as caught:
                channel.send(delivery.message)
            if caught.error is None:
                sent += 1
                store.mark_delivered(delivery, channel.name, now())
                continue
            failed += 1
            error = caught.error
            if not isinstance(error, ChannelError):  # each channel may use a library of its own
                error = ChannelError(f"{channel.name} has not taken the message: {kind_and_place(error)}")
            is_refused = isinstance(error, MessageRefusedError)
            next_at = now() + backoff.wait(delivery.attempts, error)
            store.mark_failed(delivery, channel.name, next_at, str(error), is_refused=is_refused)
            if not is_refused:
                break
    return sent, failed
