"""Any other ASGI app: it is started by its own lifespan, and cannot be asked what it holds."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.mcp.engines.engine import Admission, Component, Transport


class ASGIEngine:
    """Any other ASGI app; it is started once by its own lifespan, and keeps its own host checks."""

    middleware = None
    path = None

    def __init__(self, app: ASGIApp) -> None:
        self.server = app

    def run(self, transport: Transport, admission: Admission) -> AbstractAsyncContextManager[ASGIApp]:  # noqa: ARG002  # its own
        """Runs its own lifespan while the block lasts."""
        return asgi_lifespan(self.server)

    async def held(self, kind: str) -> Sequence[Component] | None:  # noqa: ARG002  # nothing to be asked
        """None: an ASGI app cannot be asked."""
        return None

    async def named(self, kind: str, name: str) -> Sequence[Component]:  # noqa: ARG002  # nothing to be asked
        """Nothing: an ASGI app cannot be asked."""
        return ()

    def functions(self, kind: str) -> Iterable[object]:  # noqa: ARG002  # nothing to be asked
        """Nothing: an ASGI app cannot be asked."""
        return ()

    def registered(self) -> Sequence[object]:
        """Nothing: an ASGI app cannot be asked."""
        return ()

    async def outer(
        self,
        server: Any,  # noqa: ARG002  # nothing to be asked
        kind: str,  # noqa: ARG002
        names: Sequence[str],  # noqa: ARG002
        *,
        listed: bool,  # noqa: ARG002
    ) -> Mapping[str, Sequence[Sequence[str]]]:
        """Nothing: it does not ask where things are executed."""
        return {}

    def executes(self, server: Any) -> bool:  # noqa: ARG002  # it does not ask
        """Never."""
        return False


@asynccontextmanager
async def asgi_lifespan(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """Runs the lifespan of an ASGI app while the block lasts; an app without one is served too.

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
                "manager starts once only: build a new app for each start, or give mcp_router the server instead"
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
