"""The FastAPI door: the scheme, the scopes demanded at a route, the metadata router.

What a token must be does not belong here.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from fastapi import APIRouter, HTTPException, WebSocketException
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.security import OAuth2, SecurityScopes
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.status import WS_1008_POLICY_VIOLATION

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.errors import MissingCredentialsError, OAuth2Error
from mcp_oauth2_deps.guards import OptionalToken, ScopeGuard
from mcp_oauth2_deps.models import AccessToken, ScopeRequirement
from mcp_oauth2_deps.openapi import scheme_models, swagger_ui_init_oauth
from mcp_oauth2_deps.protocol.challenges import challenge_for
from mcp_oauth2_deps.protocol.credentials import read_credentials
from mcp_oauth2_deps.protocol.resource_metadata import metadata_url
from mcp_oauth2_deps.protocol.scopes import scope_requirement, verify_scopes
from mcp_oauth2_deps.refusals import refusal_detail, refusal_facts
from mcp_oauth2_deps.resource_metadata import metadata_router
from mcp_oauth2_deps.routes import collect_requirement, matched_dependant
from mcp_oauth2_deps.settings import OAuth2Settings

logger = logging.getLogger(__name__)

# Where a request keeps the outcome for its `Authorization` fields, and these.
MEMORY_KEY = "mcp_oauth2_deps"


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
        scheme_name: str | None = None,
        document_responses: bool = True,
    ) -> None:
        """Nothing is read or fetched yet.

        Args:
            settings: what to trust; read from the environment on first use when absent.
            authenticator: a ready one instead, whose settings then count.
            scheme_name: the name in OpenAPI; needed when an app has several schemes.
            document_responses: tell in OpenAPI how operations refuse: 400, 401, 403 and 503.
        """
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = True
        self.document_responses = document_responses
        self._configured = authenticator or (None if settings is None else Authenticator(settings))
        self._authenticator = self._configured
        self._known_scopes: set[str] = set()
        self.advertised_scopes: tuple[str, ...] = ()
        self.preselected_scopes: list[str] = []
        self._requirements: dict[int, tuple[Any, ScopeRequirement]] = {}
        self.optional_token = OptionalToken(self)

    @property
    def authenticator(self) -> Authenticator:
        """The authenticator; made from the environment on first use when no settings were given."""
        if self._authenticator is None:
            self._authenticator = Authenticator(OAuth2Settings())
        return self._authenticator

    @property
    def settings(self) -> OAuth2Settings:
        """The settings in force."""
        return self.authenticator.settings

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]  # an attribute there; OpenAPI is made after discovery
        """The scheme for OpenAPI, of the first issuer. Needs no environment: without settings or endpoints it has no flow."""
        return next(iter(scheme_models(self).values()))

    def swagger_ui_init_oauth(self, client_id: str | None = None, **more: Any) -> dict[str, Any]:
        """What `FastAPI(swagger_ui_init_oauth=...)` takes, so that Authorize on `/docs` logs in: PKCE, all scopes, `resource`.

        Args:
            client_id: of a public client with the redirect URI `<origin>/docs/oauth2-redirect`; `MCP_OAUTH2_SWAGGER_CLIENT_ID`
                when absent.
            more: further options of Swagger UI, for example `appName`.

        Raises:
            ValueError: no client id, or a client secret, which a page cannot keep.
        """
        return swagger_ui_init_oauth(self, client_id, more)

    async def __call__(  # type: ignore[override]  # ours answers with a token, or not at all
        self, connection: HTTPConnection, security_scopes: SecurityScopes
    ) -> AccessToken:
        """The verified token, holding every scope that the matched route demands anywhere.

        Raises:
            HTTPException: 400, 401, 403 or 503 with the challenge; on a WebSocket before it is accepted.
        """
        token = await self.find_token(connection, security_scopes)
        if token is None:
            self.refuse(MissingCredentialsError(), connection, ScopeRequirement(tuple(security_scopes.scopes)))
        return token

    async def find_token(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken | None:
        """As calling the scheme, but nothing sent gives nothing."""
        requirement = self._requirement(connection).with_all_of(security_scopes.scopes)
        outcomes: dict[OAuth2BearerScheme, tuple[list[bytes], AccessToken]] = connection.scope.setdefault(MEMORY_KEY, {})
        fields = [value for name, value in connection.scope["headers"] if name == b"authorization"]
        # An app that hands a request on with other headers may copy the scope, and this memory with it.
        known = outcomes.get(self)
        token = known[1] if known is not None and known[0] == fields else None
        try:
            if token is None:
                credentials = read_credentials(fields)
                if credentials is None:
                    return None
                token = await self.authenticator.authenticate(credentials)
                outcomes[self] = fields, token
            verify_scopes(requirement, token.scopes, self.authenticator.policy.scope_hierarchy)
        except OAuth2Error as error:
            self.refuse(error, connection, requirement, token)
        return token

    def require_scopes(self, *scopes: str, any_of: tuple[str, ...] | list[str] = ()) -> "ScopeGuard":
        """A dependency that returns the token if it holds all `scopes`, and one of `any_of`; without any, any good token.

        Equal demands are equal dependencies, so `app.dependency_overrides[auth.require_scopes("a")]` works.

        Raises:
            ValueError: something that is no scope, or `offline_access`, which is no right at a resource.
        """
        requirement = scope_requirement(*scopes, any_of=any_of)
        self.announce_scopes(requirement)
        return ScopeGuard(self, requirement)

    def router(self) -> APIRouter:
        """The RFC 9728 metadata routes; at start-up the keys are fetched, at shut-down fetches are ended."""
        return metadata_router(self)

    def announce_scopes(self, scopes: Iterable[str], *, advertise: bool = False) -> None:
        """Makes scopes known that are demanded elsewhere than at a route; `advertise` names them in `scopes_supported` too."""
        scopes = tuple(scopes)
        self._known_scopes.update(scopes)
        self.preselected_scopes[:] = sorted(self._known_scopes)
        if advertise:
            self.advertised_scopes = tuple(dict.fromkeys((*self.advertised_scopes, *scopes)))

    @property
    def scope_hierarchy(self) -> Mapping[str, frozenset[str]]:
        """What scopes imply; nothing without settings, which a test that overrides the scheme need not have."""
        try:
            return self.authenticator.policy.scope_hierarchy
        except ValidationError:
            return {}

    @property
    def known_scopes(self) -> frozenset[str]:
        """Every scope that was demanded or announced so far."""
        return frozenset(self._known_scopes)

    @property
    def is_configured(self) -> bool:
        """Whether the settings were given, rather than left to the environment at first use."""
        return self._configured is not None

    async def start(self) -> None:
        """Reads the settings and fetches the keys, as the router does at start-up.

        Raises:
            IssuerUnavailableError: `fail_fast` is set and an issuer or its keys cannot be had.
        """
        await self.authenticator.start()

    async def aclose(self) -> None:
        """Ends what is in flight; settings from the environment are read anew at the next use."""
        if self._authenticator is not None:
            await self._authenticator.aclose()
        self._authenticator = self._configured

    def _requirement(self, connection: HTTPConnection) -> ScopeRequirement:
        dependant = matched_dependant(connection.scope)
        if dependant is None:
            return ScopeRequirement()
        overrides: Mapping[Any, Any] = getattr(connection.scope.get("app"), "dependency_overrides", {})
        if overrides:
            return collect_requirement(dependant, self, overrides)
        known = self._requirements.get(id(dependant))
        if known is None or known[0] is not dependant:
            known = self._requirements[id(dependant)] = dependant, collect_requirement(dependant, self, {})
            self.announce_scopes(known[1])
        return known[1]

    def refuse(
        self,
        error: OAuth2Error,
        connection: HTTPConnection,
        requirement: ScopeRequirement,
        token: AccessToken | None = None,
    ) -> NoReturn:
        """Ends the request with the challenge for this error, and writes its line to the log."""
        settings = self.settings
        scopes = tuple(self._requirement(connection) + requirement)
        challenge = challenge_for(
            error,
            resource_metadata=metadata_url(settings.resource, settings.metadata_url),
            scopes=scopes,
            known_scopes=self._known_scopes.union(settings.scopes),
        )
        logger.info("refused with %d: %s", challenge.status, refusal_facts(error, token))
        can_answer = "websocket.http.response" in (connection.scope.get("extensions") or {})
        if connection.scope["type"] == "websocket" and not can_answer:
            raise WebSocketException(WS_1008_POLICY_VIOLATION, challenge.error or "unauthorized") from None
        raise HTTPException(challenge.status, refusal_detail(challenge), dict(challenge.headers)) from None


default_scheme = OAuth2BearerScheme()
optional_token = default_scheme.optional_token
protected_resource_router: Callable[[], APIRouter] = default_scheme.router
require_scopes = default_scheme.require_scopes
