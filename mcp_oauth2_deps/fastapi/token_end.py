"""The end of a token, for what lasts longer than a request: a WebSocket, a stream of events (rule F11).

When that end is, the authenticator knows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.models import AccessToken


class TokenOverError(Exception):
    """The block was ended because the token counts no more."""


@asynccontextmanager
async def until_over(authenticator: Authenticator, token: AccessToken) -> AsyncIterator[None]:
    """Runs the block until the token counts no more; then the block is cancelled, where it waits.

    Raises:
        TokenOverError: the token ended before the block did.
    """
    limit = asyncio.timeout(None)
    end = asyncio.create_task(authenticator.token_end(token))

    def cancel_block(waited: "asyncio.Task[None]") -> None:
        # The block may have ended in the same moment.
        with suppress(RuntimeError):
            if not waited.cancelled():
                limit.reschedule(0)

    try:
        async with limit:
            end.add_done_callback(cancel_block)
            yield
    except TimeoutError:
        if limit.expired():
            raise TokenOverError from None
        raise
    finally:
        end.cancel()
