"""What the Makefile and the console script call: a module per command, as `engagement_assets.commands.<name>`."""

import sys
from pathlib import Path

from engagement_assets.installation import CONSOLE_SCRIPT

# Python calls the program `-m` while it looks for the module to run. So this process is a command, as is that of the
# console script, not one that merely imports this package. The command's own imports take seconds in which it can be
# interrupted.
if sys.argv[0] == "-m" or Path(sys.argv[0]).name == CONSOLE_SCRIPT:
    from engagement_assets.instance.interrupt import end_on_interrupt

    end_on_interrupt()
