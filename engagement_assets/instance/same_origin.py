"""Which requests Dagster's webserver answers: those to a host of its own, from its own pages and from programs.

Belongs here: that decision, and how it gets into the webserver. Not here: a login, which a proxy has (`deploy/`).

The webserver has no login. It does what every page asks for that a browser on the same machine shows, also by a plain
form: switch on a schedule, start a run. And a page whose name is made to point to this machine could read all answers.
A browser says from which page a request comes (`Origin`, `Sec-Fetch-Site`) and to which name (`Host`), and no page can
change that. A program says neither, so it is answered.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from engagement_assets.dagster_internals import add_to_webserver
from engagement_assets.settings import Settings
from engagement_assets.shown_text import shown

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_POLICY_VIOLATION = 1008  # the code of a WebSocket that is closed for that


class UiHosts(NamedTuple):
    """Where people open the UI, apart from this machine: names, and names with the port that their browser shows."""

    names: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "UiHosts":
        """The hosts in UI_HOSTS, and that of DAGSTER_UI_URL.

        Raises:
            ValueError: UI_HOSTS is no list of hosts.
        """
        given = [host.strip().lower() for host in settings.ui_hosts.split(",") if host.strip()]
        for host in given:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"UI_HOSTS: expected hosts separated by commas, such as data.example.com or localhost:8443, "
                    f"found {shown(host)!r}"
                )
        return cls.from_hosts([*given, urlsplit(settings.dagster_ui_url).netloc.lower()])

    @classmethod
    def from_hosts(cls, hosts: Iterable[str]) -> "UiHosts":
        """Hosts with or without a port."""
        origins = frozenset(filter(None, hosts))
        return cls(frozenset(name for host in origins if (name := _name_of(host))), origins)


def answer_own_pages_only(settings: Settings) -> None:
    """Have the webserver of this process refuse all other requests.

    Raises:
        ValueError: UI_HOSTS is no list of hosts.
    """
    add_to_webserver(Middleware(SameOriginOnly, hosts=UiHosts.of(settings)))


class SameOriginOnly:
    """Answers what it refuses with 403 and a sentence, and closes such a WebSocket before it is open."""

    def __init__(self, app: ASGIApp, hosts: UiHosts) -> None:
        """Stand before `app`, whose pages people open under `hosts`."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        refused = why_refused(scope, self._hosts) if scope["type"] in {"http", "websocket"} else None
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(f"{refused}\n", status_code=403)(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close(_POLICY_VIOLATION)


def why_refused(scope: Scope, hosts: UiHosts) -> str | None:
    """Why a request is not answered, in a sentence for whoever sees it instead of the page."""
    headers = Headers(scope=scope)
    host = headers.get("host", "").lower()
    name = _name_of(host)
    # No page has an address as its host but one that comes from there.
    if name is None or not (name == "localhost" or name in hosts.names or _is_address(name)):
        return (
            f"Host: expected localhost, an IP address, the host of DAGSTER_UI_URL or one of UI_HOSTS, found "
            f"{shown(host)!r}. If people open the UI under this name, add it to UI_HOSTS and start the webserver anew."
        )
    if _CONTROL_CHARACTER.search(scope["path"]):
        # To a route, `/graphql` and a line feed is still `/graphql`; to the rule below it would not be.
        return "Path: expected one without control characters, found one with them. No page of this site has such."
    origin = headers.get("origin")
    if origin is not None:
        # Behind a proxy the scheme differs, and the host if the proxy changes it.
        if urlsplit(origin).netloc.lower() in {host, *hosts.origins}:
            return None
        return f"Origin: expected a page of {shown(host)}, found {shown(origin)!r}. Other sites may not use this one."
    asks_graphql = scope["path"].endswith("/graphql")
    accepts_page = "text/html" in headers.get("accept", "")
    if headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"} and not _opens_a_page(scope, headers):
        return "Sec-Fetch-Site: expected a page of this site, found another one. Other sites may only link to this one."
    # An image of another site could ask so, and over plain HTTP no header would tell.
    gets_graphql = asks_graphql and scope["type"] == "http" and scope["method"] == "GET" and not accepts_page
    return "GraphQL: expected POST, found GET, by which other sites could start something." if gets_graphql else None


def _opens_a_page(scope: Scope, headers: Headers) -> bool:
    """Whether a person follows a link to this site, such as that of an alert."""
    return (
        scope["type"] == "http"
        and scope["method"] in {"GET", "HEAD"}
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _name_of(host: str) -> str | None:
    """The name or address without the port; None if it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
