"""Keeping what the alerts raise from ending what they work beside: a run, a check, the other channels.

Belongs here: catching and describing an exception that nobody expects. Not here: expected ones, which have sentences of
their own (`ChannelError`, `AlertStoreError`).
"""

import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType


class Caught(AbstractContextManager["Caught"]):
    """A block whose exception ends only the block, and is then in `error`. Interruptions pass through."""

    error: Exception | None = None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Keep what was raised."""
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def kind_and_place(error: Exception) -> str:
    """The type of an exception and where it was raised; its text may contain the URL of a channel, a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
