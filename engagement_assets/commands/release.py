"""`make release SOURCE=… [DAY=… [TO=…]] REASON=…`: releases held days, and builds what is downstream.

Belongs here: which run the arguments ask for. Not here: the arguments (`arguments.py`), the run (`range_run.py`) or the
release itself (see `lake/held_days.py`).
"""

from engagement_assets.commands.arguments import chosen_datasets, inclusive, release_parser
from engagement_assets.commands.process import exit_process
from engagement_assets.commands.range_command import and_downstream, run_command
from engagement_assets.commands.range_run import RangeRequest
from engagement_assets.settings import Settings


def main() -> int:
    """Run the command and return its exit code."""
    given = release_parser().parse_args()

    def request(settings: Settings) -> RangeRequest:
        datasets = chosen_datasets(given.source, given.dataset, has_days=given.first is not None)
        first = given.first or settings.start_date
        selection = and_downstream(settings, datasets)
        return RangeRequest(inclusive(first, given.last or first), selection, release_reason=given.reason)

    return run_command(request)


if __name__ == "__main__":
    exit_process(main())
