"""What a server has of one kind, found by the name under which somebody asks for it.

What it takes to be let through does not belong here.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from mcp_oauth2_deps.mcp.engines.engine import Component, Place
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes
from mcp_oauth2_deps.mcp.template_values import TemplateValues
from mcp_oauth2_deps.mcp.tool_scopes import Held, ToolScopes, ValueRule
from mcp_oauth2_deps.mcp.uri_patterns import PatternMemory, UriMap, UriPattern, moved
from mcp_oauth2_deps.mcp.uris import Uri, read_uri
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement

logger = logging.getLogger(__name__)

# A provider may make templates without end.
_MOST_TOLD = 100


class PassedRule(NamedTuple):
    """A rule for some values of a template that other spellings of these values may pass.

    Attributes:
        rule: what it is for.
        template: the template.
        names: the parameters that the server does not take as they are written.
    """

    rule: str
    template: str
    names: Sequence[str]

    def __str__(self) -> str:
        names = ", ".join(self.names)
        return (
            f"the rule for {self.rule!r} in ToolScopes is for some values of {names} in the template {self.template!r}, which "
            f"the server does not take as they are written, so that other spellings of a value (007, +7, %207) would pass the "
            f"rule: write it for the template and decide by value in the function, or declare {names} as plain str"
        )


class Memory:
    """What is made once for all catalogs of a server: a catalog is made for each message.

    Attributes:
        patterns: of URIs, by their texts.
        values: what functions make of the values of templates.
    """

    def __init__(self) -> None:
        self.patterns = PatternMemory(UriPattern.of_resource)
        self.values = TemplateValues()
        self._told: set[tuple[str, str]] = set()

    def tell_of(self, passed_by: Iterable[PassedRule]) -> None:
        """Writes one line for each rule that counts for a whole template; one that was there at the start stopped it."""
        for passed in passed_by:
            key = passed.rule, passed.template
            if key not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(key)
                logger.warning("%s. It was added while the server runs; until then the rule counts for every value", passed)


class Catalog:
    """The components of one kind at one time.

    Attributes:
        passed_by: the rules for some values of a template that other spellings may pass; each counts for the whole template.
        needed: what methods on these names were found to need, also by whether any function has a rule; for who keeps a catalog.
    """

    def __init__(self, kind: str, components: Iterable[Component], table: ToolScopes, memory: Memory) -> None:
        """Only resources are found by other names than their own.

        Args:
            kind: of the components.
            components: all of them.
            table: the rules, of which some may be for some values of a template only.
            memory: what was made for other catalogs of the same server.
        """
        self._by_name: dict[str, list[Held]] = {}
        self._of: dict[int, Component] = {}
        self._templates: list[Held] = []
        self.passed_by: list[PassedRule] = []
        self.needed: dict[tuple[str | None, str, bool], ScopeRequirement | None] = {}
        self._resources: list[tuple[UriPattern, Held]] | None = [] if kind == "resources" else None
        self._table, self._memory = table, memory
        templates: list[Component] = []
        for component in components:
            if component.serves is not None:
                templates.append(component)
                continue
            pattern = None if self._resources is None else memory.patterns.of(component.name)
            held = Held(component.name, declared_by(component), None if pattern is None else pattern.uri)
            self._add(component, held)
            if pattern is not None and self._resources is not None:
                self._resources.append((pattern, held))
        for template in templates:
            self._templates.append(self._add(template, self._template(template, templates)))

    def _add(self, component: Component, held: Held) -> Held:
        self._by_name.setdefault(component.name, []).append(held)
        self._of[id(held)] = component
        return held

    def _template(self, component: Component, templates: Iterable[Component]) -> Held:
        held = Held(component.name, declared_by(component), self._memory.patterns.of(component.name).uri)
        rules = [
            rule for rule in self._table.for_values_of(component.name) if not self._means_another(rule, component, templates)
        ]
        if not rules:
            return held
        kept = self._memory.values.kept_by(component.functions)
        unsafe = [(rule, names) for rule in rules if (names := rule.values.converted(kept))]
        self.passed_by += [PassedRule(rule.text, component.name, names) for rule, names in unsafe]
        left_out = [rule for rule in rules if rule.values.means_defaults(kept)]
        return held._replace(whole=_sum(rule for rule, _ in unsafe), without_query=_sum(left_out))

    def _means_another(self, rule: ValueRule, template: Component, templates: Iterable[Component]) -> bool:
        """Whether the rule names a resource of its own, or another template."""
        readings = rule.uri.readings
        if readings and all(any(certain for _, certain in self._by_uri.at(reading)) for reading in readings):
            return True
        patterns = self._memory.patterns
        return any(patterns.of(other.name).uri.readings == readings for other in templates if other.name != template.name)

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


def _sum(rules: Iterable[ValueRule]) -> ScopeRequirement | None:
    needed = [rule.needed for rule in rules]
    return sum(needed, ScopeRequirement()) if needed else None


def declared_by(component: Component) -> ScopeRequirement | None:
    """What stands at the functions that run for it; none when nothing does."""
    rules = [rule for rule in map(declared_scopes, component.functions) if rule is not None]
    return sum(rules, ScopeRequirement()) if rules else None
