"""Who is calling, where a tool runs; and the scopes that stand at the tool itself.

HTTP does not belong here.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from mcp_oauth2_deps.mcp.tool_scopes import Demand
from mcp_oauth2_deps.models import AccessToken, NeverFromRequest, ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import missing_scopes, scope_requirement, verify_scopes

_ATTRIBUTE = "__mcp_oauth2_scopes__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Caller(NeverFromRequest):
    """The caller of one message, and what its scopes imply."""

    _write_instead: ClassVar[str] = "a tool calls `current_token()`"

    token: AccessToken
    hierarchy: Mapping[str, frozenset[str]]

    def holds(self, requirement: ScopeRequirement) -> bool:
        """Whether the token covers the requirement."""
        return not missing_scopes(requirement, self.token.scopes, self.hierarchy)


current_caller: ContextVar[Caller | None] = ContextVar("mcp_oauth2_deps_caller", default=None)


def current_token() -> AccessToken:
    """The token of the message that this code serves.

    Raises:
        LookupError: no caller is in sight: outside of a guarded MCP route, or in a thread that was started without its context.
    """
    token = current_token_or_none()
    if token is None:
        raise LookupError(
            "no caller is in sight: this code runs outside of a guarded MCP route, or in a thread or task that was started "
            "without the context of the call; where that is expected, ask current_token_or_none()"
        )
    return token


def current_token_or_none() -> AccessToken | None:
    """The token of the message that this code serves; none where `current_token` raises.

    None means that nobody was verified. It is no proof that the code runs on its own behalf.
    """
    caller = current_caller.get()
    return caller.token if caller is not None else None


class scopes(Demand):  # noqa: N801  # read as a word in a table and above a function
    """What one tool, prompt or resource needs: as a decorator of its function, or as a value in a table of `ToolScopes`.

    As a decorator it stands directly above the function, below the engine's own. The route answers 403 before the engine sees
    the message; the function itself also refuses a caller without the scopes, should it be reached another way: behind a mount,
    a proxy or a tool that calls others.
    """

    def __init__(self, *names: str, any_of: Iterable[str] = ()) -> None:
        """All of `names` and, where given, one of `any_of`.

        Raises:
            ValueError: something that is no scope.
        """
        self.requirement = scope_requirement(*names, any_of=any_of)

    def __repr__(self) -> str:
        return f"scopes({', '.join(map(repr, self.requirement))})"

    def __call__(self, function: _Function) -> _Function:
        """The function, guarded.

        Raises:
            TypeError: it is no function, or one that FastMCP holds already.
        """
        # FastMCP marks and keeps the function that it was given, which a guard around it would no more reach.
        kept = hasattr(function, "__fastmcp__")
        if kept or not (inspect.isroutine(function) or isinstance(function, functools.partial)):
            raise TypeError("@scopes(...) takes a function; put it directly above the def, below the engine's decorator")
        requirement = (declared_scopes(function) or ScopeRequirement()) + self.requirement
        guarded = _guarded(function, self.requirement)
        # On the function too: a server of the SDK, where each function is in sight, may hold it already.
        for carrier in (function, guarded):
            with suppress(AttributeError):
                setattr(carrier, _ATTRIBUTE, requirement)
        return cast("_Function", guarded)


def declared_scopes(function: object) -> ScopeRequirement | None:
    """What `@scopes` says at this function, if anything."""
    return getattr(function, _ATTRIBUTE, None)


def _guarded(function: Callable[..., Any], requirement: ScopeRequirement) -> Callable[..., Any]:
    def verify() -> None:
        caller = current_caller.get()
        if caller is not None:
            verify_scopes(requirement, caller.token.scopes, caller.hierarchy)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            verify()
            return await function(*args, **kwargs)

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        verify()
        return function(*args, **kwargs)

    return called
