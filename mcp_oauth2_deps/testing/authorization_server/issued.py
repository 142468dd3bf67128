"""What the issuer knows of the access tokens that it has given out, for those who may ask (RFC 7662).

Asking, and who may, do not belong here.
"""

import time
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import Any

_MAX_TOKENS = 10_000
_INACTIVE: Mapping[str, Any] = {"active": False}


class IssuedTokens:
    """The claims of each access token, kept by its digest; of many tokens only the newest are known."""

    def __init__(self) -> None:
        self._claims: dict[bytes, Mapping[str, Any]] = {}
        # Tests make tokens in one thread while the issuer answers in another.
        self._lock = Lock()

    def remember(self, token: str, claims: Mapping[str, Any]) -> None:
        """Keeps what the token stands for."""
        with self._lock:
            self._claims[_digest(token)] = claims
            if len(self._claims) > _MAX_TOKENS:
                del self._claims[next(iter(self._claims))]

    def revoke(self, token: str) -> None:
        """From now on the token is not active."""
        with self._lock:
            self._claims.pop(_digest(token), None)

    def answer(self, token: str) -> Mapping[str, Any]:
        """The members of an answer to an introspection (RFC 7662 section 2.2).

        A token that was not given out, has expired or was revoked is not active, and nothing else is said of it.
        """
        with self._lock:
            claims = self._claims.get(_digest(token))
        expires_at = None if claims is None else claims.get("exp")
        if claims is None or (isinstance(expires_at, int | float) and expires_at <= time.time()):
            return _INACTIVE
        confirmation = claims.get("cnf")
        bound = isinstance(confirmation, Mapping) and "jkt" in confirmation
        return {"active": True, "token_type": "DPoP" if bound else "Bearer", **claims}


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
