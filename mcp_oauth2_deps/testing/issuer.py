"""A small authorization server with fresh keys: its documents, login and consent, its token endpoint, and tokens to order."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing.authorization_server.browsers import TrustedPages
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore
from mcp_oauth2_deps.testing.authorization_server.grants import GrantStore
from mcp_oauth2_deps.testing.authorization_server.login import LoginRoutes
from mcp_oauth2_deps.testing.authorization_server.registration import AUTH_METHODS, answer_registration
from mcp_oauth2_deps.testing.authorization_server.token_endpoint import GRANT_TYPES, answer_token_request
from mcp_oauth2_deps.testing.keys import SigningKey
from mcp_oauth2_deps.testing.loopback import LoopbackGuard, LoopbackServer

_DEMO_USERS = {"alice": "alice", "bob": "bob"}
_NOTICE = (
    "This issuer is for development and tests on this machine. Its keys are made at each start. Never use it in production.\n"
)
# The metadata and the keys are public: every page may read them. Login and consent are for people: no page may.
_PUBLIC = [Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])]
# A route that does not list OPTIONS answers 405 before its middleware sees the preflight (Starlette 1.10).
_GET, _POST = ["GET", "OPTIONS"], ["POST", "OPTIONS"]


class DevelopmentIssuer:
    """An issuer for development and tests. It makes fresh keys, and serves loopback callers only.

    Attributes:
        url: the issuer identifier.
        audience: `aud` of the tokens from `token()`, unless one is given there, and the resource of a request that names none.
        resources: the only resources (RFC 8707) it has tokens for; any, if there are none here.
        scopes: the only scopes it has for people, with descriptions; any, if there are none here.
        users: who can log in, with their passwords; alice and bob, who have their names for passwords, by default.
        hint: what the login page says below the form.
        lifetime: of the tokens that are fetched, in seconds.
        requests: how often each path was asked.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:9000",
        *,
        algorithm: str = "RS256",
        audience: str | None = None,
        clients: Mapping[str, Client] | None = None,
        resources: Collection[str] = (),
        scopes: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        lifetime: int = 3600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(resources, str):
            raise ValueError("resources is a collection of URIs, not one string")
        self.url = url
        self.audience = audience
        self.clients = dict(clients or {})
        self.resources = resources
        self.scopes: Mapping[str, str] = scopes or {}
        self.users: Mapping[str, str] = _DEMO_USERS if users is None else users
        self.hint = "Try alice with the password alice, or bob with bob." if users is None else ""
        self.lifetime = lifetime
        self.clock = clock
        self.requests: Counter[str] = Counter()
        self.known_clients = ClientStore(self.clients, clock)
        self.grants = GrantStore(clock)
        self._login = LoginRoutes(self)
        self._keys = [SigningKey.generate(algorithm)]

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self._keys[-1]

    def rotate(self, algorithm: str | None = None) -> SigningKey:
        """A new key signs from now on; the older ones stay published."""
        self._keys.append(SigningKey.generate(algorithm or self.key.alg))
        return self.key

    def remove_key(self, kid: str) -> None:
        """Publishes this key no more."""
        self._keys = [key for key in self._keys if key.kid != kid]

    def jwks(self) -> dict[str, Any]:
        """The published key set."""
        return {"keys": [key.public_jwk() for key in self._keys]}

    def metadata(self) -> dict[str, Any]:
        """The authorization server metadata (RFC 8414), with what OIDC clients look for; there are no ID tokens."""
        # Without a list of its own it has every scope, so there is none to publish.
        scopes = {"scopes_supported": [*sorted(self.scopes), OFFLINE_ACCESS]} if self.scopes else {}
        return scopes | {
            "issuer": self.url,
            "jwks_uri": self._at("/jwks"),
            "authorization_endpoint": self._at("/authorize"),
            "token_endpoint": self._at("/token"),
            "registration_endpoint": self._at("/register"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANT_TYPES),
            "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.key.alg],
        }

    def _at(self, path: str) -> str:
        return self.url.rstrip("/") + path

    def token(
        self,
        *,
        subject: str = "user",
        client_id: str = "client",
        scopes: Iterable[str] = (),
        audience: str | list[str] | None = None,
        expires_in: float = 3600,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A signed access token (RFC 9068). Further claims are added as given; one that is `None` is left out."""
        now = int(time.time())
        standard = {
            "iss": self.url,
            "aud": audience or self.audience,
            "sub": subject,
            "client_id": client_id,
            "iat": now,
            "exp": now + int(expires_in),
            "jti": uuid4().hex,
            "scope": " ".join(sorted(scopes)),
        }
        merged = {name: value for name, value in (standard | claims).items() if value is not None}
        return self.key.mint(merged, header)

    def bearer(self, **claims: Any) -> dict[str, str]:
        """The `Authorization` header with a token; takes what `token` takes."""
        return {"Authorization": f"Bearer {self.token(**claims)}"}

    async def fetch(self, url: str) -> Document:
        """The issuer's documents without a network, for `Authenticator(settings, documents=issuer)`."""
        path = urlsplit(url).path
        self.requests[path] += 1
        if path.endswith("/jwks"):
            return Document(self.jwks())
        if "/.well-known/" in path:
            return Document(self.metadata())
        raise DocumentError("it answers 404")

    @property
    def app(self) -> Starlette:
        """The issuer as an ASGI app, for callers on this machine that ask for it by its own name (see `LoopbackGuard`)."""
        pages = [Middleware(TrustedPages, clients=self.clients)]
        return Starlette(
            routes=[
                Route("/", self._about),
                Route("/.well-known/oauth-authorization-server", self._publish, methods=_GET, middleware=_PUBLIC),
                Route("/.well-known/openid-configuration", self._publish, methods=_GET, middleware=_PUBLIC),
                Route("/jwks", self._publish, methods=_GET, middleware=_PUBLIC),
                Route("/token", self._token, methods=_POST, middleware=pages),
                Route("/register", self._register, methods=_POST, middleware=pages),
                *self._login.routes(),
            ],
            middleware=[Middleware(LoopbackGuard, url=lambda: self.url)],
        )

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[Self]:
        """Serves the issuer on loopback while the block runs; `url` becomes where it is.

        Raises:
            OSError: the port is taken.
        """
        server = LoopbackServer(self.app, port=port)
        self.url = server.url
        with server:
            yield self

    async def _about(self, _: Request) -> Response:
        return PlainTextResponse(_NOTICE)

    async def _publish(self, request: Request) -> Response:
        return JSONResponse((await self.fetch(request.scope["path"])).content)

    async def _token(self, request: Request) -> Response:
        self.requests["/token"] += 1
        return await answer_token_request(self, request)

    async def _register(self, request: Request) -> Response:
        self.requests["/register"] += 1
        return await answer_registration(self.known_clients, request)
