"""Whether this process can judge tokens, for those who send requests to it.

Why it cannot does not belong in the answer; it stands in the log and in the status.
"""

from typing import Any

from fastapi import HTTPException
from pydantic import ValidationError

from mcp_oauth2_deps.fastapi.gate import Gate

# Seconds after which who asks for readiness may ask again.
_ASK_AGAIN_AFTER = 5


class Readiness:
    """A dependency, and a route by itself: 200 while tokens of one issuer at least can be judged, else 503.

    An issuer of which no keys are expected yet, as one of tenants, never makes a process unready.

    Example:
        `app.get("/ready")(auth.readiness)`
    """

    def __init__(self, gate: Gate) -> None:
        """Nothing is asked yet."""
        self._gate = gate

    async def __call__(self) -> dict[str, Any]:
        """Which issuers' tokens can be judged. Where keys are missing or old a fetch is started, not awaited.

        Raises:
            HTTPException: 503 when the tokens of no issuer can be judged.
        """
        try:
            authenticator = self._gate.authenticator
        except ValidationError:
            # Only an app without the router of the scheme comes so far: the router stops the start, and says what is wrong.
            raise HTTPException(503, {"status": "unavailable", "issuers": {}}) from None
        for keys in authenticator.status():
            # Without this nobody would fetch again: who is not ready gets no requests.
            if not keys.usable_keys:
                authenticator.jwks_store.start_refresh(keys.issuer)
            elif not keys.refresh_in:
                authenticator.jwks_store.current_and_refresh_ahead(keys.issuer)
        issuers = {keys.issuer: "ready" if keys.usable_keys else "unavailable" for keys in authenticator.status()}
        # Keys of tenants come with their first token, and an issuer that is asked about each token may have none.
        ready = "ready" in issuers.values() or len(issuers) < len(authenticator.policies)
        answer = {"status": "ready" if ready else "unavailable", "issuers": issuers}
        if not ready:
            raise HTTPException(503, answer, {"Retry-After": str(_ASK_AGAIN_AFTER)})
        return answer
