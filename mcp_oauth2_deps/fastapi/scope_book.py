"""The scopes that one scheme has heard of, for challenges, metadata and OpenAPI.

What a route demands does not belong here.
"""

from collections.abc import Iterable

from mcp_oauth2_deps.protocol.asked_scopes import AskedScopes


class ScopeBook:
    """Every scope that was demanded or announced so far; it only grows.

    Attributes:
        known: all of them.
        preselected: the same as clients ask for them, sorted. One list, updated in place, because Swagger UI is given it once.
        basic: those that every call to an MCP server needs.
        advertised: those that `scopes_supported` of the metadata names besides the small basic set.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.preselected: list[str] = []
        self.basic: tuple[str, ...] = ()
        self.advertised: tuple[str, ...] = ()
        self._forms: tuple[AskedScopes, ...] = (AskedScopes(),)

    def ask_as(self, forms: Iterable[AskedScopes]) -> None:
        """Makes it known how the issuers are asked for scopes."""
        self._forms = tuple(forms)
        self.announce(())

    def announce(self, scopes: Iterable[str], *, advertise: bool = False) -> None:
        """Makes scopes known.

        Args:
            scopes: what is demanded somewhere.
            advertise: name them in `scopes_supported` too.
        """
        scopes = tuple(scopes)
        self.known.update(scopes)
        self.preselected[:] = sorted({name for form in self._forms for name in form.names(self.known)})
        if advertise:
            self.advertised = tuple(dict.fromkeys((*self.advertised, *scopes)))

    def announce_basic(self, scopes: Iterable[str]) -> None:
        """Makes scopes known that every call to an MCP server needs."""
        scopes = tuple(scopes)
        self.announce(scopes)
        self.basic = tuple(dict.fromkeys((*self.basic, *scopes)))

    def supported(self, configured: Iterable[str]) -> tuple[str, ...]:
        """What `scopes_supported` names: the configured scopes, else those that every call needs; and what is advertised.

        Some clients ask for these instead of the scopes of the challenge. Without the ones that every call needs they never get
        a token that opens anything.
        """
        return tuple(dict.fromkeys((*(tuple(configured) or self.basic), *self.advertised)))
