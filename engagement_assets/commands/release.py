"""`make release SOURCE=… [DAY=… [TO=…]] REASON=…`: releases held days, and builds what is downstream.

Belongs here: the command's arguments. Not here: the run (`range_run.py`) or the release itself (see
`lake/held_days.py`).
"""

import argparse

from engagement_assets.commands.process import exit_process
from engagement_assets.commands.range_command import (
    add_days,
    add_source,
    and_downstream,
    chosen_datasets,
    inclusive,
    run_command,
)
from engagement_assets.commands.range_run import RangeRequest
from engagement_assets.settings import Settings


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Let held days through on purpose, and build what is downstream.")
    add_source(parser)
    add_days(parser, "--day")
    parser.add_argument("--reason", required=True, type=_reason, help="why they are let through; it is kept")
    given = parser.parse_args()

    def request(settings: Settings) -> RangeRequest:
        datasets = chosen_datasets(given.source, given.dataset, has_days=given.first is not None)
        first = given.first or settings.start_date
        selection = and_downstream(settings, datasets)
        return RangeRequest(inclusive(first, given.last or first), selection, release_reason=given.reason)

    return run_command(request)


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a sentence, since it is kept in audit.ingestion_loads")
    return text.strip()


if __name__ == "__main__":
    exit_process(main())
