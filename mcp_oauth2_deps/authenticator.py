"""The corridor from credentials to a verified token; the only caller of both `protocol` and `stores`.

HTTP answers and frameworks do not belong here.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from mcp_oauth2_deps.errors import InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.models import AccessToken, Credentials
from mcp_oauth2_deps.protocol.encoding import MAX_TOKEN_VALUES, parse_json_object
from mcp_oauth2_deps.protocol.jws import (
    SignatureKey,
    UnverifiedHeader,
    read_header,
    split_token,
    verify_signature,
)
from mcp_oauth2_deps.protocol.keys import KeySet
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.protocol.scopes import transitive_hierarchy
from mcp_oauth2_deps.protocol.tokens import verify_claims, verify_header, verify_issuer
from mcp_oauth2_deps.settings import OAuth2Settings
from mcp_oauth2_deps.stores.documents import DocumentSource, HTTPDocuments
from mcp_oauth2_deps.stores.jwks import JWKSStore
from mcp_oauth2_deps.stores.verified import VerifiedTokens

# An issuer has one for each of its keys.
_MOST_HEADERS = 256
_LONGEST_SLEEP = 60.0


def _wall_clock() -> float:
    # Looked up at each call, so that a test that moves time moves this clock too.
    return time.time()


class Authenticator:
    """Turns credentials into a verified `AccessToken`, for one resource and its trusted issuers.

    It belongs to one event loop at a time; a thread with a loop of its own needs an authenticator of its own.
    """

    def __init__(
        self,
        settings: OAuth2Settings,
        *,
        documents: DocumentSource | None = None,
        wall_clock: Callable[[], float] = _wall_clock,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            settings: what to trust.
            documents: how metadata and keys are fetched, if not over HTTP.
            wall_clock: epoch seconds, for the claims.
            clock: seconds, never going back, for the age of keys.
            sleep: lets so many seconds pass, while somebody waits for the end of a token.
        """
        self.settings = settings
        self.policy = TokenPolicy(
            issuers=settings.issuer,
            audiences=settings.audience or (settings.resource,),
            algorithms=frozenset(settings.algorithms),
            leeway=settings.leeway,
            strict_at_jwt=settings.strict_at_jwt,
            scope_claims=settings.scope_claims,
            scope_hierarchy=transitive_hierarchy(settings.scope_hierarchy),
        )
        self._documents = documents or HTTPDocuments(
            timeout=settings.http_timeout, allow_insecure_http=settings.allow_insecure_http
        )
        self.jwks_store = self._make_store(self._documents, clock)
        self._verified = VerifiedTokens(settings.token_cache_size)
        self._headers: dict[bytes, UnverifiedHeader] = {}
        self._now = wall_clock
        self._sleep = sleep

    def _make_store(self, documents: DocumentSource, clock: Callable[[], float]) -> JWKSStore:
        uri = self.settings.jwks_uri
        return JWKSStore(
            documents,
            jwks_uris={} if uri is None else dict.fromkeys(self.settings.issuer, uri),
            algorithms=self.policy.algorithms,
            refresh_after=self.settings.soft_age,
            cache_ttl=self.settings.jwks_cache_ttl,
            cooldown=self.settings.jwks_refresh_cooldown,
            # Metadata and keys; a third and a fourth exchange come only after quick refusals.
            deadline=2 * self.settings.http_timeout,
            max_issuers=len(self.settings.issuer),
            clock=clock,
        )

    async def start(self) -> None:
        """Fetches the keys of every issuer, so that the first request need not wait.

        Raises:
            IssuerUnavailableError: `fail_fast` is set and an issuer or its keys cannot be had.
        """
        if not self.settings.fail_fast:
            if isinstance(self._documents, HTTPDocuments):
                # What is wrong here, the fetch below will say, and go on trying.
                with suppress(Exception):
                    await self._documents.prepare()
            for issuer in self.policy.issuers:
                self.jwks_store.start_refresh(issuer)
            return
        results = await asyncio.gather(*map(self.jwks_store.key_set, self.policy.issuers), return_exceptions=True)
        for result in results:
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

    async def token_end(self, token: AccessToken) -> None:
        """Returns when a verified token counts no more: at its expiry plus the leeway.

        A token without an expiry, as tests make them, has no end; this returns only when it is cancelled.
        """
        ends_at = token.expires_at + self.policy.leeway if token.expires_at else math.inf
        while (left := ends_at - self._now()) > 0:
            # In steps, so that a clock that was set forward, or a machine that slept, is noticed.
            await self._sleep(min(left, _LONGEST_SLEEP))

    def authenticate(self, credentials: Credentials) -> Coroutine[Any, Any, AccessToken]:
        """Guarantees that the token is a signed access token of a trusted issuer for this resource, valid now.

        Does not check: scopes, and whether the token was revoked at the issuer.

        Raises:
            InvalidTokenError: it is not; the reason says why.
            IssuerUnavailableError: the keys to judge it cannot be had.
        """
        return self.verify(credentials.token)

    async def verify(self, token: str) -> AccessToken:
        """As `authenticate`, for a raw token from elsewhere than an HTTP request."""
        digest = self._verified.digest(token)
        remembered = None if digest is None else self._verified.find(digest)
        if remembered is not None:
            known, key_set = remembered
            # A removed key and a passed expiry are honoured at once.
            current = self.jwks_store.current_and_refresh_ahead(known.issuer)
            if current is key_set and self._now() < known.expires_at + self.policy.leeway:
                return known
        return await self._verify(token, digest)

    async def _verify(self, raw: str, digest: bytes | None) -> AccessToken:
        header: UnverifiedHeader | None = None
        issuer: str | None = None
        verified_claims: Mapping[str, object] | None = None
        try:
            token = split_token(raw)
            header = self._headers.get(token.header_segment)
            if header is None:
                header = read_header(token.header_segment)
                verify_header(header, self.policy)
            try:
                claims = parse_json_object(token.payload, max_values=MAX_TOKEN_VALUES)
            except ValueError:
                raise InvalidTokenError("malformed") from None
            issuer = verify_issuer(claims, self.policy)
            key_set = self.jwks_store.current_and_refresh_ahead(issuer)
            key = None if key_set is None else key_set.select(header)
            if key_set is None or key is None:
                key_set, key = await self._look_up(header, issuer)
            verify_signature(token, key)
            verified_claims = claims
            access_token = verify_claims(claims, header, self.policy, issuer=issuer, now=self._now())
        except InvalidTokenError as error:
            if issuer is not None and verified_claims is None:
                # The issuer may have put another key under the same kid. It is asked in the background, once per cooldown.
                self.jwks_store.start_refresh(issuer)
            _add_facts(error, header, issuer, verified_claims or {})
            raise
        # Only now: headers of bad tokens, which anybody can vary, must not push good ones out.
        if token.header_segment not in self._headers:
            if len(self._headers) >= _MOST_HEADERS:
                self._headers.clear()
            self._headers[token.header_segment] = header
        if digest is not None:
            self._verified.remember(digest, access_token, key_set)
        return access_token

    async def _look_up(self, header: UnverifiedHeader, issuer: str) -> tuple[KeySet, SignatureKey]:
        """The issuer's key for this header, fetched if need be, and the set that it is in."""
        key_set = await self.jwks_store.key_set(issuer)
        key = key_set.select(header)
        if key is None:
            key_set = await self.jwks_store.refreshed_key_set(issuer)
            key = key_set.select(header)
        if key is None:
            raise InvalidTokenError("unknown_key", claim="kid")
        return key_set, key


def _add_facts(
    error: InvalidTokenError, header: UnverifiedHeader | None, issuer: str | None, verified_claims: Mapping[str, object]
) -> None:
    error.issuer = issuer
    error.key_id = header.kid if header else None
    error.subject = _string(verified_claims.get("sub"))
    error.client_id = _string(verified_claims.get("client_id") or verified_claims.get("azp"))


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
