"""A server of the official SDK: how it is started, guarded against foreign hosts, and asked what it holds.

Scopes do not belong here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.engines.engine import Transport
from mcp_oauth2_deps.mcp.engines.resumption import SessionManager
from mcp_oauth2_deps.mcp.engines.sessions import owned_sessions_only

# Where an `MCPServer` keeps what was registered: it has no public way from a name to its function.
_MANAGERS = {
    "tools": "_tool_manager",
    "prompts": "_prompt_manager",
    "resources": "_resource_manager",
    "templates": "_resource_manager",
}


class SDKEngine:
    """A server of the official SDK. Each start makes a session manager of its own, so it may be started again."""

    path = None

    def __init__(self, server: Any, options: Mapping[str, Any]) -> None:
        self._server = server
        self._options = dict(options)
        self.middleware = server.middleware

    @asynccontextmanager
    async def run(self, transport: Transport) -> AsyncIterator[ASGIApp]:
        """Runs a session manager while the block lasts."""
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=True, allowed_hosts=list(transport.hosts), allowed_origins=list(transport.origins)
        )
        options = {"transport_security": security, "max_request_body_size": transport.max_body_size} | self._options
        self._server.streamable_http_app(**options)
        manager = self._server.session_manager
        if manager.event_store is not None:
            # FastMCP's own manager does the same.
            manager = SessionManager.like(manager)
        async with manager.run():
            yield owned_sessions_only(manager.asgi_app, stateless=manager.stateless)

    async def listed_name(self, kind: str, name: str) -> str:  # noqa: ARG002  # each has one name only
        """The name as it is: each thing has only one."""
        return name

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        """The function of this name, or those of the templates that fit a URI."""
        found = self._held(kind).get(name)
        if found is not None:
            return (getattr(found, "fn", found),)
        templates: Iterable[Any] = self._held("templates").values() if kind == "resources" else ()
        return [template.fn for template in templates if template.uri_template == name or _may_match(template, name)]

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
        """What the managers hold; none for a low-level server, which keeps no list."""
        # A low-level server keeps no list; its handlers make one for each caller.
        if not hasattr(self._server, _MANAGERS[kind]):
            return None
        return {name: (getattr(held, "fn", held),) for name, held in self._held(kind).items()}

    def _held(self, kind: str) -> Mapping[str, Any]:
        manager = getattr(self._server, _MANAGERS[kind], None)
        return {} if manager is None else getattr(manager, f"_{kind}")


def _may_match(template: Any, uri: str) -> bool:
    try:
        return template.matches(uri) is not None
    # A template that refuses to judge a URI, as the SDK's do with traversals, lends it its rule all the same.
    except Exception:
        return True
