"""The key sets of all issuers: fetched once for all who wait, refreshed ahead, forgotten at their hard age.

Which key fits a token does not belong here, nor does the token.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cachetools import LRUCache

from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.events import Events, KeysRefreshed, KeysUnavailable
from mcp_oauth2_deps.instrumentation.logging import logged
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.protocol.keys import KeySet, KeySetBuilder, UnusableKeySetError, published_keys
from mcp_oauth2_deps.stores.discovery import discover
from mcp_oauth2_deps.stores.documents import Document, DocumentSource
from mcp_oauth2_deps.stores.loaded_keys import KeysStatus, Loaded, LoadedKeys
from mcp_oauth2_deps.stores.shared_tasks import SharedTasks

# After so many keys are built the event loop gets a turn. The largest keys take it up to 1 ms each, usual ones a tenth of that.
_KEYS_PER_STEP = 4
# Seconds. `Cache-Control` may ask for a refresh sooner than `refresh_after`, but not sooner than this: Auth0 sends `max-age=15`
# and Keycloak `no-cache` with their keys, and each worker would ask all the time. A new key is found by its `kid` anyway.
_MIN_REFRESH_AFTER = 300
_SHOWABLE = re.compile(r"[\x21-\x7e]{1,200}")


class KeySource(NamedTuple):
    """Where the keys of one issuer are, and what they are wanted for.

    Attributes:
        jwks_uri: the URL of the keys; discovered when absent.
        algorithms: those that keys are wanted for.
        fits: whether a key may be used that says of itself for which issuer it is; all may when absent.
    """

    jwks_uri: str | None
    algorithms: frozenset[str]
    fits: Callable[[str], bool] | None = None


@dataclass(slots=True)
class _Record:
    """What is known of an issuer apart from its keys: the last attempt to fetch them, and the issuer's metadata."""

    attempted_at: float = -math.inf
    failure: str | None = None
    failing_since: float | None = None
    metadata: IssuerMetadata | None = None
    discovered_at: float = -math.inf


class JWKSStore:
    """The keys of all trusted issuers. Readers get an immutable `KeySet`; a failed refresh changes nothing.

    At most one fetch per issuer is in flight. A waiter that is cancelled cancels its own wait only. Issuers do not affect each
    other, except that beyond `max_issuers` the least recently used is forgotten, and its keys are fetched again when needed.
    It belongs to one event loop at a time.

    Does not check: that an issuer is trusted. It fetches the keys of whatever issuer it is asked for.

    Example:
        `await JWKSStore(documents).key_set("https://auth.example.com")`
    """

    def __init__(
        self,
        documents: DocumentSource,
        *,
        jwks_uris: Mapping[str, str] | None = None,
        algorithms: Collection[str] = SUPPORTED_ALGORITHMS,
        sources: Callable[[str], KeySource | None] | None = None,
        refresh_after: float = 600,
        cache_ttl: float = 3600,
        cooldown: float = 30,
        deadline: float = 10,
        max_issuers: int = 1024,
        clock: Callable[[], float] = time.monotonic,
        events: Events | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            documents: how metadata and keys are fetched.
            jwks_uris: issuer to the URL of its keys, for issuers where that is not to be discovered.
            algorithms: JWS algorithms that keys are wanted for.
            sources: the two for one issuer by its name, where issuers differ; none where it is as for all.
            refresh_after: soft age in seconds; from here keys are refreshed in the background.
            cache_ttl: hard age in seconds; no older key is ever returned.
            cooldown: least seconds from the end of an attempt to the next for that issuer, except a refresh due after a success.
            deadline: seconds for one attempt, metadata and keys together.
            max_issuers: how many issuers are remembered.
            clock: seconds, never going back.
            events: who hears of fetches; the log when absent.
        """
        self._documents = documents
        self._jwks_uris = {} if jwks_uris is None else jwks_uris
        self._algorithms, self._sources = frozenset(algorithms), sources
        self._refresh_after = refresh_after
        self._hard_age = cache_ttl
        self._cooldown, self._deadline = cooldown, deadline
        self._clock = clock
        self._events = logged(Events()) if events is None else events
        self._loaded = LoadedKeys(max_issuers, cache_ttl, clock)
        self._records: LRUCache[str, _Record] = LRUCache(max_issuers)
        self._tasks = SharedTasks[str, KeySet | None]()

    def metadata(self, issuer: str) -> IssuerMetadata | None:
        """The issuer's metadata as last discovered."""
        return self._record(issuer).metadata

    def current_and_refresh_ahead(self, issuer: str) -> KeySet | None:
        """Returns the issuer's loaded keys, or None if there are none below their hard age.

        Side effect: starts a background refresh once they exceed their soft age.
        """
        loaded = self._loaded_and_refresh_ahead(issuer)
        return None if loaded is None else loaded.key_set

    def _loaded_and_refresh_ahead(self, issuer: str) -> Loaded | None:
        """As `current_and_refresh_ahead`, with the instant until which the store need not be asked again."""
        loaded = self._loaded.find(issuer)
        if loaded is not None and self._clock() >= loaded.refresh_at:
            self._start(issuer)
        return loaded

    async def key_set(self, issuer: str) -> KeySet:
        """The issuer's loaded keys, or else the keys fetched now.

        Raises:
            IssuerUnavailableError: there are none, and none can be had before the cooldown is over.
        """
        key_set = self.current_and_refresh_ahead(issuer)
        if key_set is None:
            key_set = await _outcome(self._start(issuer))
        if key_set is None:
            raise self._unavailable(issuer)
        return key_set

    async def refreshed_key_set(self, issuer: str) -> KeySet:
        """The issuer's keys after one more look, for a key id that is not among them. Inside the cooldown no look is taken.

        Raises:
            IssuerUnavailableError: the last look failed, so nobody can say whether the issuer has such a key.
        """
        task = self._start(issuer, due=False)
        if task is None and self._record(issuer).failure is None:
            return await self.key_set(issuer)
        key_set = await _outcome(task)
        if key_set is None:
            raise self._unavailable(issuer)
        return key_set

    def start_refresh(self, issuer: str) -> None:
        """Starts a background refresh of the issuer's keys, unless one is in flight or the cooldown forbids it."""
        self._start(issuer, due=False)

    def status(self, issuer: str) -> KeysStatus:
        """What is known of the issuer's keys now. Nothing is fetched."""
        loaded, record, now = self._loaded.find(issuer), self._record(issuer), self._clock()
        return KeysStatus(
            issuer=issuer,
            usable_keys=0 if loaded is None else len(loaded.key_set),
            age=None if loaded is None else now - loaded.fetched_at,
            refresh_in=None if loaded is None else max(0, loaded.refresh_at - now),
            usable_for=self._loaded.usable_for(issuer),
            failure=record.failure,
            failing_for=0 if record.failing_since is None else now - record.failing_since,
        )

    async def aclose(self) -> None:
        """Ends the fetches in flight. The keys stay."""
        await self._tasks.aclose()

    def _record(self, issuer: str) -> _Record:
        return self._records.get(issuer) or _Record()

    def _start(self, issuer: str, *, due: bool = True) -> asyncio.Task[KeySet | None] | None:
        task = self._tasks.running(issuer)
        if task is not None:
            return task
        record = self._record(issuer)
        cooling_down = self._clock() < record.attempted_at + self._cooldown
        if cooling_down and not (due and record.failure is None):
            return None
        return self._tasks.start(issuer, self._refresh(issuer, record))

    async def _refresh(self, issuer: str, record: _Record) -> KeySet | None:
        """One attempt. Returns the keys it brought: who waits for it gets them even if other issuers displaced them since."""
        try:
            key_set, document = await self._attempt(issuer, record)
        except DocumentError as error:
            record.attempted_at, record.failure = self._clock(), str(error)
            if record.failing_since is None:
                record.failing_since = record.attempted_at
            self._events.emit(KeysUnavailable(issuer, str(error), self._loaded.usable_for(issuer), self._cooldown))
            return None
        except asyncio.CancelledError:
            # It says nothing of the issuer that we stop, so this attempt starts no cooldown.
            record.failure = "the attempt was ended from outside"
            raise
        else:
            record.attempted_at, record.failure = self._clock(), None
            outage = 0 if record.failing_since is None else record.attempted_at - record.failing_since
            record.failing_since = None
            return self._keep(issuer, key_set, document.max_age, outage)
        finally:
            self._records[issuer] = record

    async def _attempt(self, issuer: str, record: _Record) -> tuple[KeySet, Document]:
        try:
            async with asyncio.timeout(self._deadline):
                source = self._source(issuer)
                url = source.jwks_uri or await self._locate(issuer, record)
                return await self._fetch(url, source)
        except DocumentError:
            raise
        except TimeoutError:
            raise DocumentError(f"metadata and keys together took longer than {self._deadline:g} s") from None
        # A document source of the user's own may raise anything; one failed attempt must not break the store.
        except Exception as error:
            raise DocumentError(f"the attempt failed ({type(error).__name__})") from None

    def _source(self, issuer: str) -> KeySource:
        return (self._sources and self._sources(issuer)) or KeySource(self._jwks_uris.get(issuer), self._algorithms)

    async def _fetch(self, url: str, source: KeySource) -> tuple[KeySet, Document]:
        try:
            document = await self._documents.fetch(url)
            return await self._build(document, source), document
        except (DocumentError, UnusableKeySetError) as error:
            place = url if _SHOWABLE.fullmatch(url) else "the jwks_uri of its metadata"
            raise DocumentError(f"{place}: {error}") from None

    async def _build(self, document: Document, source: KeySource) -> KeySet:
        builder = KeySetBuilder(source.algorithms, source.fits)
        for place, jwk in enumerate(published_keys(document.content), 1):
            builder.add(jwk)
            if place % _KEYS_PER_STEP == 0:
                await asyncio.sleep(0)
        return builder.finish()

    async def _locate(self, issuer: str, record: _Record) -> str:
        """The URL that the issuer's metadata names. After a failure it is discovered again: it may have moved."""
        stale = record.failure is not None or self._clock() >= record.discovered_at + self._hard_age
        if record.metadata is None or stale:
            try:
                record.metadata = await discover(issuer, self._documents)
                record.discovered_at = self._clock()
            except DocumentError:
                if record.metadata is None:
                    raise
        if record.metadata.jwks_uri is None:
            raise DocumentError("its metadata names no jwks_uri; use the setting jwks_uri if the issuer has one")
        return record.metadata.jwks_uri

    def _keep(self, issuer: str, key_set: KeySet, max_age: int | None, outage: float) -> KeySet:
        interval = self._refresh_after if max_age is None else min(self._refresh_after, max(max_age, _MIN_REFRESH_AFTER))
        self._events.emit(KeysRefreshed(issuer, len(key_set), key_set.key_ids, key_set.skipped, interval, outage))
        return self._loaded.keep(issuer, key_set, interval)

    def _unavailable(self, issuer: str) -> IssuerUnavailableError:
        record = self._record(issuer)
        wait = record.attempted_at + self._cooldown - self._clock()
        cause = record.failure or "the attempt was ended before it began"
        return IssuerUnavailableError(issuer, cause, retry_after=math.ceil(max(1, wait)))


async def _outcome(task: asyncio.Task[KeySet | None] | None) -> KeySet | None:
    """What a refresh brings; nothing where none was started, or where it was ended from outside."""
    if task is None:
        return None
    await asyncio.wait({task})
    return None if task.cancelled() else task.result()
