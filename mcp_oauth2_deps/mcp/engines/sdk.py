"""A server of the official SDK: how it is started, guarded against foreign hosts, asked what it has, and made to ask.

Scopes do not belong here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.engines.engine import Admission, Component, Transport
from mcp_oauth2_deps.mcp.engines.execution import Asking, MessageStep
from mcp_oauth2_deps.mcp.engines.resumption import SessionManager
from mcp_oauth2_deps.mcp.engines.sessions import owned_sessions_only
from mcp_oauth2_deps.mcp.uris import Uri

# Where an `MCPServer` keeps what was registered: it has no public way from a name to its function.
_MANAGERS = {
    "tools": "_tool_manager",
    "prompts": "_prompt_manager",
    "resources": "_resource_manager",
    "templates": "_resource_manager",
}
_EXECUTIONS = {"call_tool": ("tools", "name"), "read_resource": ("resources", "uri"), "get_prompt": ("prompts", "name")}


class SDKEngine:
    """A server of the official SDK. Each start makes a session manager of its own, so it may be started again."""

    path = None

    def __init__(self, server: Any, options: Mapping[str, Any]) -> None:
        self.server = server
        self._options = dict(options)
        self._asking: Asking | None = None
        self.middleware = server.middleware

    @asynccontextmanager
    async def run(self, transport: Transport, admission: Admission) -> AsyncIterator[ASGIApp]:
        """Runs a session manager while the block lasts."""
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=True, allowed_hosts=list(transport.hosts), allowed_origins=list(transport.origins)
        )
        options = {"transport_security": security, "max_request_body_size": transport.max_body_size} | self._options
        self.server.streamable_http_app(**options)
        manager = self.server.session_manager
        if manager.event_store is not None:
            # FastMCP's own manager does the same.
            manager = SessionManager.like(manager)
        async with manager.run():
            step = MessageStep(admission)
            self.middleware.append(step)
            # A low-level server has handlers of the user's own instead of these methods.
            self._asking = Asking(admission, _EXECUTIONS if hasattr(self.server, "_tool_manager") else {})
            self._asking.start(self.server)
            try:
                yield owned_sessions_only(manager.asgi_app, stateless=manager.stateless)
            finally:
                self._asking.stop()
                self._asking = None
                self.middleware.remove(step)

    async def held(self, kind: str) -> Sequence[Component] | None:
        """What the managers hold; none for a low-level server, whose handlers make a list for each caller."""
        if not hasattr(self.server, _MANAGERS[kind]):
            return None
        found = [Component(name, (getattr(held, "fn", held),)) for name, held in self._registered(kind).items()]
        templates = self._registered("templates").values() if kind == "resources" else ()
        return found + [Component(held.uri_template, (held.fn,), serves=partial(_may_serve, held)) for held in templates]

    async def named(self, kind: str, name: str) -> Sequence[Component]:
        """What is registered under this name."""
        held = self._registered(kind).get(name)
        return () if held is None else (Component(name, (getattr(held, "fn", held),)),)

    def functions(self, kind: str) -> Iterable[object]:
        """The functions that are registered."""
        for sort in ("resources", "templates") if kind == "resources" else (kind,):
            for held in self._registered(sort).values():
                yield getattr(held, "fn", held)

    def registered(self) -> Sequence[object]:
        """Everything that the managers hold."""
        return [held for sort in _MANAGERS for held in self._registered(sort).values()]

    async def outer(
        self,
        server: Any,  # noqa: ARG002  # none is mounted
        kind: str,  # noqa: ARG002
        names: Sequence[str],  # noqa: ARG002
        *,
        listed: bool,  # noqa: ARG002
    ) -> Mapping[str, Sequence[Sequence[str]]]:
        """Nothing: no server is mounted in another."""
        return {}

    def executes(self, server: Any) -> bool:
        """Whether the server is this one."""
        return self._asking is not None and self._asking.covers(server)

    def _registered(self, sort: str) -> Mapping[str, Any]:
        manager = getattr(self.server, _MANAGERS[sort], None)
        return {} if manager is None else getattr(manager, f"_{sort}")


def _may_serve(template: Any, uri: Uri) -> bool:
    """Whether the template fits the URI in any reading. The SDK matches in linear time."""
    return any(_fits(template, text) for text in dict.fromkeys((uri.text, *(reading.base for reading in uri.readings))))


def _fits(template: Any, text: str) -> bool:
    try:
        return template.matches(text) is not None
    except Exception:
        # The SDK raises on path traversal; the template's rule counts for such a URI too.
        return True
