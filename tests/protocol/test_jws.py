"""How a token is split, which published keys can be used, and what a signature proves."""

import json

import pytest

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.encoding import MAX_HEADER_VALUES
from mcp_oauth2_deps.protocol.jws import (
    _SMALL_ORDER_Y,
    MAX_TOKEN_BYTES,
    RSA_ALGORITHMS,
    SUPPORTED_ALGORITHMS,
    UnusableKeyError,
    UnverifiedHeader,
    UnverifiedToken,
    build_signature_keys,
    canonical_algorithm,
    read_header,
    split_token,
    verify_signature,
)

EVERY_ALGORITHM = pytest.mark.parametrize("alg", SUPPORTED_ALGORITHMS)


def test_ten_asymmetric_algorithms_are_supported_and_one_has_two_names():
    names = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"
    assert set(SUPPORTED_ALGORITHMS) == set(names.split())
    assert len(set(map(canonical_algorithm, SUPPORTED_ALGORITHMS))) == 10


@pytest.mark.parametrize("other", ["ed25519", "EDDSA", "Ed448", "", "none", "RS256"])
def test_no_other_name_has_another_spelling(other):
    assert canonical_algorithm(other) == other


@EVERY_ALGORITHM
def test_what_the_holder_of_the_key_signed_is_verified(alg, signers):
    key = build_signature_keys(signers[alg].jwk, {alg})[canonical_algorithm(alg)]
    token = split_token(signers[alg].token(payload={"sub": "someone"}))
    verify_signature(token, key)
    assert json.loads(token.payload) == {"sub": "someone"}


_FORGERIES = {
    "header changed": lambda token: b"f" + token.signing_input[1:],
    "payload changed": lambda token: token.signing_input[:-1] + b"_",
    "payload longer": lambda token: token.signing_input + b"AAAA",
}


@EVERY_ALGORITHM
@pytest.mark.parametrize("forge", _FORGERIES.values(), ids=_FORGERIES)
def test_a_changed_message_is_refused(alg, forge, signers):
    key = build_signature_keys(signers[alg].jwk, {alg})[canonical_algorithm(alg)]
    token = split_token(signers[alg].token())
    forged = UnverifiedToken(token.header_segment, forge(token), token.payload, token.signature)
    with pytest.raises(InvalidTokenError) as refusal:
        verify_signature(forged, key)
    assert refusal.value.reason == "signature"


_BAD_SIGNATURES = {
    "first bit": lambda signature: bytes([signature[0] ^ 0x80]) + signature[1:],
    "last bit": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "cut": lambda signature: signature[:-1],
    "longer": lambda signature: signature + b"\0",
    "empty": lambda signature: b"",
    "one byte": lambda signature: b"\0",
    "all zero": lambda signature: bytes(len(signature)),
    "all ones": lambda signature: b"\xff" * len(signature),
}


@EVERY_ALGORITHM
@pytest.mark.parametrize("change", _BAD_SIGNATURES.values(), ids=_BAD_SIGNATURES)
def test_a_changed_signature_is_refused(alg, change, signers):
    key = build_signature_keys(signers[alg].jwk, {alg})[canonical_algorithm(alg)]
    token = split_token(signers[alg].token())
    forged = UnverifiedToken(token.header_segment, token.signing_input, token.payload, change(token.signature))
    with pytest.raises(InvalidTokenError) as refusal:
        verify_signature(forged, key)
    assert refusal.value.reason == "signature"


@EVERY_ALGORITHM
def test_a_strangers_signature_is_refused(alg, signers, strangers):
    key = build_signature_keys(signers[alg].jwk, {alg})[canonical_algorithm(alg)]
    with pytest.raises(InvalidTokenError) as refusal:
        verify_signature(split_token(strangers[alg].token()), key)
    assert refusal.value.reason == "signature"


@pytest.mark.parametrize("alg", RSA_ALGORITHMS)
def test_a_signature_holds_by_no_other_algorithm_of_the_same_key(alg, signers):
    keys = build_signature_keys(signers[alg].jwk, RSA_ALGORITHMS)
    token = split_token(signers[alg].token())
    verify_signature(token, keys.pop(alg))
    assert len(keys) == 5
    for key in keys.values():
        with pytest.raises(InvalidTokenError):
            verify_signature(token, key)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_an_ecdsa_signature_in_der_is_refused(alg, signers):
    key = build_signature_keys(signers[alg].jwk, {alg})[canonical_algorithm(alg)]
    token = split_token(signers[alg].token())
    der = signers[alg].sign_der(token.signing_input)
    with pytest.raises(InvalidTokenError) as refusal:
        verify_signature(UnverifiedToken(token.header_segment, token.signing_input, token.payload, der), key)
    assert refusal.value.reason == "signature"


def test_a_token_is_split_into_its_decoded_parts():
    token = split_token("e30.eyJhIjoxfQ.AAEC")
    assert token == UnverifiedToken(b"e30", b"e30.eyJhIjoxfQ", b'{"a":1}', b"\0\1\2")


def test_a_token_of_sixteen_kibibytes_is_still_read():
    token = "e30." + "A" * (MAX_TOKEN_BYTES - 8) + ".AAA"
    assert len(token) == MAX_TOKEN_BYTES
    assert split_token(token).header_segment == b"e30"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("e30", id="one part"),
        pytest.param("e30.e30", id="two parts"),
        pytest.param("e30.e30.AAEC.AAEC", id="four parts"),
        pytest.param("e30.AAEC.AAEC.AAEC.AAEC", id="five parts of a JWE"),
        pytest.param(".e30.AAEC", id="empty header"),
        pytest.param("e30..AAEC", id="empty payload"),
        pytest.param("e30.e30.", id="empty signature"),
        pytest.param("e30.e30=.AAEC", id="padded payload"),
        pytest.param("e30.e30.AAE=", id="padded signature"),
        pytest.param("e30.e31.AAEC", id="spare bits in the payload"),
        pytest.param("e30.e30.AAF", id="spare bits in the signature"),
        pytest.param("e30.e30.AA+C", id="standard alphabet"),
        pytest.param("e30.e30.AAEC\n", id="line feed"),
        pytest.param(" e30.e 0.AAEC", id="space"),
        pytest.param("e30.e30.AA\u00c9C", id="not ASCII"),
        pytest.param("e30." + "A" * (MAX_TOKEN_BYTES - 7) + ".AAA", id="one byte too long"),
    ],
)
def test_what_is_no_compact_jws_is_malformed(token):
    with pytest.raises(InvalidTokenError) as refusal:
        split_token(token)
    assert refusal.value.reason == "malformed"


def test_a_refusal_has_no_cause_that_carries_the_token():
    with pytest.raises(InvalidTokenError) as refusal:
        split_token("e30.e30.AA\u00c9C")
    assert refusal.value.__context__ is None


def test_a_header_of_very_many_lists_is_malformed(base64url):
    segment = base64url(b'{"alg":"RS256","x":[' + b",".join([b"[]"] * MAX_HEADER_VALUES) + b"]}").encode()
    with pytest.raises(InvalidTokenError) as refusal:
        read_header(segment)
    assert refusal.value.reason == "malformed"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ({"alg": "RS256"}, UnverifiedHeader("RS256", None, None)),
        ({"alg": "none", "kid": "", "typ": "at+jwt"}, UnverifiedHeader("none", "", "at+jwt")),
        ({"alg": "ES256", "kid": "1", "x5t": "?"}, UnverifiedHeader("ES256", "1", None)),
    ],
)
def test_of_a_header_only_three_parameters_are_kept(header, read, base64url):
    assert read_header(base64url(json.dumps(header).encode()).encode()) == read


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_keys_inside_the_header_are_not_read(name, base64url):
    segment = base64url(json.dumps({"alg": "RS256", name: {"kty": "oct", "k": "AAAA"}}).encode()).encode()
    assert read_header(segment) == UnverifiedHeader("RS256", None, None)


@pytest.mark.parametrize(
    ("header", "reason", "claim"),
    [
        pytest.param(b"[]", "malformed", None, id="no object"),
        pytest.param(b"alg", "malformed", None, id="no JSON"),
        pytest.param(b'{"alg":"RS256","alg":"none"}', "malformed", None, id="alg twice"),
        pytest.param(b'{"alg":"RS256","kid":"a","kid":"b"}', "malformed", None, id="kid twice"),
        pytest.param(b'{"alg":"RS256","crit":["exp"],"exp":1}', "critical_header", "crit", id="crit"),
        pytest.param(b'{"alg":"RS256","crit":[]}', "critical_header", "crit", id="crit empty"),
        pytest.param(b'{"alg":"RS256","crit":null}', "critical_header", "crit", id="crit null"),
        pytest.param(b'{"alg":"RS256","b64":false}', "critical_header", "b64", id="b64 false"),
        pytest.param(b'{"alg":"RS256","b64":true}', "critical_header", "b64", id="b64 true"),
        pytest.param(b'{"alg":"RS256","enc":"A128GCM"}', "malformed", "enc", id="enc"),
        pytest.param(b"{}", "algorithm", "alg", id="alg missing"),
        pytest.param(b'{"alg":null}', "algorithm", "alg", id="alg null"),
        pytest.param(b'{"alg":["RS256"]}', "algorithm", "alg", id="alg list"),
        pytest.param(b'{"alg":"RS256","kid":null}', "malformed", "kid", id="kid null"),
        pytest.param(b'{"alg":"RS256","kid":1}', "malformed", "kid", id="kid number"),
        pytest.param(b'{"alg":"RS256","typ":null}', "malformed", "typ", id="typ null"),
        pytest.param(b'{"alg":"RS256","typ":["JWT"]}', "malformed", "typ", id="typ list"),
    ],
)
def test_a_header_with_one_fault_is_refused(header, reason, claim, base64url):
    with pytest.raises(InvalidTokenError) as refusal:
        read_header(base64url(header).encode())
    assert (refusal.value.reason, refusal.value.claim) == (reason, claim)


@pytest.mark.parametrize("segment", [b"e30=", b"e31", b"e+30", b"e", b"\xff"])
def test_a_header_in_lax_base64_is_malformed(segment):
    with pytest.raises(InvalidTokenError) as refusal:
        read_header(segment)
    assert refusal.value.reason == "malformed"


def test_a_key_is_ready_only_for_allowed_algorithms(signers):
    assert set(build_signature_keys(signers["RS256"].jwk, {"RS256", "PS512", "ES256"})) == {"RS256", "PS512"}
    assert set(build_signature_keys(signers["RS256"].jwk, {"ES256"})) == set()
    assert set(build_signature_keys(signers["ES384"].jwk, SUPPORTED_ALGORITHMS)) == {"ES384"}


@pytest.mark.parametrize(("alg", "names"), [("RS256", "ne"), ("ES256", "xy"), ("EdDSA", "x")])
def test_padding_in_a_published_number_is_forgiven(alg, names, signers):
    jwk = signers[alg].jwk
    padded = jwk | {name: jwk[name] + "=" * (-len(jwk[name]) % 4) for name in names}
    assert padded != jwk or alg == "RS256"
    key = build_signature_keys(padded, {alg})[canonical_algorithm(alg)]
    verify_signature(split_token(signers[alg].token()), key)


@pytest.mark.parametrize(
    ("alg", "change", "problem"),
    [
        pytest.param("RS256", {"d": "AQAB"}, "private", id="RSA private exponent"),
        pytest.param("ES256", {"d": "AQAB"}, "private", id="EC private number"),
        pytest.param("EdDSA", {"d": "AQAB"}, "private", id="Ed25519 private number"),
        pytest.param("RS256", {"kty": "oct", "k": "AAAA"}, "private", id="shared secret"),
        pytest.param("RS256", {"k": "AAAA"}, "private", id="shared secret in another key"),
        pytest.param("RS256", {"kty": "oct"}, "type or curve", id="symmetric type"),
        pytest.param("RS256", {"kty": None}, "type or curve", id="type null"),
        pytest.param("RS256", {"kty": ["RSA"]}, "type or curve", id="type list"),
        pytest.param("RS256", {"kty": "rsa"}, "type or curve", id="type in lower case"),
        pytest.param("RS256", {"n": None}, "member n", id="modulus missing"),
        pytest.param("RS256", {"n": 5}, "member n", id="modulus a number"),
        pytest.param("RS256", {"n": "\u00c9"}, "no valid key", id="modulus not ASCII"),
        pytest.param("RS256", {"n": "A+A"}, "no valid key", id="modulus in another alphabet"),
        pytest.param("RS256", {"e": "AA"}, "exponent", id="exponent zero"),
        pytest.param("RS256", {"e": "AQ"}, "exponent", id="exponent one"),
        pytest.param("RS256", {"e": "BA"}, "exponent", id="exponent even"),
        pytest.param("RS256", {"e": "AQAAAAE"}, "exponent", id="exponent absurd"),
        pytest.param("ES256", {"crv": "P-384"}, "length of its curve", id="larger curve named"),
        pytest.param("ES384", {"crv": "P-256"}, "length of its curve", id="smaller curve named"),
        pytest.param("ES256", {"crv": "secp256k1"}, "type or curve", id="curve of the same size not supported"),
        pytest.param("ES256", {"crv": None}, "type or curve", id="curve missing"),
        pytest.param("ES256", {"crv": ["P-256"]}, "type or curve", id="curve list"),
        pytest.param("ES256", {"crv": "Ed25519"}, "type or curve", id="curve of another type"),
        pytest.param("ES256", {"y": None}, "member y", id="coordinate missing"),
        pytest.param("ES256", {"y": "AQ"}, "length of its curve", id="coordinate short"),
        pytest.param("ES256", {"y": "A" * 43}, "no valid key", id="point off its curve"),
        pytest.param("EdDSA", {"crv": "X25519"}, "type or curve", id="curve for key agreement"),
        pytest.param("EdDSA", {"crv": "Ed448"}, "type or curve", id="curve Ed448"),
        pytest.param("EdDSA", {"x": "AAAA"}, "no valid key", id="public key short"),
        pytest.param("EdDSA", {"x": None}, "member x", id="public key missing"),
    ],
)
def test_a_key_with_one_fault_is_unusable(alg, change, problem, signers):
    with pytest.raises(UnusableKeyError, match=problem):
        build_signature_keys(signers[alg].jwk | change, SUPPORTED_ALGORITHMS)


@pytest.mark.parametrize("bits", [8, 1024, 2047, 16385])
def test_an_rsa_key_of_unfit_size_is_unusable(bits, signers, number):
    with pytest.raises(UnusableKeyError, match="2048 to 16384 bits"):
        build_signature_keys(signers["RS256"].jwk | {"n": number((1 << bits) - 1)}, SUPPORTED_ALGORITHMS)


def test_leading_zeros_do_not_make_a_weak_rsa_key_strong(signers, number):
    jwk = signers["RS256"].jwk | {"n": number((1 << 1024) - 1, 512)}
    with pytest.raises(UnusableKeyError, match="2048 to 16384 bits"):
        build_signature_keys(jwk, SUPPORTED_ALGORITHMS)


def test_the_refusal_of_a_key_does_not_quote_it(signers):
    with pytest.raises(UnusableKeyError) as refusal:
        build_signature_keys(signers["ES256"].jwk | {"d": "hush-hush", "x": "show-me"}, SUPPORTED_ALGORITHMS)
    assert "hush" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_token_in_parts_shows_nothing_of_itself(signers):
    shown = repr(split_token(signers["ES256"].token()))
    assert shown == "UnverifiedToken()"


_P = 2**255 - 19


def _eightfold_is_neutral(y):
    """Whether a point with this y coordinate is of small order on edwards25519, by the addition law of RFC 8032 section 5.1."""
    d = -121665 * pow(121666, -1, _P) % _P
    x_squared = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
    x = pow(x_squared, (_P + 3) // 8, _P)
    if (x * x - x_squared) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    assert (x * x - x_squared) % _P == 0
    for _ in range(3):
        product = d * x * x * y * y % _P
        x, y = 2 * x * y * pow(1 + product, -1, _P) % _P, (y * y + x * x) * pow(1 - product, -1, _P) % _P
    return (x, y) == (0, 1)


@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize("y", sorted(_SMALL_ORDER_Y), ids=hex)
def test_an_ed25519_key_under_which_anybody_can_sign_is_unusable(signers, base64url, y, sign):
    assert _eightfold_is_neutral(y % _P)
    jwk = signers["EdDSA"].jwk | {"x": base64url((y | sign).to_bytes(32, "little"))}
    with pytest.raises(UnusableKeyError, match=r"small order|no valid key"):
        build_signature_keys(jwk, SUPPORTED_ALGORITHMS)


def test_all_points_of_small_order_are_known():
    assert len({y % _P for y in _SMALL_ORDER_Y}) == 5
    assert {y for y in range(2**255 - 19, 2**255) if y % _P in _SMALL_ORDER_Y} <= _SMALL_ORDER_Y


def test_an_rsa_key_with_an_even_modulus_is_unusable(signers, number):
    with pytest.raises(UnusableKeyError, match="even"):
        build_signature_keys(signers["RS256"].jwk | {"n": number(1 << 2047)}, SUPPORTED_ALGORITHMS)
