"""RFC 8725 section 3.12, RFC 9449 section 7.2, RFC 8705 section 3: what is no access token for a bearer, as a whole.

Single marks of another kind stand in `tests/support/bad_tokens.py`.
"""

import pytest
from attack_support import accepted, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


def plain(forge, typ="JWT", **claims):
    """A token without the marks of an access token."""
    return forge.mint(forge.header(typ=typ), forge.claims(**({"scope": ..., "client_id": ..., "jti": ...} | claims)))


INTROSPECTED = {"token_introspection": {"active": True, "scope": "a"}}


def dpop_proof(forge):
    """A proof of possession in place of the token (RFC 9449 section 4.2), signed by a key that the issuer published."""
    claims = {"jti": "x", "htm": "GET", "htu": "https://api.example.com/guarded", "iat": forge.claims()["iat"], "ath": "x"}
    return forge.mint(forge.header(typ="dpop+jwt", jwk=forge.key.public_jwk(), kid=...), claims)


# Whole objects as their RFCs have them. Several rules would refuse most of them; here is the first.
OTHERS = {
    "OIDC Core 2: an ID token with the type of an access token": (
        lambda forge: plain(forge, "at+jwt", at_hash="x"),
        "id_token (at_hash)",
    ),
    "RFC 8417 2: a security event": (
        lambda forge: forge.token(events={"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}),
        "type (events)",
    ),
    "RFC 9449 4.2: a DPoP proof": (dpop_proof, "type (typ)"),
    "RFC 9449 4.2: a DPoP proof with the claims of a token": (lambda forge: forge.headed(typ="dpop+jwt"), "type (typ)"),
    "RFC 7523 2.2: a client assertion": (
        lambda forge: plain(forge, iss="client", sub="client", aud=forge.issuer.url + "/token"),
        "issuer (iss)",
    ),
    "RFC 9101 4: a request object": (
        lambda forge: forge.mint(
            forge.header(typ="oauth-authz-req+jwt"), {"iss": "client", "aud": forge.issuer.url, "response_type": "code"}
        ),
        "type (typ)",
    ),
    "RFC 9701 5: an introspection answer": (
        lambda forge: forge.mint(forge.header(typ="token-introspection+jwt"), forge.claims(**INTROSPECTED)),
        "type (typ)",
    ),
    # Such an answer has `iss`, `aud`, `iat` and `token_introspection`, and so no `exp`.
    "RFC 9701 5: an introspection answer without its type": (lambda forge: plain(forge, exp=..., **INTROSPECTED), "claim (exp)"),
    "JARM 2.1: an authorization answer": (lambda forge: plain(forge, aud="client", code="x", state="y"), "audience (aud)"),
    "OIDC Core 5.3.2: a signed userinfo": (
        lambda forge: plain(forge, aud="client", email="alice@example.com"),
        "audience (aud)",
    ),
    "OIDC Core 5.3.2: a signed userinfo for us": (lambda forge: plain(forge, exp=..., email="alice@example.com"), "claim (exp)"),
}


@pytest.mark.parametrize(("make", "reason"), rows(OTHERS))
def test_another_kind_of_token_is_refused_even_where_no_scope_is_asked(wire, forge, make, reason):
    refused(wire.bearer(make(forge), target=b"/any"), reason=reason, scope="")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"nonce": "x"},
        {"azp": "client"},
        {"token_use": "access"},
        {"typ": "Bearer"},
        {"typ": "Bearer", "nonce": "x"},
        {"sid": "x"},
    ],
    ids=str,
)
def test_control_access_tokens_with_what_issuers_add(wire, forge, claims):
    accepted(wire.bearer(forge.token(**claims)))


def test_control_a_plain_token_without_any_mark(wire, forge):
    accepted(wire.bearer(plain(forge), target=b"/any"))


SCHEMES = b"DPoP dpop MAC GNAP HOBA Negotiate Basic Digest PoP Token JWT"


@pytest.mark.parametrize("scheme", SCHEMES.split())
def test_rfc9449_7_1_a_good_token_under_another_scheme_is_none(wire, forge, scheme):
    refused(wire.send(b"Authorization: " + scheme + b" " + forge.token().encode()), reason="missing_credentials")


@pytest.mark.parametrize("name", [b"DPoP", b"X-SSL-Client-Cert", b"Client-Cert", b"X-Forwarded-Client-Cert", b"Signature-Input"])
def test_rfc9449_7_2_a_proof_beside_a_bound_token_changes_nothing(wire, forge, name):
    bound = forge.token(cnf={"jkt": "x", "x5t#S256": "x"})
    refused(wire.bearer(bound, name + b": " + dpop_proof(forge).encode()), reason="binding (cnf)")
