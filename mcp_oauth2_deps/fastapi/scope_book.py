"""The scopes that one scheme has heard of, for challenges, metadata and OpenAPI.

What a route demands does not belong here.
"""

from collections.abc import Iterable


class ScopeBook:
    """Every scope that was demanded or announced so far; it only grows.

    Attributes:
        known: all of them.
        preselected: the same, sorted. One list that is updated in place, because Swagger UI is given it once.
        advertised: those that `scopes_supported` of the metadata names besides the configured ones.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.preselected: list[str] = []
        self.advertised: tuple[str, ...] = ()

    def announce(self, scopes: Iterable[str], *, advertise: bool = False) -> None:
        """Makes scopes known.

        Args:
            scopes: what is demanded somewhere.
            advertise: name them in `scopes_supported` too.
        """
        scopes = tuple(scopes)
        self.known.update(scopes)
        self.preselected[:] = sorted(self.known)
        if advertise:
            self.advertised = tuple(dict.fromkeys((*self.advertised, *scopes)))
