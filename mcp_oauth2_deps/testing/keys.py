"""Fresh signing keys and the tokens they sign, for tests and development."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mcp_oauth2_deps.protocol.encoding import encode_base64url as base64url

_HASHES: dict[str, type[HashAlgorithm]] = {"256": SHA256, "384": SHA384, "512": SHA512}
_CURVES: dict[str, tuple[ec.EllipticCurve, str, int]] = {
    "ES256": (ec.SECP256R1(), "P-256", 32),
    "ES384": (ec.SECP384R1(), "P-384", 48),
    "ES512": (ec.SECP521R1(), "P-521", 66),
}
# Two names of one algorithm (RFC 8037, RFC 9864).
_ED25519 = ("EdDSA", "Ed25519")


@dataclass(frozen=True)
class SigningKey:
    """A private key for one JWS algorithm; its repr holds no private part.

    Attributes:
        alg: the JWS algorithm (RFC 7518 section 3.1), such as `ES256`.
        kid: the name of the key in a key set.

    Example:
        ```python
        from mcp_oauth2_deps.testing import SigningKey

        key = SigningKey.generate("ES256")
        token = key.mint({"iss": "https://auth.example.com", "sub": "alice"})
        ```
    """

    alg: str
    kid: str
    _private: Any = field(repr=False)

    @classmethod
    def generate(cls, alg: str, kid: str | None = None) -> "SigningKey":
        """A fresh key for one of the supported algorithms.

        Args:
            alg: `ES256`, `ES384`, `ES512`, `EdDSA` or `Ed25519` (two names of one algorithm), or an RSA algorithm such as
                `RS256` or `PS256` (2048 bits).
            kid: its name; by default a random one.

        Example:
            `SigningKey.generate("EdDSA", "key-1")`
        """
        private: Any
        if alg in _ED25519:
            private = ed25519.Ed25519PrivateKey.generate()
        elif alg in _CURVES:
            private = ec.generate_private_key(_CURVES[alg][0])
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(alg, kid or uuid4().hex, private)

    def public_jwk(self) -> dict[str, str]:
        """The public half, as a key set publishes it (RFC 7517 section 4).

        Example:
            `{"keys": [key.public_jwk()]}`
        """
        jwk = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        public = self._private.public_key()
        if self.alg in _ED25519:
            return jwk | {"kty": "OKP", "crv": "Ed25519", "x": base64url(public.public_bytes_raw())}
        numbers = public.public_numbers()
        if self.alg in _CURVES:
            _, curve, size = _CURVES[self.alg]
            point = {name: base64url(getattr(numbers, name).to_bytes(size)) for name in ("x", "y")}
            return jwk | {"kty": "EC", "crv": curve} | point
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
        return jwk | {"kty": "RSA", "n": base64url(modulus), "e": base64url(numbers.e.to_bytes(3))}

    def private_pem(self) -> str:
        """The private key as PKCS #8 in PEM (RFC 7468), for a file that a program under test reads.

        Example:
            `path.write_text(key.private_pem())`
        """
        return str(self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"))

    def sign(self, message: bytes) -> bytes:
        """The JWS signature of the message (RFC 7518 section 3).

        Example:
            `key.sign(b"header.payload")`
        """
        if self.alg in _ED25519:
            return bytes(self._private.sign(message))
        digest = _HASHES[self.alg[2:]]()
        if self.alg in _CURVES:
            size = _CURVES[self.alg][2]
            numbers = decode_dss_signature(self._private.sign(message, ec.ECDSA(digest)))
            return b"".join(number.to_bytes(size) for number in numbers)
        if self.alg.startswith("PS"):
            pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
            return bytes(self._private.sign(message, pss, digest))
        return bytes(self._private.sign(message, padding.PKCS1v15(), digest))

    def mint(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A signed token with exactly these claims.

        Args:
            claims: the payload.
            header: changes of single header parameters; a value of `None` leaves one out.

        Example:
            `key.mint({"sub": "alice"}, {"typ": "JWT"})`
        """
        merged = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt"} | dict(header or {})
        parts = ({name: value for name, value in merged.items() if value is not None}, dict(claims))
        signing_input = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        return f"{signing_input}.{base64url(self.sign(signing_input.encode('ascii')))}"
