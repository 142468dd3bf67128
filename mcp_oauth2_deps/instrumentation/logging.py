"""The log lines of events, for an operator: what happened, in printable ASCII, and what to do.

Never a byte of a token, and nothing that was not made printable.
"""

import logging
from collections.abc import Mapping

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, IssuerUnavailableError, OAuth2Error
from mcp_oauth2_deps.events import Events, KeysRefreshed, KeysUnavailable, Refused
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.encoding import printable

# Operators filter by these names, the first of which is documented, so they stay wherever the code goes.
_requests = logging.getLogger("mcp_oauth2_deps.security")
_keys = logging.getLogger("mcp_oauth2_deps.stores.jwks")

_MAX_KEY_IDS_SHOWN = 10


def logged(events: Events) -> Events:
    """The same, with a log line for each event that has one."""
    events.add(Refused, log_refusal)
    events.add(KeysRefreshed, log_refreshed_keys)
    events.add(KeysUnavailable, log_unavailable_keys)
    return events


def log_refusal(event: Refused) -> None:
    """One INFO line."""
    _requests.info("refused with %d: %s", event.status, refusal_facts(event.error, event.token))


def log_refreshed_keys(event: KeysRefreshed) -> None:
    """One INFO line."""
    _keys.info(
        "keys of issuer %s refreshed: %d usable (%s), %d skipped%s; the next refresh is due in %g s",
        event.issuer,
        event.usable,
        ", ".join(printable(kid, 80) for kid in sorted(event.key_ids)[:_MAX_KEY_IDS_SHOWN]) or "without kid",
        len(event.skipped),
        f" ({'; '.join(sorted(set(event.skipped)))})" if event.skipped else "",
        event.refresh_in,
    )


def log_unavailable_keys(event: KeysUnavailable) -> None:
    """One WARNING line."""
    _keys.warning(
        "keys of issuer %s could not be refreshed: %s. %s. Check that this host reaches the issuer and that the settings "
        "issuer and jwks_uri are right; the next attempt comes after %g s.",
        event.issuer,
        event.cause,
        "Its loaded keys stay in use until their hard age" if event.has_loaded_keys else "Requests with its tokens get 503",
        event.retry_in,
    )


def refusal_facts(error: OAuth2Error, token: AccessToken | None) -> str:
    """The facts of a refusal in printable ASCII; never a byte of the token."""
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
