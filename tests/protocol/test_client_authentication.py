"""How we say who we are: what is sent, and that no secret is shown."""

import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import unquote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mcp_oauth2_deps.protocol.client_authentication import SecretInForm, SecretInHeader, SignedAssertion
from mcp_oauth2_deps.protocol.jws import UnusableKeyError, build_signature_keys, split_token, verify_signature
from mcp_oauth2_deps.protocol.signing import read_private_key

ISSUER = "https://issuer.example.com"
FIELDS = {"token": "a:b%c+d"}
ASKED = {"issuer": ISSUER, "now": 1_800_000_000.5, "unique": "once"}


@given(st.text(min_size=1), st.text(min_size=1))
def test_rfc6749_2_3_1_id_and_secret_arrive_as_they_are_whatever_they_hold(client_id, secret):
    try:
        client_id.encode(), secret.encode()
    except UnicodeEncodeError:
        return
    form = SecretInHeader(client_id, secret).authenticated(FIELDS, **ASKED)
    scheme, _, credentials = form.authorization.partition(" ")
    sent_id, _, sent_secret = b64decode(credentials).decode("ascii").partition(":")
    assert (scheme, unquote_plus(sent_id), unquote_plus(sent_secret)) == ("Basic", client_id, secret)
    assert form.fields == FIELDS


def test_a_colon_in_the_id_and_a_percent_sign_in_the_secret_are_encoded():
    form = SecretInHeader("a:b", "c:%\u00e9 d").authenticated({})
    assert b64decode(form.authorization.removeprefix("Basic ")) == b"a%3Ab:c%3A%25%C3%A9+d"


def test_a_secret_in_the_form():
    form = SecretInForm("us", "s").authenticated(FIELDS, **ASKED)
    assert (form.fields, form.authorization) == (FIELDS | {"client_id": "us", "client_secret": "s"}, None)


def decoded(segment):
    return json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])
def test_rfc7523_3_an_assertion_is_ours_for_the_issuer_and_signed(signers, alg):
    jwk = private_jwk(signers[alg]) | {"alg": alg, "kid": "k1"}
    form = SignedAssertion("us", read_private_key(json.dumps(jwk))).authenticated(FIELDS, **ASKED)
    assertion = form.fields["client_assertion"]
    header, claims = map(decoded, assertion.split(".")[:2])
    assert header == {"alg": alg, "typ": "JWT", "kid": "k1"}
    assert claims == {"iss": "us", "sub": "us", "aud": ISSUER, "jti": "once", "iat": 1_800_000_000, "exp": 1_800_000_060}
    (key,) = [key for name, key in build_signature_keys(signers[alg].jwk, {alg}).items()]
    verify_signature(split_token(assertion), key)
    rest = {name: value for name, value in form.fields.items() if name != "client_assertion"}
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert rest == FIELDS | {"client_id": "us", "client_assertion_type": kind}
    assert form.authorization is None


def private_jwk(signer):
    """The JWK with its private part, made by hand."""

    def base64url(data):
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    def number(value, size=None):
        return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8))

    match signer.jwk["kty"]:
        case "RSA":
            numbers = signer.private.private_numbers()
            names = {"d": numbers.d, "p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
            return signer.jwk | {name: number(value) for name, value in names.items()}
        case "EC":
            value = signer.private.private_numbers().private_value
            return signer.jwk | {"d": number(value, (signer.private.key_size + 7) // 8)}
        case _:
            return signer.jwk | {"d": base64url(signer.private.private_bytes_raw())}


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


@pytest.mark.parametrize(("name", "alg"), [("RS256", "RS256"), ("ES256", "ES256"), ("ES512", "ES512"), ("EdDSA", "EdDSA")])
def test_a_pem_file_says_which_algorithm_without_a_key_id(signers, name, alg):
    key = read_private_key(pem(signers[name].private))
    assert (key.alg, key.kid) == (alg, None)
    header = decoded(SignedAssertion("us", key).authenticated({}, **ASKED).fields["client_assertion"].split(".")[0])
    assert header == {"alg": alg, "typ": "JWT"}


UNUSABLE = {
    "nothing": (lambda _: "", "neither a PEM"),
    "a text": (lambda _: "secret", "neither a PEM"),
    "a public JWK": (lambda signers: json.dumps(signers["ES256"].jwk), "d is missing"),
    "a public RSA JWK": (lambda signers: json.dumps(signers["RS256"].jwk), "d is missing"),
    "a symmetric JWK": (lambda _: '{"kty":"oct","k":"c2VjcmV0","d":"AA"}', "neither a PEM"),
    "a JWK twice": (lambda _: '{"kty":"RSA","kty":"RSA"}', "neither a PEM"),
    "a PEM file with a password": (
        lambda signers: pem(signers["ES256"].private, BestAvailableEncryption(b"secret")),
        "neither a PEM",
    ),
    "a short RSA key": (lambda _: pem(rsa.generate_private_key(65537, 1024)), "fewer than 2048 bits"),
    "a curve of others": (lambda _: pem(ec.generate_private_key(ec.SECP256K1())), "not used for any"),
    "another Edwards curve": (lambda _: pem(ed448.Ed448PrivateKey.generate()), "not used for any"),
    "HMAC with a private key": (
        lambda signers: json.dumps(private_jwk(signers["RS256"]) | {"alg": "HS256"}),
        "alg is not one of",
    ),
    "the algorithm of another curve": (
        lambda signers: json.dumps(private_jwk(signers["ES256"]) | {"alg": "ES384"}),
        "alg is not one of",
    ),
    "a kid that is a number": (lambda signers: json.dumps(private_jwk(signers["ES256"]) | {"kid": 1}), "kid is no string"),
}


@pytest.mark.parametrize(("make", "says"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_a_key_that_cannot_be_used_is_refused_without_a_value_of_it(signers, make, says):
    text = make(signers)
    with pytest.raises(UnusableKeyError, match=says) as refusal:
        read_private_key(text)
    assert "secret" not in str(refusal.value)


def test_no_secret_is_in_a_repr(signers):
    key = read_private_key(pem(signers["ES256"].private))
    for client in (SecretInHeader("us", "hunter2"), SecretInForm("us", "hunter2"), SignedAssertion("us", key)):
        form = client.authenticated({"token": "hunter2"}, **ASKED)
        assert "hunter2" not in repr(client) + repr(form)
        assert repr(form) == "FormRequest()"
    assert repr(key) == "PrivateKey(alg='ES256', kid=None)"
