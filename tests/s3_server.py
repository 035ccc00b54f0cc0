"""A server that speaks as much of S3 as a lake needs, with conditional writes, for tests on one machine.

Belongs here: the answers of S3. Not here: what a test does with it. It keeps objects in memory and answers one request
after another, so a condition and the write that depends on it are one step, as in S3.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass
class Bucket:
    """The objects, what was asked, and how the server differs from S3.

    `honours_conditions` is False for a server that ignores conditions. `before` is called before each answer with the
    id of the client's key, the method and the object's key, in the thread of the server. `ahead_s` is added to the
    server's clock.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    honours_conditions: bool = True
    before: Callable[[str, str, str], None] = lambda _key_id, _method, _key: None
    ahead_s: float = 0
    authorizations: set[str] = field(default_factory=set)
    _written_at: dict[str, float] = field(default_factory=dict)

    @property
    def key_ids(self) -> set[str]:
        """The keys with which somebody has asked."""
        return set(map(_key_id, self.authorizations))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            return
        request = Request(scope, receive)
        body = await request.body()
        bucket, _, key = unquote(request.url.path).strip("/").partition("/")
        authorization = request.headers.get("authorization", "")
        self.authorizations.add(authorization)
        self.before(_key_id(authorization), request.method, key)
        response = self._answer(request, f"{bucket}/{key}" if key else "", body)
        response.headers["Date"] = formatdate(self._now(), usegmt=True)
        await response(scope, receive, send)

    def _answer(self, request: Request, name: str, body: bytes) -> Response:
        if not name:
            query = parse_qs(request.url.query, keep_blank_values=True)
            bucket = unquote(request.url.path).strip("/")
            return self._delete_many(bucket, body) if "delete" in query else self._list(bucket, query)
        content = self.objects.get(name)
        if request.method == "PUT":
            return self._put(request, name, content, body)
        if request.method == "DELETE":
            self.objects.pop(name, None)
            return Response(status_code=204)
        if content is None:
            return _error(404, "NoSuchKey")
        if request.headers.get("if-match", _etag(content)).strip('"') != _etag(content):
            return _error(412, "PreconditionFailed")
        return _object(request, content, self._written_at.get(name, 0))

    def _now(self) -> float:
        return time.time() + self.ahead_s

    def _put(self, request: Request, name: str, there: bytes | None, body: bytes) -> Response:
        if self.honours_conditions:
            if request.headers.get("if-none-match") == "*" and there is not None:
                return _error(412, "PreconditionFailed")
            if (wanted := request.headers.get("if-match")) and there is None:
                return _error(404, "NoSuchKey")
            if wanted and there is not None and wanted.strip('"') != _etag(there):
                return _error(412, "PreconditionFailed")
        if request.headers.get("x-amz-decoded-content-length"):
            body = _unchunked(body)
        self.objects[name], self._written_at[name] = body, self._now()
        return Response(headers={"ETag": f'"{_etag(body)}"'})

    def _delete_many(self, bucket: str, body: bytes) -> Response:
        for element in ET.fromstring(body).iter():  # noqa: S314 - the client is ours
            if element.tag.endswith("}Key") or element.tag == "Key":
                self.objects.pop(f"{bucket}/{element.text}", None)
        return Response("<DeleteResult/>", media_type="application/xml")

    def _list(self, bucket: str, query: dict[str, list[str]]) -> Response:
        prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
        contents, folders = [], set()
        for name in sorted(self.objects):
            key = name.removeprefix(f"{bucket}/")
            if not name.startswith(f"{bucket}/{prefix}"):
                continue
            folder, found, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
            if found:
                folders.add(prefix + folder + delimiter)
                continue
            content = self.objects[name]
            written_at = datetime.fromtimestamp(self._written_at.get(name, 0), UTC)
            contents.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{written_at:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
                f"<ETag>&quot;{_etag(content)}&quot;</ETag><Size>{len(content)}</Size></Contents>"
            )
        prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders)
        return Response(
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}</Name>'
            f"<KeyCount>{len(contents) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
            f"{''.join(contents)}{prefixes}</ListBucketResult>",
            media_type="application/xml",
        )


def _object(request: Request, content: bytes, written_at: float) -> Response:
    headers = {
        "ETag": f'"{_etag(content)}"',
        "Last-Modified": formatdate(written_at, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    status, part = 200, content
    if wanted := request.headers.get("range"):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last) + 1, len(content)) if first and last else len(content)
        if start >= len(content):
            return _error(416, "InvalidRange")
        status, part = 206, content[start:end]
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
    headers["Content-Length"] = str(len(part))
    return Response(b"" if request.method == "HEAD" else part, status, headers)


def _key_id(authorization: str) -> str:
    return authorization.partition("Credential=")[2].partition("/")[0]


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _error(status: int, code: str) -> Response:
    return Response(
        f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status, media_type="application/xml"
    )


def _unchunked(body: bytes) -> bytes:
    """The content of a body in chunks, each with its length before it."""
    content = b""
    while body:
        header, _, body = body.partition(b"\r\n")
        length = int(header.partition(b";")[0], 16)
        if not length:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content


@contextmanager
def serving(bucket: Bucket) -> Iterator[str]:
    """Serve in a thread of this process; yields the URL."""
    server = uvicorn.Server(uvicorn.Config(bucket, port=0, log_level="error", access_log=False, date_header=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start within 30 s"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
