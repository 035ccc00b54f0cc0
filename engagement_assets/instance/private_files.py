"""Files that others on this machine cannot read: the umask of every process, and an `.env` that others can read.

Belongs here: what a process does at its start. Not here: files that are private whatever the umask says (the token of
Strava, `extract/strava/tokens.py`; pages of services, `extract/services/pages.py`).

A process that the project starts inherits the umask: `dagster dev`, its code servers, the runs, helpers that decode
activities. So whoever begins something sets it once: commands, code servers, and whatever opens Dagster's storage.
"""

import os
import warnings
from pathlib import Path

from engagement_assets.privacy_settings import DEFAULT_UMASK
from engagement_assets.settings import Settings

_OTHERS = 0o007
_READ_OR_WRITTEN_BY_OTHERS = 0o066


def keep_files_private(settings: Settings) -> None:
    """From now on, write files as FILES_UMASK says; warn of an `.env` that others can read."""
    os.umask(settings.files_umask)
    warn_of_readable(Path(str(Settings.model_config["env_file"])))


def refuse_others() -> None:
    """The same for a process that has read no settings: a umask that lets others read becomes the default."""
    before = os.umask(DEFAULT_UMASK)
    if before & _OTHERS == _OTHERS:
        os.umask(before)


def warn_of_readable(path: Path) -> None:
    """Warn if others than its owner can read or write a file with secrets."""
    if path.exists() and (mode := path.stat().st_mode & 0o777) & _READ_OR_WRITTEN_BY_OTHERS:
        warnings.warn(
            f"{path.resolve()} holds secrets, and others can read it (mode {mode:o}), expected 600: "
            f"chmod 600 {path.resolve()}",
            stacklevel=2,
        )
