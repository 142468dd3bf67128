"""The one place where an error becomes a status, a `WWW-Authenticate` field and a sentence.

Nothing that a caller sent is ever written into them (RFC 6750 section 3, RFC 9728 section 5.1).
"""

from collections.abc import Collection, Iterable
from typing import assert_never

from mcp_oauth2_deps.errors import (
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
    IssuerUnavailableError,
    MissingCredentialsError,
    OAuth2Error,
    StoreUnavailableError,
)
from mcp_oauth2_deps.models import Challenge, SchemeChallenge
from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes
from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS

_MISSING = "An access token is required: send it as 'Authorization: Bearer <token>'."
_INVALID_REQUEST = "The request must hold exactly one Authorization field with exactly one well-formed Bearer token."
_INSUFFICIENT_SCOPE = "The access token does not hold the scopes that this operation needs."
_UNAVAILABLE = "The token cannot be checked at the moment because its issuer is not available; try again later."
_UNANSWERED = "The token cannot be checked at the moment; try again later."
_INVALID_TOKEN = "The access token is not valid for this resource."  # noqa: S105  # a sentence
_EXPIRED = "The access token has expired."
_AS_IN_TOKENS = AskedScopes()


def challenge_for(
    error: OAuth2Error,
    *,
    resource_metadata: str,
    scopes: Iterable[str] = (),
    known_scopes: Collection[str] = (),
    asked: AskedScopes = _AS_IN_TOKENS,
) -> Challenge:
    """The HTTP answer to a refused request.

    Args:
        error: what went wrong.
        resource_metadata: public URL of the RFC 9728 document.
        scopes: all scopes that the operation needs.
        known_scopes: the scopes this resource deals in. Those of them that the token holds are repeated in a 403, because
            some clients replace their scopes by the challenge's instead of adding to them.
        asked: how a client names scopes when it asks the issuer for them; by default as tokens do.
    """
    match error:
        case MissingCredentialsError():
            status, code, sentence = 401, None, _MISSING
        case InvalidRequestError():
            status, code, sentence = 400, "invalid_request", _INVALID_REQUEST
        case InvalidTokenError():
            status, code, sentence = 401, "invalid_token", _EXPIRED if error.reason == "expired" else _INVALID_TOKEN
        case InsufficientScopeError():
            status, code, sentence = 403, "insufficient_scope", _INSUFFICIENT_SCOPE
        case IssuerUnavailableError() | StoreUnavailableError():
            sentence = _UNAVAILABLE if isinstance(error, IssuerUnavailableError) else _UNANSWERED
            return Challenge(503, (), None, sentence, retry_after=error.retry_after)
        case _:
            assert_never(error)  # type: ignore[arg-type]  # the base class is never raised
    parameters = {
        "error": code,
        "error_description": sentence if code else None,
        "resource_metadata": resource_metadata,
        "scope": _scopes_to_ask_for(error, scopes, known_scopes, asked),
    }
    bearer = SchemeChallenge("Bearer", {name: text for name, text in parameters.items() if text})
    missing = error.missing if isinstance(error, InsufficientScopeError) else ()
    return Challenge(status, (bearer,), code, sentence, missing)


def _scopes_to_ask_for(error: OAuth2Error, scopes: Iterable[str], known_scopes: Collection[str], asked: AskedScopes) -> str:
    if isinstance(error, InsufficientScopeError):
        # Where nothing is missing no consent helps, so there is nothing to ask for.
        scopes = (*scopes, *error.required, *sorted(error.granted & set(known_scopes))) if error.missing else ()
    return " ".join(asked.names(scope for scope in dict.fromkeys(scopes) if scope != OFFLINE_ACCESS))


def header_fields(challenge: Challenge) -> dict[str, str]:
    """The answer's HTTP fields; several challenges are joined into one `WWW-Authenticate` (RFC 9110 section 11.6.1)."""
    fields: dict[str, str] = {}
    if challenge.challenges:
        fields["WWW-Authenticate"] = ", ".join(map(_written, challenge.challenges))
        # Without this a script in a browser cannot read the challenge of another origin.
        fields["Access-Control-Expose-Headers"] = "WWW-Authenticate"
    if challenge.retry_after is not None:
        fields["Retry-After"] = str(challenge.retry_after)
    return fields


def _written(challenge: SchemeChallenge) -> str:
    parameters = ", ".join(f"{name}={_quoted(text)}" for name, text in challenge.parameters.items())
    return f"{challenge.scheme} {parameters}"


def _quoted(text: str) -> str:
    """The text as a quoted-string (RFC 9110 section 5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
