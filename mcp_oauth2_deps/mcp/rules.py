"""What one message needs: by the table, by the decorators at what it acts on, and by what the engine holds.

What a message is, and how an engine is asked, do not belong here.
"""

from dataclasses import replace

from mcp_oauth2_deps.mcp.engines.engine import Engine
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes
from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.mcp.tool_scopes import KINDS, ToolScopes
from mcp_oauth2_deps.models import ScopeRequirement


class Rulebook:
    """The rules for one server: those of the table, and those that stand at its functions."""

    def __init__(self, table: ToolScopes, engine: Engine) -> None:
        """Nothing is asked yet; `check` is for when the engine runs."""
        self._table = table
        self._engine = engine
        self._ruled_kinds: frozenset[str] = frozenset()

    async def check(self) -> list[str]:
        """Compares the rules with what the engine holds, and returns the scopes that functions of it declare.

        Raises:
            ValueError: a rule for something that the engine does not have, which is a misspelt one.
        """
        ruled, scopes = set(), list[str]()
        for kind in KINDS:
            held = await self._engine.names(kind)
            if held is None:
                continue
            functions = [function for several in held.values() for function in several]
            declared = [requirement for function in functions if (requirement := declared_scopes(function))]
            scopes.extend(scope for requirement in declared for scope in requirement.names())
            if declared:
                ruled.add(kind)
            # Resources may come from templates, whose URIs are not known.
            unknown = sorted(set(self._table.by_kind[kind]) - set(held)) if kind != "resources" else []
            if unknown:
                raise ValueError(f"ToolScopes has rules for {kind} that the server does not have: {', '.join(unknown)}")
        self._ruled_kinds = frozenset(ruled)
        return scopes

    async def needed_for(self, message: Message) -> ScopeRequirement | None:
        """What the message needs beyond what every call needs; none when it is never let through."""
        kind = message.kind or ""
        names = tuple([await self._engine.listed_name(kind, name) for name in message.names])
        if names != message.names:
            message = replace(message, names=names)
        declared = [await self._declared(kind, name) for name in names]
        return self._table.needed_for(message, declared, ruled_kinds=self._ruled_kinds)

    async def _declared(self, kind: str, name: str) -> ScopeRequirement | None:
        found = [declared_scopes(function) for function in await self._engine.functions(kind, name)]
        rules = [requirement for requirement in found if requirement is not None]
        return sum(rules, ScopeRequirement()) if rules else None
