"""ASGI beneath the routes: the lifespan of an app within an app, reading a body, and handing on a request that was read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.errors import MessageError
from mcp_oauth2_deps.protocol.jsonrpc import INVALID_REQUEST, is_json_content_type


@asynccontextmanager
async def asgi_lifespan(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """Runs the lifespan of an ASGI app while the block lasts; an app without one is served all the same.

    Raises:
        RuntimeError: the app refuses to start; for example an MCP session manager that was started before.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {**scope.get("state", {}), **state}}, receive, send)

    task = asyncio.create_task(_run(app, state, to_app, from_app))
    try:
        await to_app.put({"type": "lifespan.startup"})
        answer = await from_app.get()
        if answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(
                f"the MCP app behind the route did not start: {answer.get('message') or 'no reason given'}. An MCP session "
                "manager starts once only: build the app anew for each start, or give mcp_router the server instead"
            )
        yield serve
        await to_app.put({"type": "lifespan.shutdown"})
        answer = await from_app.get()
        if answer["type"] == "lifespan.shutdown.failed":
            raise RuntimeError(f"the MCP app behind the route did not stop well: {answer.get('message')}")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(app: ASGIApp, state: dict[str, Any], to_app: "asyncio.Queue[Message]", from_app: "asyncio.Queue[Message]") -> None:
    started = False

    async def send(message: Message) -> None:
        nonlocal started
        started = True
        await from_app.put(message)

    try:
        await app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}, to_app.get, send)
    except Exception as error:
        if started:
            await from_app.put({"type": "lifespan.shutdown.failed", "message": repr(error)})
    finally:
        # Whoever starts and stops the app waits for these, however it ended: an app that does not know lifespans may raise or
        # return at once, another may cancel itself.
        if not started:
            from_app.put_nowait({"type": "lifespan.startup.complete"})
        from_app.put_nowait({"type": "lifespan.shutdown.complete"})


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


async def read_body(request: Request, limit: int) -> bytes:
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
    body = bytearray()
    try:
        # Also what a dependency of the app or of a router has read already, for which nobody would wait in vain.
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise MessageError(INVALID_REQUEST, f"The body is larger than {limit} bytes.")
    except ClientDisconnect:
        raise MessageError(INVALID_REQUEST, "The body was not sent to its end.") from None
    return bytes(body)
