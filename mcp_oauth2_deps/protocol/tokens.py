"""What RFC 9068 and RFC 8725 ask of an access token's header and, once its signature holds, of its claims.

Keys and signatures do not belong here.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import AccessToken, ReadOnlyDict, TokenPolicy
from mcp_oauth2_deps.protocol.encoding import read_only
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.scopes import read_scopes

_AT_JWT = frozenset({"at+jwt", "application/at+jwt"})
_TYPES = _AT_JWT | {"jwt"}
# Claims by which issuers mark what is no access token: Keycloak, Cognito; RFC 8417 for logout and security events.
_OTHER_PAYLOAD_TYPES = frozenset({"id", "refresh", "offline", "logout"})
# The claims that the rules about the kind of a token look at; most access tokens have none of them.
_TELLING = frozenset({"at_hash", "c_hash", "events", "typ", "token_use", "nonce", "azp", "cnf"})
_REQUIRED_BY_RFC_9068 = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
# The end of the year 9999. A later date is a number in milliseconds, or no date at all.
_LAST_INSTANT = 253_402_300_799

_text = core_schema.str_schema(strict=True)
# Whole numbers too, but no booleans.
_numeric_date = core_schema.float_schema(strict=True, le=_LAST_INSTANT, allow_inf_nan=False)
_text_or_texts = core_schema.union_schema([_text, core_schema.tuple_variable_schema(_text, strict=True)])
_field = core_schema.typed_dict_field
# The registered claims by type (RFC 7519 section 4.1, RFC 9068 section 2.2). Half as dear as a model, which would be made
# for every token only to be read once.
_CLAIMS = SchemaValidator(
    core_schema.typed_dict_schema(
        {"iss": _field(_text), "aud": _field(_text_or_texts), "exp": _field(_numeric_date)}
        | {name: _field(_numeric_date, required=False) for name in ("nbf", "iat")}
        | {name: _field(_text, required=False) for name in ("sub", "jti", "client_id", "azp")}
    )
)


def verify_header(header: UnverifiedHeader, policy: TokenPolicy) -> None:
    """Guarantees an allowed algorithm and the type of an access token (RFC 8725 sections 3.1 and 3.11).

    Does not check: the key, the signature, any claim.

    Raises:
        InvalidTokenError: `algorithm` or `type`.
    """
    if header.alg not in policy.algorithms:
        raise InvalidTokenError("algorithm", claim="alg")
    if header.typ is None:
        typed = not policy.strict_at_jwt
    else:
        typed = header.typ.lower() in (_AT_JWT if policy.strict_at_jwt else _TYPES)
    if not typed:
        raise InvalidTokenError("type", claim="typ")


def verify_issuer(unverified_claims: Mapping[str, Any], policy: TokenPolicy) -> str:
    """Guarantees that `iss` is a trusted issuer, byte for byte, and returns it (RFC 9068 section 4).

    Does not check: the signature. Until that holds, the issuer only tells which keys to ask.

    Raises:
        InvalidTokenError: `claim` when it is missing or no string, `issuer` when it is another.
    """
    issuer = unverified_claims.get("iss")
    if not isinstance(issuer, str):
        raise InvalidTokenError("claim", claim="iss")
    if issuer not in policy.issuers:
        raise InvalidTokenError("issuer", claim="iss", found=issuer)
    return issuer


def verify_claims(claims: Mapping[str, Any], header: UnverifiedHeader, policy: TokenPolicy, *, now: float) -> AccessToken:
    """Guarantees that the claims make an access token for this resource, valid at `now` (RFC 9068 section 4).

    Does not check: the signature, which must have been verified before; whether the scopes suffice; whether the token was
    revoked or seen before; whether the subject still exists.

    Args:
        claims: the verified payload.
        header: the token's header.
        policy: what is accepted.
        now: epoch seconds.

    Raises:
        InvalidTokenError: the first rule that does not hold.
    """
    if not isinstance(claims, ReadOnlyDict):
        claims, _ = read_only(claims)
    try:
        _CLAIMS.validate_python(claims)
    except ValidationError as error:
        raise InvalidTokenError("claim", claim=str(error.errors(include_url=False)[0]["loc"][0])) from None
    issuer = verify_issuer(claims, policy)
    audience = claims["aud"]
    if isinstance(audience, str):
        audience = (audience,)
    _verify_audience(audience, policy)
    _verify_times(claims, policy, now)
    if policy.strict_at_jwt or not _TELLING.isdisjoint(claims):
        _verify_kind(claims, header, policy, audience)
        if "cnf" in claims:
            raise InvalidTokenError("binding", claim="cnf")
    return _access_token(claims, issuer, audience, read_scopes(claims, policy.scope_claims))


def _access_token(claims: ReadOnlyDict, issuer: str, audience: tuple[str, ...], scopes: frozenset[str]) -> AccessToken:
    get = claims.get
    return AccessToken(
        get("sub") or None,
        get("client_id") or get("azp") or None,
        issuer,
        audience,
        scopes,
        claims["exp"],
        get("iat"),
        get("jti") or None,
        claims,
    )


def _verify_audience(audience: tuple[str, ...], policy: TokenPolicy) -> None:
    if not accepted_exactly(policy.audiences).isdisjoint(audience):
        return
    if not policy_audiences(policy.audiences).isdisjoint(map(comparable_audience, audience)):
        return
    raise InvalidTokenError("audience", claim="aud", found=" ".join(audience))


accepted_exactly = lru_cache(maxsize=32)(frozenset[str])
"""The accepted audiences, verbatim."""


@lru_cache(maxsize=32)
def policy_audiences(audiences: tuple[str, ...]) -> frozenset[str]:
    """The accepted audiences in their comparable form."""
    return frozenset(map(comparable_audience, audiences))


@lru_cache(maxsize=256)
def comparable_audience(audience: str) -> str:
    """The audience with the two differences removed that are forgiven: one trailing slash, and the case of scheme and host.

    Not by a URL parser: those drop characters, and lower-casing beyond ASCII turns strangers into namesakes.
    """
    scheme, separator, rest = audience.partition("://")
    if not separator or not audience.isascii():
        return audience
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    userinfo, at, host = rest[:end].rpartition("@")
    path = rest[end:] if "?" in rest or "#" in rest else rest[end:].removesuffix("/")
    return f"{scheme.lower()}://{userinfo}{at}{host.lower()}{path}"


def _verify_times(claims: Mapping[str, Any], policy: TokenPolicy, now: float) -> None:
    """RFC 7519 sections 4.1.4 to 4.1.6; a token is expired *on* its `exp`."""
    if now - policy.leeway >= claims["exp"]:
        raise InvalidTokenError("expired", claim="exp")
    latest = now + policy.leeway
    if claims.get("nbf", 0) > latest:
        raise InvalidTokenError("not_yet_valid", claim="nbf")
    if claims.get("iat", 0) > latest:
        raise InvalidTokenError("issued_in_future", claim="iat")


def _verify_kind(claims: Mapping[str, Any], header: UnverifiedHeader, policy: TokenPolicy, audience: tuple[str, ...]) -> None:
    """An ID token, a logout token or a refresh token is not an access token (RFC 8725 section 3.12)."""
    if policy.strict_at_jwt:
        for name in _REQUIRED_BY_RFC_9068:
            if name not in claims or claims[name] == "":
                raise InvalidTokenError("claim", claim=name)
    for name in ("at_hash", "c_hash"):
        if name in claims:
            raise InvalidTokenError("id_token", claim=name)
    if "events" in claims:
        raise InvalidTokenError("type", claim="events")
    payload_type = claims.get("typ")
    if isinstance(payload_type, str) and payload_type.lower() in _OTHER_PAYLOAD_TYPES:
        raise InvalidTokenError("type", claim="typ")
    if claims.get("token_use", "access") != "access":
        raise InvalidTokenError("type", claim="token_use")
    for_client_only = "azp" in claims and set(audience) == {claims["azp"]}
    if ("nonce" in claims or for_client_only) and not _is_marked_as_access_token(claims, header, policy):
        raise InvalidTokenError("id_token", claim="nonce" if "nonce" in claims else "aud")


def _is_marked_as_access_token(claims: Mapping[str, Any], header: UnverifiedHeader, policy: TokenPolicy) -> bool:
    return (
        "client_id" in claims
        or any(name in claims for name in policy.scope_claims)
        or (header.typ or "").lower() in _AT_JWT
        or claims.get("typ") == "Bearer"
    )
