"""Lists of tools, prompts and resources that show a caller only what it may use.

It works on the results of the SDK's low-level server, on which both engines stand.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from mcp_oauth2_deps.mcp.engines.engine import Admission

_LISTS = {
    "tools/list": ("tools", "tools", "name"),
    "prompts/list": ("prompts", "prompts", "name"),
    "resources/list": ("resources", "resources", "uri"),
    "resources/templates/list": ("resources", "resourceTemplates", "uriTemplate"),
}


class ListFilter:
    """A step in the message chain that leaves out of a list what its caller may not use."""

    def __init__(self, admission: Admission, server: Any) -> None:
        self._admission = admission
        self._server = server

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """The result, shorter where it is a list; its cache hint says that it is for this caller only."""
        result = await call_next(context)
        place = _LISTS.get(context.method)
        if place is None:
            return result
        result = as_sent(result)
        if not isinstance(result, dict):
            return None
        kind, member, attribute = place
        # What has no name has no rule either.
        named = [one for one in result.get(member) or () if isinstance(one, dict) and isinstance(one.get(attribute), str)]
        shown = await self._admission.shown(self._server, kind, [one[attribute] for one in named])
        private = {"cacheScope": "private"} if "cacheScope" in result else {}
        return {**result, member: [one for one in named if one[attribute] in shown], **private}


def as_sent(result: Any) -> Any:
    """The result of a message as it will be sent. A step further in may have answered with a model of it."""
    return result.model_dump(by_alias=True, mode="json", exclude_none=True) if isinstance(result, BaseModel) else result
