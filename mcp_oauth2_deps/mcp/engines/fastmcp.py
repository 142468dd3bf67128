"""A FastMCP server: how it is started, guarded against foreign hosts, asked what it has, and made to ask before it executes.

Scopes do not belong here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastmcp import FastMCP, settings
from fastmcp.server.middleware import Middleware, MiddlewareContext
from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.engines.engine import Admission, Component, Place, Transport
from mcp_oauth2_deps.mcp.engines.execution import Asking, MessageStep
from mcp_oauth2_deps.mcp.engines.fastmcp_tree import Tree, functions_in, registered_in, servers_in
from mcp_oauth2_deps.mcp.engines.hosts import telling_of_foreign_hosts
from mcp_oauth2_deps.mcp.engines.sessions import owned_sessions_only
from mcp_oauth2_deps.mcp.uri_patterns import PatternMemory, UriPattern, moved

INNER_PATH = "/mcp"

_EXECUTIONS = {"call_tool": ("tools", "name"), "read_resource": ("resources", "uri"), "render_prompt": ("prompts", "name")}


class FastMCPEngine:
    """A FastMCP server, with those that are mounted in it."""

    path = INNER_PATH

    def __init__(self, server: FastMCP, options: Mapping[str, Any]) -> None:
        self.server = server
        self._options = dict(options)
        self._asking: Asking | None = None
        self._steps: list[tuple[list[Any], Any]] = []
        self._patterns = PatternMemory(UriPattern.of_template)
        self.middleware = server._mcp_server.middleware  # noqa: SLF001  # its own middleware sees no cache hints

    @asynccontextmanager
    async def run(self, transport: Transport, admission: Admission) -> AsyncIterator[ASGIApp]:
        """Runs its HTTP app while the block lasts."""
        options: dict[str, Any] = {
            "host_origin_protection": True,
            "allowed_hosts": list(transport.hosts),
            "allowed_origins": list(transport.origins),
        }
        stateless = self._options.get("stateless_http")
        inner = self.server.http_app(path=INNER_PATH, **(options | self._options))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(inner.lifespan(inner))
            self._start_asking(admission)
            stack.callback(self._stop_asking)
            app = telling_of_foreign_hosts(inner)
            yield owned_sessions_only(app, stateless=settings.stateless_http if stateless is None else stateless)

    async def held(self, kind: str) -> Sequence[Component]:
        """What the server has, also what it shows to some callers only, or finds by a search only."""
        self._cover()
        return await Tree(self._patterns).components(self.server, kind)

    async def named(self, kind: str, name: str) -> Sequence[Component]:
        """What would run under this name: tools by their other name too."""
        self._cover()
        if kind == "resources":
            # Only by its exact name, for what is in no list below: pages that the server makes when they are read.
            listed = await self.server.list_resources(run_middleware=False)
            return [Component(name, ()) for one in listed if str(one.uri) == name][:1]
        tree = Tree(self._patterns)
        found = await (self.server.get_tool(name) if kind == "tools" else self.server.get_prompt(name))
        several = await tree.find(self.server, kind, name)
        if found is not None:
            # FastMCP finds nothing where `auth=` hides it from this caller. A message may ask for any other version.
            several = [found, *(one for one in several if one.version != found.version)]
        return [await tree.component(kind, one) for one in several]

    def functions(self, kind: str) -> Iterable[object]:
        """The functions that were registered at the server and at those mounted in it."""
        return functions_in(self.server, kind)

    def registered(self) -> Sequence[object]:
        """Everything that was registered at the server and at those mounted in it."""
        return registered_in(self.server)

    def executes(self, server: Any) -> bool:
        """Whether the server is this one, or mounted in it."""
        return self._asking is not None and self._asking.covers(server)

    async def outer(self, server: Any, kind: str, names: Sequence[str], *, listed: bool) -> Mapping[str, Sequence[Sequence[str]]]:
        """What things of a mounted server are called at the outermost one."""
        tree = Tree(self._patterns)
        called_there: dict[str, list[Component]] = {}
        for component in await tree.components(self.server, kind):
            for place in component.places:
                if place.server is server:
                    called_there.setdefault(place.name, []).append(component)
        found: dict[str, list[list[str]]] = {}
        for name in names:
            for one in await tree.names_there(server, kind, name, listed=listed):
                if one in called_there:
                    found.setdefault(name, []).append([_outer_name(name, one, component) for component in called_there[one]])
        return found

    def _start_asking(self, admission: Admission) -> None:
        self._asking = Asking(admission, _EXECUTIONS)
        self._add_step(self.middleware, len(self.middleware), MessageStep(admission))
        self._cover()

    def _cover(self) -> None:
        """Lets all servers ask, also those that were mounted since."""
        if self._asking is None:
            return
        for server in servers_in(self.server):
            if not self._asking.covers(server):
                self._asking.start(server)
                self._add_step(server.middleware, 0, _ResourceAccess(server, self._asking.admission))

    def _add_step(self, chain: list[Any], place: int, step: Any) -> None:
        chain.insert(place, step)
        self._steps.append((chain, step))

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.stop()
        for chain, step in self._steps:
            # Somebody may have emptied the chain since.
            if step in chain:
                chain.remove(step)
        self._steps.clear()
        self._asking = None


class _ResourceAccess(Middleware):
    """Asks where FastMCP tells of a resource without reading it, as its skills do."""

    def __init__(self, server: FastMCP, admission: Admission) -> None:
        self._server = server
        self._admission = admission

    async def check_resource_access(self, context: MiddlewareContext[Any]) -> None:
        """Lets pass what the caller may read."""
        await self._admission.admit(Place(self._server, "resources", str(context.message.uri)))


def _outer_name(name: str, there: str, component: Component) -> str:
    """What the outermost server calls this; where that cannot be known, the rule for the whole template counts."""
    if component.serves is None or name == there:
        return component.name
    return moved(name, there, component.name) or component.name
