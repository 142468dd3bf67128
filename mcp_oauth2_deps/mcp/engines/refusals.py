"""A refusal at the place where a tool, prompt or resource runs, as the kind of error that each engine expects there.

Both engines log an exception that they do not know with a traceback at ERROR, so that any caller could fill a log.
"""

import logging
import sys
from functools import cache
from typing import Any

from mcp_oauth2_deps.errors import InsufficientScopeError

FORBIDDEN = -32003
"""JSON-RPC error code of a refusal, from the range that is left to servers: MCP names none."""


def refusal(
    reason: str, message: str, *, required: tuple[str, ...], granted: frozenset[str], missing: tuple[str, ...]
) -> Exception:
    """An `InsufficientScopeError` that both engines hand to the caller as it is, and that neither logs above DEBUG.

    The SDK passes on an `MCPError`, from tools, prompts and resources alike; FastMCP takes an `AuthorizationError` for a refusal
    that was raised on purpose, with a log level of its own, and leaves out of a list what it refuses.

    Args:
        reason: the documented code of the cause.
        message: what the caller reads; nothing that the caller sent.
        required: all scopes that are needed.
        granted: the scopes that the token holds.
        missing: those of the required scopes that it does not hold.
    """
    error: InsufficientScopeError = _kind("mcp.shared.exceptions" in sys.modules, "fastmcp.exceptions" in sys.modules)(message)
    error.reason, error.required, error.granted, error.missing = reason, required, granted, missing
    return error


@cache
def _kind(sdk: bool, fastmcp: bool) -> Any:
    """The class of refusals for the engines that are loaded; one that is not loaded runs nothing."""
    kinds: list[type] = []
    if sdk:
        from mcp.shared.exceptions import MCPError  # noqa: PLC0415  # only where it is loaded already

        kinds.append(MCPError)
    if fastmcp:
        from fastmcp.exceptions import AuthorizationError  # noqa: PLC0415  # only where it is loaded already

        kinds.append(AuthorizationError)

    def initialize(self: Any, message: str) -> None:
        # The three constructors take different arguments and each calls the next; what they set is set here.
        Exception.__init__(self, message)
        self.log_level = logging.DEBUG
        if sdk:
            from mcp_types import ErrorData  # noqa: PLC0415  # only where it is loaded already

            self.error = ErrorData(code=FORBIDDEN, message=message)

    return type("RefusedAtFunctionError", (*kinds, InsufficientScopeError), {"__init__": initialize})
