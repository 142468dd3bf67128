"""The caller as the engines know one: their sessions are bound to it, their own functions tell it to a tool."""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import blake2b, sha256
from secrets import token_bytes
from typing import Any

from starlette.authentication import AuthCredentials
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_oauth2_deps.mcp.caller import Caller, current_caller
from mcp_oauth2_deps.models import AccessToken, ReadOnlyDict
from mcp_oauth2_deps.protocol.scopes import with_implied

try:
    from mcp.server.auth.middleware.auth_context import auth_context_var
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken as EngineToken
except ImportError:  # an ASGI app of another make is served without the extra
    auth_context_var = None  # type: ignore[assignment]


# What is made with it tells nothing of a token and is worth nothing in another process.
_SECRET = token_bytes(32)
_PREFIX = "mcp-oauth2-deps:"
_FIELDS = tuple(field.name for field in fields(AccessToken))


def user_of(caller: Caller, presented: Sequence[bytes]) -> dict[str, Any]:
    """The members of an ASGI scope by which the SDK and FastMCP know who is calling.

    Args:
        caller: who is calling.
        presented: the `Authorization` fields of the request; they stay here.
    """
    granted = caller.token.scopes
    scopes = sorted(with_implied(granted, caller.hierarchy) if caller.hierarchy else granted)
    if auth_context_var is None:
        return {"auth": AuthCredentials(scopes)}
    token = caller.token
    engine_token = EngineToken(
        token=_stand_in(token, presented),
        client_id=token.client_id or ("" if token.subject else _nameless(token)),
        scopes=scopes,
        expires_at=int(token.expires_at) or None,
        resource=token.audience[0] if token.audience else None,
        subject=token.subject,
        claims={**token.claims, "iss": token.issuer},
    )
    return {"auth": AuthCredentials(scopes), "user": AuthenticatedUser(engine_token)}


def _stand_in(token: AccessToken, presented: Sequence[bytes]) -> str:
    """What engines get instead of the raw token: another one for each token, worth nothing elsewhere, never empty (rule F10).

    Engines and their middleware key caches and rate limits by it, and tools could forward it (MCP, "Token handling"). A token
    that was made by hand in a test was never presented, so what it says counts too.
    """
    content = repr((list(presented), _facts(token))).encode("utf-8", "backslashreplace")
    return _PREFIX + blake2b(content, key=_SECRET, digest_size=32).hexdigest()


def _nameless(token: AccessToken) -> str:
    """A name for a token that names neither subject nor client: by it, each such token has sessions of its own."""
    return "token:" + sha256(repr(_facts(token)).encode("utf-8", "backslashreplace")).hexdigest()


def _facts(token: AccessToken) -> list[object]:
    """All that the token says, in one order; sets have none of their own."""
    values = (getattr(token, name) for name in _FIELDS)
    return [sorted(value) if isinstance(value, frozenset) else value for value in values]


def restored_caller() -> Caller | None:
    """The caller for whom an engine runs a background task, as far as it knows one; none where it restored none.

    FastMCP's tasks run in a worker that has no request. It gives them back what `user_of` made, if the token has not expired
    since. Scopes that were implied are among those that were granted there.
    """
    user = auth_context_var.get() if auth_context_var is not None else None
    held = user.access_token if user is not None else None
    # A token of another make is none that this package verified.
    if held is None or not held.token.startswith(_PREFIX):
        return None
    claims = held.claims or {}
    token = AccessToken(
        subject=held.subject,
        client_id=held.client_id or None,
        issuer=str(claims.get("iss", "")),
        audience=(held.resource,) if held.resource else (),
        scopes=frozenset(held.scopes),
        expires_at=held.expires_at or 0,
        token_id=claims.get("jti"),
        claims=ReadOnlyDict(claims),
    )
    return Caller(token, {})


def called_by(caller: Caller, app: ASGIApp) -> ASGIApp:
    """The app, with the caller known to everything that runs for this message.

    Engines carry the context of a request to the task in which its message is handled.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        reset = current_caller.set(caller)
        # What the SDK's own middleware does.
        reset_engine = auth_context_var.set(scope["user"]) if auth_context_var is not None else None
        try:
            await app(scope, receive, send)
        finally:
            current_caller.reset(reset)
            if reset_engine is not None:
                auth_context_var.reset(reset_engine)

    return serve
