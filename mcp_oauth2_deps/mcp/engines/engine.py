"""What the routes ask of an engine, whichever it is.

Scopes do not belong here.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Transport:
    """What an engine is told of the world it is served to.

    Attributes:
        hosts: `Host` values to answer to.
        origins: browser origins to answer to.
        max_body_size: bytes.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_size: int


class Engine(Protocol):
    """Something that executes MCP messages, as an ASGI app."""

    @property
    def middleware(self) -> list[Any] | None:
        """The message chain of the SDK's low-level server beneath, if there is one."""

    @property
    def path(self) -> str | None:
        """The only path it knows, if it minds the path at all."""

    def run(self, transport: Transport) -> AbstractAsyncContextManager[ASGIApp]:
        """Runs it while the block lasts."""

    async def listed_name(self, kind: str, name: str) -> str:
        """The name by which rules know what would be served under this one."""

    async def functions(self, kind: str, name: str) -> Sequence[object]:
        """The functions that would serve this tool, prompt or resource."""

    async def names(self, kind: str) -> Mapping[str, Sequence[object]] | None:
        """Everything of a kind, with its functions; none where the engine cannot be asked."""
