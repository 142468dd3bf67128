"""The scopes that stand at a function: what its callers must hold, wherever it is called from.

What a route demands does not belong here.
"""

import functools
import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar, cast

from mcp_oauth2_deps.instrumentation.logging import caller_facts, facts_line
from mcp_oauth2_deps.mcp.caller import Caller
from mcp_oauth2_deps.mcp.callers import caller_in_sight, caller_is_missing
from mcp_oauth2_deps.mcp.engines.refusals import refusal
from mcp_oauth2_deps.mcp.rule_values import Demand
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement, missing_scopes, scope_requirement

logger = logging.getLogger(__name__)

_ATTRIBUTE = "__mcp_oauth2_scopes__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


class scopes(Demand):  # noqa: N801  # read as a word in a table and above a function
    """What one tool, prompt or resource needs: as a decorator of its function, or as a value in a table of `ToolScopes`.

    As a decorator it stands directly above the function, below the engine's own. The route answers 403 before the engine sees
    the message; the function itself also refuses a caller without the scopes, should it be reached another way: behind a mount,
    a proxy, a tool that calls others, a thread or a background task.

    While a route of this process serves callers, the function refuses too when no caller is in sight. `asyncio.to_thread` and
    tasks keep the caller; `loop.run_in_executor`, `ThreadPoolExecutor.submit` and `threading.Thread` lose it, unless they run
    `contextvars.copy_context().run`. A job or a test that calls for nobody says so: `with without_caller(): ...`.

    When the token of the caller ends, at `exp` plus the leeway, its calls and tasks that still run are refused too.
    """

    def __init__(self, *names: str, any_of: Iterable[str] = ()) -> None:
        """All of `names` and, where given, one of `any_of`.

        Raises:
            ValueError: something that is no scope.
        """
        self.requirement = scope_requirement(*names, any_of=any_of)

    def __repr__(self) -> str:
        return f"scopes({', '.join(map(repr, self.requirement.names()))})"

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
    """What `@scopes` says at this function, if anything; also through a `partial`, a wrapper, a method or a callable object."""
    layer, seen = function, list[object]()
    while layer is not None and not any(layer is one for one in seen):
        seen.append(layer)
        found = getattr(layer, _ATTRIBUTE, None)
        if isinstance(found, ScopeRequirement):
            return found
        layer = _beneath(layer)
    return None


def _beneath(function: object) -> object | None:
    """What runs when this is called, as far as it can be seen."""
    if isinstance(function, functools.partial | functools.partialmethod):
        return function.func
    for name in ("__wrapped__", "__func__"):
        beneath: object = getattr(function, name, None)
        if beneath is not None:
            return beneath
    # A function, too, has a `__call__`, behind which nothing can be seen.
    return (
        None if inspect.isroutine(function) or isinstance(function, type) else inspect.getattr_static(function, "__call__", None)
    )


def _guarded(function: Callable[..., Any], requirement: ScopeRequirement) -> Callable[..., Any]:
    name = getattr(function, "__qualname__", "a function")

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            _verify(requirement, name)
            return await function(*args, **kwargs)

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        _verify(requirement, name)
        return function(*args, **kwargs)

    return called


def _verify(requirement: ScopeRequirement, name: str) -> None:
    """Guarantees that the caller in sight holds what the function needs; where nobody should be in sight, nothing is asked.

    Does not check: what a route or a table demands.

    Raises:
        InsufficientScopeError: the caller does not hold it, or has a token that counts no more, or should be in sight and is
            not. Both MCP engines take it for an error of their own.
    """
    caller = caller_in_sight()
    if caller is not None:
        if caller.is_over():
            raise refuse_over(caller, requirement, f"the function {name}")
        if not caller.holds(requirement):
            raise refuse_shortfall(caller, requirement, f"the function {name}")
    elif caller_is_missing():
        raise refuse_nobody(requirement, f"the function {name}")


def refuse_shortfall(caller: Caller, requirement: ScopeRequirement | None, where: str) -> Exception:
    """The error for a caller who does not hold what is needed, after its line in the log.

    Args:
        caller: who is calling.
        requirement: what is needed; none where nobody is let through, because there is no rule.
        where: what refuses, for the log.
    """
    token = caller.token
    required = requirement.names() if requirement else ()
    if token is None:
        logger.info("refused at %s: reason=missing_credentials; the caller sent no token, and this is not public", where)
        message = "refused: a token is needed for this"
        return refusal("missing_credentials", message, required=required, granted=frozenset(), missing=required)
    missing = missing_scopes(requirement or ScopeRequirement(), token.scopes, caller.hierarchy)
    facts = facts_line({"missing": ",".join(missing)} | caller_facts(token))
    logger.info("refused at %s: reason=insufficient_scope %s", where, facts)
    needs = f"the token does not hold {', '.join(missing)}" if missing else "there is no rule that lets anybody use this"
    return refusal(
        "insufficient_scope",
        f"insufficient_scope: {needs}",
        required=required,
        granted=token.scopes,
        missing=missing,
    )


def refuse_over(caller: Caller, requirement: ScopeRequirement, where: str) -> Exception:
    """The error where the token of the caller in sight counts no more, after its line in the log."""
    token = caller.token or AccessToken()
    logger.info("refused at %s: reason=token_over %s", where, facts_line(caller_facts(token)))
    needed, said = requirement.names(), "refused: the access token has expired since the call was let in"
    return refusal("token_over", said, required=needed, granted=token.scopes, missing=())


def refuse_nobody(requirement: ScopeRequirement, where: str) -> Exception:
    """The error where a caller should be in sight and is not, after its line in the log."""
    logger.warning(
        "refused at %s: reason=no_caller; it runs in a thread or task that lost its caller. Keep the caller "
        "with asyncio.to_thread or contextvars.copy_context().run, or say that there is none: with without_caller(): ...",
        where,
    )
    needed = requirement.names()
    return refusal("no_caller", "refused: no caller is in sight", required=needed, granted=frozenset(), missing=needed)
