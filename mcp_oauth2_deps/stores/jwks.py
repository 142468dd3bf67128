"""The key set of one issuer: fetched once for all who wait, refreshed ahead, forgotten at its hard age.

Which key fits a token does not belong here, nor does the token.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import Callable, Collection

from cachetools import TTLCache

from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.protocol.encoding import printable
from mcp_oauth2_deps.protocol.issuer_metadata import IssuerMetadata
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.protocol.keys import KeySet, UnusableKeySetError
from mcp_oauth2_deps.stores.discovery import discover
from mcp_oauth2_deps.stores.documents import Document, DocumentSource

logger = logging.getLogger(__name__)

# So many keys are built within a millisecond or two.
_FEW_KEYS = 16
_MOST_SHOWN = 10
# Seconds. A key set that must not be stored is not fetched for every token all the same.
_LEAST_INTERVAL = 1
_SHOWABLE = re.compile(r"[\x21-\x7e]{1,200}")


def _monotonic() -> float:
    # Looked up at each call, so that a test that moves time moves this clock too.
    return time.monotonic()


class JWKSStore:
    """The keys of one issuer. Readers get an immutable `KeySet`; a failed refresh changes nothing.

    At most one fetch is in flight. A waiter that is cancelled cancels its own wait only.
    """

    def __init__(
        self,
        issuer: str,
        documents: DocumentSource,
        *,
        algorithms: Collection[str] = SUPPORTED_ALGORITHMS,
        jwks_uri: str | None = None,
        refresh_after: float = 600,
        cache_ttl: float = 3600,
        cooldown: float = 30,
        deadline: float = 10,
        clock: Callable[[], float] = _monotonic,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            issuer: the issuer, verbatim.
            documents: how they are fetched.
            algorithms: JWS algorithms that keys are wanted for.
            jwks_uri: where the keys are, when it is not to be discovered.
            refresh_after: soft age in seconds; from here keys are refreshed in the background.
            cache_ttl: hard age in seconds; no older key is ever returned.
            cooldown: least seconds from the end of an attempt to the next, except a refresh due after a success.
            deadline: seconds for one attempt, metadata and keys together.
            clock: seconds, never going back.
        """
        self._issuer, self._documents = issuer, documents
        self._algorithms = frozenset(algorithms)
        self._jwks_uri = jwks_uri
        self._refresh_after = refresh_after
        self._cache_ttl = cache_ttl
        self._cooldown = cooldown
        self._deadline = deadline
        self._clock = clock
        self._cache: TTLCache[str, KeySet] = TTLCache(maxsize=1, ttl=cache_ttl, timer=clock)
        self._fresh: KeySet | None = None
        self._fresh_until = self._refresh_at = self._attempted_at = self._discovered_at = -math.inf
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._metadata: IssuerMetadata | None = None

    @property
    def metadata(self) -> IssuerMetadata | None:
        """The issuer's metadata as last discovered."""
        return self._metadata

    def current(self) -> KeySet | None:
        """The keys in hand, none when they are past their hard age. Past their soft age a refresh starts beside it."""
        # Below both ages; asked for every token.
        if self._clock() < self._fresh_until:
            return self._fresh
        key_set = self._cache.get(self._issuer)
        if key_set is not None and self._clock() >= self._refresh_at:
            self._start_refresh()
        return key_set

    async def key_set(self) -> KeySet:
        """The keys in hand, or else the keys fetched now.

        Raises:
            IssuerUnavailableError: there are none, and none can be had before the cooldown is over.
        """
        key_set = self.current()
        if key_set is None:
            await self._wait_for(self._start_refresh())
            key_set = self._cache.get(self._issuer)
        if key_set is None:
            raise self._unavailable()
        return key_set

    async def refreshed_key_set(self) -> KeySet:
        """The keys after one more look, for a key id that is not among them. Inside the cooldown no look is taken.

        Raises:
            IssuerUnavailableError: the last look failed, so nobody can say whether the issuer has such a key.
        """
        await self._wait_for(self.refresh_soon())
        if self._failure is not None:
            raise self._unavailable()
        return await self.key_set()

    def refresh_soon(self) -> "asyncio.Task[None] | None":
        """Starts a refresh beside the request, unless the cooldown forbids it; returns what is in flight."""
        return self._start_refresh(due=False)

    async def aclose(self) -> None:
        """Ends a fetch in flight. The keys stay."""
        task, self._task = self._in_flight(), None
        if task is not None:
            task.cancel()
            await self._wait_for(task)

    def _in_flight(self) -> "asyncio.Task[None] | None":
        task = self._task
        # A test client may leave the task of an event loop that is gone.
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None
        return task

    def _start_refresh(self, *, due: bool = True) -> "asyncio.Task[None] | None":
        task = self._in_flight()
        if task is not None:
            return task
        cooling_down = self._clock() < self._attempted_at + self._cooldown
        if cooling_down and not (due and self._failure is None):
            return None
        self._task = asyncio.get_running_loop().create_task(self._refresh())
        return self._task

    @staticmethod
    async def _wait_for(task: "asyncio.Task[None] | None") -> None:
        if task is not None:
            await asyncio.wait({task})

    async def _refresh(self) -> None:
        before, self._attempted_at = self._attempted_at, self._clock()
        try:
            async with asyncio.timeout(self._deadline):
                key_set, document = await self._fetch()
        except DocumentError as error:
            self._fail(str(error))
        except TimeoutError:
            self._fail(f"metadata and keys together took longer than {self._deadline:g} s")
        except asyncio.CancelledError:
            self._failure = "the attempt was ended from outside"
            # That says nothing of the issuer; the next life need not wait for a cooldown.
            self._attempted_at = before
            raise
        # A document source of the user's own, or a machine without threads: it must not take the store along.
        except Exception as error:
            self._fail(f"the attempt failed ({type(error).__name__})")
        else:
            self._succeed(key_set, document)
        self._attempted_at = self._clock()

    async def _fetch(self) -> tuple[KeySet, Document]:
        url = await self._locate()
        try:
            document = await self._documents.fetch(url)
            published = document.content.get("keys")
            if isinstance(published, list) and len(published) > _FEW_KEYS:
                # A thousand keys take tenths of a second to build, which the event loop has not.
                return await asyncio.to_thread(KeySet.from_document, document.content, self._algorithms), document
            return KeySet.from_document(document.content, self._algorithms), document
        except (DocumentError, UnusableKeySetError) as error:
            place = url if _SHOWABLE.fullmatch(url) else "the jwks_uri of its metadata"
            raise DocumentError(f"{place}: {error}") from None

    async def _locate(self) -> str:
        if self._jwks_uri is not None:
            return self._jwks_uri
        stale = self._failure is not None or self._clock() >= self._discovered_at + self._cache_ttl
        if self._metadata is None or stale:
            try:
                self._metadata = await discover(self._issuer, self._documents)
                self._discovered_at = self._clock()
            except DocumentError:
                if self._metadata is None:
                    raise
        return self._metadata.jwks_uri

    def _fail(self, cause: str) -> None:
        self._failure = cause
        in_hand = self._cache.get(self._issuer)
        logger.warning(
            "keys of issuer %s could not be refreshed: %s. %s. Check that this host reaches the issuer and that "
            "MCP_OAUTH2_ISSUER (or MCP_OAUTH2_JWKS_URI) is right; the next attempt comes after %g s.",
            self._issuer,
            cause,
            "Requests with a token get 503" if in_hand is None else "The keys in hand stay in use until their hard age",
            self._cooldown,
        )

    def _succeed(self, key_set: KeySet, document: Document) -> None:
        now = self._clock()
        previous = self._cache.get(self._issuer)
        # The same keys stay the same object, which keeps the tokens remembered with them.
        self._fresh = self._cache[self._issuer] = previous if previous is not None and previous == key_set else key_set
        self._failure = None
        interval = self._refresh_after
        if document.max_age is not None:
            interval = min(interval, max(document.max_age, self._cooldown, _LEAST_INTERVAL))
        self._refresh_at = now + interval
        self._fresh_until = now + min(interval, self._cache_ttl)
        logger.info(
            "keys of issuer %s refreshed: %d usable (%s), %d skipped%s; the next refresh is due in %g s",
            self._issuer,
            len(key_set),
            ", ".join(printable(kid, 80) for kid in sorted(key_set.key_ids)[:_MOST_SHOWN]) or "without kid",
            len(key_set.skipped),
            f" ({'; '.join(sorted(set(key_set.skipped)))})" if key_set.skipped else "",
            interval,
        )

    def _unavailable(self) -> IssuerUnavailableError:
        wait = self._attempted_at + self._cooldown - self._clock()
        return IssuerUnavailableError(
            self._issuer, self._failure or "they are past their hard age", retry_after=math.ceil(max(1, wait))
        )
