"""What an authorization server says of a token that it was asked about (RFC 7662), also as a signed answer (RFC 9701).

Asking does not belong here, nor what an access token must say: an answer is judged by the rules of `tokens`, as a JWT is.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError
from mcp_oauth2_deps.models import AccessToken, Confirmation
from mcp_oauth2_deps.protocol.encoding import read_only, text_or_none
from mcp_oauth2_deps.protocol.jws import UnverifiedHeader
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.tokens import verify_claims

# An answer has no JOSE header: neither its type nor its algorithm says anything.
_NO_HEADER = UnverifiedHeader("", None, None)
# Of a JWT that was verified before, whatever marked it as an access token.
_VERIFIED_HEADER = UnverifiedHeader("", None, "at+jwt")
_ANSWER_TYPES = frozenset({"token-introspection+jwt", "application/token-introspection+jwt"})
_TOKEN_TYPES = frozenset({"bearer", "dpop"})


def read_answer(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of an answer about an active token (RFC 7662 section 2.2).

    Does not check: what the answer says of the token.

    Args:
        members: the JSON object that was the answer.

    Raises:
        InvalidTokenError: `inactive`.
        DocumentError: `active` is not there or no boolean, so that the answer says nothing. The string "true" is no boolean.
    """
    active = members.get("active")
    if active is True:
        return members
    if active is False:
        raise InvalidTokenError("inactive")
    raise DocumentError("its answer does not say whether the token is active")


def verify_answer(
    answer: Mapping[str, Any], issuer: str, policy: TokenPolicy, *, audience_required: bool, now: float, good_until: float
) -> tuple[AccessToken, Confirmation | None]:
    """Guarantees that the answer is about an access token for this resource, valid at `now`, by the rules for a JWT.

    RFC 7662 leaves it to the server to look at `exp` and `nbf`, and many resource servers trust that; here they are checked. What
    an answer may lack and a JWT may not is completed: `iss` by the issuer that was asked, `exp` by the time for which the answer
    is good. Where a `sub` is missing, `username` stands for it: two users of one client must not look like one caller.

    Does not check: that the caller holds what the token is bound to, which is returned so that it is asked for; whether the
    scopes suffice.

    Args:
        answer: what `read_answer` returned.
        issuer: who was asked.
        policy: what is accepted of this issuer, without the strict mode, which asks for a type in a header.
        audience_required: whether `aud` must be there. Without it `token_type` must be, because an authorization server calls
            refresh tokens active too, and only these two members tell them apart.
        now: epoch seconds.
        good_until: epoch seconds until which the answer may be remembered.

    Raises:
        InvalidTokenError: the first rule that does not hold.
    """
    if answer.get("iss", issuer) != issuer:
        raise InvalidTokenError("issuer", claim="iss", found=text_or_none(answer["iss"]))
    _verify_token_type(answer)
    claims = {"iss": issuer, "exp": good_until, **answer}
    if "sub" not in answer and "username" in answer:
        claims["sub"] = answer["username"]
    if "aud" not in answer and "token_type" in answer:  # which says what the type of a JWT would say
        claims.setdefault("typ", "Bearer")
    without_audience = not audience_required and claims.get("aud", []) == []
    if without_audience:
        if "token_type" not in answer:
            raise InvalidTokenError("claim", claim="token_type")
        claims["aud"] = list(policy.audiences)
    token, confirmation = verify_claims(claims, _NO_HEADER, policy, now=now)
    # What the token says of itself is what was answered, and not how that was completed.
    return replace(token, claims=read_only(answer), audience=() if without_audience else token.audience), confirmation


def verify_agreement(answer: Mapping[str, Any], token: AccessToken, policy: TokenPolicy, *, now: float) -> AccessToken:
    """Guarantees that an answer about a JWT does not contradict it, and returns the token.

    The JWT was verified before. What the issuer says of it now counts in place of what it says itself, by the same rules: that it
    is no access token, is for another resource, is over or bound, or has fewer scopes.

    Does not check: anything that the answer does not say.

    Args:
        answer: what `read_answer` returned.
        token: what the JWT says.
        policy: what is accepted of its issuer, without the strict mode, which asks for a type in a header.
        now: epoch seconds.

    Raises:
        InvalidTokenError: `contradiction`, or the first rule that does not hold.
    """
    said = {"iss": token.issuer, "sub": token.subject, "client_id": token.client_id}
    for name, value in said.items():
        if name in answer and value is not None and answer[name] != value:
            raise InvalidTokenError("contradiction", claim=name)
    audience = answer.get("aud", token.audience)
    named = (audience,) if isinstance(audience, str) else _texts(audience)
    if ("aud" in answer and not named) or (token.audience and set(token.audience).isdisjoint(named)):
        raise InvalidTokenError("contradiction", claim="aud")
    _verify_token_type(answer)
    # Where the issuer names scopes now, under whichever name, those of the JWT count no more.
    taken = set(policy.scope_claims) if not answer.keys().isdisjoint(policy.scope_claims) else set()
    claims = {name: _plain(value) for name, value in token.claims.items() if name not in taken}
    if "cnf" in answer and answer["cnf"] != claims.get("cnf"):
        raise InvalidTokenError("contradiction", claim="cnf")
    judged, _ = verify_claims(claims | dict(answer), _VERIFIED_HEADER, policy, now=now)
    # What is said now may shorten the life of the JWT, and not stretch it.
    return replace(token, scopes=judged.scopes, expires_at=min(token.expires_at, judged.expires_at))


def verify_answer_header(header: UnverifiedHeader, policy: TokenPolicy) -> None:
    """Guarantees the type and an allowed algorithm of a signed answer (RFC 9701 section 5).

    Does not check: the key, the signature, any claim.

    Raises:
        DocumentError: another type or algorithm.
    """
    if (header.typ or "").lower() not in _ANSWER_TYPES:
        raise DocumentError("its signed answer has another type than token-introspection+jwt")
    if header.alg not in policy.algorithms:
        raise DocumentError("its signed answer has an algorithm that is not allowed")


def read_signed_answer(
    claims: Mapping[str, Any], issuer: str, client_id: str, *, asked_at: float, now: float, leeway: float
) -> Mapping[str, Any]:
    """The members of a signed answer that this issuer made for us, just now (RFC 9701 section 5).

    Does not check: the header and the signature, which must have been verified before. That it answers *this* question nothing in
    it says, so it counts only for the request that it answered.

    Args:
        claims: the payload of the answer.
        issuer: who was asked.
        client_id: who asked.
        asked_at: epoch seconds when the question was sent.
        now: epoch seconds.
        leeway: seconds of clock difference forgiven.

    Raises:
        DocumentError: it is of another issuer, for another client, of another time, or without the members.
    """
    audience, issued_at, members = (claims.get(name) for name in ("aud", "iat", "token_introspection"))
    if claims.get("iss") != issuer:
        raise DocumentError("its signed answer names another issuer")
    if client_id not in ((audience,) if isinstance(audience, str) else _texts(audience)):
        raise DocumentError("its signed answer is for another client than the setting client_id")
    # A whole second more, because `iat` may be rounded down.
    if not _is_number(issued_at) or not asked_at - 1 - leeway <= issued_at <= now + leeway:
        raise DocumentError("its signed answer was not made just now; compare the clocks of both machines")
    if not isinstance(members, Mapping):
        raise DocumentError("its signed answer has no token_introspection")
    return members


def _verify_token_type(answer: Mapping[str, Any]) -> None:
    """A token that is bound to a DPoP key must not be called a Bearer token (RFC 9449 section 6.2)."""
    if "token_type" not in answer:
        return
    kind = answer["token_type"]
    if not isinstance(kind, str):
        raise InvalidTokenError("claim", claim="token_type")
    if kind.lower() not in _TOKEN_TYPES:
        raise InvalidTokenError("type", claim="token_type", found=kind)
    confirmation = answer.get("cnf")
    if kind.lower() == "bearer" and isinstance(confirmation, Mapping) and "jkt" in confirmation:
        raise InvalidTokenError("binding", claim="token_type")


def _plain(value: object) -> object:
    """What `read_only` was given: rules compare what was parsed."""
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, tuple) else value


def _texts(value: object) -> Collection[str]:
    """The members of a list of strings; none of anything else."""
    return value if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value) else ()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
