"""Objects of S3 that change only if they are still what the writer has seen: put-if-absent and put-if-match.

Belongs here: these requests, what they answer, and whether a store honours them. Not here: what they are used for
(`lake/claims.py`, `lake/object_commit.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from secrets import token_hex
from typing import Any

import fsspec

_NO_SUCH_KEY = ("NoSuchKey", "404")
_NEVER_A_VERSION = '"00000000000000000000000000000000"'


class ConflictError(RuntimeError):
    """An object is no longer what the writer has seen; nothing was written."""


class ConditionalWritesError(RuntimeError):
    """A store overwrites an object although it was told not to."""


@dataclass(frozen=True)
class Seen:
    """An object as of `now`, a UTC time of the store's own clock, in whole seconds; `version` is its ETag."""

    content: bytes
    version: str
    now: datetime


class ObjectStore:
    """What lies below a prefix of a bucket."""

    def __init__(self, filesystem: fsspec.AbstractFileSystem, root: str) -> None:
        """Take the client, and `bucket/prefix`; nothing is asked yet."""
        self._filesystem, self._root = filesystem, root
        self._bucket, _, self._prefix = root.partition("/")

    def read(self, key: str) -> Seen | None:
        """An object, None if there is none. If it changes meanwhile, `content` is newer than `version`."""
        try:
            head = self._call("head_object", key)
            content = self._filesystem.cat_file(f"{self._root}/{key}")
        except FileNotFoundError:
            return None
        sent_at = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Seen(content, head["ETag"], sent_at.astimezone(UTC))

    def content(self, key: str) -> bytes | None:
        """What an object holds now, None if there is none."""
        try:
            return bytes(self._filesystem.cat_file(f"{self._root}/{key}"))
        except FileNotFoundError:
            return None

    def version(self, key: str) -> str | None:
        """The ETag of an object, None if there is none."""
        try:
            return str(self._call("head_object", key)["ETag"])
        except FileNotFoundError:
            return None

    def put(self, key: str, content: bytes, *, replaces: str | None) -> None:
        """Write an object as a whole, in place of the version that the writer has seen; None: of no object.

        Raises:
            ConflictError: another version is there, or another write of this object is under way.
        """
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        try:
            self._call("put_object", key, Body=content, **condition)
        except OSError as error:
            if not _is_conflict(error):
                raise
            raise ConflictError(f"{self._root}/{key} is no longer {replaces or 'absent'}") from error

    def delete(self, key: str) -> None:
        """Remove an object; S3 knows no condition for this that all stores keep to."""
        self._call("delete_object", key)

    def require_conditional_writes(self, folder: str) -> None:
        """Try out on an object of its own, below `folder`, whether the store honours conditions.

        Raises:
            ConditionalWritesError: it does not.
        """
        key, overwritten = f"{folder}/probe-{token_hex(8)}", []
        self.put(key, b"first", replaces=None)
        try:
            for header, replaces in (("If-None-Match: *", None), ("If-Match", _NEVER_A_VERSION)):
                try:
                    self.put(key, b"second", replaces=replaces)
                except ConflictError:
                    continue
                overwritten.append(header)
        finally:
            self.delete(key)
        if overwritten:
            raise ConditionalWritesError(
                f"s3://{self._root}: expected a store that does not overwrite an object when a PUT says so, found one "
                f"that ignores {' and '.join(overwritten)}. Two loads could destroy each other's days there. Use a "
                "store with conditional writes (Amazon S3 has them), or a folder as LAKE_URI"
            )

    def _call(self, method: str, key: str, **arguments: Any) -> Any:
        name = f"{self._prefix}/{key}" if self._prefix else key
        return self._filesystem.call_s3(method, Bucket=self._bucket, Key=name, **arguments)


def _is_conflict(error: OSError) -> bool:
    """Whether S3 refused a write for its condition: 412; 409 while another write is under way; 404 if it is gone.

    A missing bucket is no conflict.
    """
    response = getattr(error.__cause__, "response", None) or {}
    if response.get("Error", {}).get("Code") in _NO_SUCH_KEY:
        return True
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (409, 412)
