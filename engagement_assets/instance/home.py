"""DAGSTER_HOME, where Dagster finds its settings: written from the project's `dagster.yaml`, or left to the team.

Belongs here: making it ready for a command, and whose file lies there. Not here: what the instance's settings mean
(`dagster.yaml`), or the storages that it names. Nothing here imports Dagster, which takes many seconds.
"""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from engagement_assets.installation import PROJECT_ROOT
from engagement_assets.settings import Settings

EVENT_BATCH_SIZE = 500
INSTANCE_SETTINGS = "dagster.yaml"
STORAGE_URL = "DAGSTER_STORAGE_URL"
# Whoever finds this line in a file may replace the file.
MARK = "# engagement-assets writes this file anew with every command. To keep a file of your own, remove this line."
# What versions before the mark wrote, without the folder and the number of cores (SHA-256), the oldest first.
_OF_EARLIER_VERSIONS = frozenset(
    {
        "32c09a2c31a2054570bd85482b223e14b1a48327a9e7c31091ca74737d67211c",
        "ed019fade2d0163857149c2992e4bcce035788f3f59bb3f462dc919c8273dda4",
        "d65d3112ce3f5f37a6c900fdc3d0f26e142a5c7f8f156a4fdefd1058cdfc3e22",
        "dcbd57e27725cf5c440acb045482b0e2677d2d69d94198af3c82934341704f98",
        "d2cc1f175cf213629123fe6915e1b839504b432d41142568163adcd1fa94578e",
        "b3be9447bab7f6bb0b8038d2e19800189aa7490914d45ee9af7cd640a637edd0",
    }
)


class DagsterHomeError(ValueError):
    """DAGSTER_HOME does not fit the settings."""


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME with the project's settings of the instance, unless it has a team's own; set its variables.

    Raises:
        DagsterHomeError: the home is on PostgreSQL, and nobody says where that is.
    """
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    if refused := why_home_is_refused(settings):
        raise DagsterHomeError(refused)
    url = settings.dagster_storage_url
    path, ours = home / INSTANCE_SETTINGS, _instance_settings(home, on_postgres=url is not None)
    found = _text_of(path)
    if found is None or _is_ours(found, home):
        text = f"{MARK}\n{yaml.safe_dump(ours, sort_keys=False)}"
        if found != text:  # the folder may be read-only
            # Not by the process id: containers with one volume have the same ones.
            draft = path.with_name(f".{path.name}.{token_hex(8)}")
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
    else:
        # A warning is shown once.
        warnings.warn(_stays(path, found, ours, has_url=url is not None), stacklevel=2)
    os.environ["DAGSTER_HOME"] = str(home)
    if url:
        os.environ[STORAGE_URL] = url.get_secret_value()
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE))


def why_home_is_refused(settings: Settings) -> str | None:
    """Why no command may use this home: it would begin new records in SQLite, beside those in PostgreSQL."""
    home = settings.dagster_home.resolve()
    path = home / INSTANCE_SETTINGS
    found = _text_of(path)
    if settings.dagster_storage_url or found is None or not _is_ours(found, home) or STORAGE_URL not in found:
        return None
    return (
        f"{STORAGE_URL}: expected the URL of the PostgreSQL database that holds the runs of this DAGSTER_HOME, found "
        f"nothing; set it, or remove {path} to begin new records in SQLite"
    )


def _instance_settings(home: Path, *, on_postgres: bool) -> dict[str, Any]:
    """The project's `dagster.yaml`, with what depends on the machine and on where runs are kept."""
    settings: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / INSTANCE_SETTINGS).read_text(encoding="utf-8"))
    settings["concurrency"]["runs"]["max_concurrent_runs"] = os.cpu_count() or 1
    if on_postgres:
        # The variable and not its value, which holds a password.
        storage = {
            "module": "engagement_assets.instance.postgres_storage",
            "class": "PostgresStorage",
            "config": {"postgres_url": {"env": STORAGE_URL}},
        }
    else:
        # Dagster's default storage, in its default place, with events written in batches.
        storage = {
            "module": "engagement_assets.instance.event_log",
            "class": "BatchingSqliteStorage",
            "config": {"base_dir": str(home)},
        }
    return settings | {"storage": {"custom": storage}}


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _is_ours(text: str, home: Path) -> bool:
    return MARK in text.splitlines() or _was_written_by_an_earlier_version(text, home)


def _was_written_by_an_earlier_version(text: str, home: Path) -> bool:
    nested = {"storage": {"custom": {"config": {"base_dir": str(home)}}}}
    for written in (json.dumps(str(home)), yaml.safe_dump(nested).partition("base_dir: ")[2].removesuffix("\n")):
        text = text.replace(f"base_dir: {written}\n", "base_dir:\n")
    text = re.sub(r"max_concurrent_runs: \d+\n", "max_concurrent_runs:\n", text)
    return hashlib.sha256(text.encode()).hexdigest() in _OF_EARLIER_VERSIONS


def _stays(path: Path, text: str, ours: Mapping[str, Any], *, has_url: bool) -> str:
    """That a team's file is used as it is, and in what it differs."""
    try:
        theirs = yaml.safe_load(text) or {}
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        said = f"it has its own {', '.join(differing)}" if differing else "it says the same"
    except (yaml.YAMLError, AttributeError):
        said = "it is no mapping in YAML"
    unread = f", and {STORAGE_URL} is set, but the file does not name it" if has_url and STORAGE_URL not in text else ""
    return (
        f"{path} is not of this project and stays as it is: {said}{unread}. Compare it with "
        f"{PROJECT_ROOT / INSTANCE_SETTINGS}; the warehouse has one writer, so pools need a default limit of 1"
    )
