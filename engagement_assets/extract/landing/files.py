"""The landing zone: which files lie where, and nothing outside of it.

Belongs here: listing landing files safely and bringing them within reach of a local reader. Not here: what is in them
(the source's own module).
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


@dataclass(frozen=True, order=True)
class LandingFile:
    """One file of the landing zone.

    `key` is its path below the zone, separated by `/`; `size` is in bytes; `version` changes when the content does (the
    times of modification, which may be copied, and of arrival, or what the object store says instead). `refused` says
    why the file must not be opened; None if it may. `arrived_at` (UTC) is when it arrived there with this content: a
    file that is moved or copied may keep an older time of modification. None if the object store does not say.
    """

    key: str
    size: int
    version: str
    refused: str | None = None
    arrived_at: datetime | None = field(default=None, compare=False)


class Landing:
    """The landing zone at a local folder or any URL that fsspec knows (`s3://bucket/prefix`)."""

    def __init__(self, uri: str) -> None:
        """Note where the zone is; this lists nothing yet."""
        # A process may live long, and must see files that have landed since its last look.
        filesystem, root = fsspec.core.url_to_fs(uri, use_listings_cache=False)
        self._filesystem: fsspec.AbstractFileSystem = filesystem
        self._root: str = root.rstrip("/")
        self.uri = uri

    @property
    def is_local(self) -> bool:
        """Whether files can be opened where they lie."""
        return isinstance(self._filesystem, LocalFileSystem)

    def files(self, prefix: str, suffixes: tuple[str, ...]) -> list[LandingFile]:
        """Files below the folder `prefix` whose names end with one of `suffixes`, in order of their keys.

        Names of files and folders that begin with `.` or `_` are work in progress and are left out. Some are returned
        with `refused` set, whatever their names end with: a link that leads out of the landing zone or nowhere, a
        linked folder, a pipe, and a key with `..`. A folder that does not exist holds no files.

        Raises:
            NotADirectoryError: the landing zone itself does not exist.
        """
        if not self._filesystem.isdir(self._root):
            raise NotADirectoryError(
                f"the landing zone {self.uri!r} is not a folder that can be listed; set LANDING_URI to the folder "
                "that holds those of the sources, such as runna/"
            )
        found = self._local_files(prefix) if self.is_local else self._remote_files(prefix)
        return sorted(file for file in found if file.refused or file.key.endswith(suffixes))

    def names_in(self, folder: str) -> list[str]:
        """Names of what lies directly in a folder ("" is the zone itself), sorted, without work in progress.

        An empty list if the folder does not exist.
        """
        paths = self._below(folder, detail=False)
        names = (printable_key(path.rstrip("/").rpartition("/")[2]) for path in paths)
        return sorted(name for name in names if not name.startswith((".", "_")))

    def batch_names(self, prefix: str) -> list[str]:
        """Names of the folders and links directly below `prefix`, sorted; none if `prefix` does not exist."""
        entries = self._below(prefix, detail=True)
        folders = (entry["name"] for entry in entries if entry["type"] == "directory" or entry.get("islink"))
        return sorted(name.rstrip("/").rpartition("/")[2] for name in folders)

    def renamed_at(self, folder: str, files: Iterable[LandingFile]) -> datetime | None:
        """When `folder`, or one below it with some of these files, got its name; None if that is not known.

        A file that comes or goes changes both times of its folder, a new name only the time of its status.
        """
        if not self.is_local:
            return None
        folders = {PurePosixPath(parent) for parent in {file.key.rpartition("/")[0] for file in files}}
        folders |= {parent for item in folders for parent in item.parents}
        times = []
        for item in folders:
            with suppress(FileNotFoundError):
                found = Path(self._root, item).stat()
                if item.is_relative_to(folder) and found.st_ctime_ns > found.st_mtime_ns:
                    times.append(datetime.fromtimestamp(found.st_ctime, UTC))
        return max(times, default=None)

    def _below(self, folder: str, *, detail: bool) -> list[Any]:
        place = f"{self._root}/{folder}".rstrip("/")
        try:
            found: list[Any] = self._filesystem.ls(place, detail=detail) if self._filesystem.isdir(place) else []
        except FileNotFoundError:  # gone since: in an object store a folder goes with its last object
            return []
        return found

    def local_path(self, file: LandingFile, workdir: Path) -> Path:
        """Where a local reader finds the file: in place, or in `workdir` if it must be fetched from a remote zone."""
        if self.is_local:
            return Path(self._root) / file.key
        # A key may be longer than a file name, or be the folder of another.
        name = hashlib.sha256(os.fsencode(file.key)).hexdigest()
        target = workdir / "fetched" / f"{name}{PurePosixPath(file.key).suffix}"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            self._filesystem.get_file(f"{self._root}/{file.key}", str(target))
        return target

    def _local_files(self, prefix: str) -> Iterator[LandingFile]:
        root = Path(self._root).resolve()
        for folder in _folders_from(Path(self._root), prefix):
            refused = _why_link_is_refused(folder, root) if folder.is_symlink() else None
            if refused:
                yield LandingFile(folder.relative_to(self._root).as_posix(), 0, "", refused)
                return
        pending = [Path(self._root) / prefix]
        while pending:
            folder = pending.pop()
            if not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith((".", "_")):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                        continue
                    file = self._local_file(entry, root)
                    if file is not None:
                        yield file

    def _local_file(self, entry: os.DirEntry[str], root: Path) -> LandingFile | None:
        """The file of a folder's entry; None if it has gone since the folder was listed."""
        refused = None
        if entry.is_symlink():
            refused = _why_link_is_refused(Path(entry.path), root)
        try:
            found = entry.stat(follow_symlinks=refused is None)
        except FileNotFoundError:
            return None
        if refused is None and not stat.S_ISREG(found.st_mode):
            refused = "it is a pipe, a socket or a device, not a file"
        key = Path(entry.path).relative_to(self._root).as_posix()
        arrived_at = datetime.fromtimestamp(found.st_ctime, UTC)
        version = f"{found.st_mtime_ns} {found.st_ctime_ns}"
        return LandingFile(key, found.st_size, version, refused, arrived_at)

    def _remote_files(self, prefix: str) -> Iterator[LandingFile]:
        found: dict[str, dict[str, Any]] = self._filesystem.find(f"{self._root}/{prefix}", detail=True)
        for name, info in found.items():
            key = name.removeprefix(f"{self._root}/")
            parts = key.split("/")
            if any(part.startswith((".", "_")) for part in parts if part != ".."):
                continue
            refused = None
            if ".." in parts or "" in parts:
                refused = "the key holds '..' or an empty name and could lead to another file"
            yield LandingFile(key, int(info["size"]), _version(info), refused, _arrived_at(info))


def printable_key(key: str) -> str:
    """The key itself, unless the file system holds a name that is not UTF-8."""
    return key if key.isascii() else os.fsencode(key).decode("utf-8", "replace")


def _folders_from(root: Path, prefix: str) -> Iterator[Path]:
    """The folders on the way from `root` to `prefix`, without `root`."""
    for part in PurePosixPath(prefix).parts:
        root /= part
        yield root


def _why_link_is_refused(link: Path, root: Path) -> str | None:
    target = Path(os.path.realpath(link))  # `resolve` fails for a link to itself
    if not target.exists():
        return "the link points nowhere"
    if not target.is_relative_to(root):
        return "the link leads out of the landing zone"
    if target.is_dir():
        return "the link is a folder, whose files would be read twice"
    return None


def _version(info: dict[str, Any]) -> str:
    """What changes when a remote object's content does: its ETag, else its time of modification."""
    for name in ("ETag", "etag", "md5", "LastModified", "mtime", "created"):
        value = info.get(name)
        if value:
            return value.isoformat() if isinstance(value, datetime) else str(value)
    return str(info["size"])


def _arrived_at(info: dict[str, Any]) -> datetime | None:
    """When a remote object was written, as a time or as seconds since 1970."""
    for name in ("LastModified", "mtime", "created"):
        found = info.get(name)
        if isinstance(found, datetime):
            # S3 cuts its times to whole seconds; the object may have come at any moment of the last one.
            within = timedelta(seconds=0 if found.microsecond else 1)
            return found.astimezone(UTC) + within
        if isinstance(found, float | int):
            return datetime.fromtimestamp(found, UTC)
    return None
