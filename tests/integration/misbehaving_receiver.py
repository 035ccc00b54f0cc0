"""A receiver of alerts on this machine that answers as badly as receivers do, one way after the other.

Belongs here: the ways, as bytes on a socket. Not here: a receiver that is well or down (`alert_receiver.py`), or what a
test expects.
"""

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import cycle, zip_longest
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread

from tests.integration.alert_receiver import WEBHOOK_SECRET

# Writes an answer, until it has done so or the receiver ends.
Answer = Callable[[socket.socket, Event], None]

_HEAD = re.compile(rb"(?is)(?=.*\bcontent-length: *(?P<length>\d+))(?=.*\bidempotency-key: *(?P<key>[^\r\n]+))?")
_TLS = b"\x16"
_A_MOMENT_S = 0.01
WELL_EVERY = 5
OK = "204 from a receiver that is well"


def status(line: str, *headers: str, body: str = "") -> Answer:
    """An answer of a status line, headers, and a body; no more may come than is announced."""
    head = "".join(f"{each}\r\n" for each in headers)
    return lambda out, _ended: out.sendall(f"HTTP/1.1 {line}\r\n{head}\r\n{body}".encode())


def told_to_wait(text: str) -> Answer:
    """A 503 with this `Retry-After`."""
    return status("503 Service Unavailable", "Content-Length: 0", f"Retry-After: {text}")


def dripping(start: str, again: str, for_s: float | None = None) -> Answer:
    """The start of an answer, and then a little of it every moment, for so long or until nobody listens."""

    def answer(out: socket.socket, ended: Event) -> None:
        out.sendall(start.encode())
        moments = 0
        while not ended.wait(_A_MOMENT_S) and (for_s is None or moments * _A_MOMENT_S < for_s):
            out.sendall(again.encode())
            moments += 1

    return answer


def silent(out: socket.socket, ended: Event) -> None:
    """No answer for as long as the other side waits for one."""
    out.settimeout(_A_MOMENT_S)
    while not ended.is_set():
        with suppress(TimeoutError):
            if not out.recv(1):
                return


RETRY_AFTER = {
    "seconds": "120",
    "a date without a zone": "Wed, 21 Oct 2099 07:28:00",
    "a date of the past": "Wed, 21 Oct 2015 07:28:00 GMT",
    "a date of five digits": "Fri, 31 Dec 99999 23:59:59 GMT",
    "the last date there is": "Fri, 31 Dec 9999 23:59:59 -1200",
    "a negative number": "-30",
    "a fraction": "1.5",
    "words": "as soon as we are back",
    "nothing": "",
    "a number of a thousand digits": "9" * 1_000,
    "half a date": "Wed, 21",
    "other signs": "\xb2\xb3",
}


def answers(drip_s: float | None = None) -> list[tuple[str, Answer]]:
    """Each way to misbehave, with its name, and every few times a way to behave.

    What drips does so for `drip_s`, or for as long as somebody listens.
    """
    waits = {f"503, Retry-After is {name}": told_to_wait(text) for name, text in RETRY_AFTER.items()}
    others = {
        "closed without an answer": lambda _out, _ended: None,
        "no HTTP": lambda out, _ended: out.sendall(b"\x00\xff" * 500 + b"\r\n\r\n"),
        "headers that drip": dripping("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", drip_s),
        "429": status("429 Too Many Requests", "Content-Length: 0"),
        "500": status("500 Internal Server Error", "Content-Length: 5", body="sorry"),
        "a redirect": status("302 Found", "Location: http://127.0.0.1:1/elsewhere", "Content-Length: 0"),
        "closed in the middle": status("503 Service Unav"),
        "a header that is none": status("200 OK", "no colon in it"),
        "headers without an end": lambda out, _ended: out.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000),
    }
    mixed = [way for pair in zip_longest(waits.items(), others.items()) for way in pair if way is not None]
    well = (OK, status("204 No Content"))
    return [way for number, each in enumerate(mixed) for way in ((well, each) if number % WELL_EVERY == 3 else (each,))]


@dataclass
class MisbehavingReceiver:
    """What was answered how often; `taken` are the keys of the messages that it said to have taken."""

    port: int = 0
    taken: list[str] = field(default_factory=list)
    given: Counter[str] = field(default_factory=Counter)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that name it as a webhook."""
        return {"alert_urls": f"webhook+http://127.0.0.1:{self.port}/hook", "alert_webhook_secret": WEBHOOK_SECRET}


@contextmanager
def misbehaving_receiver(ways: Iterable[tuple[str, Answer]]) -> Iterator[MisbehavingReceiver]:
    """A receiver that answers in these ways, in turn and again from the first."""
    there = MisbehavingReceiver()
    turn = cycle(ways)
    lock, ended = Lock(), Event()

    class Handler(StreamRequestHandler):
        rfile: BufferedReader

        def handle(self) -> None:
            if self.rfile.peek()[:1] == _TLS:
                next(turn)[1](self.connection, ended)
                return
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            found = _HEAD.match(head)
            assert found is not None, head
            self.rfile.read(int(found["length"]))
            with lock:
                name, answer = next(turn)
                there.given[name] += 1
                if name == OK:
                    there.taken.append(found["key"].decode())
            answer(self.connection, ended)

    class Quiet(ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that no longer listens is what this is about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        there.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(_A_MOMENT_S,))
        thread.start()
        try:
            yield there
        finally:
            ended.set()
            server.shutdown()
            thread.join()
