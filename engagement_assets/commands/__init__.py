"""What the Makefile calls: a module per command, run as `python -m engagement_assets.commands.<name>`."""

import sys

# So is the program called while Python looks for the module that it is to run: this process is a command, and not one
# that needs something of this package. The command's own imports take seconds in which it can be interrupted.
if sys.argv[0] == "-m":
    from engagement_assets.commands.interrupt import end_on_interrupt

    end_on_interrupt()
