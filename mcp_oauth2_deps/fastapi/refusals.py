"""What is told of a refusal: the body to the caller, the one line to the log.

Status and headers do not belong here.
"""

from collections.abc import Mapping
from typing import Any

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, IssuerUnavailableError, OAuth2Error
from mcp_oauth2_deps.models import AccessToken, Challenge
from mcp_oauth2_deps.protocol.encoding import printable


def refusal_detail(challenge: Challenge) -> dict[str, Any]:
    """The body of a refusal, in the shape of FastAPI's own."""
    detail: dict[str, Any] = {"error": challenge.error, "error_description": challenge.description}
    if challenge.missing_scopes:
        detail["missing_scopes"] = list(challenge.missing_scopes)
    return detail


def refusal_facts(error: OAuth2Error, token: AccessToken | None) -> str:
    """The facts of a refusal for the log, in printable ASCII; never a byte of the token."""
    facts: dict[str, str | None] = {"reason": error.reason}
    match error:
        case InvalidTokenError():
            facts |= {"claim": error.claim, "found": error.found, "issuer": error.issuer, "key_id": error.key_id}
            facts |= {"client": error.client_id, "subject": error.subject}
        case InsufficientScopeError():
            facts |= {"missing": ",".join(error.missing)}
        case IssuerUnavailableError():
            facts |= {"issuer": error.issuer}
    if token is not None:
        facts |= {"issuer": token.issuer, "client": token.client_id, "subject": token.subject}
    return facts_line(facts)


def facts_line(facts: Mapping[str, str | None]) -> str:
    """The facts in printable ASCII, on one line; those that are not known are left out."""
    return " ".join(f"{name}={printable(text)}" for name, text in facts.items() if text)
