"""Which scopes a JSON-RPC message of MCP needs: by its method, and by the tool, prompt or resource it acts on.

Reading messages does not belong here, nor does the token.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import unquote

from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.models import ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import checked_scopes

KINDS = ("tools", "prompts", "resources")
_NOTHING = ScopeRequirement()


class Demand:
    """A rule that is more than a list of scopes; `scopes(...)` is one."""

    requirement: ScopeRequirement


Rule = Iterable[str] | Demand
"""Scopes that are all needed, or `scopes(...)` where alternatives are wanted."""


def as_requirement(rule: Rule) -> ScopeRequirement:
    """The requirement a rule stands for.

    Raises:
        ValueError: something that is no scope.
    """
    if isinstance(rule, Demand):
        return rule.requirement
    if isinstance(rule, str):
        raise ValueError(f"{rule!r} must be a list of scopes, not one string")
    if not isinstance(rule, Iterable):
        raise ValueError(f"{rule!r} must be a list of scopes, or scopes(...)")
    return ScopeRequirement(checked_scopes(rule))


@dataclass(frozen=True, kw_only=True)
class ToolScopes:
    """What each message to an MCP server needs. All that applies to a message is needed together.

    Attributes:
        every_call: for every request, also for opening and closing a stream. A 401 names these, and `scopes_supported` of the
            metadata does where the settings name no scopes.
        methods: by JSON-RPC method.
        tools: by exact name of the tool.
        prompts: by exact name of the prompt.
        resources: by URI; `*` stands for any characters. Every pattern that fits counts. A URI is also looked up without
            query and fragment, and with percent-encoding and dot segments resolved: another spelling needs no less.
        default: what a tool, prompt or resource without a rule needs: `"method"` no more than its method, `"deny"` is never
            let through. Left out, it is `"deny"` for a kind of which one at least has a rule, else `"method"`.
        advertise: name the scopes of all rules in `scopes_supported`; without it only the small basic set: the scopes of the
            settings, or those of `every_call` where the settings name none.

    Raises:
        ValueError: something that is no scope, or `default` is another word.
    """

    every_call: Rule = ()
    methods: Mapping[str, Rule] = field(default_factory=dict)
    tools: Mapping[str, Rule] = field(default_factory=dict)
    prompts: Mapping[str, Rule] = field(default_factory=dict)
    resources: Mapping[str, Rule] = field(default_factory=dict)
    default: Literal["deny", "method"] | None = None
    advertise: bool = False

    def __post_init__(self) -> None:
        if self.default not in (None, "deny", "method"):
            raise ValueError(f"default is {self.default!r}; it must be 'deny', 'method' or left out")
        # Every rule is read now, so that a wrong one is said where it stands.
        _all_scopes(self)

    @cached_property
    def base(self) -> ScopeRequirement:
        """What every request needs."""
        return as_requirement(self.every_call)

    @cached_property
    def by_method(self) -> dict[str, ScopeRequirement]:
        """What each method needs more."""
        return {name: as_requirement(rule) for name, rule in self.methods.items()}

    @cached_property
    def by_kind(self) -> dict[str, dict[str, ScopeRequirement]]:
        """What each tool, prompt and resource needs more."""
        return {kind: {name: as_requirement(rule) for name, rule in getattr(self, kind).items()} for kind in KINDS}

    def scopes(self) -> Iterator[str]:
        """Every scope that a rule names."""
        yield from _all_scopes(self)

    def needed_for(
        self, message: Message, declared: Sequence[ScopeRequirement | None] = (), *, ruled_kinds: Iterable[str] = ()
    ) -> ScopeRequirement | None:
        """What the message needs beyond `every_call`; none when it is never let through.

        Args:
            message: the message.
            declared: for each of its names what stands at the tool, prompt or resource itself.
            ruled_kinds: kinds of which some have rules at themselves.
        """
        if message.method is None:
            return _NOTHING
        if not message.names:
            return self.by_method.get(message.method, _NOTHING)
        needed = self.by_method.get(message.method, _NOTHING)
        for index, name in enumerate(message.names):
            kind = message.kind or ""
            found = [*self._rules(kind, name), *(rule for rule in declared[index : index + 1] if rule is not None)]
            if not found and self._denies(kind, ruled_kinds):
                return None
            for rule in found:
                needed = needed + rule if needed != _NOTHING else rule
        return needed

    def _denies(self, kind: str, ruled_kinds: Iterable[str]) -> bool:
        if self.default is not None:
            return self.default == "deny"
        return bool(self.by_kind[kind]) or kind in ruled_kinds

    def _rules(self, kind: str, name: str) -> list[ScopeRequirement]:
        rules = self.by_kind[kind]
        if kind != "resources":
            return [rules[name]] if name in rules else []
        spellings = _spellings(name)
        return [rule for pattern, rule in rules.items() if any(_fits(pattern, spelling) for spelling in spellings)]


def _all_scopes(table: ToolScopes) -> list[str]:
    requirements = [table.base, *table.by_method.values(), *(rule for rules in table.by_kind.values() for rule in rules.values())]
    return list(dict.fromkeys(scope for requirement in requirements for scope in requirement.names()))


def _fits(pattern: str, text: str) -> bool:
    """Whether the text fits, `*` standing for any characters; no text takes longer than its length."""
    first, *middle = pattern.split("*")
    if not middle:
        return text == pattern
    last = middle.pop()
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        # The leftmost fit leaves most for the rest, so nothing has to be tried twice.
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def _spellings(uri: str) -> set[str]:
    """The URI and all that an engine may take it for: without query and fragment, decoded, with dot segments resolved."""
    decoded = {uri, unquote(uri), unquote(unquote(uri))}
    cut = decoded | {spelling.partition("?")[0].partition("#")[0] for spelling in decoded}
    return cut | set(map(_plain, cut))


def _plain(uri: str) -> str:
    """The URI with its dot segments resolved and its scheme and host in lower case."""
    scheme, separator, rest = uri.replace("\\", "/").partition("://")
    if not separator:
        return scheme
    host, slash, path = rest.partition("/")
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in (".", ""):
            segments.append(segment)
    return f"{scheme.lower()}://{host.lower()}{slash}{'/'.join(segments)}"
