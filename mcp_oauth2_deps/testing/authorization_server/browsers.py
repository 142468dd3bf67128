"""Which web pages may call the endpoints for programs: those of this machine, and those of the clients given in code.

The pages for people, login and consent, do not belong here: no page of another origin may read or send them.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_oauth2_deps.protocol.urls import host_fields
from mcp_oauth2_deps.testing.authorization_server.clients import Client
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError

# Written as browsers write it (RFC 6454 section 6.2), so that no URL parser can be made to see another host in it.
_LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")


def comes_from_a_page(request: Request) -> bool:
    """Whether a web page sent the request: browsers say whose page in `Origin` of every POST, other programs send none."""
    return "origin" in request.headers


class TrustedPages:
    """Lets pages on loopback and pages of the clients given in code call an endpoint and read its answer (CORS).

    Any other page open in the same browser could register clients and fetch tokens without this; it gets 403, and so does a
    page without an origin of its own (`Origin: null`). Programs that are no browser are not affected.
    """

    def __init__(self, app: ASGIApp, clients: Mapping[str, Client]) -> None:
        """Guards `app`; the pages of a client are those with the origin of one of its redirect URIs."""
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, adds what lets the page read the answer, or answers 403."""
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        answer = self._app
        if not all(map(self._trusts, origins)) or (not origins and headers.get("sec-fetch-site") == "cross-site"):
            answer = RefusedError("access_denied", "web pages of other sites may not call this endpoint", 403).answer()
        elif origins:
            answer = CORSMiddleware(self._app, allow_origins=origins, allow_methods=["POST"], allow_headers=["*"])
        await answer(scope, receive, send)

    def _trusts(self, origin: str) -> bool:
        return _LOOPBACK_ORIGIN.fullmatch(origin) is not None or origin in self._origins_of_clients()

    def _origins_of_clients(self) -> set[str]:
        uris = (uri for client in self._clients.values() for uri in client.redirect_uris)
        return {origin for uri in uris if urlsplit(uri).scheme in {"http", "https"} for origin in host_fields(uri)[1]}
