"""Asking before each execution: an engine asks wherever it runs something, not only where a message arrives (rule F8).

A tool may call others, a transform may give resources the shape of tools, a step of the chain may write another name into a
message. All of these come to the server's own methods, which ask first while the engine runs.
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from mcp_oauth2_deps.mcp.engines.engine import Admission, Place

# Methods of a server that tell what is there: what they list, and the attribute by which each thing is asked for.
_LISTS = {
    "list_tools": ("tools", "name"),
    "list_prompts": ("prompts", "name"),
    "list_resources": ("resources", "uri"),
    "list_resource_templates": ("resources", "uri_template"),
}


# Which list is being made that will be shortened: the same of mounted servers, which go into it, need not be.
_shortened: ContextVar[str] = ContextVar("mcp_oauth2_deps_shortened", default="")


class Asking:
    """Puts the question before methods of servers, until it is asked to stop.

    Attributes:
        admission: who is asked.
    """

    def __init__(self, admission: Admission, executions: Mapping[str, tuple[str, str]]) -> None:
        """Nothing is put anywhere yet.

        Args:
            admission: who is asked.
            executions: methods that execute something: its kind, and the parameter that names it.
        """
        self.admission = admission
        self._executions = executions
        self._active = True
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._servers: list[Any] = []

    def covers(self, server: Any) -> bool:
        """Whether this server asks."""
        return any(server is one for one in self._servers)

    def start(self, server: Any) -> None:
        """Lets this server ask from now on."""
        if self.covers(server):
            return
        self._servers.append(server)
        for name, (kind, parameter) in self._executions.items():
            self._replace(server, name, self._asked(server, name, kind, parameter))
        if self.admission.shortens_lists:
            for name, (kind, attribute) in _LISTS.items():
                self._replace(server, name, self._shortened(server, name, kind, attribute))

    def stop(self) -> None:
        """Lets all servers be as they were. Where somebody else has replaced a method since, ours asks no more."""
        self._active = False
        for server, name, ours, before in reversed(self._replaced):
            if vars(server).get(name) is ours:
                delattr(server, name)
                vars(server).update({} if before is None else {name: before})

    def _replace(self, server: Any, name: str, ours: Callable[..., Awaitable[Any]]) -> None:
        self._replaced.append((server, name, ours, vars(server).get(name)))
        setattr(server, name, ours)

    def _asked(self, server: Any, name: str, kind: str, parameter: str) -> Callable[..., Awaitable[Any]]:
        original = getattr(server, name)

        @functools.wraps(original)
        async def asked(*args: Any, **kwargs: Any) -> Any:
            if self._active and (args or parameter in kwargs):
                wanted = kwargs[parameter] if parameter in kwargs else args[0]
                await self.admission.admit(Place(server, kind, str(wanted)))
            return await original(*args, **kwargs)

        return asked

    def _shortened(self, server: Any, name: str, kind: str, attribute: str) -> Callable[..., Awaitable[Any]]:
        original = getattr(server, name)

        @functools.wraps(original)
        async def shortened(*args: Any, **kwargs: Any) -> Any:
            if not self._active or _shortened.get() == name:
                return await original(*args, **kwargs)
            reset = _shortened.set(name)
            try:
                found: Iterable[Any] = await original(*args, **kwargs)
            finally:
                _shortened.reset(reset)
            called = [(str(getattr(one, attribute)), one) for one in found]
            shown = await self.admission.shown(server, kind, [known for known, _ in called])
            return [one for known, one in called if known in shown]

        return shortened


class MessageStep:
    """The innermost step of a message chain: what other steps made of a message is what it asks about."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """The answer, if the message may have one."""
        await self._admission.admit_message(context.method, context.params)
        return await call_next(context)
