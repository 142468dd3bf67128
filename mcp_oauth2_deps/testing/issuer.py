"""A small authorization server with fresh keys: its documents, its token endpoint, and tokens to order."""

import hmac
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus, urlsplit
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.urls import is_loopback_host
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing.keys import SigningKey
from mcp_oauth2_deps.testing.server import LoopbackServer

_MAX_FORM_BYTES = 64 * 1024
_NOTICE = (
    "This issuer is for development and tests on this machine. Its keys are made at each start. Never use it in production.\n"
)


@dataclass(frozen=True)
class Client:
    """A client that may fetch tokens for itself; a client's scopes are its ceiling."""

    secret: str = field(repr=False)
    scopes: frozenset[str]


class DevelopmentIssuer:
    """An issuer for development and tests. It makes fresh keys, and serves loopback callers only.

    Attributes:
        url: the issuer identifier.
        audience: `aud` of the tokens from `token()`, unless one is given there.
        requests: how often each path was asked.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:9000",
        *,
        algorithm: str = "RS256",
        audience: str | None = None,
        clients: Mapping[str, Client] | None = None,
    ) -> None:
        self.url = url
        self.audience = audience
        self.clients = dict(clients or {})
        self.requests: Counter[str] = Counter()
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
        """The authorization server metadata (RFC 8414)."""
        return {
            "issuer": self.url,
            "jwks_uri": self._at("/jwks"),
            "token_endpoint": self._at("/token"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
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
        """The issuer as an ASGI app; callers from another machine get 403."""
        return Starlette(
            routes=[
                Route("/", self._about),
                Route("/.well-known/oauth-authorization-server", self._publish),
                Route("/.well-known/openid-configuration", self._publish),
                Route("/jwks", self._publish),
                Route("/token", self._token_endpoint, methods=["POST"]),
            ]
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

    async def _about(self, request: Request) -> Response:
        return _refusal_of_strangers(request) or PlainTextResponse(_NOTICE)

    async def _publish(self, request: Request) -> Response:
        refusal = _refusal_of_strangers(request)
        return refusal or JSONResponse((await self.fetch(str(request.url))).content)

    async def _token_endpoint(self, request: Request) -> Response:
        """Client credentials with `resource` (RFC 6749 section 4.4, RFC 8707 section 2)."""
        refusal = _refusal_of_strangers(request)
        if refusal is not None:
            return refusal
        self.requests["/token"] += 1
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM_BYTES:
                return _failure(413, "invalid_request")
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        client_id, secret = _client_credentials(request, form)
        client = self.clients.get(client_id)
        if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            return _failure(401, "invalid_client")
        if form.get("grant_type") != "client_credentials":
            return _failure(400, "unsupported_grant_type")
        if not form.get("resource"):
            return _failure(400, "invalid_target")
        scopes = set(form.get("scope", "").split()) or client.scopes
        if not client.scopes.issuperset(scopes):
            return _failure(400, "invalid_scope")
        token = self.token(subject=client_id, client_id=client_id, scopes=scopes, audience=form["resource"])
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(sorted(scopes))}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _refusal_of_strangers(request: Request) -> Response | None:
    if request.client is not None and is_loopback_host(request.client.host):
        return None
    return PlainTextResponse("This issuer is for this machine only.\n", status_code=403)


def _client_credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _failure(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers={"Cache-Control": "no-store"})
