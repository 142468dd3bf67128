"""RFC 8725 sections 2.1 and 3.1, RFC 7518 section 3: algorithm confusion and signatures that are none."""

import hashlib
import hmac
import json
from functools import partial

import pytest
from attack_support import accepted, by, refused, rows
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mcp_oauth2_deps.protocol.jws import RSA_ALGORITHMS, SUPPORTED_ALGORITHMS, canonical_algorithm
from mcp_oauth2_deps.testing.keys import base64url

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

GOOD = ("RS256", "PS256", "ES256", "ES384", "EdDSA")


def signed_by(forge, alg, signature, key=None):
    signing_input = forge.input(forge.header(key, alg=alg), forge.claims())
    return forge.seal(signing_input, signature(signing_input.encode()))


def none_with(forge, alg, signature):
    return f"{forge.input(forge.header(alg=alg), forge.claims())}.{signature}"


NONES = ["none", "None", "NONE", "nOnE", " none", "none ", "none\0", "", "null", "plain"]
NONE = {
    f"RFC 8725 3.1, CVE-2015-2951: alg {alg!r}, {name}": partial(none_with, alg=alg, signature=signature)
    for alg in NONES
    for name, signature in (("one byte", "AA"), ("the word", "bm9uZQ"))
}
# A JWS has three parts; one without a signature is none before anybody reads its header (RFC 7515 section 3.1).
BARE = {f"RFC 8725 3.1, CVE-2015-2951: alg {alg!r}, no signature": partial(none_with, alg=alg, signature="") for alg in NONES}


def _spki(key, encoding):
    return key._private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


SECRETS = {
    "PEM": lambda key: _spki(key, Encoding.PEM),
    "PEM without the last line end": lambda key: _spki(key, Encoding.PEM).strip(),
    "DER": lambda key: _spki(key, Encoding.DER),
    "base64 of the DER": lambda key: b"".join(_spki(key, Encoding.PEM).splitlines()[1:-1]),
    "JWK": lambda key: json.dumps(key.public_jwk()).encode(),
    "compact JWK": lambda key: json.dumps(key.public_jwk(), separators=(",", ":"), sort_keys=True).encode(),
    "the number": lambda key: (key.public_jwk().get("n") or key.public_jwk()["x"]).encode(),
    "kid": lambda key: key.kid.encode(),
    "an empty secret": lambda key: b"",
    "a guess": lambda key: b"secret",
}
DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def hmac_by(forge, alg, kind, secret):
    key = forge.keys[kind]
    return signed_by(forge, alg, lambda data: hmac.digest(SECRETS[secret](key), data, DIGESTS[alg]), key)


HMAC = {
    f"RFC 8725 2.1, CVE-2016-5431, CVE-2024-33663: {alg} with the {kind} key as {secret}": partial(
        hmac_by, alg=alg, kind=kind, secret=secret
    )
    for alg in DIGESTS
    for kind in ("RS256", "ES256", "EdDSA")
    for secret in SECRETS
}


def confused(forge, alg, kind):
    """Signed as the header says, where the key can; the key set says that this key is for another algorithm."""
    key = forge.keys[kind]
    if alg not in RSA_ALGORITHMS or kind not in RSA_ALGORITHMS:
        return forge.headed(key, alg=alg)
    digest = getattr(hashes, f"SHA{alg[2:]}")()
    pad = padding.PKCS1v15() if alg.startswith("RS") else padding.PSS(padding.MGF1(digest), digest.digest_size)
    return signed_by(forge, alg, lambda data: key._private.sign(data, pad, digest), key)


CONFUSED = {
    f"RFC 8725 3.1: {alg} with the {kind} key": partial(confused, alg=alg, kind=kind)
    for kind in GOOD
    for alg in SUPPORTED_ALGORITHMS
    if canonical_algorithm(alg) != kind
}


def ecdsa(forge, r, s, size=32):
    return signed_by(forge, "ES256", lambda _: r.to_bytes(size) + s.to_bytes(size))


def _own(forge, change, kind="ES256"):
    """The right signature, changed."""
    key = forge.keys[kind]
    return signed_by(forge, kind, lambda data: change(key.sign(data)), key)


def _rsa(forge, pad, digest, kind="RS256"):
    key = forge.keys[kind]
    return signed_by(forge, kind, lambda data: key._private.sign(data, pad, digest), key)


def _pss(salt, mgf=hashes.SHA256):
    return padding.PSS(mgf=padding.MGF1(mgf()), salt_length=salt)


def _more_s(signature):
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def _modulus(forge, offset=0):
    key = forge.keys["RS256"]
    number = key._private.public_key().public_numbers().n + offset
    return signed_by(forge, "RS256", lambda _: number.to_bytes(256), key)


def _der(forge):
    return signed_by(forge, "ES256", lambda data: forge.key._private.sign(data, ec.ECDSA(hashes.SHA256())))


def _other_hash(forge, digest):
    def sign(data):
        r, s = decode_dss_signature(forge.key._private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(32) + s.to_bytes(32)

    return signed_by(forge, "ES256", sign)


SIGNATURES = {
    "CVE-2022-21449: r and s are zero": lambda forge: ecdsa(forge, 0, 0),
    "CVE-2022-21449: r is zero": lambda forge: ecdsa(forge, 0, 1),
    "CVE-2022-21449: s is zero": lambda forge: ecdsa(forge, 1, 0),
    "CVE-2022-21449: r and s are the order": lambda forge: ecdsa(forge, P256_ORDER, P256_ORDER),
    "CVE-2022-21449: r is the order plus one": lambda forge: ecdsa(forge, P256_ORDER + 1, 1),
    "FIPS 186-5 6.4: r and s are one": lambda forge: ecdsa(forge, 1, 1),
    "RFC 7518 3.4: DER": _der,
    "RFC 7518 3.4: 33 bytes each": lambda forge: ecdsa(forge, 1, 1, 33),
    "RFC 7518 3.4: r and s exchanged": lambda forge: _own(forge, lambda sig: sig[32:] + sig[:32]),
    "RFC 7518 3.4: cut short": lambda forge: _own(forge, lambda sig: sig[:-1]),
    "RFC 7518 3.4: half": lambda forge: _own(forge, lambda sig: sig[:32]),
    "RFC 7518 3.4: a zero in front": lambda forge: _own(forge, lambda sig: b"\0" + sig),
    "RFC 7518 3.4: a zero behind": lambda forge: _own(forge, lambda sig: sig + b"\0"),
    "RFC 7518 3.4: twice": lambda forge: _own(forge, lambda sig: sig + sig),
    "RFC 7518 3.4: over SHA-384": lambda forge: _other_hash(forge, hashes.SHA384()),
    "RFC 7518 3.4: over SHA-1": lambda forge: _other_hash(forge, hashes.SHA1()),
    "RFC 7518 3.4: in the size of P-521": lambda forge: ecdsa(forge, 1, 1, 66),
    "RFC 7518 3.4: 8 KiB": lambda forge: _own(forge, lambda sig: sig * 128),
    "RFC 8017 8.2.2: zero": lambda forge: _own(forge, lambda sig: bytes(256), "RS256"),
    "RFC 8017 8.2.2: one": lambda forge: _own(forge, lambda sig: bytes(255) + b"\1", "RS256"),
    "RFC 8017 8.2.2: the modulus": _modulus,
    "RFC 8017 8.2.2: the modulus less one": lambda forge: _modulus(forge, -1),
    "RFC 8017 8.2.2: all ones": lambda forge: _own(forge, lambda sig: b"\xff" * 256, "RS256"),
    "RFC 8017 8.2.2: cut short": lambda forge: _own(forge, lambda sig: sig[:-1], "RS256"),
    "RFC 8017 8.2.2: a zero in front": lambda forge: _own(forge, lambda sig: b"\0" + sig, "RS256"),
    "RFC 8017 8.2.2: one byte more": lambda forge: _own(forge, lambda sig: sig + b"\0", "RS256"),
    "RFC 8017 8.2: SHA-1": lambda forge: _rsa(forge, padding.PKCS1v15(), hashes.SHA1()),
    "RFC 8017 8.2: SHA-512": lambda forge: _rsa(forge, padding.PKCS1v15(), hashes.SHA512()),
    "RFC 8017 8.2: PSS in its place": lambda forge: _rsa(forge, _pss(32), hashes.SHA256()),
    "RFC 7518 3.5: PKCS #1 v1.5 in its place": lambda forge: _rsa(forge, padding.PKCS1v15(), hashes.SHA256(), "PS256"),
    "RFC 7518 3.5: no salt": lambda forge: _rsa(forge, _pss(0), hashes.SHA256(), "PS256"),
    "RFC 7518 3.5: a salt of 20 bytes": lambda forge: _rsa(forge, _pss(20), hashes.SHA256(), "PS256"),
    "RFC 7518 3.5: the longest salt": lambda forge: _rsa(forge, _pss(222), hashes.SHA256(), "PS256"),
    "RFC 7518 3.5: MGF1 with SHA-1": lambda forge: _rsa(forge, _pss(32, hashes.SHA1), hashes.SHA256(), "PS256"),
    "RFC 7518 3.5: SHA-384": lambda forge: _rsa(forge, _pss(32, hashes.SHA384), hashes.SHA384(), "PS256"),
    "RFC 8032 5.1.7: S above the order": lambda forge: _own(forge, _more_s, "EdDSA"),
    "RFC 8032 5.1.7: zero": lambda forge: _own(forge, lambda sig: bytes(64), "EdDSA"),
    "RFC 8032 5.1.7: the neutral point and zero": lambda forge: _own(forge, lambda sig: b"\1" + bytes(63), "EdDSA"),
    "RFC 8032 5.1.7: all ones": lambda forge: _own(forge, lambda sig: b"\xff" * 64, "EdDSA"),
    "RFC 8032 5.1.7: cut short": lambda forge: _own(forge, lambda sig: sig[:-1], "EdDSA"),
    "RFC 8032 5.1.7: one byte more": lambda forge: _own(forge, lambda sig: sig + b"\0", "EdDSA"),
    "RFC 8032 5.1.7: R only": lambda forge: _own(forge, lambda sig: sig[:32], "EdDSA"),
}


def flipped(sig, place, bit):
    changed = bytearray(sig)
    changed[place] ^= bit
    return bytes(changed)


FLIPS = {
    f"RFC 7515 5.2: {kind}, byte {place} of the signature, bit {bit}": partial(
        lambda forge, kind, place, bit: _own(forge, lambda sig: flipped(sig, place, bit), kind), kind=kind, place=place, bit=bit
    )
    for kind in GOOD
    for place in (0, 1, 31, 32, -1)
    for bit in (1, 128)
}


def exchanged(forge, part):
    """A part of one good token in another."""
    first, second = (
        forge.mint(forge.header(typ=typ), forge.claims(scope=scope)).split(".")
        for typ, scope in (("JWT", "a"), ("at+jwt", "a b"))
    )
    first[part] = second[part]
    return ".".join(first)


def moved_dot(forge):
    header, payload, signature = forge.token().split(".")
    return f"{header}{payload[:4]}.{payload[4:]}.{signature}"


SPLICED = {
    "RFC 7515 5.2: the header of another token": lambda forge: exchanged(forge, 0),
    "RFC 7515 5.2: the payload of another token": lambda forge: exchanged(forge, 1),
    "RFC 7515 5.2: the signature of another token": lambda forge: exchanged(forge, 2),
    "RFC 7515 5.2: signed without the dot": lambda forge: forge.seal(
        (text := forge.input(forge.header(), forge.claims())), forge.key.sign(text.replace(".", "").encode())
    ),
    "RFC 7515 5.2: signed over the payload only": lambda forge: forge.seal(
        (text := forge.input(forge.header(), forge.claims())), forge.key.sign(text.split(".")[1].encode())
    ),
    "RFC 7797 3: signed over the plain payload": lambda forge: forge.seal(
        f"{base64url((head := json.dumps(forge.header())).encode())}.{base64url((body := json.dumps(forge.claims())).encode())}",
        forge.key.sign(f"{base64url(head.encode())}.{body}".encode()),
    ),
    "RFC 7515 5.2: signed over text, not base64url": lambda forge: forge.seal(
        f"{base64url((head := json.dumps(forge.header())).encode())}.{base64url((body := json.dumps(forge.claims())).encode())}",
        forge.key.sign(f"{head}.{body}".encode()),
    ),
}
MOVED = {"RFC 7515 5.2: the dot is elsewhere": moved_dot}
ROWS = rows(
    by("algorithm (alg)", NONE | HMAC | CONFUSED) | by("signature", SIGNATURES | FLIPS | SPLICED) | by("malformed", BARE | MOVED)
)


@pytest.mark.parametrize(("make", "reason"), ROWS)
def test_a_signature_that_is_none_is_refused(wire, forge, make, reason):
    refused(wire.bearer(make(forge)), reason=reason)


@pytest.mark.parametrize("kind", GOOD)
def test_control_the_right_signature_is_let_in(wire, forge, kind):
    accepted(wire.bearer(forge.headed(forge.keys[kind])))


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "ES256"])
def test_rfc8725_3_1_another_algorithm_than_the_route_allows_is_refused(wire, forge, kind):
    refused(wire.bearer(forge.headed(forge.keys[kind]), target=b"/narrow"), reason="algorithm (alg)")
    accepted(wire.bearer(forge.headed(), target=b"/narrow"))
