"""The one place that holds key sets: issuer to keys, bounded in number and age.

How keys are fetched, and when they are refreshed, do not belong here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from mcp_oauth2_deps.protocol.keys import KeySet


@dataclass(frozen=True, slots=True)
class KeysStatus:
    """What a worker knows of the keys of one issuer at one moment. Times are seconds.

    Attributes:
        issuer: whose.
        usable_keys: how many can verify signatures; with 0 the issuer's tokens get 503.
        age: since they were fetched; none without keys.
        refresh_in: until they are fetched again in the background; none without keys.
        usable_for: until their hard age, if no fetch succeeds; 0 without keys.
        failure: why the last fetch failed, without anything the issuer sent; none if it did not.
        failing_for: since the first of the fetches that failed in a row; 0 if the last one did not.

    Example:
        >>> [keys.issuer for keys in auth.status() if not keys.usable_keys]
    """

    issuer: str
    usable_keys: int
    age: float | None
    refresh_in: float | None
    usable_for: float
    failure: str | None
    failing_for: float


@dataclass(slots=True)
class Loaded:
    """Keys of an issuer, when they were fetched, and the instant from which they are refreshed in the background.

    The latter is set to the past when other keys take their place, or when they are displaced. Until then these are the
    issuer's keys, which can be seen without a look-up: it would cost as much as all else that a remembered token needs.
    """

    key_set: KeySet
    refresh_at: float
    fetched_at: float


class LoadedKeys(TTLCache[str, Loaded]):
    """Issuer to its keys. None is older than the hard age; beyond the bound the least recently used is displaced."""

    def __init__(self, max_issuers: int, hard_age: float, clock: Callable[[], float]) -> None:
        """Nothing is loaded yet.

        Args:
            max_issuers: how many issuers are remembered.
            hard_age: seconds after which keys are gone.
            clock: seconds, never going back.
        """
        super().__init__(max_issuers, hard_age, timer=clock)
        self._clock = clock

    def find(self, issuer: str) -> Loaded | None:
        """The issuer's keys, or None if there are none below their hard age."""
        # Asked for every token that is not remembered: `get` looks twice and costs three times as much.
        try:
            return self[issuer]
        except KeyError:
            return None

    def usable_for(self, issuer: str) -> float:
        """Seconds until the issuer's keys reach their hard age; 0 where there are none."""
        loaded = self.find(issuer)
        return 0 if loaded is None else max(0, loaded.fetched_at + self.ttl - self._clock())

    def keep(self, issuer: str, key_set: KeySet, interval: float) -> KeySet:
        """Puts keys in the place of those before, and returns them: the former object where they are the same.

        Args:
            issuer: whose keys they are.
            key_set: the keys, fetched just now.
            interval: seconds until they are refreshed in the background.
        """
        now = self._clock()
        loaded, previous = Loaded(key_set, now + min(interval, self.ttl), now), self.find(issuer)
        # Tokens are remembered together with the key set that verified them, so the same keys stay the same object.
        if previous is not None and previous.key_set == key_set:
            previous.refresh_at, previous.fetched_at, loaded = loaded.refresh_at, now, previous
        elif previous is not None:
            previous.refresh_at = -math.inf
        self[issuer] = loaded
        return loaded.key_set

    def popitem(self) -> tuple[str, Loaded]:
        """Called where another issuer needs the room."""
        issuer, loaded = super().popitem()
        loaded.refresh_at = -math.inf
        return issuer, loaded
