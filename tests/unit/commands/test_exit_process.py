"""A command that ends runs its exit functions, flushes its output and returns its status."""

import subprocess
import sys

PROGRAM = """
import atexit
import sys
from engagement_assets.commands.process import exit_process
atexit.register(print, "registered")
sys.stdout.write("buffered ")
sys.stderr.write("an error")
exit_process(3)
print("never")
"""


def test_what_is_buffered_and_registered_is_not_lost() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "buffered registered\n", "an error")
