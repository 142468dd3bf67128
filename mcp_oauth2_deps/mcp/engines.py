"""The engines that execute messages: how each is started, guarded against foreign hosts, and asked what it holds.

The only place that knows the MCP SDK and FastMCP. Scopes do not belong here.
"""

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.asgi import asgi_lifespan

INNER_PATH = "/mcp"

# Where an `MCPServer` keeps what was registered: it has no public way from a name to its function.
_MANAGERS = {
    "tools": "_tool_manager",
    "prompts": "_prompt_manager",
    "resources": "_resource_manager",
    "templates": "_resource_manager",
}
# The other name of each tool of a `FastMCPApp`, which its pages call.
_HASHED_NAME = re.compile(r"[0-9a-f]{12}_.+", re.DOTALL)
# What the component of a mounted FastMCP server is called there.
_NAMES_THERE = ("_original_name", "_original_uri", "_original_uri_template")


@dataclass(frozen=True, slots=True)
class Transport:
    """What an engine is told of the world it is served to.

    Attributes:
        hosts: `Host` values to answer to.
        origins: browser origins to answer to.
        max_body_size: bytes.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_size: int


class Engine(Protocol):
    """Something that executes MCP messages, as an ASGI app."""

    @property
    def middleware(self) -> list[Any] | None:
        """The message chain of the SDK's low-level server beneath, if there is one."""

    @property
    def path(self) -> str | None:
        """The only path it knows, if it minds the path at all."""

    def run(self, transport: Transport) -> AbstractAsyncContextManager[ASGIApp]:
        """Runs it while the block lasts."""

    async def listed_name(self, kind: str, name: str) -> str:
        """The name by which rules know what would be served under this one."""

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        """The functions that would serve this tool, prompt or resource."""

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
        """Everything of a kind, with its functions; none where the engine cannot be asked."""


def engine_for(server: Any, options: Mapping[str, Any]) -> Engine:
    """The engine for what the user built.

    Raises:
        ValueError: it is neither an MCP server nor an ASGI app, or it has an authorization of its own.
    """
    sdk, fastmcp = sys.modules.get("mcp.server"), sys.modules.get("fastmcp")
    if fastmcp is not None and isinstance(server, fastmcp.FastMCP):
        if server.auth is not None:
            raise ValueError("the FastMCP server has auth= of its own; remove it, mcp_router guards the server")
        return _FastMCPEngine(server, options)
    if sdk is not None and hasattr(server, "streamable_http_app"):
        if getattr(getattr(server, "settings", None), "auth", None) is not None:
            raise ValueError("the MCPServer has auth= of its own; remove it, mcp_router guards the server")
        return _SDKEngine(server, options)
    if callable(server):
        if options:
            raise ValueError(f"an ASGI app takes no options; set {', '.join(options)} where it is built")
        return _ASGIEngine(server)
    raise ValueError(f"{type(server).__name__} is neither an MCPServer, a FastMCP server nor an ASGI app")


class _SDKEngine:
    """A server of the official SDK. Each start makes a session manager of its own, so it may be started again."""

    path = None

    def __init__(self, server: Any, options: Mapping[str, Any]) -> None:
        self._server = server
        self._options = dict(options)
        self.middleware = server.middleware

    @asynccontextmanager
    async def run(self, transport: Transport) -> AsyncIterator[ASGIApp]:
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415  # an extra

        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=True, allowed_hosts=list(transport.hosts), allowed_origins=list(transport.origins)
        )
        options = {"transport_security": security, "max_request_body_size": transport.max_body_size} | self._options
        self._server.streamable_http_app(**options)
        manager = self._server.session_manager
        if manager.event_store is not None:
            from mcp_oauth2_deps.mcp.resumption import SessionManager  # noqa: PLC0415  # an extra

            # FastMCP's own manager does the same.
            manager = SessionManager.like(manager)
        async with manager.run():
            yield manager.asgi_app

    async def listed_name(self, kind: str, name: str) -> str:  # noqa: ARG002  # each has one name only
        return name

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        found = self._held(kind).get(name)
        if found is not None:
            return (getattr(found, "fn", found),)
        templates: Iterable[Any] = self._held("templates").values() if kind == "resources" else ()
        return [template.fn for template in templates if template.uri_template == name or _may_match(template, name)]

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
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


class _FastMCPEngine:
    """A FastMCP server."""

    path = INNER_PATH

    def __init__(self, server: Any, options: Mapping[str, Any]) -> None:
        self._server = server
        self._options = dict(options)
        self.middleware = server._mcp_server.middleware  # noqa: SLF001  # its own middleware sees no cache hints

    @asynccontextmanager
    async def run(self, transport: Transport) -> AsyncIterator[ASGIApp]:
        options = {
            "host_origin_protection": True,
            "allowed_hosts": list(transport.hosts),
            "allowed_origins": list(transport.origins),
        }
        inner = self._server.http_app(path=INNER_PATH, **(options | self._options))
        async with inner.lifespan(inner):
            yield inner

    async def listed_name(self, kind: str, name: str) -> str:
        if kind != "tools" or not _HASHED_NAME.fullmatch(name):
            return name
        with _everything_in_sight():
            digest, _, there = name.partition("_")
            # In the order of FastMCP itself.
            held = await self._server.get_tool(name) or await self._server.get_tool_by_hash(digest, there)
        return name if held is None else str(held.name)

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        ask: dict[str, list[Callable[[str], Any]]] = {
            "tools": [self._server.get_tool],
            "prompts": [self._server.get_prompt],
            "resources": [self._server.get_resource, self._server.get_resource_template],
        }
        with _everything_in_sight():
            found = [await get(name) for get in ask[kind]]
            return [function for held in found if held is not None for function in await self._behind(kind, held)]

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
        list_all = {
            "tools": self._server.list_tools,
            "prompts": self._server.list_prompts,
            "resources": self._server.list_resources,
        }[kind]
        found: dict[str, list[object]] = {}
        with _everything_in_sight():
            for held in await list_all(run_middleware=False):
                name = str(held.uri) if kind == "resources" else held.name
                found.setdefault(name, []).extend(await self._behind(kind, held))
        return found

    async def _behind(self, kind: str, held: Any) -> list[object]:
        """The functions that run for what is held: of a mounted server, or of the tool it was made from, those too."""
        functions = [getattr(held, "fn", held)]
        if hasattr(held, "parent_tool"):
            functions += await self._behind(kind, held.parent_tool)
        mounted = getattr(held, "_server", None)
        if isinstance(mounted, sys.modules["fastmcp"].FastMCP):
            there = next(getattr(held, name) for name in _NAMES_THERE if hasattr(held, name))
            functions += await _FastMCPEngine(mounted, {}).functions(kind, there)
        return functions


@contextmanager
def _everything_in_sight() -> Iterator[None]:
    """Lets a rule be found also at what FastMCP shows to some callers only (`auth=`): over stdio it shows everything."""
    from fastmcp.server.context import _current_transport  # noqa: PLC0415  # an extra

    reset = _current_transport.set("stdio")
    try:
        yield
    finally:
        _current_transport.reset(reset)


class _ASGIEngine:
    """Any other ASGI app; it is started once by its own lifespan, and keeps its own host checks."""

    middleware = None
    path = None

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def run(self, transport: Transport) -> AbstractAsyncContextManager[ASGIApp]:  # noqa: ARG002  # its own business
        return asgi_lifespan(self._app)

    async def listed_name(self, kind: str, name: str) -> str:  # noqa: ARG002  # nothing to be asked
        return name

    async def functions(self, kind: str, name: str) -> Sequence[object]:  # noqa: ARG002  # nothing to be asked
        return ()

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:  # noqa: ARG002  # nothing to be asked
        return None
