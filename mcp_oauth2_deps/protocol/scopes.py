"""Scopes: read them from claims, follow what they imply, say what is missing.

Where scopes are demanded does not belong here.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError
from mcp_oauth2_deps.models import AccessToken

# RFC 6749 section 3.3.
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# By this scope a client asks the issuer for a refresh token. It is no right at a resource, so it is neither demanded nor
# advertised here (SEP-2207 of MCP).
OFFLINE_ACCESS = "offline_access"


@dataclass(frozen=True, slots=True)
class ScopeRequirement:
    """What one operation asks for.

    Attributes:
        all_of: scopes that are all needed.
        any_of: groups of scopes, of each of which one is needed.
        live: whether the issuer must be asked now whether the token is good.
    """

    all_of: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    live: bool = False

    def names(self) -> tuple[str, ...]:
        """Every scope named, once, in the order of declaration; which of them are alternatives is not said."""
        return tuple(dict.fromkeys((*self.all_of, *(scope for group in self.any_of for scope in group))))

    def with_all_of(self, scopes: Sequence[str]) -> "ScopeRequirement":
        """This, and all these scopes too."""
        for scope in scopes:
            if scope not in self.all_of:
                return self + ScopeRequirement(tuple(scopes))
        return self

    def __add__(self, other: "ScopeRequirement") -> "ScopeRequirement":
        return ScopeRequirement(
            tuple(dict.fromkeys((*self.all_of, *other.all_of))),
            tuple(dict.fromkeys((*self.any_of, *other.any_of))),
            live=self.live or other.live,
        )

    def shortfall(self, token: AccessToken, hierarchy: Mapping[str, frozenset[str]]) -> InsufficientScopeError | None:
        """What the token lacks; nothing when it covers the requirement. Scopes are compared whole and case-sensitively.

        Does not check: that the token is good.
        """
        missing = missing_scopes(self, token.scopes, hierarchy)
        if not missing:
            return None
        return InsufficientScopeError(required=self.names(), granted=token.scopes, missing=missing)


def is_scope_token(text: str) -> bool:
    """Whether the text is one scope by the grammar of RFC 6749 section 3.3."""
    return _SCOPE_TOKEN.fullmatch(text) is not None


def checked_scopes(scopes: Iterable[object]) -> tuple[str, ...]:
    """The same scopes, known to be fit to be demanded.

    Raises:
        ValueError: something that is no scope, or `offline_access`, which is no right at a resource.
    """
    checked = []
    for scope in scopes:
        if not isinstance(scope, str) or not is_scope_token(scope):
            raise ValueError(f"{scope!r} is no scope; give each scope as one of several strings")
        if scope == OFFLINE_ACCESS:
            raise ValueError("offline_access asks the issuer for a refresh token; it is never demanded here")
        checked.append(scope)
    return tuple(checked)


def scope_requirement(*scopes: object, any_of: Iterable[object] = ()) -> ScopeRequirement:
    """All of `scopes` and, where given, one of `any_of`.

    Raises:
        ValueError: something that is no scope.
    """
    if isinstance(any_of, str):
        raise ValueError("any_of takes a list of scopes, not one string")
    alternatives = checked_scopes(any_of)
    return ScopeRequirement(checked_scopes(scopes), (alternatives,) if alternatives else ())


class ClaimedScopes(NamedTuple):
    """A further claim whose values count as scopes.

    Attributes:
        path: the claim, and in it the members that lead to the values.
        prefix: put in front of each value.
        keys: whether the values are the names of an object's members.
    """

    path: tuple[str, ...]
    prefix: str = ""
    keys: bool = False


def read_scopes(claims: Mapping[str, Any], names: Iterable[str], sources: Iterable[ClaimedScopes] = ()) -> frozenset[str]:
    """The scopes in the first of the named claims that is present, and those in all further sources; none when none is.

    Each is a space-delimited string (RFC 8693 section 4.2) or a list of strings, which Spring Authorization Server, Duende and
    ForgeRock write under the name `scope` too. A string in a list is one scope, never divided.

    Raises:
        InvalidTokenError: `claim`, when one of the claims has another type, also one that would not have counted. A token
            with odd scopes is not one without scopes.
    """
    found = None
    for name in names:
        if name in claims:
            scopes = _read_scope_claim(name, claims[name])
            found = scopes if found is None else found
    # What begins like the values of another claim comes from there alone: a client asks for scopes, and for no roles.
    prefixes = tuple(source.prefix for source in sources if source.prefix)
    granted = frozenset(scope for scope in found or () if not (prefixes and scope.startswith(prefixes)))
    for source in sources:
        granted |= _read_source(claims, source)
    return granted


def _read_source(claims: Mapping[str, Any], source: ClaimedScopes) -> frozenset[str]:
    name, value = ".".join(source.path), claims
    for member in source.path:
        if not isinstance(value, dict):
            raise InvalidTokenError("claim", claim=name)
        if member not in value:
            return frozenset()
        value = value[member]
    if not source.keys:
        values = _read_scope_claim(name, value)
    elif isinstance(value, dict):
        values = frozenset(filter(None, value))
    else:
        raise InvalidTokenError("claim", claim=name)
    return frozenset(source.prefix + scope for scope in values)


def _read_scope_claim(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(filter(None, value.split(" ")))
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        return frozenset(filter(None, value))
    raise InvalidTokenError("claim", claim=name)


def transitive_hierarchy(hierarchy: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """For each scope all scopes it implies, directly or through others.

    Raises:
        ValueError: a cycle, named in the text.
    """
    closed: dict[str, frozenset[str]] = {}

    def close(scope: str, path: tuple[str, ...]) -> frozenset[str]:
        if scope in path:
            raise ValueError(" -> ".join((*path[path.index(scope) :], scope)))
        if scope not in closed:
            direct = frozenset(hierarchy.get(scope, ()))
            closed[scope] = direct.union(*(close(implied, (*path, scope)) for implied in sorted(direct)))
        return closed[scope]

    for scope in hierarchy:
        close(scope, ())
    return {scope: implied for scope, implied in closed.items() if implied}


def with_implied(granted: Collection[str], hierarchy: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The granted scopes and all that they imply."""
    return frozenset(granted).union(*(hierarchy[scope] for scope in granted if scope in hierarchy))


def missing_scopes(
    requirement: ScopeRequirement, granted: frozenset[str], hierarchy: Mapping[str, frozenset[str]]
) -> tuple[str, ...]:
    """What the requirement asks and the grant does not hold; of alternatives all, when none of them is held."""
    # A grant that names every scope needs no look at the hierarchy.
    if not requirement.any_of and granted.issuperset(requirement.all_of):
        return ()
    held = with_implied(granted, hierarchy) if hierarchy else granted
    missing = [scope for scope in requirement.all_of if scope not in held]
    for group in requirement.any_of:
        if held.isdisjoint(group):
            missing.extend(group)
    return tuple(dict.fromkeys(missing))
