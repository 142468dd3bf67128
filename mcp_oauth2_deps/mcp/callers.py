"""Who is calling, where a tool, prompt or resource runs; and what it means when nobody is in sight.

HTTP does not belong here, nor what a caller may do.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcp_oauth2_deps.mcp.caller import Caller, current_caller
from mcp_oauth2_deps.mcp.engines.principals import restored_caller
from mcp_oauth2_deps.models import AccessToken

_deliberately_nobody: ContextVar[bool] = ContextVar("mcp_oauth2_deps_nobody", default=False)


def caller_in_sight() -> Caller | None:
    """The caller of the message that this code serves, also in a background task that the engine runs for a caller."""
    return current_caller.get() or restored_caller()


def current_token() -> AccessToken:
    """The token of the message that this code serves.

    Raises:
        LookupError: no caller is in sight: outside of a guarded MCP route, or in a thread that was started without its context.
            Or the caller sent no token, where the table says `PUBLIC`.
    """
    caller = caller_in_sight()
    if caller is not None and caller.token is None:
        raise LookupError(
            "the caller sent no token, and this is public; where both come, with a token and without, ask current_token_or_none()"
        )
    token = None if caller is None else caller.token
    if token is None:
        raise LookupError(
            "no caller is in sight: this code runs outside of a guarded MCP route, or in a thread or task that was started "
            "without the context of the call; where that is expected, ask current_token_or_none()"
        )
    return token


def current_token_or_none() -> AccessToken | None:
    """The token of the message that this code serves; none where `current_token` raises.

    None means that nobody was verified: there is no caller, or one without a token where the table says `PUBLIC`. It is no proof
    that the code runs on its own behalf.
    """
    caller = caller_in_sight()
    return caller.token if caller is not None else None


class _Guards:
    """Counts the MCP routes that serve callers in this process."""

    def __init__(self) -> None:
        self.running = 0
        # Apps may run in several threads, each with a loop of its own.
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """While the block lasts, one more is running."""
        with self._lock:
            self.running += 1
        try:
            yield
        finally:
            with self._lock:
                self.running -= 1


guards = _Guards()


@contextmanager
def without_caller() -> Iterator[None]:
    """Lets the code of the block call functions guarded by `@scopes` although nobody is calling: a job, start-up work, a test.

    While an MCP route of this process serves callers, a guarded function that sees no caller refuses: the call may come from a
    thread or task that lost its caller on the way. This says that there is none. It takes nothing from a caller who is in sight:
    inside of a tool that serves somebody, that caller's scopes count as before.

    Example:
        ```python
        async def nightly() -> None:
            with without_caller():
                await rebuild_index()
        ```
    """
    reset = _deliberately_nobody.set(True)
    try:
        yield
    finally:
        _deliberately_nobody.reset(reset)


def caller_is_missing() -> bool:
    """Whether a caller should be in sight here and is not: routes serve callers, and nobody said that this has none."""
    return guards.running > 0 and caller_in_sight() is None and not _deliberately_nobody.get()
