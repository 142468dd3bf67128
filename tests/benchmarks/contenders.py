"""Every contender, set up as its own documentation says, behind one shape.

`start` reads the keys, `verify` says whether a token is good for one scope, `dependency` is what a route would depend on.
Imports stand inside, because one process measures one contender's memory.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from harness import RESOURCE
from starlette.requests import HTTPConnection, Request

SCOPE = "tools:call"
_HTTPS_ISSUER = "https://issuer.example.com/"


class Contender:
    """One way to verify an access token."""

    name: ClassVar[str]
    algorithms: ClassVar[tuple[str, ...]] = ("RS256", "ES256", "EdDSA")
    claims: ClassVar[dict[str, Any]] = {}
    """What its tokens need besides."""

    def __init__(self, issuer: str, algorithm: str = "RS256") -> None:
        self.issuer = issuer
        self.algorithm = algorithm
        self.jwks_uri = f"{issuer}/jwks"

    async def start(self) -> None:
        """Gets ready; what is fetched at the first token is fetched then."""

    async def verify(self, token: str) -> bool:
        """Whether the token is good and holds the scope."""
        raise NotImplementedError

    @property
    def dependency(self) -> Any:
        """What a FastAPI route depends on."""

        async def guarded(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
            if not await self.verify(credentials.credentials):
                raise HTTPException(401)

        return Depends(guarded)


class Ours(Contender):
    """This package with every token verified in full."""

    name = "mcp-oauth2-deps"
    cache_size = 0

    async def start(self) -> None:
        from mcp_oauth2_deps import OAuth2BearerScheme, OAuth2Error, OAuth2Settings
        from mcp_oauth2_deps.protocol.scopes import scope_requirement

        self._refusal = OAuth2Error
        self.scheme = OAuth2BearerScheme(
            OAuth2Settings(issuer=self.issuer, resource=RESOURCE, allow_insecure_http=True, token_cache_size=self.cache_size)
        )
        self._requirement = scope_requirement(SCOPE)
        await self.prepare_scheme()

    async def prepare_scheme(self) -> None:
        """Fetches the keys, as the router does at start-up."""
        await self.scheme.start()

    async def verify(self, token: str) -> bool:
        try:
            verified = await self.scheme.authenticator.verify(token)
        except self._refusal:
            return False
        return self._requirement.shortfall(verified, {}) is None

    @property
    def dependency(self) -> Any:
        return Security(self.scheme.require_scopes(SCOPE))


class OursCached(Ours):
    """This package as it is by default."""

    name = "mcp-oauth2-deps, cached"
    cache_size = 1024


class OursInScheme(OursCached):
    """The whole scheme as FastAPI calls it, token cached."""

    name = "mcp-oauth2-deps, cached, whole scheme"

    async def prepare_scheme(self) -> None:
        await super().prepare_scheme()
        app = FastAPI()
        app.add_api_route("/", lambda: None, dependencies=[self.dependency])
        self._route = next(route for route in app.routes if isinstance(route, APIRoute) and route.path == "/")
        self._scopes = [SCOPE]
        self._headers: dict[str, list[tuple[bytes, bytes]]] = {}

    async def verify(self, token: str) -> bool:
        # Made by the server and the router, and not what is measured here.
        headers = self._headers.get(token)
        if headers is None:
            headers = [(b"host", b"api.example.com"), (b"authorization", b"Bearer " + token.encode("ascii"))]
            self._headers[token] = headers
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "route": self._route}
        try:
            await self.scheme.gate.admit(HTTPConnection(scope), self._scopes)
        except HTTPException:
            return False
        return True


class FastMCP(Contender):
    """The verifier of FastMCP."""

    name = "FastMCP JWTVerifier"

    async def start(self) -> None:
        from fastmcp.server.auth.providers.jwt import JWTVerifier

        self.verifier = JWTVerifier(
            jwks_uri=self.jwks_uri,
            issuer=self.issuer,
            audience=RESOURCE,
            algorithm=self.algorithm,
            required_scopes=[SCOPE],
        )

    async def verify(self, token: str) -> bool:
        return await self.verifier.verify_token(token) is not None


class Auth0(Contender):
    """The verifier of Auth0; it takes https issuers only, so its documents come by its own hook, with a client a call as its own."""

    name = "auth0-api-python"
    algorithms = ("RS256",)
    claims: ClassVar[dict[str, Any]] = {"iss": _HTTPS_ISSUER}

    async def start(self) -> None:
        from auth0_api_python import ApiClient, ApiClientOptions
        from auth0_api_python.errors import BaseAuthError

        self._refusal = BaseAuthError
        self.client = ApiClient(ApiClientOptions(domain="issuer.example.com", audience=RESOURCE, custom_fetch=self._fetch))

    async def _fetch(self, url: str) -> Any:
        import httpx

        if "/.well-known/" in url:
            return {"issuer": _HTTPS_ISSUER, "jwks_uri": self.jwks_uri}
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).raise_for_status().json()

    async def verify(self, token: str) -> bool:
        try:
            claims = await self.client.verify_access_token(token)
        except self._refusal:
            return False
        return SCOPE in claims.get("scope", "").split()


class Azure(Contender):
    """The scheme of fastapi-azure-auth, called as FastAPI calls it."""

    name = "fastapi-azure-auth"
    algorithms = ("RS256",)
    claims: ClassVar[dict[str, Any]] = {"scp": f"{SCOPE} tools:list", "nbf": 1700000000, "ver": "2.0"}

    async def start(self) -> None:
        from fastapi_azure_auth import SingleTenantAzureAuthorizationCodeBearer

        self.scheme = SingleTenantAzureAuthorizationCodeBearer(
            app_client_id=RESOURCE,
            tenant_id="t-1",
            scopes={SCOPE: ""},
        )
        self.scheme.openid_config.config_url = f"{self.issuer}/.well-known/openid-configuration"

    async def verify(self, token: str) -> bool:
        headers = [(b"host", b"api.example.com"), (b"authorization", b"Bearer " + token.encode("latin-1"))]
        try:
            await self.scheme(Request({"type": "http", "headers": headers}), SecurityScopes([SCOPE]))
        except HTTPException:
            return False
        return True

    @property
    def dependency(self) -> Any:
        return Security(self.scheme, scopes=[SCOPE])


class Authplane(Contender):
    """The verifier of Authplane."""

    name = "authplane-sdk"
    algorithms = ("RS256", "ES256")

    async def start(self) -> None:
        from authplane import AuthplaneClient
        from authplane.errors import AuthplaneError

        self._refusal = AuthplaneError
        client = await AuthplaneClient.create(issuer=self.issuer, dev_mode=True)
        self.resource = client.resource(resource=RESOURCE, scopes=[SCOPE], allowed_algorithms=[self.algorithm])

    async def verify(self, token: str) -> bool:
        try:
            claims = await self.resource.verify(token)
        except self._refusal:
            return False
        return claims.has_scope(SCOPE)


class Axioms(Contender):
    """The dependencies of axioms-fastapi; they block, so FastAPI runs them in threads."""

    name = "axioms-fastapi"
    algorithms = ("RS256", "ES256")

    async def start(self) -> None:
        from axioms_fastapi import helper, init_axioms
        from axioms_fastapi.error import AxiomsError

        self._helper = helper
        self._refusal = AxiomsError
        self.config = init_axioms(AXIOMS_AUDIENCE=RESOURCE, AXIOMS_ISS_URL=self.issuer, AXIOMS_JWKS_URL=self.jwks_uri)

    async def verify(self, token: str) -> bool:
        try:
            claims = self._helper.has_valid_token(token, self.config)
        except self._refusal:
            return False
        return self._helper.check_scopes(self._helper.get_claim_from_token(claims, "SCOPE", self.config) or "", [SCOPE])

    @property
    def dependency(self) -> Any:
        from axioms_fastapi import require_auth, require_scopes

        def guarded(
            claims: Annotated[Any, Depends(require_auth)],
            _: Annotated[None, Depends(require_scopes([SCOPE]))],
        ) -> Any:
            return claims

        return Depends(guarded)


class PyJWT(Contender):
    """PyJWT with its key client, as tutorials write it."""

    name = "PyJWT + PyJWKClient"

    async def start(self) -> None:
        import jwt

        self._jwt = jwt
        self.keys = jwt.PyJWKClient(self.jwks_uri)

    async def verify(self, token: str) -> bool:
        jwt = self._jwt
        try:
            key = self.keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key.key, algorithms=[self.algorithm], audience=RESOURCE, issuer=self.issuer)
        except jwt.PyJWTError:
            return False
        return SCOPE in claims.get("scope", "").split()


class PythonJose(Contender):
    """python-jose with a key set read once, as tutorials write it."""

    name = "python-jose, tutorial"
    algorithms = ("RS256", "ES256")

    async def start(self) -> None:
        from jose import JOSEError, jwt

        self._jwt = jwt
        self._refusals = (JOSEError, StopIteration, KeyError)
        self._keys: dict[str, Any] | None = None

    async def verify(self, token: str) -> bool:
        jwt = self._jwt
        try:
            keys = await self._key_set()
            kid = jwt.get_unverified_header(token)["kid"]
            key = next(key for key in keys["keys"] if key["kid"] == kid)
            claims = jwt.decode(token, key, algorithms=[self.algorithm], audience=RESOURCE, issuer=self.issuer)
        except self._refusals:
            return False
        return SCOPE in claims.get("scope", "").split()

    async def _key_set(self) -> dict[str, Any]:
        import httpx

        if self._keys is None:
            async with httpx.AsyncClient() as client:
                self._keys = (await client.get(self.jwks_uri)).json()
        return self._keys


PEERS: tuple[type[Contender], ...] = (FastMCP, Auth0, Azure, Authplane, Axioms, PyJWT, PythonJose)
OURS: tuple[type[Contender], ...] = (Ours, OursCached)
EVERYONE: dict[str, Callable[..., Contender]] = {kind.name: kind for kind in (*OURS, OursInScheme, *PEERS)}
