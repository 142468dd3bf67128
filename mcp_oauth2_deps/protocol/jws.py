"""The only door to the JOSE library: split a token, build keys, check or make one signature.

What header and claims must say does not belong here; neither does choosing a key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

# Imported by its full name: `jose.jwk` would silently fall back to pure Python where `cryptography` is missing.
from jose.backends.base import Key
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.encoding import MAX_HEADER_VALUES, decode_base64url, parse_json_object

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVE_ALGORITHM = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
SUPPORTED_ALGORITHMS = (*RSA_ALGORITHMS, *CURVE_ALGORITHM.values(), "Ed25519")

MAX_TOKEN_BYTES = 16 * 1024

_HASHES: dict[str, HashAlgorithm] = {"PS256": SHA256(), "PS384": SHA384(), "PS512": SHA512()}
_COORDINATE_SIZE = {"P-256": 32, "P-384": 48, "P-521": 66}
MIN_RSA_BITS = 2048
# Checking a signature takes longer the larger the key is. Beyond these sizes a key adds no security, and an issuer that
# publishes it could slow down every request.
_MAX_RSA_BITS = 16384
_MAX_RSA_EXPONENT = 2**32
# The y coordinates of the eight points of small order of edwards25519 (RFC 8032 section 5.1), also as numbers above the prime.
# Under such a public key anybody can make valid signatures.
_WITHOUT_SIGN = 2**255 - 1
_P = 2**255 - 19
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8_Y, _P - _ORDER_8_Y})


class SignatureKey(Protocol):
    """A public key bound to one algorithm."""

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the signature over the message is this key's, by this algorithm."""


class UnusableKeyError(ValueError):
    """A published key that cannot check a signature here. The text says why, without any value of the key."""


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """The header parameters that choose a key or refuse a token (RFC 7515 section 4.1); nothing is verified.

    Attributes:
        alg: `alg` by its canonical name (`canonical_algorithm`).
        kid: `kid`.
        typ: `typ`.
    """

    alg: str
    kid: str | None
    typ: str | None


class UnverifiedToken(NamedTuple):
    """A token in three parts, decoded, of which nothing is verified."""

    header_segment: bytes
    signing_input: bytes
    payload: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "UnverifiedToken()"


class _PSSKey(Key):
    """RSASSA-PSS with a salt as long as the hash (RFC 7518 section 3.5), which python-jose does not have."""

    def __init__(self, key: Any, algorithm: str) -> None:
        self._key = key
        self._hash = _HASHES[algorithm]
        self._padding = padding.PSS(mgf=padding.MGF1(self._hash), salt_length=self._hash.digest_size)

    def sign(self, msg: bytes) -> bytes:
        return bytes(self._key.sign(msg, self._padding, self._hash))

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class _Ed25519Key(Key):
    """EdDSA over Ed25519 (RFC 8037 section 3.1), which python-jose does not have."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def sign(self, msg: bytes) -> bytes:
        return bytes(self._key.sign(msg))

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


def canonical_algorithm(name: str) -> str:
    """The name under which this algorithm is known here; any other name as it is.

    `EdDSA` (RFC 8037) does not say the curve, `Ed25519` (RFC 9864 section 2.2) does. Only that curve is supported, so both
    mean the same wherever they stand: in a token's header, in a key's `alg`, in the list of allowed algorithms.
    """
    return "EdDSA" if name == "Ed25519" else name


def split_token(token: str) -> UnverifiedToken:
    """The three parts of a JWS in compact form (RFC 7515 section 3.1), canonically encoded.

    Does not check: the header, the signature, that the payload is JSON.

    Raises:
        InvalidTokenError: `malformed`, for any other number of parts (a JWE has five), an empty part, lax base64 or over 16 KiB.
    """
    # Encoding a token that is not ASCII would raise a `UnicodeEncodeError`, which holds the token and could reach a log.
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise InvalidTokenError("malformed")
    try:
        data = token.encode("ascii")
        header, payload, signature = data.split(b".")
        if not (header and payload and signature):
            raise InvalidTokenError("malformed")
        signing_input = data[: len(header) + 1 + len(payload)]
        return UnverifiedToken(header, signing_input, decode_base64url(payload), decode_base64url(signature))
    except ValueError:
        raise InvalidTokenError("malformed") from None


def read_header(segment: bytes) -> UnverifiedHeader:
    """The parameters of a JOSE header that matter to us. Keys inside the header are not even read.

    Raises:
        InvalidTokenError: `malformed` for anything but a JSON object with a string `alg` and, if given, string `kid` and
            `typ`; `critical_header` for `crit` (RFC 7515 section 4.1.11) and `b64` (RFC 7797 section 6), of which we
            understand none.
    """
    try:
        header = parse_json_object(decode_base64url(segment), max_values=MAX_HEADER_VALUES)
    except ValueError:
        raise InvalidTokenError("malformed") from None
    for name in ("crit", "b64"):
        if name in header:
            raise InvalidTokenError("critical_header", claim=name)
    if "enc" in header:
        raise InvalidTokenError("malformed", claim="enc")
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise InvalidTokenError("algorithm", claim="alg")
    return UnverifiedHeader(canonical_algorithm(alg), _optional_string(header, "kid"), _optional_string(header, "typ"))


def _optional_string(header: Mapping[str, Any], name: str) -> str | None:
    value = header.get(name)
    if value is None and name not in header:
        return None
    if not isinstance(value, str):
        raise InvalidTokenError("malformed", claim=name)
    return value


def build_signature_keys(jwk: Mapping[str, Any], algorithms: Iterable[str]) -> dict[str, SignatureKey]:
    """One ready key per allowed algorithm, by its canonical name, that fits this JWK's type and curve (RFC 7518 section 6).

    Does not check: `use`, `key_ops`, `alg` and `kid` of the JWK, which are the key set's business.

    Raises:
        UnusableKeyError: another type or curve, private members, a weak or absurd RSA key, a point off its curve.
    """
    if "d" in jwk or "k" in jwk:
        raise UnusableKeyError("the key set publishes private key material; the issuer must replace this key")
    try:
        match jwk.get("kty"):
            case "RSA":
                keys = _rsa_keys(jwk)
            case "EC":
                keys = _ec_keys(jwk)
            case "OKP" if jwk.get("crv") == "Ed25519":
                keys = {"EdDSA": _ed25519_key(_octets(jwk, "x"))}
            case _:
                raise UnusableKeyError("its type or curve is not used for any supported algorithm")
    except UnusableKeyError:
        raise
    # python-jose and cryptography raise half a dozen kinds of errors for a bad key, with values of the key in their texts.
    except Exception:
        raise UnusableKeyError("its parameters make no valid key") from None
    allowed = set(map(canonical_algorithm, algorithms))
    return {alg: key for alg, key in keys.items() if alg in allowed}


def _ed25519_key(public: bytes) -> _Ed25519Key:
    key = Ed25519PublicKey.from_public_bytes(public)
    if (int.from_bytes(public, "little") & _WITHOUT_SIGN) in _SMALL_ORDER_Y:
        raise UnusableKeyError("its point is of small order, under which anybody can sign")
    return _Ed25519Key(key)


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnusableKeyError(f"its member {name} is missing or no string")
    # Some issuers write padding, which changes nothing in what a published number means.
    return decode_base64url(value.encode("ascii").rstrip(b"="))


def _rsa_keys(jwk: Mapping[str, Any]) -> dict[str, SignatureKey]:
    modulus, exponent = (int.from_bytes(_octets(jwk, name)) for name in ("n", "e"))
    if not MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS:
        raise UnusableKeyError(f"it has not {MIN_RSA_BITS} to {_MAX_RSA_BITS} bits")
    if modulus % 2 == 0:
        raise UnusableKeyError("its modulus is even")
    if exponent < 3 or exponent % 2 == 0 or exponent > _MAX_RSA_EXPONENT:  # noqa: PLR2004  # with 1 any signature is valid
        raise UnusableKeyError("its exponent is even, below 3 or absurdly large")
    first = CryptographyRSAKey({name: jwk[name].rstrip("=") for name in ("n", "e")} | {"kty": "RSA"}, "RS256")
    keys: dict[str, SignatureKey] = {"RS256": first}
    for alg in RSA_ALGORITHMS[1:]:
        keys[alg] = (CryptographyRSAKey if alg.startswith("RS") else _PSSKey)(first.prepared_key, alg)
    return keys


def _ec_keys(jwk: Mapping[str, Any]) -> dict[str, SignatureKey]:
    curve = jwk.get("crv")
    size = _COORDINATE_SIZE.get(curve) if isinstance(curve, str) else None
    if size is None:
        raise UnusableKeyError("its type or curve is not used for any supported algorithm")
    if any(len(_octets(jwk, name)) != size for name in ("x", "y")):
        raise UnusableKeyError("its coordinates have not the length of its curve")
    alg = CURVE_ALGORITHM[str(curve)]
    cleaned = {name: jwk[name].rstrip("=") for name in ("x", "y")} | {"kty": "EC", "crv": curve}
    return {alg: CryptographyECKey(cleaned, alg)}


def verify_signature(token: UnverifiedToken, key: SignatureKey) -> None:
    """Guarantees that the holder of the key signed this header and payload (RFC 7515 section 5.2).

    Does not check: that the key may be used for this token, the header, the claims.

    Raises:
        InvalidTokenError: `signature`.
    """
    if not key.verify(token.signing_input, token.signature):
        raise InvalidTokenError("signature")


def private_jwk(jwk: Mapping[str, Any]) -> Any:
    """The private key of a JWK (RFC 7518 section 6), to be given to `signature`. Whatever is wrong with it raises anything."""
    if jwk["kty"] == "OKP":
        return Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d"))
    # Without its private part python-jose would make a public key of it.
    _octets(jwk, "d")
    if jwk["kty"] == "RSA":
        return CryptographyRSAKey(dict(jwk), "RS256").prepared_key
    return CryptographyECKey(dict(jwk), "ES256").prepared_key


def signature(message: bytes, private_key: Any, algorithm: str) -> bytes:
    """The signature over the message by this algorithm, which must fit the key (RFC 7518 section 3, RFC 8037 section 3.1)."""
    if algorithm in RSA_ALGORITHMS:
        key: Key = (CryptographyRSAKey if algorithm.startswith("RS") else _PSSKey)(private_key, algorithm)
    elif canonical_algorithm(algorithm) == "EdDSA":
        key = _Ed25519Key(private_key)
    else:
        key = CryptographyECKey(private_key, algorithm)
    signed: bytes = key.sign(message)
    return signed
