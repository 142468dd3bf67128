"""What people granted: authorization codes that work once, and refresh tokens that are replaced at each use.

Everything is in memory, bounded, and forgotten after a time. Access tokens are not kept: they are valid until they expire.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe

from cachetools import TTLCache

from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError

_MAX_ENTRIES = 1000
_CODE_SECONDS = 60
_REMEMBERED_SECONDS = 24 * 3600
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass
class Grant:
    """What one person allowed one client at one resource; revoked as a whole."""

    user: str
    client_id: str
    resource: str
    scopes: frozenset[str]
    may_refresh: bool = False
    revoked: bool = False


@dataclass
class _Code:
    grant: Grant
    redirect_uri: str | None
    challenge: str
    expires_at: float
    used: bool = False


@dataclass
class _RefreshToken:
    grant: Grant
    used: bool = False


class GrantStore:
    """Codes and refresh tokens, kept by their digests; used ones are remembered so that a second use is seen."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._codes: TTLCache[bytes, _Code] = TTLCache(_MAX_ENTRIES, _REMEMBERED_SECONDS, clock)
        self._refresh_tokens: TTLCache[bytes, _RefreshToken] = TTLCache(_MAX_ENTRIES, _REMEMBERED_SECONDS, clock)
        self._allowed: TTLCache[tuple[str, str, str], frozenset[str]] = TTLCache(_MAX_ENTRIES, _REMEMBERED_SECONDS, clock)

    def allowed(self, user: str, client_id: str, resource: str) -> frozenset[str]:
        """The scopes that this person has granted this client at this resource so far."""
        return self._allowed.get((user, client_id, resource), frozenset())

    def remember(self, grant: Grant, asked: frozenset[str]) -> None:
        """Adds the granted scopes, and removes those that were asked for and left out."""
        key = grant.user, grant.client_id, grant.resource
        self._allowed[key] = (self._allowed.get(key, frozenset()) - asked) | grant.scopes

    def new_code(self, grant: Grant, *, redirect_uri: str | None, challenge: str) -> str:
        """A code for 60 seconds; `redirect_uri` is what the request named, if it did (RFC 6749 section 4.1.3)."""
        code = token_urlsafe(32)
        self._codes[_digest(code)] = _Code(grant, redirect_uri, challenge, self._clock() + _CODE_SECONDS)
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str | None, verifier: str) -> Grant:
        """The grant behind a code; the code is spent, even by a wrong verifier (RFC 6749 section 4.1.3, RFC 7636 section 4.6).

        Raises:
            RefusedError: the code does not work here and now. A second use revokes the grant (RFC 6749 section 4.1.2).
        """
        entry = self._codes.get(_digest(code))
        if entry is None or entry.grant.client_id != client_id:
            raise RefusedError("invalid_grant", "the code is unknown to this issuer or not this client's")
        if entry.used:
            entry.grant.revoked = True
            raise RefusedError("invalid_grant", "the code was used before; the grant is revoked")
        entry.used = True
        if entry.expires_at <= self._clock():
            raise RefusedError("invalid_grant", "the code has expired")
        if entry.redirect_uri != redirect_uri:
            raise RefusedError("invalid_grant", "the redirect_uri is not that of the authorization request")
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge, entry.challenge.encode()):
            raise RefusedError("invalid_grant", "the code_verifier does not fit the code_challenge")
        return entry.grant

    def new_refresh_token(self, grant: Grant) -> str:
        """A refresh token; of one grant only the newest is valid, see `renew`."""
        token = token_urlsafe(32)
        self._refresh_tokens[_digest(token)] = _RefreshToken(grant)
        return token

    def find(self, refresh_token: str, *, client_id: str) -> Grant:
        """The grant behind a refresh token; the token stays valid until `renew` replaces it.

        Raises:
            RefusedError: it does not work. A second use revokes the grant (OAuth 2.1 section 4.3.1).
        """
        entry = self._refresh_tokens.get(_digest(refresh_token))
        if entry is None or entry.grant.client_id != client_id:
            raise RefusedError("invalid_grant", "the refresh token is unknown to this issuer or not this client's")
        if entry.used:
            entry.grant.revoked = True
        if entry.grant.revoked:
            raise RefusedError("invalid_grant", "the refresh token was replaced before, or its grant is revoked")
        return entry.grant

    def renew(self, refresh_token: str) -> str:
        """Replaces a refresh token that `find` has found; the old one is not valid any more."""
        entry = self._refresh_tokens[_digest(refresh_token)]
        entry.used = True
        return self.new_refresh_token(entry.grant)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
