"""The seam for verifiers, and what is asked of one that somebody else wrote.

The rules about a JWT do not belong here, nor the memory of verified tokens.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from mcp_oauth2_deps.errors import InvalidTokenError, OAuth2Error, StoreUnavailableError
from mcp_oauth2_deps.models import AccessToken, Confirmation, Presented, ReadOnlyDict, Verified
from mcp_oauth2_deps.protocol.encoding import read_only
from mcp_oauth2_deps.protocol.token_forms import nobody_can_judge

logger = logging.getLogger(__name__)

_RETRY_AFTER = 5
_SECONDS_TO_ANSWER = 5.0


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
            async with asyncio.timeout(_SECONDS_TO_ANSWER):
                verified = await self._verifier.verify(presented)
        except OAuth2Error:
            raise
        # Of something that it waited for; not of this request.
        except (asyncio.CancelledError, GeneratorExit) as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._failed(type(error).__name__) from None
        # Anybody's code, which may fail in any way.
        except Exception as error:
            raise self._failed(type(error).__name__ + _place_of(error)) from None
        if verified is None:
            return None
        if not isinstance(verified, Verified) or not isinstance(verified.token, AccessToken):
            raise self._failed(f"it returned {type(verified).__name__}, and must return Verified(AccessToken(...)) or None")
        wrong = _wrong_in(verified)
        if wrong:
            raise self._failed(f"it returned a token with an odd {wrong}")
        expires_at = verified.token.expires_at
        # Written so that no number at all (NaN) counts as expired.
        if expires_at and not self._now() < expires_at + self._leeway:
            raise InvalidTokenError("expired", claim="exp")
        token, evidence = verified.token, verified.evidence
        if not isinstance(token.claims, ReadOnlyDict):
            # A remembered token is the same for each request; none may alter what it says to the next.
            token = replace(token, claims=read_only(dict(token.claims)))
        return verified._replace(token=token, evidence=lambda: self._holds(evidence))

    def _holds(self, evidence: Callable[[], object]) -> bool:
        """Whether the evidence is True, and nothing else: a coroutine, which nobody awaits, would hold for ever."""
        try:
            return evidence() is True
        except Exception as error:
            self._failed(f"its evidence: {type(error).__name__}{_place_of(error)}")
            return False

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


def _wrong_in(verified: Verified) -> str | None:
    """Which member is of another type than it is declared, if one is."""
    token, bound, end = verified.token, verified.confirmation, verified.token.expires_at
    texts = (token.subject, token.client_id, token.token_id, verified.key_id)
    sound = {
        "expires_at": isinstance(end, int | float) and not isinstance(end, bool),
        "confirmation": bound is None or (isinstance(bound, Confirmation) and isinstance(bound.members, Mapping)),
        "evidence": callable(verified.evidence),
        "issuer": isinstance(token.issuer, str),
        "subject, client_id, token_id or key_id": all(text is None or isinstance(text, str) for text in texts),
        "audience": isinstance(token.audience, tuple) and all(isinstance(text, str) for text in token.audience),
        "scopes": all(isinstance(scope, str) for scope in token.scopes),
        "claims": isinstance(token.claims, Mapping),
    }
    return next((name for name, fits in sound.items() if not fits), None)


def _place_of(error: Exception) -> str:
    """Where it was raised, as file and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
