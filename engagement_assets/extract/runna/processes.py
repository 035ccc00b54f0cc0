"""Several processes that read Runna files side by side.

Belongs here: which process reads which batch, the helpers' protocol and their death; run as a module, this is a helper.
Not here: what reading means (`runna/parts.py`).
"""

import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import IO, cast

import msgspec

from engagement_assets.extract.runna.parts import Batch, open_parts

# One batch that a helper reads and one that is ready for it, while this process reads its own.
_BATCHES_PER_HELPER = 2


class HelperDiedError(RuntimeError):
    """A process that helps to read files ended before its work was done."""


def read_batches(
    batches: Iterator[Batch], helpers: int, folder: Path, max_file_bytes: int, done: Callable[[Batch], None]
) -> None:
    """Read all batches, here and in `helpers` more processes, each into its own parts; `done` gets each batch read.

    Raises:
        HelperDiedError: a helper ended before its work was done.
    """
    with ExitStack() as stack:
        busy = stack.enter_context(selectors.DefaultSelector())
        helping = [
            stack.enter_context(closing(_Helper(folder, number, max_file_bytes))) for number in range(1, helpers + 1)
        ]

        def hand_over(timeout: float | None) -> None:
            for key, _ in busy.select(timeout):
                helper: _Helper = key.data
                for batch in helper.take_answers():
                    done(batch)
                    helper.send(next(batches, None))
                if not helper.unanswered:
                    busy.unregister(helper.answers)

        for helper in helping:
            busy.register(helper.answers, selectors.EVENT_READ, helper)
            for _ in range(_BATCHES_PER_HELPER):
                helper.send(next(batches, None))
        with open_parts(folder, 0, max_file_bytes) as writer:
            for batch in batches:
                writer.read(batch)
                done(batch)
                hand_over(timeout=0)
        while busy.get_map():
            hand_over(timeout=None)
        for helper in helping:
            helper.finish()


class _Helper:
    """A process that runs `main`, and the batches that it has not answered yet.

    It is started by this module's name, because a `multiprocessing` child would first import the main module of this
    program. With Dagster that costs seconds and 150 MB for each process.
    """

    def __init__(self, folder: Path, number: int, max_file_bytes: int) -> None:
        self._log = folder / f"helper-{number}.log"
        arguments = [str(folder), str(number), str(max_file_bytes)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # Otherwise numpy starts threads for linear algebra, which spin while they wait.
            "OPENBLAS_NUM_THREADS": "1",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", __spec__.name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        self._batches = cast("IO[bytes]", self._process.stdin)
        self.answers = cast("IO[bytes]", self._process.stdout)
        self.unanswered: deque[Batch] = deque()

    def send(self, batch: Batch | None) -> None:
        if batch is None:
            return
        self.unanswered.append(batch)
        try:
            self._batches.write(msgspec.json.encode(batch) + b"\n")
            self._batches.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def take_answers(self) -> list[Batch]:
        """The batches that the process has read since the last call; waits for at least one."""
        answers = os.read(self.answers.fileno(), _BATCHES_PER_HELPER)
        if not answers:
            raise self._death()
        return [self.unanswered.popleft() for _ in answers]

    def finish(self) -> None:
        """Wait until the parts of the process are complete."""
        self._batches.close()
        if not os.read(self.answers.fileno(), 1):
            raise self._death()

    def close(self) -> None:
        """End the process if it still runs, and release its pipes."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._batches.close()
        self.answers.close()
        self._process.wait()

    def _death(self) -> HelperDiedError:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        files = [file.key for batch in self.unanswered for file in batch.files]
        where = f"between {files[0]} and {files[-1]}" if files else "while closing its parts"
        words = self._log.read_text("utf-8", "replace").strip().splitlines()
        return HelperDiedError(
            f"a process that reads Runna files {how} {where}; nothing of this load is published. "
            f"Its last words: {words[-1] if words else 'none'}. Run the load again; signal 9 "
            "mostly means that memory ran out: set EXTRACT_PROCESSES=1"
        )


def main(arguments: Sequence[str]) -> None:
    """Read batches from standard input, one JSON document a line.

    A byte on standard output answers each batch, and one more says that the parts are complete.
    """
    folder, number, max_file_bytes = arguments
    decoder = msgspec.json.Decoder(Batch)
    with open_parts(Path(folder), int(number), int(max_file_bytes)) as writer:
        for line in sys.stdin.buffer:
            writer.read(decoder.decode(line))
            os.write(sys.stdout.fileno(), b".")
    os.write(sys.stdout.fileno(), b".")


if __name__ == "__main__":
    main(sys.argv[1:])
