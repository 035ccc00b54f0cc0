"""A local server that plays a webhook, Slack and another service of Apprise, and can be down.

Belongs here: receiving, and the ways of a receiver that is not well. Not here: what a test expects.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

WEBHOOK_SECRET = "a secret of both sides"
PATIENCE_S = 60


@dataclass
class Receiver:
    """What came, by channel; `statuses` is what a channel answers as long as it stands there."""

    port: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    before_answer: Callable[[str, bytes], None] = lambda _channel, _body: None
    taken: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)

    @property
    def urls(self) -> str:
        """The value of ALERT_URLS that names one service of Apprise and a webhook."""
        host = f"127.0.0.1:{self.port}"
        return f"json://{host}/json, webhook+http://{host}/webhook"

    def by_key(self, channel: str) -> dict[str, dict[str, Any]]:
        """What a channel took, each message once."""
        return {key: body for name, key, body in self.taken if name == channel}

    def deliveries(self, channel: str) -> int:
        """How often a channel took a message, the same one counted as often as it came."""
        return sum(name == channel for name, _, _ in self.taken)

    def changes(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """State, check and partitions of all that the webhook took, in order; of digests the first ten."""
        return [
            (item["state"], item["name"], tuple(item["partitions"]))
            for body in self.by_key("webhook").values()
            for item in body["items"]
        ]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for requests until it holds."""
        with self.changed:
            assert self.changed.wait_for(holds, PATIENCE_S), (self.taken, self.refused)

    def take(self, channel: str, key: str, body: bytes, headers: Any) -> int:
        """Take a request, or refuse it."""
        status = self.statuses.get(channel, 200)
        if channel == "webhook":
            signed = headers["X-Alert-Timestamp"].encode() + b"." + body
            expected = hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
            assert headers["X-Alert-Signature"] == f"sha256={expected}"
        with self.changed:
            if status == 200:
                self.taken.append((channel, key, json.loads(body)))
            else:
                self.refused.append(channel)
            self.changed.notify_all()
        self.before_answer(channel, body)
        return status


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver, for as long as the block lasts."""
    there = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            channel = self.path.split("/")[1]
            # A message that Apprise sends again has no key, but the same text.
            key = self.headers["Idempotency-Key"] or hashlib.sha256(body).hexdigest()
            status = there.take(channel, key, body, self.headers)
            self.send_response(status)
            for name, value in there.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")  # as Slack says it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that was killed is what some tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        there.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
