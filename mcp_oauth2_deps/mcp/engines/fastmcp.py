"""A FastMCP server: how it is started, guarded against foreign hosts, and asked what it holds.

Scopes do not belong here.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastmcp import FastMCP, settings
from fastmcp.server.context import _current_transport
from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.engines.engine import Transport
from mcp_oauth2_deps.mcp.engines.sessions import owned_sessions_only

INNER_PATH = "/mcp"

# The other name of each tool of a `FastMCPApp`, which its pages call.
_HASHED_NAME = re.compile(r"[0-9a-f]{12}_.+", re.DOTALL)
# What the component of a mounted FastMCP server is called there.
_NAMES_THERE = ("_original_name", "_original_uri", "_original_uri_template")


class FastMCPEngine:
    """A FastMCP server."""

    path = INNER_PATH

    def __init__(self, server: Any, options: Mapping[str, Any]) -> None:
        self._server = server
        self._options = dict(options)
        self.middleware = server._mcp_server.middleware  # noqa: SLF001  # its own middleware sees no cache hints

    @asynccontextmanager
    async def run(self, transport: Transport) -> AsyncIterator[ASGIApp]:
        """Runs its HTTP app while the block lasts."""
        options = {
            "host_origin_protection": True,
            "allowed_hosts": list(transport.hosts),
            "allowed_origins": list(transport.origins),
        }
        stateless = self._options.get("stateless_http")
        inner = self._server.http_app(path=INNER_PATH, **(options | self._options))
        async with inner.lifespan(inner):
            yield owned_sessions_only(inner, stateless=settings.stateless_http if stateless is None else stateless)

    async def listed_name(self, kind: str, name: str) -> str:
        """The tool's own name for the hashed name by which pages of a `FastMCPApp` call it."""
        if kind != "tools" or not _HASHED_NAME.fullmatch(name):
            return name
        with _everything_in_sight():
            digest, _, there = name.partition("_")
            # In the order of FastMCP itself.
            held = await self._server.get_tool(name) or await self._server.get_tool_by_hash(digest, there)
        return name if held is None else str(held.name)

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        """The functions that would run, those of mounted servers too."""
        ask: dict[str, list[Callable[[str], Any]]] = {
            "tools": [self._server.get_tool],
            "prompts": [self._server.get_prompt],
            "resources": [self._server.get_resource, self._server.get_resource_template],
        }
        with _everything_in_sight():
            found = [await get(name) for get in ask[kind]]
            return [function for held in found if held is not None for function in await self._behind(kind, held)]

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
        """What the server lists, also what it shows to some callers only."""
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
        if isinstance(mounted, FastMCP):
            there = next(getattr(held, name) for name in _NAMES_THERE if hasattr(held, name))
            functions += await FastMCPEngine(mounted, {}).functions(kind, there)
        return functions


@contextmanager
def _everything_in_sight() -> Iterator[None]:
    """Lets a rule be found also at what FastMCP shows to some callers only (`auth=`): over stdio it shows everything."""
    reset = _current_transport.set("stdio")
    try:
        yield
    finally:
        _current_transport.reset(reset)
