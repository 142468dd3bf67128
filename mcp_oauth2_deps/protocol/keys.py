"""An issuer's published keys as one immutable value, and the rule which of them fits a token.

Fetching and ageing do not belong here.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.jws import (
    SignatureKey,
    UnusableKeyError,
    UnverifiedHeader,
    build_signature_keys,
    canonical_algorithm,
)

_MATERIAL = ("kty", "crv", "n", "e", "x", "y")


class UnusableKeySetError(ValueError):
    """A document that is no key set, or a key set in which nothing can check a signature."""


@dataclass(frozen=True, slots=True)
class _PublishedKey:
    kid: str | None
    material: tuple[str | None, ...]
    algorithms: frozenset[str]
    ready: Mapping[str, SignatureKey] = field(compare=False)


@dataclass(frozen=True)
class KeySet:
    """The usable keys of one issuer (RFC 7517 section 5). Two sets are equal when they hold the same keys.

    Attributes:
        skipped: for each key that cannot be used here, why.
        key_ids: the `kid` of every key that has one; computed.
    """

    _keys: frozenset[_PublishedKey]
    skipped: tuple[str, ...] = field(default=(), compare=False)
    _index: Mapping[tuple[str | None, str], tuple[SignatureKey, ...]] = field(init=False, compare=False, repr=False, hash=False)
    key_ids: frozenset[str] = field(init=False, compare=False, repr=False, hash=False)

    def __post_init__(self) -> None:
        index: dict[tuple[str | None, str], dict[tuple[str | None, ...], SignatureKey]] = {}
        for key in self._keys:
            for alg, ready in key.ready.items():
                # A token without `kid` is looked up under None, so each key is entered there too. Keyed by its material, a
                # key that is published twice counts once and is not ambiguous.
                for kid in {key.kid, None}:
                    index.setdefault((kid, alg), {})[key.material] = ready
        object.__setattr__(self, "_index", {wanted: tuple(fitting.values()) for wanted, fitting in index.items()})
        object.__setattr__(self, "key_ids", frozenset(kid for kid, _ in index if kid is not None))

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], algorithms: Collection[str]) -> "KeySet":
        """The set's keys that may check a signature by one of these algorithms; others are skipped (RFC 7517 section 5).

        Does not check: who published the document.

        Raises:
            UnusableKeySetError: no `keys` list, or nothing usable in it.
        """
        builder = KeySetBuilder(algorithms)
        for jwk in published_keys(document):
            builder.add(jwk)
        return builder.finish()

    def select(self, header: UnverifiedHeader) -> SignatureKey | None:
        """The one key that fits the header's `kid` and `alg` (RFC 8725 section 3.1); none when its `kid` is unknown.

        Without `kid` a key is found only when exactly one fits the algorithm.

        Raises:
            InvalidTokenError: `algorithm` when the named key is not for that algorithm, `ambiguous_key` when several fit.
        """
        fitting = self._index.get((header.kid, header.alg), ())
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise InvalidTokenError("ambiguous_key", claim="kid")
        if header.kid is not None and header.kid in self.key_ids:
            raise InvalidTokenError("algorithm", claim="alg")
        return None


def published_keys(document: Mapping[str, Any]) -> list[Any]:
    """The members of the `keys` list of a document (RFC 7517 section 5.1), of whatever kind they are.

    Raises:
        UnusableKeySetError: there is no such list.
    """
    published = document.get("keys")
    if not isinstance(published, list):
        raise UnusableKeySetError("the document has no list named keys")
    return published


class KeySetBuilder:
    """Builds a `KeySet` key by key, for a caller that has something else to do in between: a large key costs a millisecond."""

    def __init__(self, algorithms: Collection[str], fits: Callable[[str], bool] | None = None) -> None:
        """Nothing is added yet.

        Args:
            algorithms: those that keys are wanted for.
            fits: whether a key may be used that says of itself for which issuer it is (`issuer`, which Entra ID writes); all may
                when absent.
        """
        self._algorithms = algorithms
        self._fits = fits
        self._usable: set[_PublishedKey] = set()
        self._skipped: list[str] = []
        self._added = 0

    def add(self, jwk: Any) -> None:
        """Takes the next published key; one that cannot be used here is skipped."""
        self._added += 1
        try:
            key = _published_key(jwk, self._algorithms)
            if self._fits is not None and "issuer" in jwk:
                _verify_owner(jwk["issuer"], self._fits)
            self._usable.add(key)
        except UnusableKeyError as error:
            self._skipped.append(str(error))

    def finish(self) -> KeySet:
        """Returns the set of the usable keys.

        Raises:
            UnusableKeySetError: there are none.
        """
        if not self._usable:
            raise UnusableKeySetError(f"none of its {self._added} keys can check a signature here")
        return KeySet(frozenset(self._usable), tuple(self._skipped))


def _verify_owner(issuer: object, fits: Callable[[str], bool]) -> None:
    if not isinstance(issuer, str) or not fits(issuer):
        raise UnusableKeyError("it is for another issuer")


def _published_key(jwk: Any, algorithms: Collection[str]) -> _PublishedKey:
    if not isinstance(jwk, dict):
        raise UnusableKeyError("it is no JSON object")
    if jwk.get("use", "sig") != "sig":
        raise UnusableKeyError("its use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("its key_ops do not include verify")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKeyError("its kid is no string")
    ready = build_signature_keys(jwk, algorithms)
    if "alg" in jwk:
        own = canonical_algorithm(jwk["alg"])
        ready = {alg: key for alg, key in ready.items() if alg == own}
    if not ready:
        raise UnusableKeyError("it fits none of the allowed algorithms")
    return _PublishedKey(kid, tuple(_spelling(jwk.get(name)) for name in _MATERIAL), frozenset(ready), ready)


def _spelling(member: Any) -> str | None:
    """A member in the form in which two keys are compared; members that mean nothing for the key's type may be anything."""
    return member.rstrip("=") if isinstance(member, str) else None
