"""Keys and tokens made with `cryptography` alone, so that the JOSE library is checked by something else than itself."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
}


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value, size=None):
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8))


@dataclass(frozen=True)
class Signer:
    """A private key, the JWK its issuer publishes, and the one algorithm it signs by."""

    alg: str
    private: Any
    jwk: dict[str, Any]

    def sign_der(self, message):
        return self.private.sign(message, ec.ECDSA(_HASHES[self.alg[2:]]))

    def sign(self, message):
        if self.alg in {"EdDSA", "Ed25519"}:
            return self.private.sign(message)
        digest = _HASHES[self.alg[2:]]
        match self.alg[:2]:
            case "RS":
                return self.private.sign(message, padding.PKCS1v15(), digest)
            case "PS":
                pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
                return self.private.sign(message, pss, digest)
        size = _CURVES[self.alg][2]
        return b"".join(number.to_bytes(size) for number in decode_dss_signature(self.sign_der(message)))

    def token(self, header=None, payload=None):
        parts = ({"alg": self.alg} if header is None else header, {"sub": "someone"} if payload is None else payload)
        signing_input = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        return f"{signing_input}.{_base64url(self.sign(signing_input.encode()))}"


def _make_signers():
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    signers = {alg: Signer(alg, private, dict(jwk)) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
    for alg, (name, curve, size) in _CURVES.items():
        key = ec.generate_private_key(curve)
        point = key.public_key().public_numbers()
        x, y = _number(point.x, size), _number(point.y, size)
        signers[alg] = Signer(alg, key, {"kty": "EC", "crv": name, "x": x, "y": y})
    edwards = ed25519.Ed25519PrivateKey.generate()
    public = edwards.public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public)}
    signers |= {alg: Signer(alg, edwards, dict(jwk)) for alg in ("EdDSA", "Ed25519")}
    return signers


@pytest.fixture(scope="session")
def signers():
    """One signer per algorithm; the six RSA algorithms share a key, and so do the two names of Ed25519."""
    return _make_signers()


@pytest.fixture(scope="session")
def strangers():
    """The same with other keys."""
    return _make_signers()


@pytest.fixture(scope="session")
def base64url():
    return _base64url


@pytest.fixture(scope="session")
def number():
    return _number
