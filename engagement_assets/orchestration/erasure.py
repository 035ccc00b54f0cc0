"""A job that erases persons whose ids lie in a private file.

Belongs here: the job. Not here: the erasure, which the job runs as the command that people run (`commands/erase.py`).

Run config is kept and shown, so it names the file and not the ids. The command is a process of its own: it runs other
jobs, and its memory ends with it.
"""

import subprocess
import sys
from pathlib import Path

import dagster as dg
from pydantic import Field

ERASURE = "erasure"


class ErasureConfig(dg.Config):
    """The options of one run of the job, as the launchpad shows them."""

    source: str = Field(description="The source that sends the ids, such as lingokids.")
    kind: str = Field(description="What they are: user, child, athlete, device or corporation.")
    ids_path: str = Field(description="A file that only its owner can read (mode 600), with one id a line.")


def erasure_job() -> dg.JobDefinition:
    """The job, which only people run."""

    @dg.op(description="Erases persons from the lake, the tables and every copy, and proves it.")
    def erase_persons(context: dg.OpExecutionContext, config: ErasureConfig) -> None:
        path = Path(config.ids_path)
        if not path.is_file() or (mode := path.stat().st_mode & 0o777) & 0o077:
            found = f"mode {mode:o}" if path.is_file() else "no such file"
            raise dg.Failure(
                f"expected a file with ids that only its owner can read (mode 600), found {found} at {path}",
                allow_retries=False,
            )
        command = [sys.executable, "-m", "engagement_assets.commands.erase"]
        with path.open("rb") as ids:
            done = subprocess.run(  # noqa: S603 - the command refuses sources and kinds that it does not know
                [*command, "--source", config.source, "--kind", config.kind],
                stdin=ids,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        context.log.info(done.stdout)
        if done.returncode:
            raise dg.Failure(f"the erasure ended with status {done.returncode}; the log says why", allow_retries=False)

    @dg.job(
        name=ERASURE,
        description=(
            "Erases persons whose ids lie in a private file, from the lake, the tables and every copy. Delete the file "
            "afterwards."
        ),
        executor_def=dg.in_process_executor,
    )
    def erasure() -> None:
        erase_persons()

    return erasure
