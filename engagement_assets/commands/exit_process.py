"""How the process of a command ends.

Belongs here: leaving without taking the interpreter down. Not here: what a command returns.
"""

import atexit
import os
import sys
from typing import NoReturn


def exit_process(status: int) -> NoReturn:
    """Do what was registered for the end, write out what is buffered, and leave with `status`.

    To take the interpreter down frees what the system frees anyway. It takes its time over the asset graph, and
    DuckDB's binding then lists each of its functions as leaked, below what the command has told.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
