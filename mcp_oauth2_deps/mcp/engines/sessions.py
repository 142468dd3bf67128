"""Session ids that a caller sends: an engine hears of one only where it compares the session with its owner.

The SDK's manager does so for sessions of the wire that begins with `initialize`. On the wire of 2026-07-28, and where the server
keeps no sessions (`stateless_http=True`), it reads no session id, but FastMCP still does: the state of `ctx.get_state` is filed
under it, so that a caller who names another's session would read that session's state.
"""

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Receive, Scope, Send

_SESSION_ID, _VERSION = b"mcp-session-id", b"mcp-protocol-version"
# As the SDK's manager decides: without the field it is the wire of sessions.
_WITH_SESSIONS = frozenset(version.encode() for version in HANDSHAKE_PROTOCOL_VERSIONS)


def owned_sessions_only(app: ASGIApp, *, stateless: bool) -> ASGIApp:
    """The app, which gets no `Mcp-Session-Id` that nobody compares with the owner of the session (rule F6).

    Args:
        app: the engine's app.
        stateless: whether it keeps no sessions at all.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = scope["headers"]
            version = next((value for name, value in headers if name == _VERSION), None)
            if stateless or (version is not None and version not in _WITH_SESSIONS):
                scope = {**scope, "headers": [header for header in headers if header[0] != _SESSION_ID]}
        await app(scope, receive, send)

    return serve
