"""What tells an access token from the other tokens that an issuer signs with the same keys (RFC 8725 section 3.12).

What an access token must say does not belong here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.policy import TokenPolicy

AT_JWT = frozenset({"at+jwt", "application/at+jwt"})
# Values of a claim `typ` with which Keycloak marks tokens that are no access tokens.
_OTHER_PAYLOAD_TYPES = frozenset({"id", "refresh", "offline", "logout"})


class Candidate(NamedTuple):
    """A signed token of which it is open whether it is an access token."""

    claims: Mapping[str, Any]
    header: UnverifiedHeader
    policy: TokenPolicy
    audience: tuple[str, ...]


def _never(_: Candidate) -> bool:
    return False


def is_typed_as_access_token(claims: Mapping[str, Any], header: UnverifiedHeader) -> bool:
    """Whether the token says in so many words that it is an access token: in its header, or in its payload, as Keycloak does."""
    return (header.typ or "").lower() in AT_JWT or claims.get("typ") == "Bearer"


def _is_marked_as_access_token(token: Candidate) -> bool:
    return (
        "client_id" in token.claims
        or any(name in token.claims for name in token.policy.scope_claims)
        or is_typed_as_access_token(token.claims, token.header)
        # All of them are there: that was verified before.
        or bool(token.policy.access_token_marks)
    )


def _is_no_other_type(token: Candidate) -> bool:
    payload_type = token.claims["typ"]
    return not isinstance(payload_type, str) or payload_type.lower() not in _OTHER_PAYLOAD_TYPES


def _is_for_access(token: Candidate) -> bool:
    return token.claims["token_use"] in ("access", "access_token")


def _is_for_more_than_its_client(token: Candidate) -> bool:
    return set(token.audience) != {token.claims["azp"]} or _is_marked_as_access_token(token)


class _KindRule(NamedTuple):
    """What the presence of a claim says about a token: the reason and the claim of a refusal, and when there is none."""

    reason: str
    claim: str
    allows: Callable[[Candidate], bool]


# An ID token, a logout token or a refresh token is not an access token (RFC 8725 section 3.12). A rule is asked when its claim
# is there, and only then; most access tokens have none of these claims and skip all rules. The order decides which reason is
# given when several rules refuse.
KIND_RULES: Mapping[str, _KindRule] = {
    # OpenID Connect Core sections 2 and 3.3.2.11: hashes of what was issued together with an ID token.
    "at_hash": _KindRule("id_token", "at_hash", _never),
    "c_hash": _KindRule("id_token", "c_hash", _never),
    # RFC 8417 section 2.2: a security event or a logout token.
    "events": _KindRule("type", "events", _never),
    # Keycloak writes the kind of a token into its payload.
    "typ": _KindRule("type", "typ", _is_no_other_type),
    # Cognito, and Ory Hydra in its answers.
    "token_use": _KindRule("type", "token_use", _is_for_access),
    # The client's own value, which only an ID token repeats (older Keycloak repeats it in access tokens too).
    "nonce": _KindRule("id_token", "nonce", _is_marked_as_access_token),
    # The client that was given the token; an ID token is meant for this client alone.
    "azp": _KindRule("id_token", "aud", _is_for_more_than_its_client),
}
KIND_CLAIMS = frozenset(KIND_RULES)


def verify_kind(token: Candidate) -> None:
    """Guarantees that nothing in the token says that it is of another kind than an access token.

    Does not check: anything else about it.

    Raises:
        InvalidTokenError: `id_token` or `type`.
    """
    for name, rule in KIND_RULES.items():
        if name in token.claims and not rule.allows(token):
            raise InvalidTokenError(rule.reason, claim=rule.claim)
