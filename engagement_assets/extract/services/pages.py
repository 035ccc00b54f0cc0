"""Pages that a run has fetched, on disk until its load is published: a retry of the run requests only the others.

Belongs here: keeping and finding pages. Not here: what is on them (the source's own module cleans a page before it is
kept).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec


@dataclass(frozen=True)
class Page:
    """A page with its records; `size` is the bytes that it takes on disk."""

    name: str
    records: Sequence[Any]
    size: int


class PageStore:
    """The pages of one run and one load, in a private folder below `root`."""

    def __init__(self, root: Path, run_id: str) -> None:
        """Make the folder, and remove those of other runs: the service may answer differently by now.

        The caller holds the load's lock.
        """
        self._folder = root / run_id
        if root.exists():
            for other in root.iterdir():
                if other.is_dir() and other != self._folder:
                    shutil.rmtree(other)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, name: str, records: Sequence[Any]) -> Page:
        """Keep a page, as a whole or not at all."""
        content = msgspec.json.encode(records)
        draft = self._folder / f".{name}"
        draft.write_bytes(content)
        draft.replace(self._path(name))
        return Page(name, records, len(content))

    def find(self, name: str) -> Page | None:
        """A page that was kept, if it was."""
        if not self._path(name).exists():
            return None
        content = self._path(name).read_bytes()
        return Page(name, msgspec.json.decode(content, type=list[Any]), len(content))

    def clear(self) -> None:
        """Remove the run's pages: the load is published."""
        shutil.rmtree(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
