"""What can go wrong, as facts: one class per HTTP answer, one `reason` per cause.

HTTP does not belong here: `protocol.challenges` turns a fact into a status and its headers, once.

Reasons of `InvalidTokenError`: `malformed`, `algorithm`, `critical_header`, `type`, `id_token`, `issuer`, `unknown_key`,
`ambiguous_key`, `signature`, `claim`, `audience`, `audience_missing`, `expired`, `not_yet_valid`, `issued_in_future`, `binding`,
`opaque`, `encrypted`, `inactive`, `contradiction`, `not_asked`.
Reasons of `InvalidRequestError`: `multiple_credentials`, `malformed_credentials`, `oversized_credentials`.
"""


class OAuth2Error(Exception):
    """A request that is not let through; the base of all errors a caller or an issuer can cause.

    Attributes:
        reason: the documented code of the cause, for logs and hooks; never shown to the caller.
    """

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason


class MissingCredentialsError(OAuth2Error):
    """Nothing was sent that could be a token: 401 without an error code (RFC 6750 section 3.1)."""

    def __init__(self) -> None:
        super().__init__("missing_credentials")


class InvalidRequestError(OAuth2Error):
    """The `Authorization` field is not one well-formed Bearer token: 400 `invalid_request` (RFC 6750 section 3.1)."""


class InvalidTokenError(OAuth2Error):
    """The token is not for us, or not any more: 401 `invalid_token` (RFC 6750 section 3.1).

    Attributes:
        claim: the claim or header parameter that is at fault, if one is.
        found: what it holds, for the log only; unverified where the signature was not yet checked.
        issuer: the trusted issuer whose keys were asked, if it came so far.
        key_id: the `kid` of the header, unverified.
        subject: `sub`, set only after the signature held.
        client_id: the client, set only after the signature held.
    """

    def __init__(self, reason: str, *, claim: str | None = None, found: str | None = None) -> None:
        super().__init__(reason, f"{reason} ({claim})" if claim else None)
        self.claim = claim
        self.found = found
        self.issuer: str | None = None
        self.key_id: str | None = None
        self.subject: str | None = None
        self.client_id: str | None = None


class InsufficientScopeError(OAuth2Error):
    """A good token that does not hold what the operation needs: 403 `insufficient_scope` (RFC 6750 section 3.1).

    Attributes:
        required: all scopes that the operation names, in the order of their declaration.
        granted: the scopes the token holds, implied ones not counted.
        missing: the required scopes that are not held; of alternatives all that would do.
    """

    def __init__(self, *, required: tuple[str, ...], granted: frozenset[str], missing: tuple[str, ...]) -> None:
        super().__init__("insufficient_scope")
        self.required = required
        self.granted = granted
        self.missing = missing


class IssuerUnavailableError(OAuth2Error):
    """The issuer's metadata or keys cannot be had, or it cannot be asked, so no token can be judged: 503 with `Retry-After`.

    Attributes:
        issuer: the configured issuer.
        cause: what happened, in one line, without anything the issuer sent.
        retry_after: seconds until the next attempt may be made, at least 1.
    """

    def __init__(self, issuer: str, cause: str, *, retry_after: int) -> None:
        super().__init__("issuer_unavailable", f"Issuer {issuer} is not available: {cause}")
        self.issuer = issuer
        self.cause = cause
        self.retry_after = retry_after


class StoreUnavailableError(OAuth2Error):
    """What must be asked to judge a token does not answer: 503 with `Retry-After`. The token may be good.

    Attributes:
        retry_after: seconds until it may be tried again, at least 1.
    """

    def __init__(self, cause: str, *, retry_after: int = 5) -> None:
        """The cause is for the log: in one line, and nothing of the token."""
        super().__init__("store_unavailable", cause)
        self.retry_after = retry_after


class DocumentError(Exception):
    """A document of the issuer could not be had or used.

    Attributes:
        unreachable: true when no answer came at all, so that asking the same host again at once is pointless.
    """

    def __init__(self, cause: str, *, unreachable: bool = False) -> None:
        super().__init__(cause)
        self.unreachable = unreachable
