"""The keys of one issuer, for who asks for them with every token.

How keys are fetched and kept does not belong here.
"""

from mcp_oauth2_deps.protocol.keys import KeySet
from mcp_oauth2_deps.stores.jwks import JWKSStore
from mcp_oauth2_deps.stores.loaded_keys import Loaded


class IssuerKeys:
    """The keys of one issuer in a store. Below their soft age they are returned without a look-up in the store.

    That look-up would cost as much as all else that a remembered token needs. Keys that were replaced or displaced say so.
    """

    __slots__ = ("_clock", "_issuer", "_loaded", "_store")

    def __init__(self, store: JWKSStore, issuer: str) -> None:
        """Nothing is asked yet."""
        self._store, self._issuer, self._clock = store, issuer, store._clock  # noqa: SLF001  # these two are one thing in two files
        self._loaded: Loaded | None = None

    def current(self) -> KeySet | None:
        """As `JWKSStore.current_and_refresh_ahead`."""
        loaded = self._loaded
        if loaded is None or self._clock() >= loaded.refresh_at:
            loaded = self._loaded = self._store._loaded_and_refresh_ahead(self._issuer)  # noqa: SLF001
        return None if loaded is None else loaded.key_set

    def are(self, key_set: KeySet) -> bool:
        """Whether these are still the issuer's keys. In other ones the key of a token may be missing."""
        loaded = self._loaded
        if loaded is not None and self._clock() < loaded.refresh_at:
            return loaded.key_set is key_set
        return self.current() is key_set

    async def key_set(self) -> KeySet:
        """As `JWKSStore.key_set`."""
        return await self._store.key_set(self._issuer)

    async def refreshed_key_set(self) -> KeySet:
        """As `JWKSStore.refreshed_key_set`."""
        return await self._store.refreshed_key_set(self._issuer)

    def start_refresh(self) -> None:
        """As `JWKSStore.start_refresh`."""
        self._store.start_refresh(self._issuer)
