"""The issuer as an ASGI app, and what its metadata says; for callers on this machine only.

What the endpoints do does not belong here.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS
from mcp_oauth2_deps.testing.authorization_server.authentication import AUTH_METHODS
from mcp_oauth2_deps.testing.authorization_server.authority import Authority
from mcp_oauth2_deps.testing.authorization_server.browsers import TrustedPages
from mcp_oauth2_deps.testing.authorization_server.introspection import answer_introspection
from mcp_oauth2_deps.testing.authorization_server.login import LoginRoutes
from mcp_oauth2_deps.testing.authorization_server.registration import answer_registration
from mcp_oauth2_deps.testing.authorization_server.token_endpoint import GRANT_TYPES, answer_token_request
from mcp_oauth2_deps.testing.loopback import LoopbackGuard

_NOTICE = (
    "This issuer is for development and tests on this machine. Its keys are made at each start. Never use it in production.\n"
)
# The metadata and the keys are public: every page may read them. Login and consent are for people: no page may.
_PUBLIC = [Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])]
# A route that does not list OPTIONS answers 405 before its middleware sees the preflight (Starlette 1.10).
_GET, _POST = ["GET", "OPTIONS"], ["POST", "OPTIONS"]


def metadata_of(authority: Authority) -> dict[str, Any]:
    """The authorization server metadata (RFC 8414 section 2), with members that OIDC clients need; there are no ID tokens."""

    def at(path: str) -> str:
        return authority.url.rstrip("/") + path

    # Without a list of its own the issuer grants every scope, so it has no list to publish.
    scopes = {"scopes_supported": [*sorted(authority.scopes), OFFLINE_ACCESS]} if authority.scopes else {}
    return scopes | {
        "issuer": authority.url,
        "jwks_uri": at("/jwks"),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "registration_endpoint": at("/register"),
        "introspection_endpoint": at("/introspect"),
        "client_id_metadata_document_supported": True,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": [method for method in AUTH_METHODS if method != "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [authority.key.alg],
        "introspection_signing_alg_values_supported": [authority.key.alg],
    }


def application(authority: Authority, login: LoginRoutes) -> Starlette:
    """Documents and endpoints, under the issuer's own names."""
    pages = [Middleware(TrustedPages, clients=authority.clients)]

    async def about(_: Request) -> Response:
        return PlainTextResponse(_NOTICE)

    async def publish(request: Request) -> Response:
        return JSONResponse((await authority.fetch(request.scope["path"])).content)

    async def token(request: Request) -> Response:
        authority.requests["/token"] += 1
        return await answer_token_request(authority, request)

    async def register(request: Request) -> Response:
        authority.requests["/register"] += 1
        return await answer_registration(authority.known_clients, request)

    async def introspect(request: Request) -> Response:
        authority.requests["/introspect"] += 1
        return await answer_introspection(authority, request)

    return Starlette(
        routes=[
            Route("/", about),
            Route("/.well-known/oauth-authorization-server", publish, methods=_GET, middleware=_PUBLIC),
            Route("/.well-known/openid-configuration", publish, methods=_GET, middleware=_PUBLIC),
            Route("/jwks", publish, methods=_GET, middleware=_PUBLIC),
            Route("/token", token, methods=_POST, middleware=pages),
            Route("/register", register, methods=_POST, middleware=pages),
            Route("/introspect", introspect, methods=_POST, middleware=pages),
            *login.routes(),
        ],
        middleware=[Middleware(LoopbackGuard, url=lambda: authority.url)],
    )
