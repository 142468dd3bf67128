"""How an answer is read from the network: in small steps with turns of the event loop between them, and with an end.

An HTTP parser works through all it is given at once. A few KiB of one-byte chunks, `100 Continue` responses, header fields or
trailers keep it busy for a tenth of a second, in which the event loop serves no request. What an answer means, and the HTTP
library, do not belong here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from mcp_oauth2_deps.errors import DocumentError

# So much of the worst input takes a parser 5 ms.
_STEP_BYTES = 1024
# Between two pieces of the body. Real answers have some thirty header fields.
_MAX_LINES = 256
# Each read and each piece of the body costs as much as some hundred bytes do, however small it is.
_LEAST_COST = 256
# For a body of 512 KiB in segments of the usual size it takes a third of this.
_MAX_COST = 2 * 1024 * 1024


_counting: ContextVar["Meter"] = ContextVar("mcp_oauth2_deps_meter")


class Meter:
    """Counts what reading one answer has cost so far, and ends it when it costs more than any sound answer does.

    Does not check: time, and the size of the body.
    """

    def __init__(self) -> None:
        self._cost = 0
        self._lines = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While the block lasts, all that this task reads from a metered stream counts here."""
        before = _counting.set(self)
        try:
            yield
        finally:
            _counting.reset(before)

    def count_piece(self) -> None:
        """Notes that a piece of the body arrived."""
        self._lines = 0
        self._cost += _LEAST_COST

    async def read(self, read: Callable[..., Awaitable[bytes]], max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # the stream's own signature
        """As `read` of the stream.

        Raises:
            DocumentError: what was read before is too much of nothing.
        """
        if self._lines > _MAX_LINES:
            raise DocumentError(f"its answer has more than {_MAX_LINES} lines of interim responses, header fields or trailers")
        if self._cost > _MAX_COST:
            raise DocumentError("its answer comes in too many small pieces")
        # Data that has arrived already, or a record of TLS, is returned without a turn of the event loop.
        await asyncio.sleep(0)
        data = await read(min(max_bytes, _STEP_BYTES), timeout=timeout)
        self._cost += max(len(data), _LEAST_COST)
        self._lines += data.count(b"\n")
        return data


async def trace(_: str, info: dict[str, Any]) -> None:
    """Takes the events of the HTTP library's `trace` extension: every network stream it opens is metered.

    A connection may be kept for further exchanges, each with a meter of its own, so the one that counts is looked up each time.
    """
    stream: Any = info.get("return_value")
    if hasattr(stream, "start_tls"):
        stream.read = partial(_metered, stream.read)


async def _metered(read: Callable[..., Awaitable[bytes]], max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # the stream's own signature
    return await _counting.get().read(read, max_bytes, timeout)
