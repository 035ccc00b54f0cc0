"""What the Makefile calls: a module per command, run as `python -m engagement_assets.commands.<name>`."""

import sys

# Python calls the program `-m` while it looks for the module to run. So this process is a command, not one that merely
# imports this package. The command's own imports take seconds in which it can be interrupted.
if sys.argv[0] == "-m":
    from engagement_assets.instance.interrupt import end_on_interrupt

    end_on_interrupt()
