"""How the process of a command begins and ends: its settings, and the end without shutting down the interpreter.

Belongs here: what every command does. Not here: which settings there are (`settings.py`), what a command returns.
"""

import atexit
import os
import sys
from typing import Any, NoReturn

from pydantic import ValidationError

from engagement_assets.instance.private_files import keep_files_private
from engagement_assets.settings import Settings


def load_settings(**given: Any) -> Settings:
    """Read the settings, and follow those about private files and about S3; `given` are those that the command sets.

    Raises:
        SystemExit: with status 2, if a setting is wrong; standard error says which and why, without secrets.
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for wrong in error.errors():
            sentence = wrong["msg"].removeprefix("Value error, ")
            found = "" if wrong["type"] == "value_error" else f", found {wrong['input']!r}"
            print(f"error: {str(wrong['loc'][0]).upper()}: {sentence}{found}", file=sys.stderr)
        raise SystemExit(2) from None
    keep_files_private(settings)
    settings.use_s3()
    return settings


def exit_process(status: int) -> NoReturn:
    """Run the registered exit functions, flush the streams, and end the process with `status`.

    Shutting down the interpreter would only free what the system frees anyway. It takes long for an asset graph, and
    DuckDB's binding would then list each of its functions as leaked, below the output of the command.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
