"""What FastMCP refuses for its `Host` or `Origin` leaves a line in the log: FastMCP itself writes none."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.instrumentation.logging import facts_line

logger = logging.getLogger(__name__)

# The field that FastMCP compares, and the setting that lets another value of it pass, by status of the refusal.
_COMPARED = {421: ("host", "allowed_hosts"), 403: ("origin", "cors_origins")}


def telling_of_foreign_hosts(app: ASGIApp) -> ASGIApp:
    """The app, with a line for each refusal of a `Host` or an `Origin`, which says what to set where it should have passed."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            compared = _COMPARED.get(message["status"]) if message["type"] == "http.response.start" else None
            if compared is not None:
                name, setting = compared
                found = next((value.decode("latin-1") for field, value in scope["headers"] if field == name.encode()), None)
                logger.warning(
                    "refused with %d by FastMCP: %s; if it should pass, name it in %s",
                    message["status"],
                    facts_line({"reason": name, "found": found}),
                    setting,
                )
            await send(message)

        await app(scope, receive, watched)

    return serve
