"""The seam for verifiers, and what is asked of one that somebody else wrote.

The rules about a JWT do not belong here, nor the memory of verified tokens.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from mcp_oauth2_deps.errors import InvalidTokenError, OAuth2Error, StoreUnavailableError
from mcp_oauth2_deps.models import AccessToken, Presented, Verified
from mcp_oauth2_deps.protocol.token_forms import nobody_can_judge

logger = logging.getLogger(__name__)

_RETRY_AFTER = 5


class Verifier(Protocol):
    """Turns one kind of token into a verified one.

    Verifiers are asked in their order, and the first that knows the token decides. The JWT verifier is the first: whatever has
    the form of a JWT is its own, so no other verifier can accept what it refuses.

    Example:
        ```python
        class Keys:
            async def verify(self, presented: Presented) -> Verified | None:
                owner = await owner_of_key(presented.digest)
                return None if owner is None else Verified(AccessToken(subject=owner, issuer="keys", scopes={"files:read"}))
        ```
    """

    async def verify(self, presented: Presented) -> Verified | None:
        """The verified token; none when it is a token of another kind, which the next verifier may know.

        Raises:
            InvalidTokenError: it is of this kind, and not good: 401.
            StoreUnavailableError: nobody can say at the moment: 503.
        """


class ForeignVerifier:
    """A verifier of the user's own. Whatever goes wrong in it, nobody is let in, and no request ends with a 500."""

    def __init__(self, verifier: Verifier, now: Callable[[], float], leeway: float) -> None:
        """Nothing is asked yet.

        Args:
            verifier: the user's.
            now: epoch seconds, for the expiry of what it returns.
            leeway: seconds of clock difference forgiven.
        """
        self._verifier = verifier
        self._now = now
        self._leeway = leeway

    async def verify(self, presented: Presented) -> Verified | None:
        """What it says, if that is an answer and the token has not expired.

        Does not check: anything else about the token.

        Raises:
            OAuth2Error: it says that the token is not good, or nobody can say.
        """
        try:
            verified = await self._verifier.verify(presented)
        except OAuth2Error:
            raise
        # Anybody's code, which may fail in any way.
        except Exception as error:
            raise self._failed(type(error).__name__ + _place_of(error)) from None
        if verified is None:
            return None
        if not isinstance(verified, Verified) or not isinstance(verified.token, AccessToken):
            raise self._failed(f"it returned {type(verified).__name__}, and must return Verified(AccessToken(...)) or None")
        expires_at = verified.token.expires_at
        # Written so that no number at all (NaN) counts as expired.
        if expires_at and not self._now() < expires_at + self._leeway:
            raise InvalidTokenError("expired", claim="exp")
        return verified

    def _failed(self, cause: str) -> StoreUnavailableError:
        # The text of a foreign exception, and so its traceback, may hold the token.
        name = type(self._verifier).__name__
        logger.error("the verifier %s failed: %s. It must raise InvalidTokenError for a token that is not good", name, cause)
        return StoreUnavailableError(f"the verifier {name} failed", retry_after=_RETRY_AFTER)


async def first_verified(presented: Presented, verifiers: Sequence[Verifier]) -> Verified:
    """What the first verifier says that knows the token.

    Raises:
        OAuth2Error: it is not good, or none knows it.
    """
    for verifier in verifiers:
        verified = await verifier.verify(presented)
        if verified is not None:
            return verified
    raise nobody_can_judge(presented.token)


def _place_of(error: Exception) -> str:
    """Where it was raised, as file and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
