"""How a load becomes visible in a lake on S3, which has neither locks nor renames.

Belongs here: claiming days, the commit, and finishing commits of the dead. Not here: the object with the claims (see
`lake/claims.py`), or a lake on this machine (see `lake/commit.py`).

    .claims/<load>.json                 who loads which days, and whose commit is under way
    .aside/<load>/<token>/<commit>/     what a commit has staged, and its journal

A load is committed by one conditional write: its claim gets a journal. Before that nothing is visible, and who has lost
the claim cannot do it. After it, anybody can finish the commit, and if its owner is silent, the next load and the next
reader do. See docs/decisions/0025-loads-on-s3.md.
"""

import json
import logging
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from engagement_assets.lake import claims as claims_module
from engagement_assets.lake.claims import FOLDER, Days, Register
from engagement_assets.lake.lake import Lake, LakeBusyError
from engagement_assets.lake.object_store import ConflictError, ObjectStore

WAIT_S = 600.0
_LOOK_EVERY_S = 1.0
_AT_A_TIME = 8
_log = logging.getLogger(__name__)


class ClaimLostError(LakeBusyError):
    """A load was silent for so long that others have taken its days."""


class StagedFileMissingError(RuntimeError):
    """A commit cannot be finished, since somebody has removed what it had staged."""


@contextmanager
def claimed(lake: Lake, store: ObjectStore, name: str, days: Days | None) -> Iterator[Path]:
    """Be the only load called `name` of these days, of all without days; yields an empty folder on this machine.

    Raises:
        LakeBusyError: others have been at these days for longer than ten minutes.
    """
    register, token = Register(store, name), token_hex(8)
    _wait_for_claim(lake, register, token, days)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(register, token, ended), daemon=True)
    renewing.start()
    try:
        _remove_leftovers(lake, register, name)
        lake.claims[name] = token
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    finally:
        lake.claims.pop(name, None)
        ended.set()
        renewing.join()
        # A commit that broke off keeps its claim and what it staged: somebody finishes it.
        register.remove(token, None)
        if token not in register.claims()[0]:
            lake.remove_folder(_aside(name, token))


def commit_objects(lake: Lake, store: ObjectStore, name: str, changes: Sequence[tuple[str, Path | None]]) -> None:
    """Make all changes visible, each a key with its new file or None: all of them or, without the claim, none.

    Raises:
        ClaimLostError: the load was silent for too long, and others have taken its days; nothing is visible of it.
    """
    register, token = Register(store, name), lake.claims[name]
    folder = f"{_aside(name, token)}/{token_hex(4)}"
    files = {f"{folder}/{number}": path for number, (_, path) in enumerate(changes) if path is not None}
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        versions = list(pool.map(store.version, (key for key, _ in changes)))
        list(pool.map(lambda key: lake.filesystem.put_file(str(files[key]), f"{lake.root}/{key}"), files))
    steps = [
        (key, f"{folder}/{number}" if path else None, version)
        for number, ((key, path), version) in enumerate(zip(changes, versions, strict=True))
        if path or version
    ]
    journal = f"{folder}/journal.json"
    store.put(journal, json.dumps(steps).encode(), replaces=None)
    if not register.set_journal(token, None, journal):
        raise ClaimLostError(
            f"this load of {name} was silent for more than {claims_module.LASTS_S:.0f} s, and others have taken its "
            "days; expected a renewal every few seconds. The machine was suspended, or the network was away. Nothing "
            "of it is visible; run the same days again"
        )
    _finish(register, token, journal, files)
    # In vain if others have finished it: then the claim is gone too.
    register.set_journal(token, journal, None)
    lake.remove_folder(folder)


def finish_commits_of_the_dead(lake: Lake, store: ObjectStore) -> None:
    """Finish commits whose owners are silent; wait for those that are at work, up to ten minutes."""
    deadline = time.monotonic() + WAIT_S
    for key in lake.keys(f"{FOLDER}/*.json"):
        register = Register(store, Path(key).stem)
        while any(claim.journal for claim in register.claims()[0].values()):
            if _finish_the_dead(lake, register):
                continue
            if time.monotonic() > deadline:
                break
            _pause()


def _wait_for_claim(lake: Lake, register: Register, token: str, days: Days | None) -> None:
    deadline = time.monotonic() + WAIT_S
    while in_way := register.claim(token, days):
        if _finish_the_dead(lake, register):
            continue
        if time.monotonic() > deadline:
            of_days = f"{days[0]} to {days[1]}" if days else "all days"
            hosts = ", ".join(sorted({claim.host for claim in in_way}))
            raise LakeBusyError(
                f"other loads of {register.name} on {hosts} have held days of {of_days} for {WAIT_S:.0f} s; expected "
                "them to end. Wait for these runs or cancel them, then run this one again."
            )
        _pause()


def _finish_the_dead(lake: Lake, register: Register) -> bool:
    """Finish the commits of claims that nobody renews; whether there was one."""
    found, now = register.claims()
    dead = {
        token: claim.journal
        for token, claim in found.items()
        if claim.journal and now is not None and not claim.is_alive(now)
    }
    for token, journal in dead.items():
        _finish(register, token, journal, {})
        # The claim goes as well: if its owner wakes up, it must not commit once more.
        register.remove(token, journal)
        lake.remove_folder(_aside(register.name, token))
    return bool(dead)


def _finish(register: Register, token: str, journal: str, files: Mapping[str, Path]) -> None:
    """Do the steps of a journal, also if others do them at the same time; `files` are staged ones on this machine.

    Each step replaces a version that was there while the journal was the current one. An owner that wakes up after
    others have finished its commit finds another journal, or another version.
    """
    store = register.store
    written = store.content(journal)
    steps = json.loads(written) if written else []
    if written is None and register.is_journal(token, journal):
        raise _missing(journal)
    for key, staged, version in steps:
        replaces, is_done = version, False
        while not is_done:
            if not register.is_journal(token, journal):
                return
            if staged is None:
                store.delete(key)
                break
            content = files[staged].read_bytes() if staged in files else store.content(staged)
            if content is None:
                if register.is_journal(token, journal):
                    raise _missing(staged)
                return
            try:
                store.put(key, content, replaces=replaces)
                is_done = True
            except ConflictError:
                # Another one has done this step; it is done again, since the content is the same.
                replaces = store.version(key)


def _renew(register: Register, token: str, ended: threading.Event) -> None:
    while not ended.wait(claims_module.LASTS_S / 6):
        try:
            if not register.renew(token):
                return  # the commit will say so
        except Exception as error:  # noqa: BLE001 - the next renewal may come through; if none does, the commit says so
            _log.warning("the claim on days of the lake was not renewed: %s", type(error).__name__)


def _remove_leftovers(lake: Lake, register: Register, name: str) -> None:
    """What killed loads have staged and nobody will commit."""
    tokens = set(lake.names_below(f".aside/{name}"))
    # After the listing: who has claimed days since then has not been listed.
    for token in sorted(tokens.difference(register.claims()[0])):
        lake.remove_folder(_aside(name, token))


def _aside(name: str, token: str) -> str:
    return f".aside/{name}/{token}"


def _missing(key: str) -> StagedFileMissingError:
    return StagedFileMissingError(
        f"{key} of the lake is needed to finish a commit and is gone; expected that nobody removes it. Put it back "
        "from a version of the bucket; or set the journal of that claim in .claims/ to null, and load the same days "
        "again"
    )


def _pause() -> None:
    time.sleep(_LOOK_EVERY_S * random.uniform(0.5, 1.0))  # noqa: S311 - not for a secret
