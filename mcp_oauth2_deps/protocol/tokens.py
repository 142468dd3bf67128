"""What RFC 9068 and RFC 8725 ask of an access token's header and, once its signature holds, of its claims.

Keys and signatures do not belong here.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.models import AccessToken, Confirmation
from mcp_oauth2_deps.protocol.confirmations import read_confirmation
from mcp_oauth2_deps.protocol.encoding import read_only, text_or_none
from mcp_oauth2_deps.protocol.issuer_templates import IssuerTemplate
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.policy import TokenPolicy, comparable_audience
from mcp_oauth2_deps.protocol.scopes import read_scopes
from mcp_oauth2_deps.protocol.token_kinds import AT_JWT, KIND_CLAIMS, Candidate, is_typed_as_access_token, verify_kind

_Issuer = TypeVar("_Issuer")

_TYPES = AT_JWT | {"jwt"}
_REQUIRED_BY_RFC_9068 = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
# The end of the year 9999. A later date is a number in milliseconds, or no date at all.
_LAST_INSTANT = 253_402_300_799

# A claim that holds this says as little as one that is not there.
_NOTHING: tuple[object, ...] = (None, "", [], {})

_text = core_schema.str_schema(strict=True)
# Whole numbers too, but no booleans.
_numeric_date = core_schema.float_schema(strict=True, le=_LAST_INSTANT, allow_inf_nan=False)
# It stops at the first member that is no string: an error for each of a thousand would take a millisecond.
_text_or_texts = core_schema.union_schema([_text, core_schema.list_schema(_text, strict=True, fail_fast=True)])
_field = core_schema.typed_dict_field


def _claims_schema(*, audience_required: bool) -> SchemaValidator:
    return SchemaValidator(
        core_schema.typed_dict_schema(
            {"iss": _field(_text), "aud": _field(_text_or_texts, required=audience_required), "exp": _field(_numeric_date)}
            | {name: _field(_numeric_date, required=False) for name in ("nbf", "iat")}
            | {name: _field(_text, required=False) for name in ("sub", "jti", "client_id", "azp")}
        )
    )


# The registered claims by type (RFC 7519 section 4.1, RFC 9068 section 2.2). pydantic-core instead of a `BaseModel`:
# building a model for each token costs twice as much, and it would be thrown away.
_CLAIMS = _claims_schema(audience_required=True)
_CLAIMS_OF_CLIENTS = _claims_schema(audience_required=False)


def verify_header(header: UnverifiedHeader, policy: TokenPolicy) -> None:
    """Guarantees an allowed algorithm and the type of an access token (RFC 8725 sections 3.1 and 3.11).

    Does not check: the key, the signature, any claim.

    Raises:
        InvalidTokenError: `algorithm` or `type`.
    """
    if header.alg not in policy.algorithms:
        raise InvalidTokenError("algorithm", claim="alg", found=header.alg)
    types = AT_JWT if policy.typ_required else _TYPES
    typed = not policy.typ_required if header.typ is None else header.typ.lower() in types
    if not typed:
        raise InvalidTokenError("type", claim="typ", found=header.typ)


def unverified_issuer(unverified_claims: Mapping[str, Any]) -> str:
    """The issuer that a payload names (RFC 7519 section 4.1.1).

    Does not check: that it is trusted, and the signature. Until that holds, the issuer only tells which keys to ask.

    Raises:
        InvalidTokenError: `claim` when `iss` is missing or no string.
    """
    name = unverified_claims.get("iss")
    if not isinstance(name, str):
        raise InvalidTokenError("claim", claim="iss")
    return name


def verify_issuer(name: str, issuer: _Issuer | None) -> _Issuer:
    """Guarantees that of exactly this name a trusted issuer was found, and returns it (RFC 9068 section 4).

    Does not check: the signature.

    Raises:
        InvalidTokenError: `issuer` when it is not trusted.
    """
    if issuer is None:
        raise InvalidTokenError("issuer", claim="iss", found=name)
    return issuer


def verify_claims(
    claims: Mapping[str, Any], header: UnverifiedHeader, policy: TokenPolicy, *, now: float
) -> tuple[AccessToken, Confirmation | None]:
    """Guarantees that the claims make an access token for this resource, valid at `now` (RFC 9068 section 4).

    Does not check: the signature and `iss`, which must have been verified before; that the caller holds what the token is bound
    to, which is returned so that it is asked for; whether the scopes suffice; whether the token was revoked or seen before;
    whether the subject still exists.

    Args:
        claims: the verified payload, as it was parsed.
        header: the token's header.
        policy: what is accepted of the issuer that `verify_issuer` found.
        now: epoch seconds.

    Raises:
        InvalidTokenError: the first rule that does not hold.
    """
    try:
        (_CLAIMS_OF_CLIENTS if policy.clients else _CLAIMS).validate_python(claims)
    except ValidationError as error:
        claim = str(error.errors(include_url=False)[0]["loc"][0])
        missing = claim == "aud" and "aud" not in claims
        raise InvalidTokenError("audience_missing" if missing else "claim", claim=claim) from None
    client = client_of(claims, policy)
    named = claims.get("aud", ())
    audience = (named,) if isinstance(named, str) else tuple(named)
    if "aud" in claims:
        _verify_audience(audience, policy)
    else:
        _verify_client(client, claims, header, policy)
    _verify_times(claims, policy, now)
    if policy.strict_at_jwt:
        _verify_claims_of_rfc_9068(claims)
    if policy.demands_more:
        _verify_own_rules(claims, policy)
    if not KIND_CLAIMS.isdisjoint(claims):
        verify_kind(Candidate(claims, header, policy, audience))
    token = _access_token(claims, client, audience, read_scopes(claims, policy.scope_claims, policy.scope_sources))
    return token, read_confirmation(token.claims)


def client_of(claims: Mapping[str, Any], policy: TokenPolicy) -> str | None:
    """The client that the token was given to: the first of the policy's client claims that is not empty.

    Raises:
        InvalidTokenError: `claim`, when one of these claims is no string, also one that would not have counted.
    """
    client = ""
    for name in policy.client_claims:
        value = claims.get(name, "")
        if not isinstance(value, str):
            raise InvalidTokenError("claim", claim=name)
        client = client or value
    return client or None


def _access_token(
    claims: Mapping[str, Any], client: str | None, audience: tuple[str, ...], scopes: frozenset[str]
) -> AccessToken:
    get = claims.get
    return AccessToken(
        get("sub") or None,
        client,
        claims["iss"],
        audience,
        scopes,
        claims["exp"],
        get("iat"),
        get("jti") or None,
        read_only(claims),
    )


def _verify_audience(audience: tuple[str, ...], policy: TokenPolicy) -> None:
    if not policy.exact_audiences.isdisjoint(audience):
        return
    if not policy.comparable_audiences.isdisjoint(map(comparable_audience, audience)):
        return
    raise InvalidTokenError("audience", claim="aud", found=" ".join(audience))


def _verify_client(client: str | None, claims: Mapping[str, Any], header: UnverifiedHeader, policy: TokenPolicy) -> None:
    """Rule B6: without `aud` a token passes as one of a named client, and only with a mark that no ID token bears."""
    if client not in policy.clients:
        raise InvalidTokenError("audience_missing", claim="aud", found=client)
    marked = is_typed_as_access_token(claims, header) or claims.get("token_use") == "access"
    if not marked:
        raise InvalidTokenError("type", claim="typ", found=header.typ)


def _verify_times(claims: Mapping[str, Any], policy: TokenPolicy, now: float) -> None:
    """RFC 7519 sections 4.1.4 to 4.1.6; a token is expired *on* its `exp`."""
    if now - policy.leeway >= claims["exp"]:
        raise InvalidTokenError("expired", claim="exp", found=f"{now - claims['exp']:.0f} s ago")
    latest = now + policy.leeway
    if claims.get("nbf", 0) > latest:
        raise InvalidTokenError("not_yet_valid", claim="nbf", found=f"in {claims['nbf'] - now:.0f} s")
    if claims.get("iat", 0) > latest:
        raise InvalidTokenError("issued_in_future", claim="iat", found=f"in {claims['iat'] - now:.0f} s")


def _verify_claims_of_rfc_9068(claims: Mapping[str, Any]) -> None:
    for name in _REQUIRED_BY_RFC_9068:
        if name not in claims or claims[name] == "":
            raise InvalidTokenError("claim", claim=name)


def _verify_own_rules(claims: Mapping[str, Any], policy: TokenPolicy) -> None:
    """What is demanded of the tokens of some issuers only."""
    for name in policy.access_token_marks:
        if claims.get(name) in _NOTHING:
            raise InvalidTokenError("id_token", claim=name)
    for name, values in policy.required_claims.items():
        value = claims.get(name)
        if value in _NOTHING or not (values is None or (isinstance(value, str) and value in values)):
            raise InvalidTokenError("claim", claim=name, found=text_or_none(value))
    if policy.issuer_template is not None and policy.tenant_claim is not None:
        _verify_tenant(claims, policy.issuer_template, policy.tenant_claim)


def _verify_tenant(claims: Mapping[str, Any], template: IssuerTemplate, name: str) -> None:
    """What the token says of its tenant must be what its issuer says: one key may sign for all tenants of a provider."""
    tenant = claims.get(name)
    if not isinstance(tenant, str):
        raise InvalidTokenError("claim", claim=name)
    if template.issuer_of(tenant) != claims["iss"]:
        raise InvalidTokenError("issuer", claim=name, found=tenant)
