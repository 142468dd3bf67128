"""The frozen values that pass from one room to the next.

Rules about them live in `protocol`; nothing here parses, fetches or decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never


class ReadOnlyDict(dict[str, Any]):
    """A dict that cannot be changed, so that one request cannot alter what a remembered token says to the next."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("the claims of a token are read-only; copy them with dict(...) first")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReadOnlyDict":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller presented: an authentication scheme in lower case and its token, nothing verified."""

    scheme: str
    token: str = field(repr=False)


# With slots there is no `__dict__` through which one handler could alter a remembered token for the next.
@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token. It holds no raw token, so a handler can neither forward nor log it.

    Attributes:
        subject: `sub`; who the token speaks for, unique within the issuer.
        client_id: `client_id`, or `azp` where the issuer writes that; the software that was given the token.
        issuer: `iss`, one of the trusted issuers, verbatim.
        audience: every member of `aud`, verbatim.
        scopes: what was granted, as the token says it. Scopes implied by the configured hierarchy are not added.
        expires_at: `exp`, epoch seconds.
        issued_at: `iat`, epoch seconds.
        token_id: `jti`.
        claims: the whole claim set, read-only in depth (lists are tuples).
    """

    subject: str | None = None
    client_id: str | None = None
    issuer: str = ""
    audience: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    expires_at: float = 0
    issued_at: float | None = None
    token_id: str | None = None
    claims: Mapping[str, Any] = field(default_factory=ReadOnlyDict, repr=False, hash=False)

    def __post_init__(self) -> None:
        # Tokens made by hand in tests come with whatever collection was near.
        if type(self.scopes) is not frozenset:
            object.__setattr__(self, "scopes", frozenset(self.scopes))


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What a token must be to pass; every field was checked by the settings.

    Attributes:
        issuers: trusted issuers, verbatim.
        audiences: accepted audiences, verbatim.
        algorithms: JWS algorithms allowed.
        leeway: seconds of clock difference forgiven, in both directions.
        strict_at_jwt: demand RFC 9068 to the letter.
        scope_claims: claims that may hold scopes, the first one present counts.
        scope_hierarchy: scope to all scopes it implies, already transitive.
    """

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    algorithms: frozenset[str]
    leeway: float = 30
    strict_at_jwt: bool = False
    scope_claims: tuple[str, ...] = ("scope", "scp")
    scope_hierarchy: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScopeRequirement:
    """The scopes one operation asks for: all of `all_of`, and one of each group in `any_of`."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()

    def __iter__(self) -> Iterator[str]:
        """Every scope named, once, in the order of declaration."""
        return iter(dict.fromkeys((*self.all_of, *(scope for group in self.any_of for scope in group))))

    def with_all_of(self, scopes: Sequence[str]) -> "ScopeRequirement":
        """This, and all these scopes too."""
        if set(scopes).issubset(self.all_of):
            return self
        return self + ScopeRequirement(tuple(scopes))

    def __add__(self, other: "ScopeRequirement") -> "ScopeRequirement":
        return ScopeRequirement(
            tuple(dict.fromkeys((*self.all_of, *other.all_of))), tuple(dict.fromkeys((*self.any_of, *other.any_of)))
        )


@dataclass(frozen=True, slots=True)
class Challenge:
    """An HTTP answer to a refused request, before any framework: status, headers, and the RFC error with its sentence.

    At a shortfall also the scopes that are missing, for a person: the header names those that are held beside them.
    """

    status: int
    headers: Mapping[str, str]
    error: str | None
    description: str
    missing_scopes: tuple[str, ...] = ()
