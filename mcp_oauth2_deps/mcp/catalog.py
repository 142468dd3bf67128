"""What a server has of one kind, found by the name under which somebody asks for it.

What it takes to be let through does not belong here.
"""

from collections.abc import Callable, Iterable, Sequence

from mcp_oauth2_deps.mcp.engines.engine import Component
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes
from mcp_oauth2_deps.mcp.tool_scopes import Held
from mcp_oauth2_deps.mcp.uris import UriMap, UriPattern, read_uri
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
        self._templates: list[tuple[Component, Held]] = []
        resources: list[tuple[UriPattern, Held]] = []
        for component in components:
            pattern = pattern_of(component.name) if kind == "resources" else None
            held = Held(component.name, declared_by(component), pattern.uri if pattern else None)
            self._by_name.setdefault(component.name, []).append(held)
            if component.serves is not None:
                self._templates.append((component, held))
            elif pattern is not None:
                resources.append((pattern, held))
        self._by_uri = UriMap(resources) if kind == "resources" else None

    @property
    def names(self) -> Sequence[str]:
        """The names of all."""
        return tuple(self._by_name)

    @property
    def declared(self) -> list[ScopeRequirement]:
        """What stands at the functions of all."""
        return [one.declared for several in self._by_name.values() for one in several if one.declared is not None]

    def called(self, name: str) -> Sequence[Held]:
        """What has exactly this name, as lists show it."""
        return self._by_name.get(name, ())

    def serving(self, name: str) -> Sequence[Held]:
        """All that may run for somebody who asks for this name."""
        found = {id(held): held for held in self.called(name)}
        if self._by_uri is not None:
            uri = read_uri(name)
            found |= {id(held): held for reading in uri.readings for held in self._by_uri.at(reading)}
            found |= {
                id(held): held for component, held in self._templates if component.serves is not None and component.serves(uri)
            }
        return list(found.values())


def declared_by(component: Component) -> ScopeRequirement | None:
    """What stands at the functions that run for it; none when nothing does."""
    rules = [rule for rule in map(declared_scopes, component.functions) if rule is not None]
    return sum(rules, ScopeRequirement()) if rules else None
