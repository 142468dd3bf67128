"""The verified-token cache: what a token said the last time it was verified in full.

Deciding whether a token is good does not belong here.
"""

from hashlib import sha256

from cachetools import LRUCache

from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES
from mcp_oauth2_deps.protocol.keys import KeySet


class VerifiedTokens:
    """Access tokens by the digest of what was presented; bounded, the longest unused goes first.

    Only tokens verified in full may be remembered, so that bad ones cannot push good ones out.
    """

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[bytes, tuple[AccessToken, KeySet]] | None = LRUCache(size) if size else None

    def digest(self, raw: str) -> bytes | None:
        """What a token is remembered by; none when it cannot be remembered, which its length may not make expensive."""
        if self._entries is None or len(raw) > MAX_TOKEN_BYTES or not raw.isascii():
            return None
        return sha256(raw.encode("ascii")).digest()

    def find(self, digest: bytes) -> tuple[AccessToken, KeySet] | None:
        """What the token of this digest said, with the key set that it was verified with.

        Does not check: that the key set is still the current one and that the token has not expired since.
        """
        try:
            return self._entries[digest]  # type: ignore[index]  # there is no digest without entries
        except KeyError:
            return None

    def remember(self, digest: bytes, token: AccessToken, key_set: KeySet) -> None:
        """Keeps a token that was just verified in full against this key set."""
        self._entries[digest] = token, key_set  # type: ignore[index]  # there is no digest without entries
