"""What a server has of one kind, found by the name under which somebody asks for it.

What it takes to be let through does not belong here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from mcp_oauth2_deps.mcp.engines.engine import Component, Place
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes
from mcp_oauth2_deps.mcp.tool_scopes import Held
from mcp_oauth2_deps.mcp.uri_patterns import UriMap, UriPattern, moved
from mcp_oauth2_deps.mcp.uris import Uri, read_uri
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement


class Catalog:
    """The components of one kind at one time."""

    def __init__(self, kind: str, components: Iterable[Component], pattern_of: Callable[[str], UriPattern]) -> None:
        """Only resources are found by other names than their own.

        Args:
            kind: of the components.
            components: all of them.
            pattern_of: the pattern of a resource's URI; it is asked for all of them at each time, so it should remember.
        """
        self._by_name: dict[str, list[Held]] = {}
        self._of: dict[int, Component] = {}
        self._templates: list[Held] = []
        self._resources: list[tuple[UriPattern, Held]] | None = [] if kind == "resources" else None
        for component in components:
            pattern = None if self._resources is None else pattern_of(component.name)
            held = Held(component.name, declared_by(component), None if pattern is None else pattern.uri)
            self._by_name.setdefault(component.name, []).append(held)
            self._of[id(held)] = component
            if component.serves is not None:
                self._templates.append(held)
            elif pattern is not None and self._resources is not None:
                self._resources.append((pattern, held))

    @cached_property
    def _by_uri(self) -> UriMap[Held]:
        # Made when it is first asked for: a list is shortened without it.
        return UriMap(self._resources or ())

    @property
    def names(self) -> Sequence[str]:
        """The names of all."""
        return tuple(self._by_name)

    @property
    def declared(self) -> list[ScopeRequirement]:
        """What stands at the functions of all."""
        return [one.declared for several in self._by_name.values() for one in several if one.declared is not None]

    def components(self, name: str) -> list[Component]:
        """What has exactly this name."""
        return [self._of[id(held)] for held in self.called(name)]

    def called(self, name: str) -> Sequence[Held]:
        """What has exactly this name, as lists show it."""
        return self._by_name.get(name, ())

    def serving(self, name: str) -> Sequence[Held]:
        """All that may run for somebody who asks for this name."""
        found = {id(held): held for held in self.called(name)}
        if self._resources is not None:
            uri = read_uri(name)
            read = (*uri.readings, *uri.also)
            found |= {id(held): held for reading in read for held, certain in self._by_uri.at(reading) if certain}
            found |= {id(held): held for held in self._templates if self._serves(held, uri)}
        return list(found.values())

    def steps(self, name: str) -> int:
        """How many steps the engine may take to find what serves this name, beyond one for each character."""
        components = (self._of[id(held)] for held in self._templates)
        return sum(component.steps(name) for component in components if component.steps is not None)

    def places(self, name: str, serving: Iterable[Held]) -> Iterator[Place]:
        """Where mounted servers run what serves this name, by the name that it has there."""
        for held in serving:
            component = self._of[id(held)]
            for server, kind, there in component.places:
                inner = there if component.serves is None else moved(name, component.name, there)
                if inner is not None:
                    yield Place(server, kind, inner)

    def _serves(self, template: Held, uri: Uri) -> bool:
        serves = self._of[id(template)].serves
        return serves is not None and serves(uri)


def declared_by(component: Component) -> ScopeRequirement | None:
    """What stands at the functions that run for it; none when nothing does."""
    rules = [rule for rule in map(declared_scopes, component.functions) if rule is not None]
    return sum(rules, ScopeRequirement()) if rules else None
