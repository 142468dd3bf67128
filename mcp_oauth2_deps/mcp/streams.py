"""Streams that last as long as the client likes: they end with the token that opened them (rule F11).

When that end is does not belong here.
"""

import logging
from collections.abc import Callable
from typing import NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.fastapi.token_end import TokenOverError, until_over
from mcp_oauth2_deps.instrumentation.logging import facts_line
from mcp_oauth2_deps.models import AccessToken

logger = logging.getLogger(__name__)

LASTING_METHODS = frozenset({"subscriptions/listen"})
"""Methods whose answer is a stream without an end of its own. The answer to any other may finish after the token ended."""


def ending_with(token: AccessToken, authenticator: Authenticator, app: ASGIApp, refuse: Callable[[], NoReturn]) -> ASGIApp:
    """The app, whose answer ends when the token counts no more. The client opens another one, with a token of then.

    Args:
        token: what opened the stream.
        authenticator: knows when the token counts no more.
        app: answers with a stream.
        refuse: answers instead, where the app has not begun by then.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        begun = ended = False

        async def watched(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            async with until_over(authenticator, token):
                await app(scope, receive, watched)
        except TokenOverError:
            logger.info("a stream ended with its token: %s", facts_line({"client": token.client_id, "subject": token.subject}))
            if not begun:
                refuse()
            if not ended:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    return serve
