"""What a FastMCP server has, through its providers, transforms and mounted servers, without running anybody's middleware.

FastMCP's own lists leave out what a caller may not see, and its look-ups by URI match patterns in a time that the caller's text
can stretch. Here everything is listed once for each question, and nothing is looked up by URI.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from fastmcp import FastMCP
from fastmcp.resources.template import ResourceTemplate
from fastmcp.server.providers.addressing import parse_hashed_backend_name, tool_identity
from fastmcp.server.providers.aggregate import AggregateProvider
from fastmcp.server.providers.fastmcp_provider import (
    FastMCPProvider,
    FastMCPProviderPrompt,
    FastMCPProviderResource,
    FastMCPProviderResourceTemplate,
    FastMCPProviderTool,
)
from fastmcp.server.providers.local_provider import LocalProvider
from fastmcp.server.providers.wrapped_provider import _WrappedProvider
from fastmcp.server.transforms.catalog import CatalogTransform
from fastmcp.tools.tool_transform import TransformedTool

from mcp_oauth2_deps.mcp.engines.engine import Component, Place
from mcp_oauth2_deps.mcp.engines.fastmcp_steps import steps_of
from mcp_oauth2_deps.mcp.uri_patterns import PatternMemory
from mcp_oauth2_deps.mcp.uris import Uri, read_uri

logger = logging.getLogger(__name__)

# For each sort of component: how lists are asked for, what a mounted server's are wrapped in, and what each is called.
_SORTS: dict[str, tuple[str, Any, str, str]] = {
    "tools": ("list_tools", FastMCPProviderTool, "name", "_original_name"),
    "prompts": ("list_prompts", FastMCPProviderPrompt, "name", "_original_name"),
    "resources": ("list_resources", FastMCPProviderResource, "uri", "_original_uri"),
    "templates": ("list_resource_templates", FastMCPProviderResourceTemplate, "uri_template", "_original_uri_template"),
}
SORTS_OF = {"tools": ("tools",), "prompts": ("prompts",), "resources": ("resources", "templates")}


def parts_of(provider: Any) -> Sequence[Any] | None:
    """What a provider is made of; none for one that makes things itself."""
    if isinstance(provider, FastMCPProvider):
        return (provider.server,)
    if isinstance(provider, AggregateProvider):
        return provider.providers
    if isinstance(provider, _WrappedProvider):
        return (provider._inner,)  # noqa: SLF001  # it has no other way in
    return None


def servers_in(provider: Any) -> Iterator[FastMCP]:
    """The server, and those that are mounted in it at any depth."""
    if isinstance(provider, FastMCP):
        yield provider
    for part in parts_of(provider) or ():
        yield from servers_in(part)


def functions_in(provider: Any, kind: str) -> Iterator[object]:
    """The functions that were registered for a kind."""
    if isinstance(provider, LocalProvider):
        keys = {"tools": ("tool:",), "prompts": ("prompt:",), "resources": ("resource:", "template:")}[kind]
        for key, component in provider._components.items():  # noqa: SLF001  # its lists are made for each question
            if key.startswith(keys):
                yield getattr(component, "fn", component)
    for part in parts_of(provider) or ():
        yield from functions_in(part, kind)


def registered_in(provider: Any) -> list[object]:
    """What was registered, of all kinds."""
    found: list[object] = []
    if isinstance(provider, LocalProvider):
        found += provider._components.values()  # noqa: SLF001  # its lists are made for each question
    for part in parts_of(provider) or ():
        found += registered_in(part)
    return found


class Tree:
    """Everything below one server, listed when it is first asked for."""

    def __init__(self, patterns: PatternMemory) -> None:
        """Nothing is listed yet.

        Args:
            patterns: of templates.
        """
        self._patterns = patterns
        self._listed: dict[tuple[int, str], list[Any]] = {}
        self._named: dict[tuple[int, str], dict[str, list[Any]]] = {}
        self._components: dict[tuple[int, str], list[Component]] = {}

    async def components(self, server: FastMCP, kind: str) -> list[Component]:
        """What the server has of a kind."""
        key = id(server), kind
        if key not in self._components:
            self._components[key] = [
                await self.component(sort, held) for sort in SORTS_OF[kind] for held in await self.listed(server, sort)
            ]
        return self._components[key]

    async def find(self, server: FastMCP, kind: str, name: str) -> list[Any]:
        """The tools or prompts of this name, also by the name that pages of a `FastMCPApp` use; several of one added twice."""
        found = (await self.named(server, kind)).get(name, [])
        hashed = parse_hashed_backend_name(name) if kind == "tools" else None
        if hashed is None:
            return found
        return found + [one for one in await self.listed(server, kind) if tool_identity(one) == hashed[0]]

    async def names_there(self, server: FastMCP, kind: str, name: str, *, listed: bool) -> set[str]:
        """What is registered at this server, by its own name, and may run for this name."""
        if listed:
            return {name}
        if kind != "resources":
            return {str(one.name) for one in await self.find(server, kind, name)}
        uri = read_uri(name)
        components = await self.components(server, kind)
        same = {one.name for one in components if one.serves is None and set(read_uri(one.name).readings) & set(uri.readings)}
        return same | {one.name for one in components if one.name == name or (one.serves is not None and one.serves(uri))}

    async def component(self, sort: str, held: Any) -> Component:
        """One of its things, with all that runs for it."""
        functions: list[object] = []
        places: list[Place] = []
        await self._collect(sort, held, functions, places)
        serves = self.serves(held) if sort == "templates" else None
        return Component(_name(sort, held), tuple(functions), tuple(places), serves, steps_of(held) if serves else None)

    def serves(self, template: ResourceTemplate) -> Any:
        """Whether a template may serve a URI; of one that judges by itself it is not known, so it may serve any."""
        if type(template).matches is not ResourceTemplate.matches or "#" in template.uri_template:
            return _any_uri
        return self._patterns.of(template.uri_template).may_serve

    async def listed(self, provider: Any, sort: str) -> list[Any]:
        """What a provider lists of this sort, and what a search hides from its lists."""
        key = id(provider), sort
        if key not in self._listed:
            self._listed[key] = await self._list(provider, sort)
        return self._listed[key]

    async def named(self, provider: Any, sort: str) -> dict[str, list[Any]]:
        """The same by name."""
        key = id(provider), sort
        if key not in self._named:
            named: dict[str, list[Any]] = {}
            for one in await self.listed(provider, sort):
                named.setdefault(_name(sort, one), []).append(one)
            self._named[key] = named
        return self._named[key]

    async def _list(self, provider: Any, sort: str) -> list[Any]:
        method, wrapper, _, _ = _SORTS[sort]
        parts = parts_of(provider)
        if parts is None:
            try:
                return list(await getattr(provider, method)())
            except Exception as error:
                # FastMCP goes on without a provider that fails, for example because the server behind a proxy is down.
                logger.warning("%s could not be asked for its %s: %s", type(provider).__name__, sort, type(error).__name__)
                return []
        found = [one for part in parts for one in await self.listed(part, sort)]
        if isinstance(provider, FastMCPProvider):
            found = [wrapper.wrap(provider.server, one) for one in found]
        for transform in provider.transforms:
            changed = list(await getattr(transform, method)(found))
            if isinstance(transform, CatalogTransform):
                # What a search hides from lists can still be called.
                shown = {one.key for one in changed}
                changed += [one for one in found if one.key not in shown]
            found = changed
        if isinstance(provider, FastMCP) and sort == "tools":
            found = [*provider._injected_tools(), *found]  # noqa: SLF001  # of the middleware that adds tools
        return found

    async def _collect(self, sort: str, held: Any, functions: list[object], places: list[Place]) -> None:
        _, wrapper, _, original = _SORTS[sort]
        if isinstance(held, TransformedTool):
            await self._collect(sort, held.parent_tool, functions, places)
        if not isinstance(held, wrapper):
            functions.append(getattr(held, "fn", held))
            return
        mounted, there = held._server, str(getattr(held, original))  # noqa: SLF001  # where it hands on what it is asked
        places.append(Place(mounted, "resources" if sort == "templates" else sort, there))
        same = await self.find(mounted, sort, there) if sort == "tools" else (await self.named(mounted, sort)).get(there, ())
        for one in same:
            await self._collect(sort, one, functions, places)


def _name(sort: str, held: Any) -> str:
    return str(getattr(held, _SORTS[sort][2]))


def _any_uri(uri: Uri) -> bool:  # noqa: ARG001  # in place of a pattern
    return True
