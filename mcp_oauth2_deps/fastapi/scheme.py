"""What users write at their routes: the scheme, which makes the guards that demand something.

Deciding about a connection does not belong here; the scheme's gate does.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, WebSocketException
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.security import OAuth2, SecurityScopes
from starlette.requests import HTTPConnection
from starlette.status import WS_1008_POLICY_VIOLATION

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.errors import MissingCredentialsError
from mcp_oauth2_deps.fastapi.documentation import SchemeDescription
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.fastapi.guards import OptionalToken, ScopeGuard
from mcp_oauth2_deps.fastapi.health import Readiness
from mcp_oauth2_deps.fastapi.lifespan import router_with_lifespan
from mcp_oauth2_deps.fastapi.token_end import TokenOverError, until_over
from mcp_oauth2_deps.fastapi.wiring import CalledFirst
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement, scope_requirement
from mcp_oauth2_deps.settings import OAuth2Settings
from mcp_oauth2_deps.stores.loaded_keys import KeysStatus
from mcp_oauth2_deps.verifiers import Verifier


class OAuth2BearerScheme(OAuth2):
    """A dependency that verifies the Bearer token of a request, once however many ask, and returns its `AccessToken`.

    One class for HTTP and WebSocket routes. Use it as `Security(auth, scopes=[...])`, or better
    `Security(auth.require_scopes(...))`; in tests override it: `app.dependency_overrides[auth] = lambda: AccessToken(...)`.
    """

    # `OAuth2.__init__` is not called: it would store a fixed `model`, which here is computed when OpenAPI is made.
    def __init__(
        self,
        settings: OAuth2Settings | None = None,
        *,
        authenticator: Authenticator | None = None,
        verifiers: Sequence[Verifier] = (),
        scheme_name: str | None = None,
        document_responses: bool = True,
    ) -> None:
        """Nothing is read or fetched yet.

        Args:
            settings: what to trust; read from the environment on first use when absent.
            authenticator: a ready one instead, whose settings then count.
            verifiers: of your own, for tokens that are no JWT, such as the keys of services; asked in this order.
            scheme_name: the name in OpenAPI; needed when an app has several schemes.
            document_responses: tell in OpenAPI how operations refuse: 400, 401, 403 and 503.

        Raises:
            ValueError: verifiers next to a ready authenticator, which has its own.
        """
        if authenticator is not None and verifiers:
            raise ValueError("an authenticator has its own verifiers: write Authenticator(settings, verifiers=[...])")
        self.auto_error = True
        self.gate = Gate(settings, authenticator, verifiers)
        self._description = SchemeDescription(self.gate, scheme_name or type(self).__name__, with_responses=document_responses)
        self.optional_token = OptionalToken(self.gate, self._description)
        self.gate.verifiers = (self, self.optional_token)
        self.readiness = Readiness(self.gate)

    @property
    def authenticator(self) -> Authenticator:
        """The authenticator; made from the environment on first use when no settings were given."""
        return self.gate.authenticator

    @property
    def settings(self) -> OAuth2Settings:
        """The settings in force."""
        return self.gate.settings

    @property
    def scheme_name(self) -> str:  # type: ignore[override]  # an attribute there; fixed here
        """The name in OpenAPI."""
        return self._description.name

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]  # an attribute there; OpenAPI is made after discovery
        """The scheme for OpenAPI, of the first issuer. Needs no environment: without settings or endpoints it has no flow."""
        return next(iter(self._description.models().values()))

    def swagger_ui_init_oauth(self, client_id: str | None = None, **more: Any) -> dict[str, Any]:
        """What `FastAPI(swagger_ui_init_oauth=...)` takes, so that Authorize on `/docs` logs in: PKCE, all scopes, `resource`.

        Args:
            client_id: of a public client with the redirect URI `<origin>/docs/oauth2-redirect`; `MCP_OAUTH2_SWAGGER_CLIENT_ID`
                when absent.
            more: further options of Swagger UI, for example `appName`.

        Raises:
            ValueError: no client id, or a client secret, which a page cannot keep.
        """
        return self._description.swagger_ui_init_oauth(client_id, more)

    async def __call__(  # type: ignore[override]  # ours answers with a token, or not at all
        self, connection: HTTPConnection, security_scopes: SecurityScopes
    ) -> AccessToken:
        """The verified token, holding every scope that the matched route demands anywhere.

        Raises:
            HTTPException: 400, 401, 403 or 503 with the challenge; on a WebSocket before it is accepted.
        """
        token = await self.gate.admit(connection, security_scopes.scopes)
        if token is None:
            self.gate.refuse(MissingCredentialsError(), connection, ScopeRequirement(tuple(security_scopes.scopes)))
        return token

    @asynccontextmanager
    async def until_expiry(self, token: AccessToken) -> AsyncIterator[None]:
        """Runs the block until the token's time is over, at `exp` plus the configured leeway; then a WebSocket is closed.

        A WebSocket that is open has no further request whose token could be verified. The block is cancelled where it waits, and
        the WebSocket closed with code 1008, as for a token that is refused at the start. A token without an expiry, as tests
        make them, lasts as long as the block.

        Raises:
            WebSocketException: the token ended before the block did. FastAPI closes the WebSocket; catch it to say goodbye first.

        Example:
            ```python
            @app.websocket("/events")
            async def events(websocket: WebSocket, token: Annotated[AccessToken, Security(auth)]) -> None:
                await websocket.accept()
                async with auth.until_expiry(token):
                    while True:
                        await websocket.send_json(await next_event(token.subject))
            ```
        """
        try:
            async with until_over(self.authenticator, token):
                yield
        except TokenOverError:
            raise WebSocketException(WS_1008_POLICY_VIOLATION, "invalid_token") from None

    def require_scopes(
        self,
        *scopes: str,
        any_of: Annotated[tuple[str, ...] | list[str], CalledFirst('Security(require_scopes("files:read"))')] = (),
    ) -> ScopeGuard:
        """A dependency that returns the token if it holds all `scopes`, and one of `any_of`; without any, any good token.

        Equal demands are equal dependencies, so `app.dependency_overrides[auth.require_scopes("a")]` works.

        Raises:
            ValueError: something that is no scope, or `offline_access`, which is no right at a resource.
        """
        return self.require(scopes=scopes, any_of=any_of)

    def require(
        self,
        *,
        scopes: Annotated[Sequence[str], CalledFirst('Security(require(scopes=["files:read"]))')] = (),
        any_of: Annotated[Sequence[str], CalledFirst('Security(require(scopes=["files:read"]))')] = (),
        live: bool = False,
    ) -> ScopeGuard:
        """As `require_scopes`, which is its short form, with more than scopes.

        Args:
            scopes: all are needed.
            any_of: one of them is needed.
            live: ask the issuer now whether the token is still good, whatever is remembered of it; JWTs are asked about too. It
                needs the setting `introspection`, and costs a call for each request.

        Raises:
            ValueError: something that is no scope, or `offline_access`, which is no right at a resource.
        """
        if isinstance(scopes, str):
            raise ValueError("scopes takes a list of scopes, not one string")
        requirement = replace(scope_requirement(*scopes, any_of=any_of), live=live)
        self.gate.scopes.announce(requirement.names())
        return ScopeGuard(self, requirement)

    def router(self) -> APIRouter:
        """The RFC 9728 metadata routes; at start-up the keys are fetched, at shut-down fetches are ended."""
        return router_with_lifespan(self.gate, self._description)

    def status(self) -> tuple[KeysStatus, ...]:
        """What this process knows of the keys of each trusted issuer: how many, how old, what failed. Nothing is fetched.

        Example:
            `[keys.failure for keys in auth.status() if not keys.usable_keys]`
        """
        return self.authenticator.status()

    async def start(self) -> None:
        """Reads the settings and fetches the keys, as the router does at start-up.

        Raises:
            IssuerUnavailableError: `fail_fast` is set and an issuer or its keys cannot be had.
        """
        await self.gate.start()

    async def aclose(self) -> None:
        """Ends fetches in flight; settings from the environment are read again at the next use."""
        await self.gate.aclose()


default_scheme = OAuth2BearerScheme()
"""The scheme behind the names below; it reads its settings from the environment at first use."""

optional_token = default_scheme.optional_token
"""A dependency: the verified token, or None where nothing was sent. A bad token is still refused.

Example:
    `token: Annotated[AccessToken | None, Security(optional_token)]`
"""

protected_resource_router: Callable[[], APIRouter] = default_scheme.router
"""A router with the metadata that clients look for (RFC 9728). At start-up it reads the settings and fetches the keys.

Raises at start-up:
    pydantic.ValidationError: a setting is missing or wrong.
    IssuerUnavailableError: `FAIL_FAST` is set and an issuer or its keys cannot be had.

Example:
    `app.include_router(protected_resource_router())`
"""

require_scopes = default_scheme.require_scopes
"""A dependency that returns the token if it holds all these scopes, and one of `any_of`; without any, any good token.

Example:
    `token: Annotated[AccessToken, Security(require_scopes("files:read", any_of=["team:a", "team:b"]))]`
"""

require = default_scheme.require
"""A dependency with more demands than scopes; see `OAuth2BearerScheme.require`.

Example:
    `token: Annotated[AccessToken, Security(require(scopes=["account:read"], live=True))]`
"""

until_expiry = default_scheme.until_expiry
"""Runs a block until the token's time is over, for WebSocket routes; see `OAuth2BearerScheme.until_expiry`."""
