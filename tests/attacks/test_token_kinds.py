"""RFC 8725 section 3.12, RFC 9449 section 7.2, RFC 8705 section 3: tokens of another kind, or bound to a key."""

from functools import partial

import pytest
from attack_support import accepted, refused, rows

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")


def plain(forge, typ="JWT", **claims):
    """A token without the marks of an access token."""
    return forge.mint(forge.header(typ=typ), forge.claims(**({"scope": ..., "client_id": ..., "jti": ...} | claims)))


ID_TOKENS = {
    "OIDC Core 2: at_hash": lambda forge: plain(forge, at_hash="x"),
    "OIDC Core 3.3.2.11: c_hash": lambda forge: plain(forge, c_hash="x"),
    "OIDC Core 2: at_hash beside scopes": lambda forge: forge.token(at_hash="x"),
    "OIDC Core 3.3.2.11: c_hash beside scopes": lambda forge: forge.token(c_hash="x"),
    "OIDC Core 2: at_hash is null": lambda forge: forge.token(at_hash=None),
    "OIDC Core 2: at_hash is empty": lambda forge: forge.token(at_hash=""),
    "OIDC Core 2: at_hash, typ at+jwt": lambda forge: plain(forge, "at+jwt", at_hash="x"),
    "OIDC Core 2: nonce": lambda forge: plain(forge, nonce="x"),
    "OIDC Core 2: nonce is null": lambda forge: plain(forge, nonce=None),
    "OIDC Core 2: nonce, no typ": lambda forge: plain(forge, ..., nonce="x"),
    "OIDC Core 2: for the client that asked": lambda forge: plain(forge, azp="https://api.example.com/mcp"),
    "OIDC Core 2: nonce, typ ID in the payload": lambda forge: forge.token(nonce="x", typ="ID"),
}
KINDS = {
    f"RFC 8725 3.12: {name}": partial(lambda forge, claims: forge.token(**claims), claims=claims)
    for name, claims in {
        "a logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "sid": "x"},
        "a security event": {"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}},
        "events is empty": {"events": {}},
        "events is null": {"events": None},
        "events is a string": {"events": "x"},
        "Keycloak: an ID token": {"typ": "ID"},
        "Keycloak: a refresh token": {"typ": "Refresh"},
        "Keycloak: an offline token": {"typ": "Offline"},
        "Keycloak: a logout token": {"typ": "Logout"},
        "Keycloak: in capitals": {"typ": "REFRESH"},
        "Cognito: an ID token": {"token_use": "id"},
        "Cognito: another use": {"token_use": "refresh"},
        "Cognito: capitals": {"token_use": "ACCESS"},
        "Cognito: null": {"token_use": None},
        "Cognito: a list": {"token_use": ["access"]},
        "Cognito: empty": {"token_use": ""},
    }.items()
}
BINDINGS = [
    *({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
    *(
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example"},
        {"kid": "x"},
        {"osc": "x"},
        {"unknown": 1},
        {"jkt": None},
        {"jkt": ""},
    ),
    *({}, None, True, False, 0, "", "x", [], ["jkt"], {"JKT": "x"}),
]
BOUND = {f"RFC 7800 3, rule B9: cnf is {cnf}": partial(lambda forge, cnf: forge.token(cnf=cnf), cnf=cnf) for cnf in BINDINGS}


def dpop_proof(forge):
    """A proof of possession in place of the token (RFC 9449 section 4.2), signed by a key that the issuer published."""
    claims = {"jti": "x", "htm": "GET", "htu": "https://api.example.com/guarded", "iat": forge.claims()["iat"], "ath": "x"}
    return forge.mint(forge.header(typ="dpop+jwt", jwk=forge.key.public_jwk(), kid=...), claims)


OTHERS = {
    "RFC 9449 4.2: a DPoP proof": dpop_proof,
    "RFC 9449 4.2: a DPoP proof with the claims of a token": lambda forge: forge.headed(typ="dpop+jwt"),
    "RFC 7523 2.2: a client assertion": lambda forge: plain(forge, iss="client", sub="client", aud=forge.issuer.url + "/token"),
    "RFC 9101 4: a request object": lambda forge: forge.mint(
        forge.header(typ="oauth-authz-req+jwt"), {"iss": "client", "aud": forge.issuer.url, "response_type": "code"}
    ),
    "RFC 9701 5: an introspection answer": lambda forge: forge.mint(
        forge.header(typ="token-introspection+jwt"), forge.claims(token_introspection={"active": True, "scope": "a"})
    ),
    "RFC 9701 5: an introspection answer without its type": lambda forge: forge.mint(
        forge.header(typ="JWT"),
        {"iss": forge.issuer.url, "aud": "https://api.example.com/mcp", "token_introspection": {"active": True}},
    ),
    "JARM 2.1: an authorization answer": lambda forge: plain(forge, aud="client", code="x", state="y"),
    "OIDC Core 5.3.2: a signed userinfo": lambda forge: plain(forge, aud="client", exp=..., email="alice@example.com"),
}


@pytest.mark.parametrize(("make", "status", "error"), rows(ID_TOKENS | KINDS | BOUND | OTHERS))
def test_another_kind_of_token_is_refused_even_where_no_scope_is_asked(wire, forge, make, status, error):
    refused(wire.bearer(make(forge), target=b"/any"), status, error, scope="")


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


@pytest.mark.parametrize(
    "scheme", [b"DPoP", b"dpop", b"MAC", b"GNAP", b"HOBA", b"Negotiate", b"Basic", b"Digest", b"PoP", b"Token", b"JWT"]
)
def test_rfc9449_7_1_a_good_token_under_another_scheme_is_none(wire, forge, scheme):
    refused(wire.send(b"Authorization: " + scheme + b" " + forge.token().encode()), 401, None)


@pytest.mark.parametrize("name", [b"DPoP", b"X-SSL-Client-Cert", b"Client-Cert", b"X-Forwarded-Client-Cert", b"Signature-Input"])
def test_rfc9449_7_2_a_proof_beside_a_bound_token_changes_nothing(wire, forge, name):
    bound = forge.token(cnf={"jkt": "x", "x5t#S256": "x"})
    refused(wire.bearer(bound, name + b": " + dpop_proof(forge).encode()))
