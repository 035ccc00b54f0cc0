"""Files and folders of the landing zone that lie beside the folders that sources read, such as `mobile-events/`.

Belongs here: what lies on the way to such folders and leads to none. Not here: files within such a folder
(`event_files.py`, `runna/extraction.py`), which folders sources read (`sources.py`), or who reports what was found
(`checks/landing_zone.py`).
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

from engagement_assets.contracts.extraction import UnreadPath
from engagement_assets.extract.landing.files import Landing


def unread_paths(landing: Landing, prefix: str, prefixes: Sequence[str]) -> list[UnreadPath]:
    """What lies in the folders above `prefix`, leads to none of `prefixes`, and has a name closest to `prefix`.

    `prefixes` are all folders that sources read. So only one source's load reports each stray path.
    """
    found = []
    parts = prefix.split("/")
    for depth in range(len(parts)):
        folder = "/".join(parts[:depth])
        near = [item for item in prefixes if item.startswith(f"{folder}/" if folder else "")]
        for name in landing.names_in(folder):
            key = f"{folder}/{name}" if folder else name
            if any(item == key or item.startswith(f"{key}/") for item in near):
                continue
            meant = max(near, key=lambda item: SequenceMatcher(None, key.lower(), item).ratio())
            if meant == prefix:
                found.append(UnreadPath(key, f"no source reads it; is {prefix}/ meant?"))
    return found
