"""Streams that last as long as the client likes: they end with the token that opened them (rule F11).

When that end is does not belong here.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.fastapi.token_end import TokenOverError
from mcp_oauth2_deps.instrumentation.logging import facts_line
from mcp_oauth2_deps.models import AccessToken

logger = logging.getLogger(__name__)

# Seconds that an app has to clean up, after the client was sent the end of its answer.
_STOPS_WITHIN = 1.0
# Tasks of apps that did not stop; the event loop alone does not keep a task alive.
_unstopped: set["asyncio.Future[None]"] = set()


def ending_with(token: AccessToken, authenticator: Authenticator, app: ASGIApp, refuse: Callable[[], NoReturn]) -> ASGIApp:
    """The app, whose answer ends when the token counts no more. The client opens another one, with a token of then.

    Args:
        token: what opened the stream.
        authenticator: knows when the token counts no more.
        app: answers with a stream.
        refuse: answers instead, where the app has not begun by then.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        begun = ended = over = False

        async def watched(message: Message) -> None:
            nonlocal begun, ended
            if over:
                raise TokenOverError
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        # A task of its own: an app that does not stop when it is cancelled must not hold the end of the stream up.
        answer, end = asyncio.ensure_future(app(scope, receive, watched)), asyncio.ensure_future(authenticator.token_end(token))
        try:
            await asyncio.wait((answer, end), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
                return
            over = True
            logger.info("a stream ended with its token: %s", facts_line({"client": token.client_id, "subject": token.subject}))
            answer.cancel()
            if not begun:
                refuse()
            if not ended:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            over = True
            end.cancel()
            await _stopped(answer)

    return serve


async def _stopped(answer: "asyncio.Future[None]") -> None:
    """Cancels what answers, and waits until it has stopped; for what does not stop, not longer than a second."""
    answer.cancel()
    await asyncio.wait((answer,), timeout=_STOPS_WITHIN)
    if not answer.done():
        _unstopped.add(answer)
        logger.warning("an app goes on although its answer is over; it must not catch asyncio.CancelledError and stay")
    answer.add_done_callback(_forget)


def _forget(answer: "asyncio.Future[None]") -> None:
    _unstopped.discard(answer)
    # Asked for, so that asyncio does not log it: nobody waits for this answer any more.
    if not answer.cancelled():
        answer.exception()
