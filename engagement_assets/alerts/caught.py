"""What the alerts' work raises, kept from ending what it works beside: a run, a check, the other channels.

Belongs here: holding on to an exception that nobody expects, and telling of it. Not here: the expected ones, which have
sentences of their own (`ChannelError`, `AlertStoreError`).
"""

import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType


class Caught(AbstractContextManager["Caught"]):
    """A block whose exception ends the block alone, and is then in `error`. An interruption passes."""

    error: Exception | None = None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Keep what was raised."""
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def kind_and_place(error: Exception) -> str:
    """What an exception is and where it came from; its own text may hold the URL of a channel, which is a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
