"""A private key of ours, and JWTs that it signs.

What such a JWT says does not belong here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mcp_oauth2_deps.protocol.encoding import encode_base64url, parse_json_object
from mcp_oauth2_deps.protocol.jws import CURVE_ALGORITHM, MIN_RSA_BITS, RSA_ALGORITHMS, UnusableKeyError, private_jwk, signature

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key for one algorithm. Its repr shows no part of the key.

    Attributes:
        alg: the JWS algorithm.
        kid: its name at who checks the signature, if it has one.
    """

    alg: str
    kid: str | None
    _key: Any = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature over the message (RFC 7518 section 3)."""
        return signature(message, self._key, self.alg)


def read_private_key(text: str) -> PrivateKey:
    """The private key in this text: a PEM file without a password, or a JWK (RFC 7517), which may name `kid` and `alg`.

    RSA keys of 2048 bits or more (RS256, or the `alg` of the JWK), the curves P-256, P-384, P-521 and Ed25519.

    Raises:
        UnusableKeyError: it is none; the text says why, without any value of the key.
    """
    jwk: dict[str, Any] = {}
    try:
        if text.lstrip().startswith("{"):
            jwk = parse_json_object(text.encode())
            key = private_jwk(jwk)
        else:
            key = load_pem_private_key(text.encode(), password=None)
    except UnusableKeyError:
        raise
    # python-jose and cryptography raise half a dozen kinds of errors for a bad key, with values of the key in their texts.
    except Exception:
        raise UnusableKeyError("it is neither a PEM file with a private key and without a password, nor a private JWK") from None
    algorithms = _algorithms(key)
    alg, kid = jwk.get("alg", algorithms[0]), jwk.get("kid")
    if alg not in algorithms:
        raise UnusableKeyError(f"its alg is not one of {', '.join(algorithms)}, which a key of this type signs by")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKeyError("its kid is no string")
    return PrivateKey(alg, kid, key)


def _algorithms(key: object) -> tuple[str, ...]:
    """The algorithms that the key may sign by; the first is the usual one."""
    match key:
        case rsa.RSAPrivateKey():
            if key.key_size < MIN_RSA_BITS:
                raise UnusableKeyError(f"it has fewer than {MIN_RSA_BITS} bits")
            return RSA_ALGORITHMS
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return (CURVE_ALGORITHM[_CURVES[key.curve.name]],)
        case ed25519.Ed25519PrivateKey():
            return ("EdDSA", "Ed25519")
        case _:
            raise UnusableKeyError("its type or curve is not used for any supported algorithm")


def sign_jwt(key: PrivateKey, claims: Mapping[str, Any]) -> str:
    """A JWT with these claims (RFC 7519 section 7.1)."""
    header = {"alg": key.alg, "typ": "JWT"} | ({} if key.kid is None else {"kid": key.kid})
    signing_input = ".".join(encode_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signing_input}.{encode_base64url(key.sign(signing_input.encode()))}"
