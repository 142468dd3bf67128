"""Lists of tools, prompts and resources that show a caller only what it may use.

It works on the results of the SDK's low-level server, on which both engines stand.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from mcp_oauth2_deps.mcp.caller import current_caller
from mcp_oauth2_deps.mcp.messages import Message
from mcp_oauth2_deps.models import ScopeRequirement

_LISTS = {
    "tools/list": ("tools", "name", "tools/call"),
    "prompts/list": ("prompts", "name", "prompts/get"),
    "resources/list": ("resources", "uri", "resources/read"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", "resources/read"),
}


class ListFilter:
    """A step in the message chain that leaves out of a list what its caller may not use."""

    def __init__(self, needed_for: Callable[[Message], Awaitable[ScopeRequirement | None]]) -> None:
        self._needed_for = needed_for

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """The result, shorter where it is a list; its cache hint says that it is for this caller only."""
        result = await call_next(context)
        caller = current_caller.get()
        place = _LISTS.get(context.method)
        if place is None or caller is None:
            return result
        # A step further in may have answered with a model, before it is made ready for the wire.
        if isinstance(result, BaseModel):
            result = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        if not isinstance(result, dict):
            return None
        member, name, method = place
        kind = "resources" if member == "resourceTemplates" else member
        shown = []
        for one in result.get(member) or ():
            # What has no name has no rule either.
            if not isinstance(one, dict) or name not in one:
                continue
            needed = await self._needed_for(Message(method, kind, (one[name],)))
            if needed is not None and caller.holds(needed):
                shown.append(one)
        private = {"cacheScope": "private"} if "cacheScope" in result else {}
        return {**result, member: shown, **private}
