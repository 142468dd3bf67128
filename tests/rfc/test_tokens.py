"""RFC 7515, 7517 to 7519, 8037, 8705, 8725, 9068 and 9449: one MUST of a token's header, signature or claims per test.

Where a MUST forbids many values, they are those of `tests/support/bad_tokens.py`.
"""

import hashlib
import hmac
import json
import time

import pytest
from bad_tokens import (
    AUDIENCES,
    BINDINGS,
    ISSUERS,
    NAMED,
    NO_DATES,
    NOT_NAMED,
    ODD_TYPES,
    REQUIRED,
    RESOURCE,
    TYPES,
    reason_without,
    spoiled,
)
from cryptography.hazmat.primitives.asymmetric import rsa

from mcp_oauth2_deps.testing import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey, base64url

ED25519 = ("EdDSA", "Ed25519")


def short(value):
    return repr(value)[:40]


@pytest.fixture
def strict_call(call_with):
    return call_with(strict_at_jwt=True)


# RFC 7515, JSON Web Signature.


def test_rfc7515_2_padding_is_no_base64url(call, issuer, refused):
    header, payload, signature = issuer.token(scopes=["a"]).split(".")
    refused(call.send(f"Bearer {header}.{payload}.{signature}="), reason="malformed")
    # Inside it is no b64token either (RFC 6750 section 2.1).
    for token in (f"{header}=.{payload}.{signature}", f"{header}.{payload}=.{signature}"):
        refused(call.send(f"Bearer {token}"), reason="malformed_credentials")


def test_rfc7515_4_header_names_are_unique(call, refused):
    header = json.dumps(call.good_header())[:-1]
    refused(call.text(header + ', "alg": "none"}', call.good_claims()), reason="malformed")
    refused(call.text(header + f', "alg": "{call.issuer.key.alg}"}}', call.good_claims()), reason="malformed")


def test_rfc7515_4_1_1_alg_is_required(call, refused):
    refused(call.text({"kid": call.issuer.key.kid, "typ": "at+jwt"}, call.good_claims()), reason="algorithm (alg)")


def test_rfc7515_4_1_4_kid_is_case_sensitive(call, refused):
    refused(call.token(header={"kid": call.issuer.key.kid.upper()}), reason="unknown_key (kid)")


@pytest.mark.parametrize("crit", NAMED + NOT_NAMED, ids=short)
def test_rfc7515_4_1_11_a_critical_extension_not_understood_is_refused(call, refused, crit):
    refused(call.text(call.good_header() | {"crit": crit}, call.good_claims()), reason="critical_header (crit)")


def test_rfc7797_6_an_unencoded_payload_is_not_understood(call, refused):
    refused(call.text(call.good_header() | {"b64": False}, call.good_claims()), reason="critical_header (b64)")


def test_rfc7515_5_2_the_header_is_one_json_object(call, refused):
    for header in ("[]", '"a"', "1", "null", "", "{}{}"):
        refused(call.text(header, call.good_claims()), reason="malformed")


def test_rfc7515_5_2_a_changed_signature_payload_or_header_is_refused(call, issuer, refused):
    """Each part is taken from another good token, so that it is well-formed and only does not belong to the others."""
    parts = issuer.token(scopes=["a"]).split(".")
    others = issuer.token(scopes=["a"], header={"typ": "JWT"}).split(".")
    for place in range(3):
        changed = [*parts[:place], others[place], *parts[place + 1 :]]
        refused(call.send(f"Bearer {'.'.join(changed)}"), reason="signature")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_rfc7515_4_1_keys_in_the_header_are_not_used(call, issuer, refused, name):
    stranger = SigningKey.generate(issuer.key.alg)
    value = {"jwk": stranger.public_jwk(), "x5c": ["MAA="]}.get(name, "https://evil.example/keys")
    claims = call.good_claims()
    refused(call.send(f"Bearer {stranger.mint(claims, {'kid': issuer.key.kid, name: value})}"), reason="signature")
    assert set(issuer.requests) <= {"/.well-known/oauth-authorization-server", "/jwks"}


# RFC 7517 and 7518, keys and algorithms.


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"use": "enc"}, id="4.2 use"),
        pytest.param({"key_ops": ["sign"]}, id="4.3 key_ops"),
        pytest.param({"alg": "ES384"}, id="4.4 alg"),
        pytest.param({"kty": "RSA"}, id="4.1 kty"),
        pytest.param({"crv": "P-384"}, id="RFC 7518 6.2.1.1 crv"),
        pytest.param({"x": base64url(b"\1" * 32)}, id="RFC 8725 3.4 a point off its curve"),
    ],
)
def test_rfc7517_a_key_is_used_only_for_what_it_says(call, issuer, refused, monkeypatch, change):
    jwks = {"keys": [issuer.key.public_jwk() | change, SigningKey.generate("ES256").public_jwk()]}
    monkeypatch.setattr(issuer, "jwks", lambda: jwks)
    refused(call.token(), reason="unknown_key (kid)")


def test_rfc7517_5_keys_that_are_not_understood_are_ignored(call, issuer, monkeypatch):
    jwks = {"keys": [{"kty": "new", "kid": "n"}, {"kid": "no type"}, 1, *issuer.jwks()["keys"]]}
    monkeypatch.setattr(issuer, "jwks", lambda: jwks)
    assert call.token().status_code == 200


def test_rfc7518_3_3_an_rsa_key_has_2048_bits(call, issuer, refused, monkeypatch):
    small = SigningKey("RS256", "small", rsa.generate_private_key(65537, 1024))
    monkeypatch.setattr(issuer, "jwks", lambda: {"keys": [small.public_jwk(), issuer.key.public_jwk()]})
    refused(call.send(f"Bearer {small.mint(call.good_claims())}"), reason="unknown_key (kid)")


def test_rfc7518_3_4_an_ecdsa_signature_has_one_length(call, issuer, refused):
    head, _, signature = issuer.token(scopes=["a"]).rpartition(".")
    refused(call.send(f"Bearer {head}.{signature[:-2]}AAAA"), reason="signature")
    refused(call.send(f"Bearer {head}.{signature[:-6]}"), reason="signature")


@pytest.mark.parametrize(
    "issuer",
    [DevelopmentIssuer("https://auth.example.com", algorithm=alg, audience=RESOURCE) for alg in ED25519],
    ids=lambda issuer: issuer.key.alg,
)
@pytest.mark.parametrize("sent", ED25519)
@pytest.mark.parametrize("allowed", ED25519)
def test_rfc9864_2_2_ed25519_and_eddsa_name_one_algorithm(call_with, refused, sent, allowed):
    call = call_with(algorithms=allowed)
    assert call.token(header={"alg": sent}).status_code == 200
    refused(call.token(header={"alg": "Ed448"}), reason="algorithm (alg)")


def test_rfc7518_3_6_none_is_refused(call, refused):
    header, payload = (base64url(json.dumps(part).encode()) for part in ({"alg": "none"}, call.good_claims()))
    refused(call.send(f"Bearer {header}.{payload}.AAAA"), reason="algorithm (alg)")
    # Without a third part it is no JWS.
    refused(call.send(f"Bearer {header}.{payload}."), reason="malformed")


# RFC 7519, claims.


@pytest.mark.parametrize("row", AUDIENCES.values(), ids=list(AUDIENCES))
def test_rfc7519_4_1_3_an_audience_that_is_not_ours_is_refused(call, refused, row):
    refused(call.text(call.good_header(), spoiled(call.good_claims(), row.claims)), reason=row.reason)


def test_rfc7519_4_1_3_one_of_several_audiences_is_enough(call):
    assert call.token(audience=["https://other.example.com", "https://api.example.com/mcp"]).status_code == 200


def test_rfc7519_4_1_4_a_token_is_refused_from_its_expiry_on(call, refused):
    refused(call.token(exp=int(time.time()) - 31), reason="expired (exp)")


def test_rfc7519_4_1_5_a_token_is_refused_before_nbf(call, refused):
    refused(call.token(nbf=int(time.time()) + 120), reason="not_yet_valid (nbf)")


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [*NO_DATES, "NaN"], ids=short)
def test_rfc7519_2_a_numeric_date_is_a_number(call, refused, claim, value):
    refused(call.text(call.good_header(), call.good_claims() | {claim: value}), reason=f"claim ({claim})")


def test_rfc7519_4_claim_names_are_unique(call, refused):
    claims = json.dumps(call.good_claims())
    refused(call.text(call.good_header(), claims[:-1] + ', "scope": "a"}'), reason="malformed")


# RFC 8705 and 9449, bound tokens.


@pytest.mark.parametrize("cnf", BINDINGS, ids=short)
def test_rfc9449_7_2_and_rfc8705_3_a_bound_token_is_no_bearer_token(call, refused, cnf):
    refused(call.text(call.good_header(), call.good_claims() | {"cnf": cnf}), reason="binding (cnf)")


# RFC 8725, best current practice.


def test_rfc8725_3_1_only_algorithms_of_the_list_are_used(call_with, refused):
    refused(call_with(algorithms="RS256").token(), reason="algorithm (alg)")


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_rfc8725_2_1_a_published_key_is_no_hmac_secret(call, issuer, refused, alg):
    header = base64url(json.dumps({"alg": alg, "kid": issuer.key.kid}).encode())
    payload = base64url(json.dumps(call.good_claims()).encode())
    secret = json.dumps(issuer.key.public_jwk()).encode()
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    signature = base64url(hmac.new(secret, f"{header}.{payload}".encode(), digest).digest())
    refused(call.send(f"Bearer {header}.{payload}.{signature}"), reason="algorithm (alg)")


def test_rfc8725_3_8_the_issuer_and_its_keys_belong_together(issuer, call, refused):
    stranger = SigningKey.generate(issuer.key.alg, issuer.key.kid)
    refused(call.send(f"Bearer {stranger.mint(call.good_claims())}"), reason="signature")
    refused(call.token(iss="https://elsewhere.example.com"), reason="issuer (iss)")


def test_rfc8725_3_10_a_kid_is_only_looked_up(call, refused):
    for kid in ("../../etc/passwd", "' OR 1=1 --", "http://evil.example/", "x" * 5000):
        refused(call.token(header={"kid": kid}), reason="unknown_key (kid)")


@pytest.mark.parametrize("typ", TYPES.split() + ODD_TYPES, ids=short)
def test_rfc8725_3_11_another_type_is_refused(call, refused, typ):
    refused(call.token(header={"typ": typ}), reason="type (typ)")


def test_rfc8725_3_12_an_id_token_is_no_access_token(call, refused):
    refused(call.token(header={"typ": "JWT"}, at_hash="x"), reason="id_token (at_hash)")
    refused(call.token(header={"typ": "JWT"}, scope=None, client_id=None, nonce="n"), reason="id_token (nonce)")


# RFC 9068, access tokens.


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_rfc9068_4_the_type_is_at_jwt(strict_call, typ):
    assert strict_call.token(header={"typ": typ}).status_code == 200


@pytest.mark.parametrize("typ", ["JWT", None, ""], ids=repr)
def test_rfc9068_4_strictly_another_type_is_refused(strict_call, refused, typ):
    refused(strict_call.token(header={"typ": typ}), reason="type (typ)")


def test_rfc9068_4_an_encrypted_token_is_refused(call, refused):
    refused(call.send("Bearer " + ".".join([base64url(b'{"alg":"dir","enc":"A128GCM"}')] * 5)), reason="encrypted")


@pytest.mark.parametrize("row", ISSUERS.values(), ids=list(ISSUERS))
def test_rfc9068_4_the_issuer_matches_exactly(call, refused, row):
    refused(call.text(call.good_header(), spoiled(call.good_claims(), row.claims)), reason=row.reason)


@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_rfc9068_2_2_strictly_every_required_claim_is_there(strict_call, refused, claim):
    claims = strict_call.good_claims()
    del claims[claim]
    refused(strict_call.text(strict_call.good_header(), claims), reason=reason_without(claim))


@pytest.mark.parametrize("claim", REQUIRED)
def test_rfc9068_4_issuer_expiry_and_audience_are_always_required(call, refused, claim):
    claims = call.good_claims()
    del claims[claim]
    refused(call.text(call.good_header(), claims), reason=reason_without(claim))


def test_rfc8693_4_2_scope_is_a_space_delimited_string(call, refused):
    refused(call.token(scope=["a", 1]), reason="claim (scope)")
    assert call.token(scope="b a").status_code == 200
    # Not by the standard, but some issuers write a list.
    assert call.token(scope=["b", "a"]).status_code == 200
