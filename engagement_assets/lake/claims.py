"""Who loads which days into a lake on S3: one small object per load, `.claims/<load>.json`, in place of a lock.

Belongs here: claims, and changing them one after another. Not here: what the owner of a claim does (see
`lake/object_commit.py`), or loads of a lake on this machine (see `lake/commit.py`).

Every change of the object names the version that it was made from, so changes of several hosts never cross. All times
are those of the store's clock, so hosts need not agree on the time.
"""

import json
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from engagement_assets.lake.object_store import ConflictError, ObjectStore

FOLDER = ".claims"
# An owner renews its claim several times in this time; whoever is silent for longer is taken for dead.
LASTS_S = 60.0
_PATIENCE_S = 120.0

Days = tuple[date, date]


class ClaimsUnchangedError(TimeoutError):
    """A change of claims did not come through, since others were always faster."""


@dataclass(frozen=True)
class Claim:
    """A load at work: its `days` are the first and the last one, None for all. `journal` is the key of its commit."""

    days: Days | None
    host: str
    renewed_at: datetime
    lasts_s: float
    journal: str | None = None

    def is_alive(self, now: datetime) -> bool:
        """Whether its owner has been heard of lately."""
        return now - self.renewed_at <= timedelta(seconds=self.lasts_s)

    def is_in_way_of(self, days: Days | None) -> bool:
        """Whether it has one of the days."""
        if self.days is None or days is None:
            return True
        return self.days[0] <= days[1] and days[0] <= self.days[1]


# By tokens, which are random.
Claims = dict[str, Claim]


class Register:
    """The claims of the loads of one name."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        """Take the store; nothing is read yet."""
        self.store, self.name = store, name
        self._key = f"{FOLDER}/{name}.json"

    def claims(self) -> tuple[Claims, datetime | None]:
        """The claims, and when they were read; no time if nobody has ever claimed anything."""
        seen = self.store.read(self._key)
        return (_parsed(seen.content), seen.now) if seen else ({}, None)

    def is_journal(self, token: str, journal: str) -> bool:
        """Whether this commit is still to be finished."""
        content = self.store.content(self._key)
        claim = _parsed(content).get(token) if content else None
        return claim is not None and claim.journal == journal

    def claim(self, token: str, days: Days | None) -> list[Claim]:
        """Claim days under a token; returns the claims that are in the way: if there are some, nothing was claimed.

        Claims of the dead go, unless their commit is to be finished first.
        """
        in_way: list[Claim] = []

        def taken(claims: Claims, now: datetime) -> Claims:
            in_way.clear()
            if token in claims:  # written before, but the answer was lost
                return claims
            kept = {other: claim for other, claim in claims.items() if claim.journal or claim.is_alive(now)}
            in_way.extend(claim for claim in kept.values() if claim.is_in_way_of(days))
            return claims if in_way else {**kept, token: Claim(days, socket.gethostname(), now, LASTS_S)}

        self.change(taken)
        return in_way

    def renew(self, token: str) -> bool:
        """Show that the owner of a claim is alive; False if the claim is gone."""
        found = False

        def renewed(claims: Claims, now: datetime) -> Claims:
            nonlocal found
            found = token in claims
            return {**claims, token: replace(claims[token], renewed_at=now)} if found else claims

        self.change(renewed)
        return found

    def set_journal(self, token: str, before: str | None, after: str | None) -> bool:
        """Begin or end the commit of a claim; False if the claim is gone or has another commit."""
        is_set = False

        def changed(claims: Claims, now: datetime) -> Claims:
            nonlocal is_set
            claim = claims.get(token)
            is_set = claim is not None and claim.journal in (before, after)
            return {**claims, token: replace(claim, journal=after, renewed_at=now)} if claim and is_set else claims

        self.change(changed)
        return is_set

    def remove(self, token: str, journal: str | None) -> None:
        """End a claim, unless it has another journal."""

        def removed(claims: Claims, _now: datetime) -> Claims:
            return {
                other: claim for other, claim in claims.items() if not (other == token and claim.journal == journal)
            }

        self.change(removed)

    def change(self, changed: Callable[[Claims, datetime], Claims]) -> None:
        """Replace the claims by what `changed` makes of those of now; it is asked again if others were faster.

        Raises:
            ClaimsUnchangedError: others have been faster for two minutes.
            ConditionalWritesError: the store cannot do this.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            seen = self.store.read(self._key)
            try:
                if seen is None:
                    self.store.require_conditional_writes(FOLDER)
                    self.store.put(self._key, _written({}), replaces=None)
                    continue
                claims = _parsed(seen.content)
                wanted = changed(claims, seen.now)
                if wanted != claims:
                    self.store.put(self._key, _written(wanted), replaces=seen.version)
            except ConflictError as error:
                if time.monotonic() > deadline:
                    raise ClaimsUnchangedError(
                        f"{self._key} of the lake was changed by others for {_PATIENCE_S:.0f} s, expected a turn; run "
                        "fewer loads at the same time"
                    ) from error
                time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - not for a secret
            else:
                return


def _parsed(content: bytes) -> Claims:
    document: dict[str, dict[str, Any]] = json.loads(content)
    return {
        token: Claim(
            (date.fromisoformat(found["days"][0]), date.fromisoformat(found["days"][1])) if found["days"] else None,
            found["host"],
            datetime.fromisoformat(found["renewed_at"]),
            found["lasts_s"],
            found["journal"],
        )
        for token, found in document.items()
    }


def _written(claims: Claims) -> bytes:
    document = {
        token: {
            "days": [day.isoformat() for day in claim.days] if claim.days else None,
            "host": claim.host,
            "renewed_at": claim.renewed_at.isoformat(),
            "lasts_s": claim.lasts_s,
            "journal": claim.journal,
        }
        for token, claim in claims.items()
    }
    return json.dumps(document, indent=1).encode()
