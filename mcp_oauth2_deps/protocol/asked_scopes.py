"""How a client has to name scopes when it asks an issuer for them, where that is not how tokens name them.

What a token holds, and what is demanded, does not belong here: both have the name that tokens have.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# Scopes of OpenID Connect (Core sections 5.4 and 11) belong to the issuer and to no API.
_OF_THE_ISSUER = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


@dataclass(frozen=True, slots=True)
class AskedScopes:
    """The names under which an issuer is asked for scopes.

    Attributes:
        prefix: what stands in front of a name, as `api://app-id/` does for Entra ID.
        never_asked: beginnings of names that stand for roles, groups and the like. No client can ask for these; to name them in a
            challenge would make it ask for a scope that the issuer does not know, and the login would fail.

    Example:
        >>> AskedScopes("api://app/", ("role:",)).names(("openid", "files.read", "role:editor"))
        ('openid', 'api://app/files.read')
    """

    prefix: str = ""
    never_asked: tuple[str, ...] = ()

    def names(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """These scopes, as a client asks for them; a name that is a full URI is asked for as it is."""
        return tuple(map(self.name, (scope for scope in scopes if not scope.startswith(self.never_asked))))

    def name(self, scope: str) -> str:
        """One scope, as a client asks for it."""
        return scope if scope in _OF_THE_ISSUER or "://" in scope else self.prefix + scope


def asked_alike(forms: Iterable[AskedScopes]) -> AskedScopes:
    """What holds at each of several issuers, of which nobody knows yet which one a client will ask."""
    different = list(dict.fromkeys(forms))
    if len(different) == 1:
        return different[0]
    common = [set(form.never_asked) for form in different]
    return AskedScopes("", tuple(sorted(set.intersection(*common)))) if common else AskedScopes()
