"""How both sandbox services answer a request: read it, send the answer or spoil it, and log it.

Belongs here: what both services share on the wire. Not here: what they answer (`strava_service.py`,
`user_events_service.py`) or when a fault is due (`api_faults.py`).
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engagement_assets.sandbox.api_faults import FaultKind, Faults

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

# Only these parameters are logged: anything else that a client sends may be a secret.
LOGGED_PARAMETERS = ("after", "before", "page", "per_page", "date")
HTML_PAGE = b"<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"
JSON_TYPE, HTML_TYPE = "application/json; charset=utf-8", "text/html; charset=utf-8"
HTTP_OK, HTTP_SERVER_ERROR, HTTP_UNAVAILABLE = 200, 500, 503


@dataclass(frozen=True)
class RequestRecord:
    """One logged request, timed by the sandbox's clock, without any token.

    `status` is None if the client received none: the connection was cut, or the client had gone.
    """

    at: datetime
    path: str
    query: Mapping[str, str]
    status: int | None
    fault: FaultKind | None


@dataclass(frozen=True)
class Call:
    """A request as a service sees it, with its whole body."""

    request: "Request"
    body: bytes
    fault: FaultKind | None


@dataclass(frozen=True)
class Answer:
    """What a service answers; `on_sent` is called once the client has the whole answer."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    on_sent: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Endpoint:
    """An ASGI application for one route.

    A request is logged, and `on_sent` called, just before the last byte is sent. So a client that has the whole
    answer finds it in the records, and an answer that was cut is in none of them.
    """

    method: str
    answer: Callable[[Call], Answer]
    impossible_faults: Callable[["Request"], tuple[FaultKind, ...]]
    faults: Faults
    clock: Callable[[], datetime]
    log: list[RequestRecord]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        from starlette.requests import Request  # noqa: PLC0415 - an optional dependency

        request = Request(scope, receive)
        body = await request.body()  # Read it all, else a client that hangs up goes unnoticed.
        fault = self.faults.due(request.url.path, self.impossible_faults(request))
        if fault is FaultKind.SLOW:
            await asyncio.sleep(self.faults.slow_s)
        if await request.is_disconnected():
            self._record(request, None, fault)
            return
        answer, content, content_type = self._spoilt_or_whole(Call(request, body, fault))
        if fault is FaultKind.CUT_BEFORE_ANSWER:
            self._record(request, None, fault)
            # The server closes the connection of an application that fails after its answer has begun. An answer
            # with an invalid status begins without sending a byte.
            await send({"type": "http.response.start", "status": 0})
        headers = {"content-type": content_type, "content-length": str(len(content)), **answer.headers}
        raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw_headers})
        if fault is FaultKind.CUT_WITHIN_BODY:
            self._record(request, answer.status, fault)
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            return  # The answer has no end, so the server closes the connection.
        await send({"type": "http.response.body", "body": content[:-1], "more_body": True})
        gone = await request.is_disconnected()
        self._record(request, None if gone else answer.status, fault)
        if not gone:
            answer.on_sent()
            await send({"type": "http.response.body", "body": content[-1:]})

    def _spoilt_or_whole(self, call: Call) -> tuple[Answer, bytes, str]:
        if call.fault is FaultKind.SERVER_ERROR:
            return Answer(HTTP_SERVER_ERROR, None), b"Internal Server Error", HTML_TYPE
        if call.fault is FaultKind.UNAVAILABLE:
            return Answer(HTTP_UNAVAILABLE, None), HTML_PAGE, HTML_TYPE
        if call.fault is FaultKind.HTML:
            return Answer(HTTP_OK, None), HTML_PAGE, HTML_TYPE
        answer = self.answer(call)
        content = json.dumps(answer.content, ensure_ascii=False, separators=(",", ":")).encode()
        if call.fault is FaultKind.TRUNCATED_JSON:
            return Answer(answer.status, None, answer.headers), content[: max(1, len(content) * 2 // 3)], JSON_TYPE
        return answer, content, JSON_TYPE

    def _record(self, request: "Request", status: int | None, fault: FaultKind | None) -> None:
        query = {name: request.query_params[name] for name in LOGGED_PARAMETERS if name in request.query_params}
        self.log.append(RequestRecord(self.clock(), request.url.path, query, status, fault))
