"""The verified-token cache: what a token said the last time it was verified in full.

Deciding whether a token is good does not belong here.
"""

from dataclasses import dataclass
from hashlib import sha256

from cachetools import LRUCache

from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES
from mcp_oauth2_deps.protocol.keys import KeySet


@dataclass(frozen=True, slots=True)
class _Entry:
    token: AccessToken
    key_set: KeySet


class VerifiedTokens:
    """Access tokens by the digest of what was presented; bounded, the longest unused goes first.

    Only tokens verified in full may be remembered, so that bad ones cannot push good ones out.
    """

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[bytes, _Entry] | None = LRUCache(size) if size else None

    def find(self, raw: str) -> tuple[AccessToken, KeySet] | None:
        """What this very token said, with the key set that it was verified with.

        Does not check: that the key set is still the current one and that the token has not expired since.
        """
        # What cannot have been remembered is not worth a digest, whatever its length.
        if self._entries is None or len(raw) > MAX_TOKEN_BYTES or not raw.isascii():
            return None
        entry = self._entries.get(sha256(raw.encode("ascii")).digest())
        return None if entry is None else (entry.token, entry.key_set)

    def remember(self, raw: str, token: AccessToken, key_set: KeySet) -> None:
        """Keeps a token that was just verified in full against this key set."""
        if self._entries is not None:
            self._entries[sha256(raw.encode("ascii")).digest()] = _Entry(token, key_set)
