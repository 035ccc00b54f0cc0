"""How the process of a command ends.

Belongs here: leaving without shutting down the interpreter. Not here: what a command returns.
"""

import atexit
import os
import sys
from typing import NoReturn


def exit_process(status: int) -> NoReturn:
    """Run the registered exit functions, flush the streams, and end the process with `status`.

    Shutting down the interpreter would only free what the system frees anyway. It takes long for an asset graph, and
    DuckDB's binding would then list each of its functions as leaked, below the output of the command.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
