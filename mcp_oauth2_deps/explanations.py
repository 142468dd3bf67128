"""A refusal in words for an operator: what would have passed, what came instead, and what to do.

Pure. Nothing of it is ever shown to a caller, and no value of a token but the claim at fault is in it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, OAuth2Error
from mcp_oauth2_deps.events import Explanation
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.policy import TokenPolicy

# Of long lists so many are shown.
_MOST_SHOWN = 5
# Claims that every token has say nothing about where its scopes are.
_USUAL_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "azp", "typ", "sid", "cnf"})


class Trusted(NamedTuple):
    """What a refusal is explained by.

    Attributes:
        issuers: the names of the trusted issuers.
        policy: what is accepted of the issuer at fault; that of the header where no issuer is known.
        hints: what the issuer's preset adds to a cure, by reason.
    """

    issuers: Sequence[str]
    policy: TokenPolicy
    hints: Mapping[str, str] = {}


# What to do, by reason. "the setting x" is spelled as the reader wrote it: as an argument or as a variable.
_CURES: Mapping[str, str] = {
    "malformed": "It is no JWT that can be read: compare what the client sends with what the issuer gave it",
    "opaque": (
        "The issuer gave an opaque token, or ignored the parameter resource; let it give JWTs for this resource, or"
        " have its tokens introspected: the setting introspection"
    ),
    "encrypted": (
        "The issuer encrypted the token, as Auth0 does where no API was asked for; ask for an access token for this"
        " resource, signed only"
    ),
    "algorithm": "If the issuer is right, add the algorithm to the setting algorithms; none and HS* are never possible",
    "critical_header": "The issuer marks an extension as critical that nobody here understands; switch it off there",
    "type": "The client sent another of its tokens (an ID, refresh or logout token); the access token is wanted",
    "id_token": "The client sent its ID token; the access token is wanted",
    "unknown_key": (
        "The issuer, asked just now, has no such key: the token is from another issuer or environment, or the "
        "setting jwks_uri points elsewhere"
    ),
    "ambiguous_key": "The token names no key and several would fit; let the issuer write kid",
    "signature": (
        "The token was altered on its way, or signed by a key that was replaced under the same kid; then it heals "
        "within the setting jwks_refresh_cooldown"
    ),
    "audience_missing": (
        "The issuer writes no aud; let it name this resource there (the parameter resource, or an audience mapper),"
        " or name the client ids that are let in without one in the setting clients"
    ),
    "audience": (
        "Let the issuer put the resource into aud (Keycloak: an audience mapper; Auth0: the API identifier), or "
        "name what it writes there in the setting audience"
    ),
    "claim": "A claim that every access token needs is missing there or has a wrong type; the issuer decides this",
    "expired": "The client must refresh its token. If it is fresh: a clock is wrong (timedatectl), or the setting leeway small",
    "not_yet_valid": "A clock is wrong, here or at the issuer (timedatectl), or the setting leeway is too small",
    "issued_in_future": "A clock is wrong, here or at the issuer (timedatectl), or the setting leeway is too small",
    "binding": (
        "The token is bound to a key (DPoP or a certificate), and was sent without a proof that can be checked "
        "here; ask the issuer for a Bearer token"
    ),
    "inactive": "The issuer says that the token counts no more: it expired, was revoked, or is none of its access tokens",
    "contradiction": "The issuer answered about another token than the one it was asked about, or a proxy mixes up its answers",
    "not_asked": "The operation demands live=True, and this issuer is not asked about tokens: the setting introspection",
    "multiple_credentials": "The client, or a proxy in front, sends the Authorization field twice; one must go",
    "malformed_credentials": (
        "The client sends Bearer with nothing or with characters that no token has: often quotation marks, or a "
        "line break from a file"
    ),
    "oversized_credentials": "Tokens above 16 KiB are not read; let the issuer put fewer groups or roles into the token",
    "store_unavailable": "The line before, or its cause, says what does not answer",
    "issuer_unavailable": "The line about the keys of the issuer says what failed",
}
_AT_ISSUER = (
    "Both must agree to the byte, a slash at the end included; correct the setting issuer, or the address at which clients log in"
)
_NO_RULE = (
    "There is no rule that lets anybody use it, so no scope helps: give it one in ToolScopes, or set default='method' there"
)
_CONSENT = "The person must consent to it, or the issuer allow it to this client"
_NO_SCOPE_CLAIM = "The issuer writes scopes under another name, or none: the setting scope_claims"


def explain(error: OAuth2Error, token: AccessToken | None, trusted: Trusted, spell: Callable[[str], str]) -> Explanation:
    """The refusal in words.

    Args:
        error: why it was refused.
        token: the caller's, where it was verified before something else was missing.
        trusted: what was expected.
        spell: writes "the setting x" in a text as the operator wrote that setting.
    """
    match error:
        case InsufficientScopeError():
            explanation = _of_scopes(error, token, trusted.policy)
        case InvalidTokenError():
            explanation = _of_token(error, trusted)
        case _:
            explanation = Explanation(cure=_CURES.get(error.reason))
    cure = trusted.hints.get(error.reason) or explanation.cure
    return explanation._replace(cure=None if cure is None else spell(cure))


def _of_token(error: InvalidTokenError, trusted: Trusted) -> Explanation:
    policy, cure = trusted.policy, _CURES.get(error.reason)
    match error.reason:
        case "issuer":
            return _of_issuer(error.found or "", trusted.issuers)
        case "audience":
            return Explanation(_some(policy.audiences), error.found, cure)
        case "audience_missing":
            clients = f", or none and one of the clients {_some(sorted(policy.clients))}" if policy.clients else ""
            client = f" for the client {error.found}" if error.found else ""
            return Explanation(_some(policy.audiences) + clients, f"no aud{client}", cure)
        case "algorithm":
            return Explanation(_some(sorted(policy.algorithms)), error.found, cure)
        case "type":
            return Explanation("at+jwt" if policy.typ_required else "JWT or at+jwt", error.found, cure)
        case "expired" | "not_yet_valid" | "issued_in_future":
            return Explanation(f"a clock difference of at most {policy.leeway:g} s", error.found, cure)
    return Explanation(found=error.found, cure=cure)


def _of_issuer(found: str, issuers: Sequence[str]) -> Explanation:
    for issuer in issuers:
        if found.rstrip("/") == issuer.rstrip("/"):
            return Explanation(issuer, found, f"They differ in the slash at the end only. {_AT_ISSUER}")
        if found.lower() == issuer.lower():
            return Explanation(issuer, found, f"They differ in upper and lower case only. {_AT_ISSUER}")
        if found.partition("://")[2] == issuer.partition("://")[2] != "":
            return Explanation(issuer, found, f"They differ in http and https only. {_AT_ISSUER}")
    return Explanation(_some(issuers), found, _AT_ISSUER)


def _of_scopes(error: InsufficientScopeError, token: AccessToken | None, policy: TokenPolicy) -> Explanation:
    held = " ".join(sorted(error.granted)) or "no scope"
    if not error.missing:
        return Explanation("a rule", held, _NO_RULE)
    expected = " ".join(error.required)
    if token is None or error.granted:
        return Explanation(expected, held, _CONSENT)
    if any(name in token.claims for name in policy.scope_claims):
        return Explanation(expected, held, f"The scope claim of the token is empty. {_CONSENT}")
    others = _some(sorted(name for name in token.claims if name not in _USUAL_CLAIMS)) or "no other claims"
    return Explanation(expected, f"no claim {' or '.join(policy.scope_claims)} in the token, which has {others}", _NO_SCOPE_CLAIM)


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_SHOWN
    return " ".join(texts[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
