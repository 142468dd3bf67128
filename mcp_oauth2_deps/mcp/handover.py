"""Handing a request on: reading its body within a limit, and letting another ASGI app answer."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.fastapi.bodies import BodyError, read_at_most
from mcp_oauth2_deps.mcp.messages import INVALID_REQUEST, MessageError, is_json_content_type


class Handover(Response):
    """A response that lets another ASGI app answer: it gets the body that was read, then the real channel."""

    def __init__(self, app: ASGIApp, *, changes: Mapping[str, Any], body: bytes | None) -> None:
        """Nothing is sent yet. Headers that are set on it are added to those of the app's answer.

        Args:
            app: what answers.
            changes: what it sees otherwise in the scope.
            body: the body that was read, none where it was not read.
        """
        # The base class would make headers for a body of its own, in a time that every message pays.
        self.status_code, self.background, self.body = 200, None, b""
        self.raw_headers = []
        self._app = app
        self._changes = changes
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request over."""
        replayed = self._body is None

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = {name for name, _ in message.get("headers", ())}
                # A field that may be there several times is added to its like (RFC 9110 section 12.5.5).
                added = [header for header in self.raw_headers if header[0] not in held or header[0] == b"vary"]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app({**scope, **self._changes}, replay, send_with_headers if self.raw_headers else send)
        # Tasks that a dependency of the route asked for; FastAPI puts them here, and any other response runs them.
        if self.background is not None:
            await self.background()


async def read_message_body(request: Request, limit: int) -> bytes:
    """The body of at most `limit` bytes.

    Raises:
        MessageError: it is larger, compressed or not JSON by its header, or was not sent to its end.
    """
    fields = []
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            fields.append(value)
        # The decision is taken from these bytes; what an engine or a proxy behind makes of them must be the same.
        elif name == b"content-encoding" and value.strip(b" \t").lower() != b"identity":
            raise MessageError(INVALID_REQUEST, "The body must not be compressed; send it without Content-Encoding.")
    plain = fields == [b"application/json"]
    if not plain and (len(fields) != 1 or not is_json_content_type(fields[0].decode("latin-1"))):
        raise MessageError(INVALID_REQUEST, "The content type must be application/json.")
    try:
        return await read_at_most(request, limit)
    except BodyError as error:
        raise MessageError(INVALID_REQUEST, f"The body {error}.") from None
