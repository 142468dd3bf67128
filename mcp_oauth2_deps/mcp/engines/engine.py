"""What the routes ask of an engine, whichever it is, and what an engine asks them.

Scopes do not belong here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from starlette.types import ASGIApp

from mcp_oauth2_deps.mcp.uris import Uri


@dataclass(frozen=True, slots=True)
class Transport:
    """What an engine has to know of the address at which it is served.

    Attributes:
        hosts: `Host` values to answer to.
        origins: browser origins to answer to.
        max_body_size: bytes.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_size: int


class Place(NamedTuple):
    """Where something is executed: the server object, `tools`, `prompts` or `resources`, and its name there."""

    server: Any
    kind: str
    name: str


# A tuple, because one is made for each message, and a frozen dataclass takes three times as long to make.
class Component(NamedTuple):
    """Something that an engine has: a tool, a prompt, a resource or a template for resources.

    Attributes:
        name: its name, its URI, or the text of the template.
        functions: all that run for it; of a mounted server, or of the tool it was made from, those too.
        places: where mounted servers have what runs for it; a template by its text there.
        serves: of a template, whether it may serve a URI; linear in the length of the URI.
        steps: of a template, how many steps the engine may take to find out whether it serves a URI; none where that is linear.
    """

    name: str
    functions: tuple[object, ...]
    places: tuple[Place, ...] = ()
    serves: Callable[[Uri], bool] | None = None
    steps: Callable[[str], int] | None = None


class Admission(Protocol):
    """Who decides what may be executed. An engine asks at each execution, by whatever way it comes about."""

    @property
    def shortens_lists(self) -> bool:
        """Whether lists show a caller only what it may use."""

    async def admit(self, place: Place) -> None:
        """Lets pass what the caller may execute.

        Raises:
            InsufficientScopeError: it may not, or nobody knows who is calling.
        """

    async def admit_message(self, method: str, params: Mapping[str, Any] | None) -> None:
        """The same for a message as it reaches its handler.

        Raises:
            InsufficientScopeError: it may not, or nobody knows who is calling.
        """

    async def shown(self, server: Any, kind: str, names: Sequence[str]) -> set[str]:
        """Which of these the caller may use. Only names are given: what a list is made of may come from a cache."""


class Engine(Protocol):
    """Something that executes MCP messages, as an ASGI app."""

    @property
    def server(self) -> Any:
        """What the user built."""

    @property
    def middleware(self) -> list[Any] | None:
        """The message chain of the SDK's low-level server beneath, if there is one."""

    @property
    def path(self) -> str | None:
        """The only path it knows, if it minds the path at all."""

    def run(self, transport: Transport, admission: Admission) -> AbstractAsyncContextManager[ASGIApp]:
        """Runs it while the block lasts."""

    async def held(self, kind: str) -> Sequence[Component] | None:
        """Everything of a kind, of resources the templates too; none where the engine cannot be asked."""

    async def named(self, kind: str, name: str) -> Sequence[Component]:
        """The tool or prompt that would run under this name, also where it is in no list."""

    def functions(self, kind: str) -> Iterable[object]:
        """The functions that were registered for a kind, without asking those who make things on demand."""

    def registered(self) -> Sequence[object]:
        """What was registered, of all kinds, in one order: the same objects as long as nothing is added or taken away."""

    async def outer(self, server: Any, kind: str, names: Sequence[str], *, listed: bool) -> Mapping[str, Sequence[Sequence[str]]]:
        """What things of a mounted server are called at the outermost one; those that it does not show are left out.

        For each name, one group for each thing that may run for it, with all names of that thing.

        Args:
            server: the mounted server.
            kind: of the things.
            names: what they are called there.
            listed: whether these are names as that server lists them, rather than as somebody asks for them.
        """

    def executes(self, server: Any) -> bool:
        """Whether this engine asks before things of this server are executed."""
