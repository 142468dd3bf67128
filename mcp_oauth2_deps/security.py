"""The FastAPI door: the scheme, the scopes demanded at a route, the metadata router.

What a token must be does not belong here.
"""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any, NoReturn

from fastapi import APIRouter, FastAPI, HTTPException, Security, WebSocketException
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.security import OAuth2, SecurityScopes
from fastapi.security.base import SecurityBase
from pydantic import ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.status import WS_1008_POLICY_VIOLATION

from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    IssuerUnavailableError,
    MissingCredentialsError,
    OAuth2Error,
)
from mcp_oauth2_deps.models import AccessToken, ScopeRequirement
from mcp_oauth2_deps.protocol.challenges import challenge_for
from mcp_oauth2_deps.protocol.credentials import read_credentials
from mcp_oauth2_deps.protocol.metadata import WELL_KNOWN_PATH, metadata_path, metadata_url, protected_resource_metadata
from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS, is_scope_token, verify_scopes
from mcp_oauth2_deps.routes import collect_requirement, matched_dependant, path_of
from mcp_oauth2_deps.settings import OAuth2Settings

logger = logging.getLogger(__name__)

_SCOPE_KEY = "mcp_oauth2_deps"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


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
    ) -> None:
        """Nothing is read or fetched yet.

        Args:
            settings: what to trust; read from the environment on first use when absent.
            authenticator: a ready one instead, whose settings then count.
            scheme_name: the name in OpenAPI; needed when an app has several schemes.
        """
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = True
        self._configured = authenticator or (None if settings is None else Authenticator(settings))
        self._authenticator = self._configured
        self._known_scopes: set[str] = set()
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
        """The scheme for OpenAPI. Needs no environment: without settings or endpoints it has no flow."""
        try:
            settings = self.settings
        except ValidationError:
            return OAuth2Model(flows=OAuthFlows())
        found = next((store.metadata for store in self.authenticator.stores.values() if store.metadata), None)
        authorization_url = settings.authorization_url or (found.authorization_endpoint if found else None)
        token_url = settings.token_url or (found.token_endpoint if found else None)
        if not (authorization_url and token_url):
            return OAuth2Model(flows=OAuthFlows())
        scopes = {scope: "" for scope in sorted(self._known_scopes)} | dict(settings.scopes)
        flow = OAuthFlowAuthorizationCode(authorizationUrl=authorization_url, tokenUrl=token_url, scopes=scopes)
        return OAuth2Model(flows=OAuthFlows(authorizationCode=flow))

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
        requirement = self._requirement(connection) + ScopeRequirement(tuple(security_scopes.scopes))
        outcomes: dict[OAuth2BearerScheme, AccessToken] = connection.scope.setdefault(_SCOPE_KEY, {})
        token = outcomes.get(self)
        try:
            if token is None:
                fields = [value for name, value in connection.scope["headers"] if name == b"authorization"]
                credentials = read_credentials(fields)
                if credentials is None:
                    return None
                token = outcomes[self] = await self.authenticator.authenticate(credentials)
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
        if isinstance(any_of, str):
            raise ValueError("any_of takes a list of scopes, not one string")
        for scope in (*scopes, *any_of):
            if not isinstance(scope, str) or not is_scope_token(scope):
                raise ValueError(f"{scope!r} is no scope; give each scope as an argument of its own")
            if scope == OFFLINE_ACCESS:
                raise ValueError("offline_access asks the issuer for a refresh token; it is never demanded here")
        self._known_scopes.update(scopes, any_of)
        return ScopeGuard(self, ScopeRequirement(scopes, (tuple(any_of),) if any_of else ()))

    def router(self) -> APIRouter:
        """The RFC 9728 metadata routes; at start-up the keys are fetched, at shut-down fetches are ended."""
        router = APIRouter(lifespan=self._lifespan)
        if self._configured is None:
            paths = {WELL_KNOWN_PATH, WELL_KNOWN_PATH + "/{resource_path:path}"}
        else:
            place = metadata_path(self.settings.resource).rstrip("/")
            paths = {WELL_KNOWN_PATH, WELL_KNOWN_PATH + "/", place, place + "/"}
            if self.settings.metadata_url:
                paths.add(path_of(self.settings.metadata_url))
        for path in sorted(paths):
            # A plain route: dependencies of the app or of a router must not guard it.
            router.add_route(path, self._serve_metadata, methods=["GET", "OPTIONS"], include_in_schema=False)
        return router

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        served = app.state._state.setdefault("mcp_oauth2_schemes", [])  # noqa: SLF001  # `State` has no setdefault
        served.append(self)
        if self._configured is None and self.settings.metadata_url:
            path = path_of(self.settings.metadata_url)
            if not any(getattr(route, "path", None) == path for route in app.routes):
                app.router.add_route(path, self._serve_metadata, methods=["GET", "OPTIONS"], include_in_schema=False)
        try:
            await self.authenticator.start()
            yield
        finally:
            served.remove(self)
            await self.authenticator.aclose()
            self._authenticator = self._configured

    async def _serve_metadata(self, request: Request) -> Response:
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
        if request.method == "OPTIONS":
            headers |= {"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "*"}
            return Response(status_code=204, headers=headers)
        schemes = getattr(request.app.state, "mcp_oauth2_schemes", None) or [self]
        asked = request.scope["path"].removeprefix(request.scope.get("root_path", "")).rstrip("/")
        for scheme in schemes:
            settings = scheme.settings
            places = {metadata_path(settings.resource).rstrip("/")}
            if settings.metadata_url:
                places.add(path_of(settings.metadata_url).rstrip("/"))
            # The root form speaks for the app only while the app is one resource (RFC 9728 section 3.1).
            if asked in places or (asked == WELL_KNOWN_PATH and len(schemes) == 1):
                document = protected_resource_metadata(
                    resource=settings.resource, issuers=settings.issuer, scopes=settings.scopes
                )
                return JSONResponse(document, headers=headers)
        return JSONResponse({"detail": "Not Found"}, status_code=404, headers=headers)

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
            self._known_scopes.update(known[1])
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
        logger.info("refused with %d: %s", challenge.status, _facts(error, token))
        if connection.scope["type"] == "websocket":
            if "websocket.http.response" not in connection.scope.get("extensions", {}):
                raise WebSocketException(WS_1008_POLICY_VIOLATION, challenge.error or "unauthorized") from None
        detail = {"error": challenge.error, "error_description": challenge.description}
        raise HTTPException(challenge.status, detail, dict(challenge.headers)) from None


class OptionalToken(SecurityBase):
    """A dependency: the verified token, or nothing when nothing was sent. A bad token is refused all the same."""

    def __init__(self, scheme: OAuth2BearerScheme) -> None:
        self.scheme = scheme

    @property
    def scheme_name(self) -> str:  # type: ignore[override]  # an attribute there; follows the scheme
        """The name of the scheme in OpenAPI."""
        return self.scheme.scheme_name

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]  # an attribute there; follows the scheme
        """The scheme for OpenAPI."""
        return self.scheme.model

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> AccessToken | None:
        """The verified token, or nothing."""
        return await self.scheme.find_token(connection, security_scopes)


class _Alternatives(OptionalToken):
    """Shows alternative scopes in OpenAPI. It lets everything pass; the guard decides."""

    async def __call__(self) -> None:  # type: ignore[override]  # nothing to ask, nothing to say
        return None


@dataclass(frozen=True)
class ScopeGuard:
    """What `require_scopes` returns: a dependency, equal to every other with the same demand of the same scheme."""

    scheme: OAuth2BearerScheme
    requirement: ScopeRequirement

    @property
    def __signature__(self) -> Signature:
        parameters = [
            ("connection", HTTPConnection, Parameter.empty),
            ("security_scopes", SecurityScopes, Parameter.empty),
            ("token", AccessToken, Security(self.scheme, scopes=list(self.requirement.all_of))),
        ]
        alternatives = [scope for group in self.requirement.any_of for scope in group]
        if alternatives:
            parameters.append(("shown", None, Security(_Alternatives(self.scheme), scopes=alternatives)))
        return Signature(
            [
                Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                for name, annotation, default in parameters
            ]
        )

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes, token: AccessToken, shown: None = None
    ) -> AccessToken:
        """The token, if it holds what is demanded here; also when a test put another in the scheme's place."""
        requirement = self.requirement + ScopeRequirement(tuple(security_scopes.scopes))
        try:
            verify_scopes(requirement, token.scopes, self.scheme.authenticator.policy.scope_hierarchy)
        except InsufficientScopeError as error:
            self.scheme.refuse(error, connection, requirement, token)
        return token


def _facts(error: OAuth2Error, token: AccessToken | None) -> str:
    """The facts of a refusal for the log, in printable ASCII; never a byte of the token."""
    facts: dict[str, str | None] = {"reason": error.reason}
    match error:
        case InvalidTokenError():
            facts |= {"claim": error.claim, "found": error.found, "issuer": error.issuer, "key_id": error.key_id}
            facts |= {"client": error.client_id, "subject": error.subject}
        case InsufficientScopeError():
            facts |= {"missing": ",".join(error.missing)}
        case IssuerUnavailableError():
            facts |= {"issuer": error.issuer}
    if token is not None:
        facts |= {"issuer": token.issuer, "client": token.client_id, "subject": token.subject}
    return " ".join(f"{name}={_UNPRINTABLE.sub('?', text)[:160]}" for name, text in facts.items() if text)


_default = OAuth2BearerScheme()
optional_token = _default.optional_token
protected_resource_router: Callable[[], APIRouter] = _default.router
require_scopes = _default.require_scopes
