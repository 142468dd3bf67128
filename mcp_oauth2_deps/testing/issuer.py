"""A small authorization server with fresh keys: its documents, its endpoints, and any token that a test needs."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from secrets import token_urlsafe
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.applications import Starlette

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import Document, DocumentSource, HTTPDocuments
from mcp_oauth2_deps.testing.authorization_server.application import application, metadata_of
from mcp_oauth2_deps.testing.authorization_server.authentication import Authentication
from mcp_oauth2_deps.testing.authorization_server.client_documents import ClientDocuments
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore
from mcp_oauth2_deps.testing.authorization_server.grants import GrantStore
from mcp_oauth2_deps.testing.authorization_server.issued import IssuedTokens
from mcp_oauth2_deps.testing.authorization_server.login import LoginRoutes
from mcp_oauth2_deps.testing.keys import SigningKey
from mcp_oauth2_deps.testing.loopback import LoopbackServer

_DEMO_USERS = {"alice": "alice", "bob": "bob"}
_DOCUMENT_SECONDS = 5


class DevelopmentIssuer:
    """An issuer for development and tests: fresh keys at each start, and answers for this machine only.

    Over HTTP it refuses callers on other machines, requests that name another host (DNS rebinding), and web pages of other
    sites. A page on loopback may use public clients only; a client with a secret is for programs. The passwords of the people
    here are known to everybody, so it must never be reachable from elsewhere.

    Example:
        ```python
        from secrets import token_urlsafe

        from mcp_oauth2_deps.testing import Client, DevelopmentIssuer

        clients = {"job": Client(token_urlsafe(), scopes=frozenset({"files:read"}))}
        issuer = DevelopmentIssuer(audience="https://api.example.com/mcp", clients=clients)
        token = issuer.token(subject="alice", scopes=["files:read"])
        ```

    Attributes:
        url: the issuer identifier; `serve` replaces it by where it serves.
        audience: `aud` of the tokens from `token()`, unless one is given there, and the resource of a request that names none.
        clients: who may fetch tokens, by client identifier; others may register over HTTP, or have as identifier the URL of a
            document about them, on https or on loopback.
        resources: the only resources (RFC 8707) it has tokens for; when empty, every resource.
        scopes: the only scopes that a person can grant, with descriptions; when empty, every scope.
        users: who can log in, with their passwords. By default alice and bob; the password of each is the name.
        hint: what the login page says below the form.
        lifetime: of the tokens that the token endpoint gives, in seconds.
        clock: seconds that never go back; for the ages of codes, sessions and registrations.
        documents: where the documents about clients come from; by default https on the public internet, and loopback.
        opaque: whether access tokens are random strings, which only the introspection endpoint can read (RFC 7662).
        requests: how many requests came for each path.
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
        documents: DocumentSource | None = None,
        opaque: bool = False,
    ) -> None:
        """Makes a signing key for `algorithm` (a JWS name such as `ES256`); the rest is described at the class.

        Raises:
            ValueError: `resources` is one string.
        """
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
        self.opaque = opaque
        self.clock = clock
        self.requests: Counter[str] = Counter()
        self.known_clients = ClientStore(self.clients, clock)
        self.documents = documents or HTTPDocuments(timeout=_DOCUMENT_SECONDS, allow_insecure_http=True, public_only=True)
        self.client_documents = ClientDocuments(self.documents, self.known_clients, clock)
        self.authentication = Authentication()
        self.grants = GrantStore(clock)
        self.issued = IssuedTokens()
        self._login = LoginRoutes(self)
        self._keys = [SigningKey.generate(algorithm)]

    @property
    def key(self) -> SigningKey:
        """The key that signs tokens now.

        Example:
            `issuer.key.kid` is what a token of this issuer has as `kid` in its header.
        """
        return self._keys[-1]

    def rotate(self, algorithm: str | None = None) -> SigningKey:
        """Makes a new key that signs from now on; the older ones stay published.

        Example:
            `issuer.rotate("EdDSA")` changes the algorithm as well.
        """
        self._keys.append(SigningKey.generate(algorithm or self.key.alg))
        return self.key

    def remove_key(self, kid: str) -> None:
        """Takes a key out of the key set: its tokens are refused as soon as the key set is fetched again.

        Example:
            `issuer.remove_key(issuer.key.kid)`
        """
        self._keys = [key for key in self._keys if key.kid != kid]

    def jwks(self) -> dict[str, Any]:
        """The key set as it is published (RFC 7517 section 5).

        Example:
            `issuer.jwks()["keys"][0]["kid"]`
        """
        return {"keys": [key.public_jwk() for key in self._keys]}

    def metadata(self) -> dict[str, Any]:
        """The authorization server metadata (RFC 8414 section 2), with members that OIDC clients need; there are no ID tokens.

        Example:
            `issuer.metadata()["token_endpoint"]`
        """
        return metadata_of(self)

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
        """A signed access token (RFC 9068 section 2.2), or an opaque one where `opaque` is set.

        Args:
            subject: who it stands for (`sub`).
            client_id: who fetched it.
            scopes: what it allows; written into `scope`, sorted.
            audience: the resource that it is for, or several; by default the issuer's `audience`.
            expires_in: seconds from now until it expires; negative for a token that has expired.
            header: changes of single header parameters; a value of `None` leaves one out.
            claims: further claims, as they are; a value of `None` leaves a claim out.

        Example:
            `issuer.token(subject="alice", scopes=["files:read"], expires_in=-60)` is a token that expired a minute ago.
        """
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
        token = token_urlsafe(32) if self.opaque else self.key.mint(merged, header)
        self.issued.remember(token, merged)
        return token

    def revoke(self, token: str) -> None:
        """From now on the introspection endpoint says that this access token is not active.

        Example:
            `issuer.revoke(token)`
        """
        self.issued.revoke(token)

    def bearer(self, **claims: Any) -> dict[str, str]:
        """The `Authorization` header with a token; takes the arguments of `token`.

        Example:
            `client.get("/files", headers=issuer.bearer(scopes=["files:read"]))`
        """
        return {"Authorization": f"Bearer {self.token(**claims)}"}

    async def fetch(self, url: str) -> Document:
        """The issuer's metadata or key set without a network, so that the issuer can be a source of documents.

        Raises:
            DocumentError: there is no such document.

        Example:
            `Authenticator(settings, documents=issuer)`
        """
        path = urlsplit(url).path
        self.requests[path] += 1
        if path.endswith("/jwks"):
            return Document(self.jwks())
        if "/.well-known/" in path:
            return Document(self.metadata())
        raise DocumentError("it answers 404")

    @property
    def app(self) -> Starlette:
        """The issuer as an ASGI app; it answers callers on this machine only, and only under its own names.

        Those are the host and port of `url`, and `localhost`, `127.0.0.1` and `[::1]` with the port where it is served; any other
        `Host` is answered with 421.

        Example:
            `TestClient(issuer.app, base_url=issuer.url, client=("127.0.0.1", 1))`
        """
        return application(self, self._login)

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[Self]:
        """Serves the issuer on 127.0.0.1 while the block runs, and sets `url` to its address.

        Args:
            port: the port; 0 takes any free one.

        Raises:
            OSError: the port is taken.

        Example:
            `with DevelopmentIssuer().serve() as issuer: ...`
        """
        server = LoopbackServer(self.app, port=port)
        self.url = server.url
        with server:
            yield self
