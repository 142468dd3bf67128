"""Reads the body of a request within a limit; what the body means does not belong here."""

from starlette.requests import ClientDisconnect, Request


class BodyError(Exception):
    """A body is larger than the limit, or was not sent to its end; the text says which, as the end of a sentence."""


async def read_at_most(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes; of a larger one no more than the limit and one chunk is held in memory.

    A body that a dependency of the app or of a router has read already is returned again: `request.stream()` replays it, where
    calling `receive()` would wait for ever.

    Raises:
        BodyError: it is larger, or the client went away before its end.
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise BodyError(f"is larger than {limit} bytes")
    except ClientDisconnect:
        raise BodyError("was not sent to its end") from None
    return bytes(body)
