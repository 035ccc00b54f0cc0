"""Secrets as files: the folder SECRETS_DIR, as container engines, Kubernetes and systemd lay it.

Belongs here: that settings are read from this folder too. Not here: which settings there are (`settings.py`).
"""

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource

Sources = tuple[PydanticBaseSettingsSource, ...]


class SecretFiles(SecretsSettingsSource):
    """A file per setting; an empty one means the default, as an empty variable does."""

    def __call__(self) -> dict[str, Any]:
        """The values of the files."""
        return {name: value for name, value in super().__call__().items() if value}


def with_secret_files(settings: type[BaseSettings], sources: Sources) -> Sources:
    """The sources, and after them the folder that one of them names as SECRETS_DIR.

    A folder that is not there adds nothing; the field refuses it.
    """
    folder = next(filter(None, (source().get("secrets_dir") for source in sources)), None)
    return (*sources, SecretFiles(settings, folder)) if folder and Path(folder).is_dir() else sources
