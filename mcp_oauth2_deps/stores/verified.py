"""The verified-token cache: what a token said the last time it was verified in full.

Deciding whether a token is good does not belong here.
"""

from cachetools import LRUCache

from mcp_oauth2_deps.models import Verified


class VerifiedTokens:
    """Verified tokens by the digest of what was presented; bounded, the longest unused goes first.

    Only tokens verified in full may be remembered, so that bad ones cannot push good ones out.
    """

    def __init__(self, size: int) -> None:
        """Nothing is remembered yet.

        Args:
            size: how many tokens at most.
        """
        self._entries: LRUCache[bytes, Verified] = LRUCache(size)

    def find(self, digest: bytes, now: float, leeway: float) -> Verified | None:
        """The token of this digest, if it is remembered and as good as when it was verified.

        A removed key and a passed expiry are honoured at once.

        Does not check: that the caller holds what the token is bound to. That is asked for every request.

        Args:
            digest: of the token as presented.
            now: epoch seconds.
            leeway: seconds of clock difference forgiven.
        """
        try:
            verified = self._entries[digest]
        except KeyError:
            return None
        return verified if verified.still_holds(now, leeway) else None

    def remember(self, digest: bytes, verified: Verified) -> None:
        """Keeps a token that was just verified in full."""
        self._entries[digest] = verified

    def forget(self, digest: bytes) -> None:
        """Drops a token that was found to be good no more."""
        self._entries.pop(digest, None)
