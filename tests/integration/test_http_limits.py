"""What an answer may cost: its size while it is unpacked, its time, how it is packed, how many values it has."""

import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engagement_assets.extract.services import client as http_api
from engagement_assets.extract.services.client import (
    Answer,
    ApiRefusedError,
    ApiUnavailableError,
    Clock,
    HttpApi,
    Request,
)
from tests.integration.services import Canned, answering

pytestmark = pytest.mark.integration

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
PACKED = {"Content-Encoding": "gzip"}


class Caller:
    """A client of a service that gives canned answers; `seconds_a_look` pass whenever the clock is looked at."""

    def __init__(self, seconds_a_look: float = 0, **limits: Any) -> None:
        self.lines: list[str] = []
        self.now = NOON
        self.step = timedelta(seconds=seconds_a_look)
        clock = Clock(self._look, lambda _: None)
        self.http = HttpApi("the service", clock, self.lines.append, self._too_many, **limits)

    def _look(self) -> datetime:
        self.now += self.step
        return self.now

    @staticmethod
    def _too_many(_: Answer) -> None:
        """Wait no time."""

    def get(self, *answers: Canned) -> Any:
        with answering(*answers) as url:
            return self.http.send(Request(url)).document


@pytest.fixture
def caller() -> Iterator[Caller]:
    found = Caller(max_answer_bytes=1_000)
    yield found
    found.http.close()


def text_of(size: int) -> bytes:
    """A JSON text that takes so many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


def test_only_gzip_is_requested(caller: Caller) -> None:
    sent: list[httpx.Request] = []
    caller.http._client.event_hooks = {"request": [sent.append]}
    caller.get((200, {}, b"[]"))
    assert [request.headers["Accept-Encoding"] for request in sent] == ["gzip"]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity", ""])
@pytest.mark.parametrize("size", [2, 1_000])
def test_an_answer_that_is_packed_as_asked_or_not_at_all_is_read(caller: Caller, encoding: str, size: int) -> None:
    body = text_of(size)
    packed = gzip.compress(body) if "gzip" in encoding.lower() else body
    assert caller.get((200, {"Content-Encoding": encoding}, packed)) == json.loads(body)


@pytest.mark.parametrize("size", [1_001, 5_000_000])
@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_an_answer_that_is_too_large_is_refused(caller: Caller, encoding: str, size: int) -> None:
    body = gzip.compress(text_of(size)) if encoding else text_of(size)
    with pytest.raises(ApiRefusedError) as refused:
        caller.get((200, {"Content-Encoding": encoding}, body))
    assert str(refused.value) == ("the service answers /events with more than 1,000 bytes; nothing of it was kept")
    assert caller.lines == []


def test_a_few_bytes_are_unpacked_no_further_than_an_answer_may_be_large(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = []
    decompressobj = zlib.decompressobj

    class Noted:
        """What unpacks, with a note of how much came out."""

        def __init__(self, wbits: int) -> None:
            self._inner = decompressobj(wbits)

        def decompress(self, packed: bytes, most: int) -> bytes:
            found = self._inner.decompress(packed, most)
            unpacked.append(len(found))
            return found

    bomb = gzip.compress(text_of(5_000_000))
    assert len(bomb) < 6_000
    monkeypatch.setattr(zlib, "decompressobj", Noted)
    with pytest.raises(ApiRefusedError, match="more than 1,000 bytes"):
        caller.get((200, PACKED, bomb))
    assert sum(unpacked) == 1_001


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, identity", "nonsense"])
def test_an_answer_that_is_packed_otherwise_is_refused(caller: Caller, encoding: str) -> None:
    with pytest.raises(ApiRefusedError) as refused:
        caller.get((200, {"Content-Encoding": encoding}, gzip.compress(gzip.compress(b"[]"))))
    assert str(refused.value) == (
        f"the service answers /events in the content encoding '{encoding}', expected gzip or none, as requested; "
        "nothing of it was read. Check what stands between this machine and the service"
    )
    assert caller.http.requests_made == 1


def test_a_failure_that_is_packed_otherwise_is_a_failure(caller: Caller) -> None:
    assert caller.get((503, {"Content-Encoding": "br"}, b"x"), (200, {}, b"[1]")) == [1]
    assert caller.lines == ["the service: status 503; trying again"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (gzip.compress(text_of(500))[:-4], "the service: the answer's gzip is cut off; trying again"),
        (gzip.compress(b"[]") + b"[2]", "the service: the answer goes on after its gzip has ended; trying again"),
        (b"[]", "the service: expected gzip, found something else (Error -3 while decompressing data: incorrect header "
                "check); trying again"),
        (b"", "the service: expected JSON, found 0 bytes of application/json; trying again"),
    ],
    ids=["cut off", "goes on", "not packed", "empty"],
)  # fmt: skip
def test_gzip_that_is_not_whole_is_tried_again(caller: Caller, body: bytes, line: str) -> None:
    assert caller.get((200, PACKED, body), (200, PACKED, gzip.compress(b"[1]"))) == [1]
    assert caller.lines == [line]


def test_an_answer_that_trickles_is_given_up_and_tried_again() -> None:
    # It comes in four pieces at least, none of which a timeout of the connection would mind.
    body = text_of(250_000)
    patient, hurried = Caller(0.1), Caller(200)
    assert patient.get((200, {}, body)) == json.loads(body)
    with pytest.raises(ApiUnavailableError) as failed:
        hurried.get((200, {}, body))
    assert str(failed.value) == (
        "the service did not answer /events in 5 attempts: no whole answer in 300 s. It may be down: run this again "
        "later"
    )
    assert hurried.http.requests_made == 5
    for found in (patient, hurried):
        found.http.close()


def test_an_answer_of_more_values_than_memory_has_room_for_is_refused_before_it_is_decoded(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_api, "MAX_VALUES", 11)
    assert caller.get((200, {}, b"[" + b"1," * 9 + b"1]")) == [1] * 10
    with pytest.raises(ApiRefusedError, match="with more than 11 values; nothing of it was kept"):
        caller.get((200, {}, b"[" + b"1," * 10 + b"1]"))
