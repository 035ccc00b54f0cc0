"""Strava's tokens: a refresh token that changes with each use, and the access token that it gives.

Belongs here: the token file and the exchange. Not here: what an access token is used for (`strava/api.py`).
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from filelock import FileLock, Timeout

from engagement_assets.extract.services.client import Answer, ApiError, ApiRefusedError, HttpApi, Request
from engagement_assets.installation import PROGRAM

# An access token that is about to expire would expire between two pages.
_MIN_TIME_LEFT = timedelta(minutes=5)
_LOCK_WAIT_S = 300
_UNKNOWN_APPLICATION = 401
ERASE_INSTEAD = (
    f"If the athlete has withdrawn the authorisation, erase the athlete instead: {PROGRAM} erase SOURCE=strava "
    "KIND=athlete"
)
_AUTHORISE = (
    "authorise the application once more (scope activity:read or activity:read_all) and put the refresh token that "
    "this gives into STRAVA_REFRESH_TOKEN"
)
# A number, which may also be written as a text; a larger one would be no moment.
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


class StoredTokens(msgspec.Struct, frozen=True):
    """What the token file holds; `first_refresh_token_sha256` says from which `STRAVA_REFRESH_TOKEN` they descend."""

    refresh_token: str
    access_token: str
    expires_at: int
    first_refresh_token_sha256: str


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_at: Any = None  # read apart: the new refresh token is needed whatever stands here
    refresh_token: str | None = None  # only if the old one is now invalid


@dataclass(frozen=True)
class StravaTokens:
    """Gives access tokens, and keeps the newest refresh token in the private file `path`.

    An exchange may invalidate the old refresh token. So the answer is staged, synced and renamed over the file before
    anything else happens, and after a kill the next use takes over a complete staged file.
    """

    path: Path
    oauth_base_url: str
    client_id: str
    client_secret: str
    first_refresh_token: str
    http: HttpApi
    # Called with the name of each step after it: a test ends the process there.
    after_step: Callable[[str], None] = lambda _step: None

    def __repr__(self) -> str:
        """Without secrets."""
        return f"StravaTokens({str(self.path)!r})"

    def access_token(self, *, refused: str | None = None) -> str:
        """A token that is valid for some minutes at least; `refused` is one that the service no longer takes.

        Raises:
            ApiRefusedError: the service does not know the refresh token or the application, or the token file is broken
                or can be read by others.
            ApiUnavailableError: the service does not answer.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self.path}.lock", timeout=_LOCK_WAIT_S, mode=0o600):
                stored = self._read()
                fresh_after = self.http.clock.now() + _MIN_TIME_LEFT
                if stored and stored.access_token != refused and stored.expires_at > fresh_after.timestamp():
                    return stored.access_token
                # Another process may have used the refresh token meanwhile; what it stored is newer.
                return self._exchange(stored.refresh_token if stored else self.first_refresh_token)
        except Timeout as error:
            raise ApiError(
                f"another process has held {self.path}.lock for {_LOCK_WAIT_S} s; wait for that run or cancel it"
            ) from error

    @property
    def _staging(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    @property
    def _origin(self) -> str:
        return hashlib.sha256(self.first_refresh_token.encode()).hexdigest()

    def _read(self) -> StoredTokens | None:
        """The stored tokens; None before the first exchange, and after a new authorisation."""
        if self._staging.exists():
            # The process was killed between writing and renaming: a complete staged file holds the newest token.
            try:
                msgspec.json.decode(self._staging.read_bytes(), type=StoredTokens)
            except msgspec.DecodeError:
                self._staging.unlink()
            else:
                self._staging.replace(self.path)
        if not self.path.exists():
            return None
        if (mode := self.path.stat().st_mode & 0o777) & 0o077:
            raise ApiRefusedError(
                f"{self.path} can be read by others (mode {mode:o}), expected 600; run chmod 600 {self.path}, and if "
                f"others may have read it, {_AUTHORISE}"
            )
        try:
            stored = msgspec.json.decode(self.path.read_bytes(), type=StoredTokens)
        except msgspec.DecodeError as error:
            raise ApiRefusedError(
                f"{self.path} is not a token file of this project; move it away, and {_AUTHORISE}"
            ) from error
        return stored if stored.first_refresh_token_sha256 == self._origin else None

    def _exchange(self, refresh_token: str) -> str:
        self.after_step("locked")
        form = {"client_id": self.client_id, "client_secret": self.client_secret}
        form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = self.http.send(Request(f"{self.oauth_base_url.rstrip('/')}/token", form=form))
        try:
            new = msgspec.convert(answer.document, _TokenAnswer)
        except msgspec.ValidationError as error:
            raise self._refusal(answer) from error
        expires_at = _epoch_seconds(new.expires_at)
        self._write(StoredTokens(new.refresh_token or refresh_token, new.access_token, expires_at, self._origin))
        return new.access_token

    def _write(self, tokens: StoredTokens) -> None:
        """Put the tokens on disk so that a kill or a power failure leaves either the old file or the new one."""
        self._staging.unlink(missing_ok=True)
        descriptor = os.open(self._staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(tokens))
            self.after_step("written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.after_step("synced")
        self._staging.replace(self.path)
        self.after_step("renamed")
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.after_step("stored")

    def _refusal(self, answer: Answer) -> ApiRefusedError:
        """What a refusal means; its body is not shown, because it may repeat what was sent."""
        if answer.status == _UNKNOWN_APPLICATION:
            return ApiRefusedError(
                "Strava does not know the application (status 401): check STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET"
            )
        return ApiRefusedError(
            f"Strava does not take the refresh token (status {answer.status}): {_AUTHORISE}. {ERASE_INSTEAD}"
        )


def _epoch_seconds(sent: Any) -> int:
    """When a token expires; 0, so that the next request asks for another one, if the answer does not say."""
    try:
        return int(msgspec.convert(sent, _Seconds, strict=False))
    except msgspec.ValidationError:
        return 0
