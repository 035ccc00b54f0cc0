"""A volume for the lake alone, in memory, that can be full: for who may mount one.

Belongs here: mounting it and taking its room away. Not here: what a run must do about it (`soak.py`).
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOM = 1 << 30


@contextmanager
def lake_volume(folder: Path) -> Iterator[bool]:
    """Mount a volume at the new `folder`; tells whether that was allowed, else the folder is one like others."""
    folder.mkdir(parents=True)
    is_mounted = _mount(folder, f"size={_ROOM}")
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["/bin/umount", folder], check=True)


@contextmanager
def no_room_left(folder: Path) -> Iterator[None]:
    """The volume at `folder` has no more room than is used, for the time of the block."""
    volume = os.statvfs(folder)
    assert _mount(folder, f"remount,size={(volume.f_blocks - volume.f_bfree) * volume.f_frsize}")
    yield
    assert _mount(folder, f"remount,size={_ROOM}")


def _mount(folder: Path, options: str) -> bool:
    command = ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
