"""Which scopes a JSON-RPC message of MCP needs: by its method, and by the tool, prompt or resource it acts on.

Reading messages does not belong here, nor does the token.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.mcp.rule_values import PUBLIC, PublicRequirement, Rule, as_requirement, together
from mcp_oauth2_deps.mcp.uri_patterns import UriMap, UriPattern
from mcp_oauth2_deps.mcp.uri_values import NamedValues, named_values
from mcp_oauth2_deps.mcp.uris import Uri, read_uri
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement

# A server's own; were there ever too many, all are compared again.
_MOST_TEMPLATES = 10_000
KINDS = ("tools", "prompts", "resources")
# The message by which a thing of each kind is executed.
EXECUTED_BY = {"tools": "tools/call", "prompts": "prompts/get", "resources": "resources/read"}
LASTING_METHODS = frozenset({"subscriptions/listen"})
"""Methods whose answer is a stream without an end of its own. The answer to any other may finish after the token ended."""
# What a client says before it asks for anything; public as soon as anything is.
_HANDSHAKE = frozenset({"initialize", "notifications/initialized", "ping", "server/discover"})
_NOTHING = ScopeRequirement()


class Held(NamedTuple):
    """A tool, prompt, resource or template of a server.

    Attributes:
        name: its name, its URI, or the text of the template.
        declared: what `@scopes` says at the functions that run for it; none when it stands at none of them.
        uri: how the name is read, if it is a URI and was read before.
        whole: what every URI of a template needs too, because a rule for some of its values may be passed by others.
        without_query: what a URI of a template needs too if it has no query.
    """

    name: str
    declared: ScopeRequirement | None
    uri: Uri | None = None
    whole: ScopeRequirement | None = None
    without_query: ScopeRequirement | None = None


class ValueRule(NamedTuple):
    """A rule that is for some values of a template only.

    Attributes:
        text: the URI that it is for.
        uri: how that is read.
        needed: what it says.
        values: which parameters it is about.
    """

    text: str
    uri: Uri
    needed: ScopeRequirement
    values: NamedValues


@dataclass(frozen=True, kw_only=True)
class ToolScopes:
    """What each message to an MCP server needs. All that applies to a message is needed together.

    Any rule but `every_call` may be `PUBLIC`: then a caller needs no token. As soon as one is, a client gets through its
    handshake (`initialize` and its notification, `ping`, `server/discover`) without a token, and answers what the server asks
    it; everything else is 401 without one, and the challenge names what it needs. Whoever sends a token is judged as always.

    Attributes:
        every_call: for every request with a token, also for opening and closing a stream. A 401 names these, and
            `scopes_supported` of the metadata does where the settings name no scopes.
        methods: by JSON-RPC method.
        tools: by exact name of the tool.
        prompts: by exact name of the prompt.
        resources: by URI, or by the text of a template; `*` stands for any characters. Every rule that fits counts. Both sides
            are compared in one form: letter case of scheme and host, usual port, percent-encoding and dot segments make no
            difference. A rule without a query is for every query; one with a query is needed for the URI with any query at all,
            because servers read queries in too many ways, and gives way to that very query only: another one needs a rule of
            its own. A rule for some values of a template stops the start where the server makes another value of the text
            (`n: int`), because other spellings of that value would pass it. A URI that could be read in two ways needs what both
            ways need; one that programs repair (`http:host`, `http://127.1/`) is refused.
        default: what a tool, prompt or resource without a rule needs: `"method"` no more than its method, `"deny"` is never
            let through. Left out, it is `"deny"` for a kind of which one at least has a rule, else `"method"`.
        advertise: name the scopes of all rules in `scopes_supported`; without it only the small basic set: the scopes of the
            settings, or those of `every_call` where the settings name none.

    Raises:
        ValueError: something that is no scope, a resource rule that could be read in two ways, `default` is another word, or
            something is public that cannot be, because its method needs scopes or its answer is a stream without end.
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
        _ = self._by_uri
        _refuse_what_cannot_be_public(self)

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

    @cached_property
    def is_mixed(self) -> bool:
        """Whether anything is public."""
        methods = [rule for rule in self.by_method.values() if isinstance(rule, PublicRequirement)]
        return bool(methods) or any(map(self.public, KINDS))

    def public(self, kind: str) -> list[str]:
        """The names of this kind whose rule is `PUBLIC`."""
        return [name for name, rule in self.by_kind[kind].items() if isinstance(rule, PublicRequirement)]

    @cached_property
    def _uris(self) -> list[tuple[UriPattern, ScopeRequirement]]:
        return [(UriPattern.of_rule(text), rule) for text, rule in self.by_kind["resources"].items()]

    @cached_property
    def _by_uri(self) -> UriMap[ScopeRequirement]:
        return UriMap(self._uris)

    @cached_property
    def _by_template(self) -> dict[str, list[ValueRule]]:
        return {}

    def scopes(self) -> Iterator[str]:
        """Every scope that a rule names."""
        yield from _all_scopes(self)

    def needed_for(
        self, message: Message, held: Sequence[Sequence[Held]] = (), *, ruled: bool = False
    ) -> ScopeRequirement | None:
        """What the message needs beyond `every_call`; none when it is never let through.

        Args:
            message: the message.
            held: for each of its names what the server has that would serve it.
            ruled: whether the server has something of this kind with a rule at itself.
        """
        if message.method is None:
            # The answer to what the server asked in a session; whose session it is, the engine compares.
            return PUBLIC.requirement if self.is_mixed else _NOTHING
        of_method, kind = self._of_method(message.method), message.kind or ""
        needed = [] if of_method is None else [of_method]
        # Completions and subscriptions name things too. They are public by their method only.
        executed, open_method = message.method == EXECUTED_BY.get(kind), isinstance(of_method, PublicRequirement)
        for index, name in enumerate(message.names):
            serving = [one for some in held[index : index + 1] for one in some]
            uri = None
            if kind == "resources" and self.resources:
                uri = next((one.uri for one in serving if one.name == name and one.uri is not None), None) or read_uri(name)
            if uri is not None and not uri.readings:
                # It cannot be compared with the rules, so any of them may be meant for it.
                return None
            rules, covered = self._found(kind, Held(name, None, uri), serving)
            if not covered and self._denies(kind, ruled=ruled):
                return None
            needed += rules if open_method or (covered and executed) else (*rules, _NOTHING)
        return together(needed)

    def _of_method(self, method: str) -> ScopeRequirement | None:
        rule = self.by_method.get(method)
        return PUBLIC.requirement if rule is None and method in _HANDSHAKE and self.is_mixed else rule

    def cannot_compare(self, message: Message) -> bool:
        """Whether one of its URIs cannot be compared with the rules, and is denied for that."""
        return message.kind == "resources" and bool(self.resources) and not all(read_uri(name).readings for name in message.names)

    def rules_without(self, kind: str, names: Iterable[str]) -> list[str]:
        """The names in this table that stand for one thing only, and for none of these."""
        if kind != "resources":
            return sorted(self.by_kind[kind].keys() - set(names))
        written = [read_uri(name) for name in names]
        return sorted(
            pattern.text
            for pattern, _ in self._uris
            if "*" not in pattern.text and not any(uri.readings and all(map(pattern.covers, uri.readings)) for uri in written)
        )

    def for_values_of(self, template: str) -> Sequence[ValueRule]:
        """The rules that are for some values of this template only."""
        known = self._by_template.get(template)
        if known is None:
            if len(self._by_template) >= _MOST_TEMPLATES:
                self._by_template.clear()
            found = ((pattern, rule, named_values(pattern.text, template)) for pattern, rule in self._uris)
            known = [ValueRule(pattern.text, pattern.uri, rule, values) for pattern, rule, values in found if values.names]
            self._by_template[template] = known
        return known

    def asks_whether_ruled(self, kind: str) -> bool:
        """Whether it depends on the rules at functions what something of this kind without a rule needs."""
        return self.default is None and not self.by_kind[kind]

    def _denies(self, kind: str, *, ruled: bool) -> bool:
        if self.default is not None:
            return self.default == "deny"
        return bool(self.by_kind[kind]) or ruled

    def _found(self, kind: str, asked: Held, held: Sequence[Held]) -> tuple[list[ScopeRequirement], bool]:
        """Every rule for what is asked for and for what would serve it; and whether one of these has a rule at all."""
        rules, covered = self._rules(kind, asked)
        for one in held:
            if one.declared is not None:
                rules, covered = [*rules, one.declared], True
            if one.whole is not None:
                rules = [*rules, one.whole]
            if one.without_query is not None and not (asked.uri and any(reading.query for reading in asked.uri.readings)):
                rules = [*rules, one.without_query]
            if one.name != asked.name:
                more, named = self._rules(kind, one)
                rules, covered = [*rules, *more], covered or named
        return rules, covered

    def _rules(self, kind: str, one: Held) -> tuple[list[ScopeRequirement], bool]:
        """The rules for this name; and whether there is one for each way to read it."""
        if kind != "resources":
            rule = self.by_kind[kind].get(one.name)
            return ([], False) if rule is None else ([rule], True)
        if not self.resources:
            return [], False
        uri = one.uri or read_uri(one.name)
        by_reading = [self._by_uri.at(reading) for reading in uri.readings]
        more = [self._by_uri.at(reading) for reading in uri.also]
        covered = bool(by_reading) and all(any(certain for _, certain in rules) for rules in by_reading)
        return [rule for rules in (*by_reading, *more) for rule, _ in rules], covered


def _refuse_what_cannot_be_public(table: ToolScopes) -> None:
    if isinstance(table.base, PublicRequirement):
        raise ValueError("every_call cannot be PUBLIC; name the methods, tools, prompts and resources that are")
    for method in LASTING_METHODS & table.methods.keys():
        if isinstance(table.by_method[method], PublicRequirement):
            raise ValueError(f"methods[{method!r}] cannot be PUBLIC: its answer is a stream that ends with the caller's token")
    for kind in KINDS:
        of_method = table.by_method.get(EXECUTED_BY[kind])
        public = table.public(kind)
        if public and of_method is not None and not isinstance(of_method, PublicRequirement):
            raise ValueError(
                f"{kind}[{public[0]!r}] cannot be PUBLIC: methods[{EXECUTED_BY[kind]!r}] needs a token for all {kind}; leave "
                f"that rule out, and give the others in {kind}={{...}} the scopes"
            )


def _all_scopes(table: ToolScopes) -> list[str]:
    requirements = [table.base, *table.by_method.values(), *(rule for rules in table.by_kind.values() for rule in rules.values())]
    return list(dict.fromkeys(scope for requirement in requirements for scope in requirement.names()))
