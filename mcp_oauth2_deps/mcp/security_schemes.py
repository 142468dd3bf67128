"""What each tool in a list says of the token that it needs (`securitySchemes`, SEP-1488 of MCP).

Who may see a tool does not belong here.
"""

from collections.abc import Awaitable, Callable, Iterable
from itertools import product
from typing import Any, Protocol

from mcp_oauth2_deps.mcp.lists import as_sent
from mcp_oauth2_deps.mcp.rule_values import PublicRequirement
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement


class Needs(Protocol):
    """Who knows what is needed."""

    def is_asked(self) -> bool:
        """Whether the message in sight is theirs, and not that of another route to the same server."""

    async def needs_listed(self, kind: str) -> Callable[[str], ScopeRequirement | None]:
        """What executing a thing of this kind needs, by the name under which it is listed; none where nobody may."""


class SecuritySchemes:
    """A step in the message chain that tells at each tool in a list what it needs.

    Clients use it to show what needs a login before they call it. It decides nothing: the route does.
    """

    def __init__(self, needs: Needs, base: ScopeRequirement, asked: Callable[[Iterable[str]], Iterable[str]]) -> None:
        """Nothing is asked yet.

        Args:
            needs: who knows what is needed.
            base: what every call needs besides.
            asked: scopes, as a client asks the issuer for them.
        """
        self._needs = needs
        self._base = base
        self._asked = asked

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """The result; where it is a list of tools, each tells what it needs."""
        result = await call_next(context)
        if context.method != "tools/list" or not self._needs.is_asked():
            return result
        result = as_sent(result)
        if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
            return result
        needed_for = await self._needs.needs_listed("tools")
        return {**result, "tools": [self._described(tool, needed_for) for tool in result["tools"]]}

    def _described(self, tool: Any, needed_for: Callable[[str], ScopeRequirement | None]) -> Any:
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            return tool
        needed = needed_for(tool["name"])
        # Of what nobody may call there is nothing true to say.
        if needed is None:
            return tool
        schemes = self._schemes(needed)
        # In `_meta` too, because clients whose schema of a tool does not have the member yet drop it.
        return {**tool, "securitySchemes": schemes, "_meta": {**(tool.get("_meta") or {}), "securitySchemes": schemes}}

    def _schemes(self, needed: ScopeRequirement) -> list[dict[str, Any]]:
        if isinstance(needed, PublicRequirement):
            return [{"type": "noauth"}]
        whole = self._base + needed
        # One for each way to meet it: of several schemes any one will do.
        ways = (dict.fromkeys((*whole.all_of, *chosen)) for chosen in product(*whole.any_of))
        return [{"type": "oauth2", "scopes": list(self._asked(way))} for way in ways]
