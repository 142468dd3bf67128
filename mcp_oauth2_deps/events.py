"""What happened, as facts, and who hears of it.

How a fact is written down does not belong here: `instrumentation` has one file for each place where it is written.
"""

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from mcp_oauth2_deps.errors import OAuth2Error
from mcp_oauth2_deps.models import AccessToken, NeverFromRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admitted(NeverFromRequest):
    """A request was let in at its route: its token is good, and holds all that the route demands.

    Attributes:
        token: the caller's.
    """

    token: AccessToken


class Explanation(NamedTuple):
    """A refusal as an operator wants to read it; for the log and for listeners, never for the caller.

    Attributes:
        expected: what would have passed.
        found: what the token, or the request, holds instead. Anybody's word until the signature was verified.
        cure: what to do, with the setting that it takes.
    """

    expected: str | None = None
    found: str | None = None
    cure: str | None = None


NOTHING_TO_EXPLAIN = Explanation()


@dataclass(frozen=True, slots=True)
class Refused(NeverFromRequest):
    """A request was refused.

    Attributes:
        status: the HTTP status of the answer.
        error: why.
        token: the caller's, where it was verified before something else was missing.
        request: method and path; for a message to an MCP server also its JSON-RPC method, and the tool or the like it names.
        explanation: the same in words.
    """

    status: int
    error: OAuth2Error
    token: AccessToken | None
    request: str = ""
    explanation: Explanation = NOTHING_TO_EXPLAIN


@dataclass(frozen=True, slots=True)
class KeysRefreshed:
    """The keys of an issuer were fetched.

    Attributes:
        issuer: whose.
        usable: how many can verify signatures.
        key_ids: their `kid`, as the issuer wrote it.
        skipped: for each key that cannot be used, why.
        refresh_in: seconds until they are fetched again.
        outage: seconds that fetches failed before; 0 where the fetch before did not fail.
    """

    issuer: str
    usable: int
    key_ids: frozenset[str]
    skipped: tuple[str, ...]
    refresh_in: float
    outage: float = 0


@dataclass(frozen=True, slots=True)
class KeysUnavailable:
    """The keys of an issuer could not be fetched.

    Attributes:
        issuer: whose.
        cause: what happened, without anything the issuer sent.
        usable_for: seconds until keys fetched before reach their hard age; 0 where there are none. From then on requests
            with its tokens get 503.
        retry_in: seconds until the next attempt may be made.
    """

    issuer: str
    cause: str
    usable_for: float
    retry_in: float


@dataclass(frozen=True, slots=True)
class IntrospectionFailed:
    """An issuer was asked about a token, and gave no usable answer.

    Attributes:
        issuer: who was asked.
        cause: what happened, without anything the issuer sent.
        retry_in: seconds until it may be asked again.
        by_credentials: whether it refused our credentials.
    """

    issuer: str
    cause: str
    retry_in: float
    by_credentials: bool


Event = Admitted | Refused | KeysRefreshed | KeysUnavailable | IntrospectionFailed
_Kind = TypeVar("_Kind", Admitted, Refused, KeysRefreshed, KeysUnavailable, IntrospectionFailed)
_Heard_contra = TypeVar("_Heard_contra", contravariant=True)


class Listener(Protocol[_Heard_contra]):
    """Hears of one kind of event. It is called where the event happens, so it must not wait for anything."""

    def __call__(self, event: _Heard_contra, /) -> None:
        """Takes notice of it."""


class Events:
    """Who hears of which events.

    Attributes:
        heard: the kinds that somebody hears of. Of the others none need be made.
    """

    def __init__(self) -> None:
        self.heard: set[type] = set()
        self._listeners: dict[type, tuple[Listener[Any], ...]] = {}

    def add(self, kind: type[_Kind], listener: Listener[_Kind]) -> None:
        """Lets the listener hear of all events of this kind from now on, after those that were added before."""
        self._listeners[kind] = (*self._listeners.get(kind, ()), listener)
        self.heard.add(kind)

    def emit(self, event: Event) -> None:
        """Tells those who hear of it. A listener that fails is logged, and changes nothing else."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            # A listener is anybody's code, and no fault of it may let a request in or turn an answer into a 500.
            except Exception:
                logger.exception("a listener failed at %s", type(event).__name__)
