"""The caller of one message, as a value, and where the code that serves the message finds it.

Engines do not belong here.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar

from mcp_oauth2_deps.mcp.rule_values import PublicRequirement
from mcp_oauth2_deps.models import AccessToken, NeverFromRequest
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement, missing_scopes


@dataclass(frozen=True, slots=True)
class Caller(NeverFromRequest):
    """The caller of one message, and what its scopes imply.

    Attributes:
        token: what was verified; none of a caller who sent no token, which is not the same as no caller.
        hierarchy: what scopes imply.
        rules: what decides about this caller, of the route by which the message came.
        decided: what was decided about this message so far.
        ended: whether the token counts no more by now. What was let in may go on, but runs nothing guarded from then on.
    """

    _write_instead: ClassVar[str] = "a tool calls `current_token()`"

    token: AccessToken | None
    hierarchy: Mapping[str, frozenset[str]]
    rules: object = None
    decided: dict[tuple[object, ...], bool] = field(default_factory=dict, compare=False, repr=False)
    ended: Callable[[AccessToken], bool] | None = field(default=None, compare=False, repr=False)

    def is_over(self) -> bool:
        """Whether the token counts no more: a task that was started for the message may outlive it."""
        return self.token is not None and self.ended is not None and self.ended(self.token)

    def holds(self, requirement: ScopeRequirement) -> bool:
        """Whether the token covers the requirement; without a token, whether it is public."""
        if self.token is None:
            return isinstance(requirement, PublicRequirement)
        return not missing_scopes(requirement, self.token.scopes, self.hierarchy)


# Follows a message into each task that is made for it and into `asyncio.to_thread`, not into threads that get no context.
current_caller: ContextVar[Caller | None] = ContextVar("mcp_oauth2_deps_caller", default=None)
