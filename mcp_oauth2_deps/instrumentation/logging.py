"""The log lines of events, for an operator: what happened, in printable ASCII, and what to do.

Never a byte of a token, and nothing that was not made printable.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, IssuerUnavailableError, StoreUnavailableError
from mcp_oauth2_deps.events import Events, IntrospectionFailed, KeysRefreshed, KeysUnavailable, Refused
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.encoding import printable, quoted

# Operators filter by these names, the first of which is documented, so they stay wherever the code goes.
_requests = logging.getLogger("mcp_oauth2_deps.security")
_introspection = logging.getLogger("mcp_oauth2_deps.stores.introspection")
_keys = logging.getLogger("mcp_oauth2_deps.stores.jwks")

_MAX_KEY_IDS_SHOWN = 10
# Seconds for which refusals with the same reason and issuer are counted after a warning, before there is another.
_WARN_AGAIN_AFTER = 60
# Reasons are few, but tenants are issuers too; of the oldest beyond this bound the count is forgotten.
_MOST_COUNTED = 1024


def logged(events: Events, clock: Callable[[], float] = time.monotonic) -> Events:
    """The same, with a log line for each event that has one.

    Args:
        events: what happens.
        clock: seconds, never going back, by which warnings are spaced.
    """
    events.add(Refused, RefusalLog(clock))
    events.add(KeysRefreshed, log_refreshed_keys)
    events.add(KeysUnavailable, log_unavailable_keys)
    events.add(IntrospectionFailed, log_failed_introspection)
    return events


class RefusalLog:
    """A line for each refusal: WARNING for the first of a reason and issuer, and then at most once a minute; INFO for the others.

    By default Python shows warnings, so an operator who configured nothing sees why a client is refused, and a flood of bad
    tokens cannot fill a disk. Requests without a token are INFO: with one of them every login begins.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing was refused yet."""
        self._clock = clock
        # When it was last warned of, and how many came since.
        self._counts: dict[tuple[str, str | None], tuple[float, int]] = {}

    def __call__(self, event: Refused) -> None:
        """Writes the line."""
        facts = refusal_facts(event)
        level, since = self._level(facts)
        if not _requests.isEnabledFor(level):
            return
        cure = f". {event.explanation.cure}" if event.explanation.cure else ""
        again = f" ({since} more like this one since the last warning)" if since else ""
        known = {name: value for name, value in facts.items() if value}
        extra = {"status": event.status, **known, "cure": event.explanation.cure}
        _requests.log(level, "refused with %d: %s%s%s", event.status, facts_line(facts), cure, again, extra=extra)

    def _level(self, facts: Mapping[str, str | None]) -> tuple[int, int]:
        """The level of this line, and how many have come at INFO since the last warning."""
        if facts["reason"] == "missing_credentials":
            return logging.INFO, 0
        kind, now = (facts["reason"] or "", facts.get("issuer")), self._clock()
        warned_at, count = self._counts.pop(kind, (None, 0))
        if warned_at is not None and now < warned_at + _WARN_AGAIN_AFTER:
            self._counts[kind] = warned_at, count + 1
            return logging.INFO, 0
        if len(self._counts) >= _MOST_COUNTED:
            del self._counts[next(iter(self._counts))]
        self._counts[kind] = now, 0
        return logging.WARNING, count


def log_trust_warnings(issuer: str, warnings: Iterable[str]) -> None:
    """A WARNING for each thing that an operator should know of the trust in an issuer, whose name is from the settings."""
    for warning in warnings:
        _requests.warning("issuer %s: %s", printable(issuer), warning, extra={"issuer": issuer})


def log_refreshed_keys(event: KeysRefreshed) -> None:
    """One line: INFO, or WARNING where fetches failed before, so that the warning of the failure is not the last one seen."""
    _keys.log(
        logging.WARNING if event.outage else logging.INFO,
        "keys of issuer %s refreshed%s: %d usable (%s), %d skipped%s; the next refresh is due in %g s",
        event.issuer,
        f" after fetches had failed for {event.outage:.0f} s" if event.outage else "",
        event.usable,
        ", ".join(printable(kid, 80) for kid in sorted(event.key_ids)[:_MAX_KEY_IDS_SHOWN]) or "without kid",
        len(event.skipped),
        f" ({'; '.join(sorted(set(event.skipped)))})" if event.skipped else "",
        event.refresh_in,
        extra={"issuer": event.issuer, "outage": event.outage},
    )


def log_unavailable_keys(event: KeysUnavailable) -> None:
    """One WARNING line."""
    _keys.warning(
        "keys of issuer %s could not be refreshed: %s. %s. Check that this host reaches the issuer and that the settings "
        "issuer and jwks_uri are right; the next attempt comes after %g s.",
        event.issuer,
        event.cause,
        f"Its loaded keys stay in use for {event.usable_for:.0f} s; then requests with its tokens get 503"
        if event.usable_for
        else "Requests with its tokens get 503",
        event.retry_in,
        extra={"issuer": event.issuer, "usable_for": event.usable_for},
    )


def log_failed_introspection(event: IntrospectionFailed) -> None:
    """One line: ERROR where the issuer refuses us, which does not end by itself, else WARNING."""
    if event.by_credentials:
        cure = "Correct the settings client_id and client_secret or client_key_file, and let this client introspect tokens there"
    else:
        cure = "Check that this host reaches the issuer and that the setting introspection_url is right"
    _introspection.log(
        logging.ERROR if event.by_credentials else logging.WARNING,
        "issuer %s could not be asked about a token: %s. Such requests get 503. %s; it may be asked again after %g s.",
        event.issuer,
        event.cause,
        cure,
        event.retry_in,
    )


def refusal_facts(event: Refused) -> dict[str, str | None]:
    """The facts of a refusal by their names in the log; never a byte of the token."""
    error, token, explanation = event.error, event.token, event.explanation
    facts: dict[str, str | None] = {"reason": error.reason}
    match error:
        case InvalidTokenError():
            facts |= {"claim": error.claim, "found": explanation.found or error.found, "expected": explanation.expected}
            facts |= {"issuer": error.issuer, "key_id": error.key_id, "client": error.client_id, "subject": error.subject}
        case InsufficientScopeError():
            facts |= {"missing": ",".join(error.missing), "expected": explanation.expected, "held": explanation.found}
        case IssuerUnavailableError():
            facts |= {"issuer": error.issuer}
        case StoreUnavailableError():
            facts |= {"cause": str(error)}
    if token is not None:
        facts |= caller_facts(token)
    return facts | {"request": event.request}


def caller_facts(token: AccessToken) -> dict[str, str | None]:
    """Who is calling, by the names in the log."""
    return {"issuer": token.issuer, "client": token.client_id, "subject": token.subject}


def facts_line(facts: Mapping[str, str | None]) -> str:
    """The facts in printable ASCII, on one line; those that are not known are left out, those with spaces are quoted."""
    return " ".join(f"{name}={quoted(text)}" for name, text in facts.items() if text)
