"""The caller of one message, as a value, and where the code that serves the message finds it.

Engines do not belong here.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar

from mcp_oauth2_deps.models import AccessToken, NeverFromRequest, ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import missing_scopes


@dataclass(frozen=True, slots=True)
class Caller(NeverFromRequest):
    """The caller of one message, and what its scopes imply."""

    _write_instead: ClassVar[str] = "a tool calls `current_token()`"

    token: AccessToken
    hierarchy: Mapping[str, frozenset[str]]

    def holds(self, requirement: ScopeRequirement) -> bool:
        """Whether the token covers the requirement."""
        return not missing_scopes(requirement, self.token.scopes, self.hierarchy)


# Follows a message into each task that is made for it and into `asyncio.to_thread`, not into threads that get no context.
current_caller: ContextVar[Caller | None] = ContextVar("mcp_oauth2_deps_caller", default=None)
