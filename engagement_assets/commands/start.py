"""`python -m engagement_assets.commands.start <command> …`, which make calls: it refuses first, and imports then.

Belongs here: the order of the two, and an end in a sentence where S3 fails. Not here: what is refused (`arguments.py`,
`preflight.py`), or what a command does (its own module).
"""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module

from engagement_assets.commands.arguments import PARSERS
from engagement_assets.commands.buckets import why_s3_failed
from engagement_assets.commands.install import telling
from engagement_assets.commands.preflight import refusals
from engagement_assets.commands.process import exit_process, load_settings
from engagement_assets.shown_text import shown_lines

# What they print may be read by a program, and they import neither of the two.
_SILENT = ("ask", "metric", "metrics")


def main() -> int:
    """Run the command that the first argument names, with the others; 2 if it is refused, else its exit code."""
    name, *arguments = sys.argv[1:]
    given = PARSERS[name]().parse_args(arguments)
    settings = load_settings(**({"landing_uri": ""} if name == "demo" else {}))
    refused = refusals(name, settings, given)
    for sentence in refused:
        print(f"error: {shown_lines(sentence)}", file=sys.stderr)
    if refused:
        return 2
    # An import at the top would take many seconds: that of Dagster, and mostly of dbt.
    with nullcontext() if name in _SILENT else telling("Starting"):
        run: Callable[[], int] = import_module(f"engagement_assets.commands.{name}").main
    sys.argv = [name, *arguments]
    try:
        return run()
    except Exception as error:
        if not (why := why_s3_failed(settings, error)):
            raise
        print(f"error: {shown_lines(why)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    exit_process(main())
