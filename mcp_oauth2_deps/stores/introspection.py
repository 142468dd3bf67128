"""What an issuer says of tokens: asked once for all who wait, by a bounded number of questions at a time.

What an answer must say does not belong here, nor are good answers remembered here: `verified.py` keeps the tokens they are about.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from cachetools import LRUCache, TTLCache

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.events import Events, IntrospectionFailed
from mcp_oauth2_deps.stores.availability import LONGEST_PAUSE, PROBE_SECONDS, Availability
from mcp_oauth2_deps.stores.introspection_endpoint import CredentialsRefusedError, OverloadedError, Question
from mcp_oauth2_deps.stores.shared_tasks import SharedTasks

# Tokens that were refused. They have a table of their own, so that guesses cannot push good tokens out of memory.
_MOST_REFUSALS = 4096
_REFUSAL_SECONDS = 5
# Questions at a time. Tokens that were never good may take so many of them, so that guesses cannot keep known tokens waiting.
_MOST_QUESTIONS = 16
_MOST_FOR_STRANGERS = 12
_MOST_WAITING = 4096
_MOST_KNOWN = 4096


class Answer(NamedTuple):
    """What the issuer said of an active token.

    Attributes:
        members: the answer.
        asked_at: when it was asked, by the clock of the store.
    """

    members: Mapping[str, Any]
    asked_at: float


class _Refusal(NamedTuple):
    """A refused token, of which nothing is kept but why."""

    reason: str
    claim: str | None
    found: str | None
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, error: InvalidTokenError) -> "_Refusal":
        names = ("issuer", "subject", "client_id")
        return cls(error.reason, error.claim, error.found, {name: getattr(error, name) for name in names})

    def error(self) -> InvalidTokenError:
        """A new error each time: one that was raised for a caller holds on to that caller's frames."""
        error = InvalidTokenError(self.reason, claim=self.claim, found=self.found)
        for name, value in self.facts.items():
            setattr(error, name, value)
        return error


class _Unavailable(NamedTuple):
    """Why nobody could be asked, and how long it is pointless to try again."""

    cause: str
    seconds: float


_Outcome = Answer | _Refusal | _Unavailable


class Introspection:
    """What one issuer says of tokens.

    Many who wait for the same token share one question. A waiter that is cancelled cancels its own wait only. It belongs to one
    event loop at a time.

    Does not check: what an answer says of the token.
    """

    def __init__(
        self, issuer: str, ask: Question, *, cooldown: float, timeout: float, clock: Callable[[], float], events: Events
    ) -> None:
        """Nothing is asked yet.

        Args:
            issuer: who is asked.
            ask: asks about one token.
            cooldown: seconds without a question after the issuer refused our credentials.
            timeout: seconds that a question may wait for its turn, and seconds that it may take then.
            clock: seconds, never going back.
            events: who hears of failures.
        """
        self._issuer, self._ask, self._events = issuer, ask, events
        self._cooldown, self._timeout, self._clock = cooldown, timeout, clock
        self._refusals: TTLCache[bytes, _Refusal] = TTLCache(_MOST_REFUSALS, _REFUSAL_SECONDS, timer=clock)
        self._known: LRUCache[bytes, bool] = LRUCache(_MOST_KNOWN)
        # Apart for tokens that were good before: at a stranger's own token the issuer may fail as often as the stranger likes.
        self._availability = {known: Availability(clock) for known in (True, False)}
        self._cause = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks = SharedTasks[bytes, _Outcome]()

    async def answer(self, token: str, digest: bytes) -> Answer:
        """What the issuer says of the token now, or said to who asked a moment ago and still waits.

        Args:
            token: as it was presented.
            digest: of it.

        Raises:
            InvalidTokenError: it is not active, or was refused a moment ago.
            IssuerUnavailableError: the issuer cannot be asked.
        """
        outcome: _Outcome | None = self._refusals.get(digest)
        if outcome is None:
            outcome = await self._outcome(token, digest)
        match outcome:
            case _Refusal():
                raise outcome.error()
            case _Unavailable():
                raise IssuerUnavailableError(self._issuer, outcome.cause, retry_after=math.ceil(max(1, outcome.seconds)))
            case _:
                return outcome

    def refuse(self, digest: bytes, error: InvalidTokenError) -> None:
        """Remembers for a moment that a token that the issuer calls active is refused here."""
        self._refusals[digest] = _Refusal.of(error)

    def note_good(self, digest: bytes) -> None:
        """Notes that this token was good, so that questions about it come before those about strangers."""
        self._known[digest] = True

    async def verify_asks(self, unknown: str) -> None:
        """Guarantees that the issuer knows us and says of a token that it never made that it is not active.

        Args:
            unknown: a token that nobody made.

        Raises:
            DocumentError: it does not; the text says what it does instead.
        """
        try:
            await self._ask(unknown)
        except InvalidTokenError as error:
            if error.reason == "inactive":
                return
            raise DocumentError("it answers 400 to a question about a token: is that the introspection endpoint?") from None
        raise DocumentError("it calls a token active that nobody made")

    async def aclose(self) -> None:
        """Ends the questions in flight."""
        await self._tasks.aclose()

    async def _outcome(self, token: str, digest: bytes) -> _Outcome:
        task = self._tasks.running(digest)
        if task is None:
            if digest not in self._known and len(self._tasks) >= _MOST_WAITING:
                return _Unavailable("too many questions wait for their turn", PROBE_SECONDS)
            task = self._tasks.start(digest, self._ask_in_turn(token, digest))
        await asyncio.wait({task})
        return _Unavailable("the question was ended before its answer came", PROBE_SECONDS) if task.cancelled() else task.result()

    def _find_turns(self) -> tuple[asyncio.Semaphore, asyncio.Semaphore]:
        """The turns of all questions, and those of strangers' tokens among them. They belong to one event loop."""
        if self._loop is not asyncio.get_running_loop():
            self._loop = asyncio.get_running_loop()
            self._turns = asyncio.Semaphore(_MOST_QUESTIONS), asyncio.Semaphore(_MOST_FOR_STRANGERS)
        return self._turns

    async def _ask_in_turn(self, token: str, digest: bytes) -> _Outcome:
        turns, of_strangers = self._find_turns()
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(self._timeout):
                    if not (known := digest in self._known):
                        await turn.enter_async_context(of_strangers)
                    await turn.enter_async_context(turns)
            except TimeoutError:
                # It says nothing of the issuer that many ask.
                return _Unavailable("too many questions wait for their turn", PROBE_SECONDS)
            seconds = self._availability[known].seconds_to_wait()
            if seconds > 0:
                return _Unavailable(self._cause, seconds)
            return await self._ask_now(token, digest, known=known)

    async def _ask_now(self, token: str, digest: bytes, *, known: bool) -> _Outcome:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                members = await self._ask(token)
        except InvalidTokenError as error:
            self._answered()
            error.issuer = self._issuer
            refusal = self._refusals[digest] = _Refusal.of(error)
            return refusal
        except IssuerUnavailableError as error:
            return _Unavailable(error.cause, error.retry_after)
        except DocumentError as error:
            return self._failed(error, known=known)
        except TimeoutError:
            return self._failed(DocumentError(f"no answer within {self._timeout:g} s", unreachable=True), known=known)
        # What asks may be anybody's code; one failed question must not break the store.
        except Exception as error:
            return self._failed(DocumentError(f"the question failed ({type(error).__name__})"), known=known)
        self._answered()
        return Answer(members, asked_at)

    def _answered(self) -> None:
        for availability in self._availability.values():
            availability.answered()

    def _failed(self, error: DocumentError, *, known: bool) -> _Unavailable:
        """Notes what the failure says about the next question.

        Only a server that is down counts: what else is wrong with an answer may be wrong with the one about this token only, and
        then a single caller could close the door for all others.
        """
        self._cause, seconds = str(error), PROBE_SECONDS
        match error:
            case CredentialsRefusedError():
                seconds = self._cooldown
                self._pause(seconds)
            case OverloadedError():
                seconds = min(error.seconds, LONGEST_PAUSE)
                self._pause(seconds)
            case DocumentError(unreachable=True):
                self._availability[known].failed()
            case _:
                self._answered()
        by_credentials = isinstance(error, CredentialsRefusedError)
        self._events.emit(IntrospectionFailed(self._issuer, self._cause, seconds, by_credentials=by_credentials))
        return _Unavailable(self._cause, seconds)

    def _pause(self, seconds: float) -> None:
        for availability in self._availability.values():
            availability.pause(seconds)
