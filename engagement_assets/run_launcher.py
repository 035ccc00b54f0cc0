"""The old import path of the run launcher, which a `dagster.yaml` from version 0.1.0 still names.

Belongs here: the old path, for one release. Not here: the launcher (`instance/run_launcher.py`).
"""

from engagement_assets.instance.run_launcher import SupervisedRunLauncher

__all__ = ["SupervisedRunLauncher"]
