"""The one log line of a refusal.

Answers to the caller do not belong here.
"""

import re
from collections.abc import Mapping

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, IssuerUnavailableError, OAuth2Error
from mcp_oauth2_deps.models import AccessToken

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST_FACT = 160


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
    return " ".join(f"{name}={_UNPRINTABLE.sub('?', text[:_LONGEST_FACT])}" for name, text in facts.items() if text)
