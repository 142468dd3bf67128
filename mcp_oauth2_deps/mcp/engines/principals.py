"""The caller as the engines know one: their sessions are bound to it, their own functions tell it to a tool."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import blake2b, sha256
from secrets import token_bytes
from typing import Any

from cachetools import LRUCache
from starlette.authentication import AuthCredentials, UnauthenticatedUser
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_oauth2_deps.mcp.caller import Caller, current_caller
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.encoding import read_only
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
_NAMELESS = "token:"
# In a worker of the engine there is no route whose clock could be asked.
_now = time.time
_FIELDS = tuple(field.name for field in fields(AccessToken))
_SCOPES = _FIELDS.index("scopes")
# As many as tokens are remembered by default. Of others it is made again.
_MOST_DIGESTS = 128


class Principals:
    """Callers as the engines know them.

    What a remembered token says is written down once, and found again by the token, which is the same object at each request.
    The objects that engines and tools get are new for each message, because tools could change them.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._digests: LRUCache[int, tuple[AccessToken, bytes]] = LRUCache(_MOST_DIGESTS)

    def user_of(self, caller: Caller, presented: Sequence[bytes]) -> dict[str, Any]:
        """The members of an ASGI scope by which the SDK and FastMCP know who is calling.

        Args:
            caller: who is calling.
            presented: the `Authorization` fields of the request; they stay here.
        """
        token = caller.token
        if token is None:
            # The engines bind a session of this caller to nobody, which no caller with a token is, and cache its answers apart
            # from those of all tokens. It is written down, because middleware in front may have put somebody there.
            return {"auth": AuthCredentials(), "user": UnauthenticatedUser()}
        scopes = sorted(with_implied(token.scopes, caller.hierarchy) if caller.hierarchy else token.scopes)
        if auth_context_var is None:
            return {"auth": AuthCredentials(scopes)}
        engine_token = EngineToken(
            token=self._stand_in(token, presented),
            client_id=token.client_id or ("" if token.subject else self._nameless(token)),
            scopes=scopes,
            expires_at=int(token.expires_at) or None,
            resource=token.audience[0] if token.audience else None,
            subject=token.subject,
            claims={**token.claims, "iss": token.issuer},
        )
        return {"auth": AuthCredentials(scopes), "user": AuthenticatedUser(engine_token)}

    def _stand_in(self, token: AccessToken, presented: Sequence[bytes]) -> str:
        """What engines get instead of the raw token: another one for each token, worth nothing elsewhere, never empty (rule F10).

        Engines and their middleware key caches and rate limits by it, and tools could forward it (MCP, "Token handling"). A token
        that was made by hand in a test was never presented, so what it says counts too.
        """
        # No field of a request has a line break in it.
        content = b"\n".join((self._digest_of(token), *presented))
        return _PREFIX + blake2b(content, key=_SECRET, digest_size=32).hexdigest()

    def _nameless(self, token: AccessToken) -> str:
        """A name for a token that names neither subject nor client: by it, each such token has sessions of its own."""
        return _NAMELESS + self._digest_of(token).hex()

    def _digest_of(self, token: AccessToken) -> bytes:
        """A digest of all that the token says."""
        known = self._digests.get(id(token))
        # The token is kept here too, so no other object can have its `id` in the meantime.
        if known is not None and known[0] is token:
            return known[1]
        digest = sha256(_text_of(token)).digest()
        self._digests[id(token)] = token, digest
        return digest


def _text_of(token: AccessToken) -> bytes:
    """All that the token says, in one order; sets have none of their own."""
    said = [getattr(token, name) for name in _FIELDS]
    said[_SCOPES] = sorted(token.scopes)
    return repr(said).encode("utf-8", "backslashreplace")


def restored_caller() -> Caller | None:
    """The caller for whom an engine runs a background task, as far as it knows one; none where it restored none.

    FastMCP's tasks run in a worker that has no request. It gives them back what `user_of` made, if the token has not expired
    since. Scopes that were implied are among those that were granted there. The settings of the route are not known there, so no
    leeway is added to the expiry.
    """
    user = auth_context_var.get() if auth_context_var is not None else None
    held = user.access_token if user is not None else None
    # A token of another make is none that this package verified.
    if held is None or not held.token.startswith(_PREFIX):
        return None
    claims = read_only(held.claims or {})
    issued_at, audience = claims.get("iat"), claims.get("aud")
    token = AccessToken(
        subject=held.subject,
        client_id=_given_client(held.client_id, claims),
        issuer=str(claims.get("iss", "")),
        audience=audience if isinstance(audience, tuple) else tuple(filter(None, [audience or held.resource])),
        scopes=frozenset(held.scopes),
        expires_at=_expiry(held.expires_at or 0, claims.get("exp")),
        issued_at=issued_at if isinstance(issued_at, int | float) else None,
        token_id=claims.get("jti"),
        claims=claims,
    )
    return Caller(token, {}, ended=_has_expired)


def _given_client(name: str, claims: Mapping[str, Any]) -> str | None:
    """The client, unless the token named none and `user_of` made up a name."""
    # Which claim names the client differs between issuers.
    made_up = name.startswith(_NAMELESS) and name not in claims.values()
    return None if made_up else name or None


def _expiry(whole: int, exact: object) -> float:
    """The expiry with the part of a second that engines leave out, where the claim agrees with what they keep."""
    return exact if isinstance(exact, int | float) and int(exact) == whole else whole


def _has_expired(token: AccessToken) -> bool:
    return bool(token.expires_at) and _now() >= token.expires_at


def called_by(caller: Caller, app: ASGIApp) -> ASGIApp:
    """The app, with the caller known to everything that runs for this message.

    Engines carry the context of a request to the task in which its message is handled.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        reset = current_caller.set(caller)
        # What the SDK's own middleware does.
        user = scope["user"] if caller.token is not None and auth_context_var is not None else None
        reset_engine = auth_context_var.set(user) if auth_context_var is not None else None
        try:
            await app(scope, receive, send)
        finally:
            current_caller.reset(reset)
            if reset_engine is not None:
                auth_context_var.reset(reset_engine)

    return serve
