"""What a rule in a table may be: scopes, alternatives, or public; and what several rules need together.

Which rule counts for a message does not belong here.
"""

from collections.abc import Iterable

from mcp_oauth2_deps.protocol.scopes import ScopeRequirement, checked_scopes

_NOTHING = ScopeRequirement()


class Demand:
    """A rule that is more than a list of scopes; `scopes(...)` is one."""

    requirement: ScopeRequirement


class PublicRequirement(ScopeRequirement):
    """What is met without a token. No scopes at all is another thing: that is met by any good token, and by nobody without."""

    __slots__ = ()


class _Public(Demand):
    requirement = PublicRequirement()

    def __repr__(self) -> str:
        return "PUBLIC"


PUBLIC = _Public()
"""A rule of `ToolScopes` in place of scopes: what has it answers without a token. A bad token is refused there too.

The table alone says so, not the function, so that all that is public can be read in one place. Everything that applies to a
message must be public: a tool whose function has `@scopes`, or whose method needs scopes, is not.

Example:
    `ToolScopes(methods={"tools/list": PUBLIC}, tools={"search": PUBLIC, "write_file": ["files:write"]})`
"""

Rule = Iterable[str] | Demand
"""Scopes that are all needed, `scopes(...)` where alternatives are wanted, or `PUBLIC`. An empty list is any good token."""


def together(rules: Iterable[ScopeRequirement]) -> ScopeRequirement:
    """All of these; public only where each of them is."""
    rules = tuple(rules)
    with_token = [rule for rule in rules if not isinstance(rule, PublicRequirement)]
    if rules and not with_token:
        return PUBLIC.requirement
    needed = _NOTHING
    for rule in with_token:
        needed = needed + rule if needed != _NOTHING else rule
    return needed


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
