"""The old place of the run launcher, which homes that version 0.1.0 wrote still name.

Belongs here: the old name, for one release. Not here: the launcher (`instance/run_launcher.py`).
"""

from engagement_assets.instance.run_launcher import SupervisedRunLauncher

__all__ = ["SupervisedRunLauncher"]
