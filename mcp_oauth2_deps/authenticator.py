"""What a request presented to its verified token: memory, verifiers, bindings, checks.

HTTP answers and frameworks do not belong here, nor the rules about a JWT.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from mcp_oauth2_deps.errors import InvalidTokenError, IssuerUnavailableError, OAuth2Error
from mcp_oauth2_deps.events import Events, Explanation
from mcp_oauth2_deps.explanations import Trusted as Expected
from mcp_oauth2_deps.explanations import explain
from mcp_oauth2_deps.instrumentation.logging import log_trust_warnings, logged
from mcp_oauth2_deps.introspection_verifier import AskedIssuer, Way, asked_issuer, in_order
from mcp_oauth2_deps.jwt_verifier import JWTVerifier
from mcp_oauth2_deps.models import AccessToken, Confirmation, Presented, digest_of
from mcp_oauth2_deps.protocol.confirmations import verify_provable
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES
from mcp_oauth2_deps.protocol.policy import any_header_of
from mcp_oauth2_deps.protocol.scopes import transitive_hierarchy
from mcp_oauth2_deps.protocol.urls import origin_of
from mcp_oauth2_deps.providers.hints import HINTS
from mcp_oauth2_deps.settings import OAuth2Settings
from mcp_oauth2_deps.stores.documents import DocumentSource, HTTPDocuments
from mcp_oauth2_deps.stores.forms import FormTarget
from mcp_oauth2_deps.stores.jwks import JWKSStore
from mcp_oauth2_deps.stores.loaded_keys import KeysStatus
from mcp_oauth2_deps.stores.verified import VerifiedTokens
from mcp_oauth2_deps.trusted_issuers import KeySources, Trusted, TrustedIssuers, most_issuers
from mcp_oauth2_deps.verifiers import ForeignVerifier, Verifier, first_verified

_LONGEST_SLEEP = 60.0


class Binding(Protocol):
    """One way to prove that the caller holds the key that a token is bound to.

    Attributes:
        members: the members of `cnf` that it answers for.
    """

    members: frozenset[str]

    async def prove(self, confirmation: Confirmation, presented: Presented) -> None:
        """Guarantees that what was presented proves it.

        Raises:
            OAuth2Error: it does not.
        """


class FirstUse(Protocol):
    """Remembers what may be used once, for a binding whose proof must not be sent twice. A binding is made with one."""

    async def first_use(self, key: bytes, seconds: float) -> bool:
        """Whether this key comes for the first time; for so many seconds it will not be the first time again.

        Raises:
            OAuth2Error: nobody can say, so the proof must not be accepted.
        """


class TokenCheck(Protocol):
    """A further rule about a token that is asked for every request, also when the token is remembered."""

    async def __call__(self, token: AccessToken, presented: Presented) -> None:
        """Guarantees that the rule holds.

        Raises:
            OAuth2Error: it does not.
        """


class Authenticator:
    """Turns what a request presented into a verified `AccessToken`, for one resource and its trusted issuers.

    It belongs to one event loop at a time; a thread with a loop of its own needs an authenticator of its own.

    Attributes:
        settings: what to trust.
        policies: the same, as what a token of each issuer must be.
        leeway: seconds of clock difference forgiven.
        scope_hierarchy: scope to all scopes it implies.
        jwks_store: the keys of the issuers.
        events: who hears of what happens; the log does.
        public_origin: scheme, host and port at which the world reaches this resource.
    """

    def __init__(
        self,
        settings: OAuth2Settings,
        *,
        documents: DocumentSource | None = None,
        verifiers: Sequence[Verifier] = (),
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            settings: what to trust.
            documents: how metadata and keys are fetched, if not over HTTP.
            verifiers: for tokens that are no JWT, asked in this order.
            wall_clock: epoch seconds, for the claims.
            clock: seconds, never going back, for the age of keys.
            sleep: lets so many seconds pass, while somebody waits for the end of a token.
        """
        self.settings = settings
        self.public_origin = origin_of(settings.resource)
        self.leeway = settings.leeway
        self.scope_hierarchy = transitive_hierarchy(settings.scope_hierarchy)
        trusted = [(issuer, issuer.token_policy(self.leeway, self.scope_hierarchy)) for issuer in settings.policies]
        self.policies = tuple(policy for _, policy in trusted)
        self._any_header = any_header_of(self.policies)
        over_http = HTTPDocuments(timeout=settings.http_timeout, allow_insecure_http=settings.allow_insecure_http)
        self._documents, self._forms = documents or over_http, documents if isinstance(documents, FormTarget) else over_http
        self.events = logged(Events(), clock)
        self.jwks_store = self._make_store(self._documents, trusted, clock)
        self._issuers = TrustedIssuers(trusted, self.jwks_store, clock)
        self._now, self._sleep = wall_clock, sleep
        self._memory = VerifiedTokens(settings.token_cache_size) if settings.token_cache_size else None
        self._asked = self._make_asked(clock)
        self._verifiers, self._live_verifiers = self._in_order(verifiers)
        self._bindings: tuple[Binding, ...] = ()
        self._checks: tuple[TokenCheck, ...] = ()

    def _in_order(self, foreign: Sequence[Verifier]) -> tuple[tuple[Verifier, ...], tuple[Verifier, ...]]:
        others = [ForeignVerifier(verifier, self._now, self.leeway) for verifier in foreign]
        return in_order(JWTVerifier(self._any_header, self._issuers, self._now), others, self._asked)

    def _make_asked(self, clock: Callable[[], float]) -> tuple[AskedIssuer, ...]:
        times = self.settings.http_timeout, self.settings.jwks_refresh_cooldown
        way = Way(self._documents, self._forms, self._now, clock, self.events, *times)
        named = ((self._issuers.find(policy.issuer), policy.introspection) for policy in self.settings.policies)
        return tuple(asked_issuer(issuer, policy, way) for issuer, policy in named if issuer and policy)

    def _make_store(self, documents: DocumentSource, trusted: Trusted, clock: Callable[[], float]) -> JWKSStore:
        return JWKSStore(
            documents,
            sources=KeySources(trusted).find,
            refresh_after=self.settings.soft_age,
            cache_ttl=self.settings.jwks_cache_ttl,
            cooldown=self.settings.jwks_refresh_cooldown,
            # Metadata and keys; a third and a fourth exchange come only after quick refusals.
            deadline=2 * self.settings.http_timeout,
            max_issuers=most_issuers(trusted),
            clock=clock,
            events=self.events,
        )

    @property
    def _with_keys(self) -> tuple[str, ...]:
        keyless = {one.issuer.name for one in self._asked if one.keyless}
        return tuple(name for name in self._issuers.fixed if name not in keyless)

    async def start(self) -> None:
        """Fetches the keys of every issuer, and warns of what presets warn of. Those of a tenant come with its first token.

        Raises:
            IssuerUnavailableError: `fail_fast` is set and an issuer or its keys cannot be had.
        """
        for policy in self.settings.policies:
            log_trust_warnings(policy.issuer, policy.all_warnings)
        if not self.settings.fail_fast:
            if isinstance(self._documents, HTTPDocuments):
                # What is wrong here, the fetch below will say, and go on trying.
                with suppress(Exception):
                    await self._documents.prepare()
            for issuer in self._with_keys:
                self.jwks_store.start_refresh(issuer)
            return
        wanted = (*map(self.jwks_store.key_set, self._with_keys), *(one.verify_asks() for one in self._asked))
        for result in await asyncio.gather(*wanted, return_exceptions=True):
            if isinstance(result, IssuerUnavailableError):
                raise IssuerUnavailableError(
                    result.issuer,
                    f"{result.cause}. The start was refused because MCP_OAUTH2_FAIL_FAST is true. Start the issuer, check "
                    "MCP_OAUTH2_ISSUER and that this host reaches it, or set MCP_OAUTH2_FAIL_FAST=false to start without "
                    "it and answer 503 until it is back",
                    retry_after=result.retry_after,
                ) from None
            if isinstance(result, BaseException):
                raise result

    async def aclose(self) -> None:
        """Ends what is in flight. The authenticator may be used again."""
        await self.jwks_store.aclose()
        for one in self._asked:
            await one.introspection.aclose()
        if isinstance(self._forms, HTTPDocuments):
            await self._forms.aclose()

    async def token_end(self, token: AccessToken) -> None:
        """Returns when a verified token counts no more: at its expiry plus the leeway.

        A token without an expiry, as tests make them, has no end; this returns only when it is cancelled.
        """
        while (left := self._left(token)) > 0:
            # In steps, so that a clock that was set forward, or a machine that slept, is noticed.
            await self._sleep(min(left, _LONGEST_SLEEP))

    def status(self) -> tuple[KeysStatus, ...]:
        """What this process knows of the keys of each trusted issuer that must have keys, tenants apart. Nothing is fetched."""
        return tuple(map(self.jwks_store.status, self._with_keys))

    def is_over(self, token: AccessToken) -> bool:
        """Whether a verified token counts no more: `token_end` has come. For work that goes on after its request was let in.

        Does not check: whether the token was good; a token without an expiry, as tests make them, has no end.
        """
        return self._left(token) <= 0

    def _left(self, token: AccessToken) -> float:
        """Seconds until a verified token counts no more."""
        return token.expires_at + self.leeway - self._now() if token.expires_at else math.inf

    def explain(self, error: OAuth2Error, token: AccessToken | None = None) -> Explanation:
        """The refusal in words for an operator: what would have passed, what came instead, what to do; never for the caller."""
        name = token.issuer if token is not None else getattr(error, "issuer", None)
        issuer = self._issuers.find(name) if name else None
        policy = self._any_header if issuer is None else issuer.policy
        names = tuple(name for trusted in self.policies for name in trusted.issuers)
        return explain(error, token, Expected(names, policy, self._hints(name)), self.settings.spelled_out)

    def _hints(self, issuer: str | None) -> Mapping[str, str]:
        """What the preset of this issuer adds, or the only preset where no issuer is known."""
        found = {p.provider for p in self.settings.policies if issuer is None or p.issues_as(issuer)}
        return HINTS.get(found.pop(), {}) if len(found) == 1 else {}

    async def authenticate(self, presented: Presented, *, live: bool = False) -> AccessToken:
        """Guarantees that the token is an access token of a trusted issuer for this resource, valid now.

        A token that is no JWT is as good as its issuer says, or the verifier that was given for its kind.
        If the token is bound to a key, what was presented proves that the caller holds the key.

        Does not check: scopes, and, unless `live`, whether the issuer has revoked the token meanwhile.

        Args:
            presented: what the caller sent.
            live: ask the issuer now, whatever is remembered of the token.

        Raises:
            InvalidTokenError: it is not; the reason says why.
            IssuerUnavailableError, StoreUnavailableError: the keys, or what else must be asked to judge it, cannot be had.
        """
        token, memory = presented.token, self._memory
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError("malformed")
        digest = b"" if memory is None else digest_of(token)
        if memory is not None and live:
            memory.forget(digest)
        known = None if memory is None else memory.find(digest, self._now(), self.leeway)
        verified = known
        if verified is None:
            verifiers = self._live_verifiers if live else self._verifiers
            verified = await verifiers[0].verify(presented) or await first_verified(presented, verifiers[1:])
        # For every request: who presents a token that is remembered may be another caller than the one before.
        try:
            if verified.confirmation is not None or presented.scheme != "bearer":
                await self._verify_binding(verified.confirmation, presented)
            for check in self._checks:
                await check(verified.token, presented)
        except InvalidTokenError as error:
            error.issuer, error.key_id = verified.token.issuer, verified.key_id
            error.subject, error.client_id = verified.token.subject, verified.token.client_id
            raise
        # What would not be found good later must not push out what would.
        if memory is not None and known is None and verified.still_holds(self._now(), self.leeway):
            memory.remember(digest, verified)
        return verified.token

    async def verify(self, token: str) -> AccessToken:
        """As `authenticate`, for a raw bearer token from elsewhere than an HTTP request. Nothing proves a binding there."""
        # Asked here too: making a `Presented`, and waiting for `authenticate`, cost a quarter of what a remembered token does.
        memory = self._memory
        if memory is not None and not self._checks and len(token) <= MAX_TOKEN_BYTES:
            known = memory.find(digest_of(token), self._now(), self.leeway)
            if known is not None and known.confirmation is None:
                return known.token
        return await self.authenticate(Presented(token))

    async def _verify_binding(self, confirmation: Confirmation | None, presented: Presented) -> None:
        """Guarantees that the caller proved to hold everything that the token is bound to. The only place that decides this.

        A scheme other than Bearer promises a proof, so a token that is bound to nothing does not fit it.
        """
        provable = {member for binding in self._bindings for member in binding.members}
        confirmation = verify_provable(confirmation, provable)
        for binding in self._bindings:
            if not binding.members.isdisjoint(confirmation.members):
                await binding.prove(confirmation, presented)
