"""Versions of the model of kudos on disk: one JSON file each, whole or not there.

Belongs here: writing, finding and removing them. Not here: what makes a version good (`evaluation.py`).

Nothing points to the version in use: it is the newest that is good. So there is no moment at which a version is written
and nothing knows of it, and a version that is worse than its baselines leaves the one before in use. JSON is read
without running anything, unlike a pickle, and people can read it too.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engagement_assets.kudos.evaluation import Trained

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{8}\.json")
VERSIONS_KEPT = 10


@dataclass(frozen=True)
class Version:
    """A trained model under its name: the newest week it has learnt from, and a digest of its content."""

    name: str
    trained: Trained


class Versions:
    """The versions in a folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or written yet."""
        self.folder = folder

    def newest(self) -> Version | None:
        """The version that was trained last, good or not."""
        return next(self._newest_first(), None)

    def in_use(self) -> Version | None:
        """The newest good version."""
        return next((version for version in self._newest_first() if version.trained.is_good), None)

    def path(self, version: Version) -> Path:
        """The file of a version."""
        return self.folder / f"{version.name}.json"

    def keep(self, trained: Trained) -> Version:
        """Write a version; of older ones, those that are not in use go when there are more than `VERSIONS_KEPT`."""
        content = msgspec.json.format(msgspec.json.encode(trained), indent=1)
        version = Version(f"{trained.newest_week}-{hashlib.sha256(content).hexdigest()[:8]}", trained)
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".*.draft"):
            left.unlink()
        draft = self.folder / f".{version.name}.draft"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path(version))
        self._remove_old()
        return version

    def forget(self) -> int:
        """Remove all versions, and what a killed process has left of one; returns how many files that were."""
        paths = [*self._paths(), *self.folder.glob(".*.draft")]
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _remove_old(self) -> None:
        used = self.in_use()
        for path in self._paths()[VERSIONS_KEPT:]:
            if used is None or path != self.path(used):
                path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        found = (path for path in self.folder.glob("*.json") if _NAME.fullmatch(path.name))
        return sorted(found, reverse=True)

    def _newest_first(self) -> Iterator[Version]:
        for path in self._paths():
            try:
                trained = msgspec.json.decode(path.read_bytes(), type=Trained)
            except msgspec.MsgspecError as error:
                raise ValueError(
                    f"expected a version of the model of kudos in {path}, found what cannot be read as one ({error}); "
                    "remove the file, and train the model again"
                ) from error
            yield Version(path.stem, trained)
