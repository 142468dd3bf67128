"""Browsers at MCP routes: the configured origins may call, and read challenges and session ids.

Other routes are the business of the app's own CORS middleware.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import HTTPException
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from mcp_oauth2_deps.fastapi.gate import Gate

_EXPOSED = "WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After"


def cors_headers(gate: Gate, request: Request) -> dict[str, str]:
    """What lets the asking origin read the answer; nothing for an origin that is not configured."""
    allowed = gate.settings.cors_origins
    origin = request.headers.get("origin") if allowed else None
    if origin is None or origin not in allowed:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED, "Vary": "Origin"}


def preflight(gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    """The answer to a preflight, which carries no token."""

    async def answer(request: Request) -> Response:
        headers = cors_headers(gate, request)
        if headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, POST, DELETE",
                # A wildcard does not cover Authorization, so the names asked for are granted one by one.
                "Access-Control-Allow-Headers": _names(request.headers.get("access-control-request-headers", "")),
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers=headers)

    return answer


def _names(asked: str) -> str:
    names = (name.strip() for name in asked.split(","))
    return ", ".join(name for name in names if name.replace("-", "").isalnum() and name.isascii())


class CORSRoute(APIRoute):
    """A route whose refusals the configured origins can read too."""

    gate: Gate

    @classmethod
    def of(cls, gate: Gate) -> type["CORSRoute"]:
        """Such routes for the origins of this gate; a router takes a class and makes the routes itself, so the class holds it."""
        return type(cls.__name__, (cls,), {"gate": gate})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with headers on what it refuses."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except HTTPException as error:
                error.headers = {**(error.headers or {}), **cors_headers(self.gate, request)}
                raise
            added = cors_headers(self.gate, request)
            if added:
                response.headers.update(added)
            return response

        return handle
