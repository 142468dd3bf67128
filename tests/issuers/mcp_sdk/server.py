"""A Starlette app with the authorization server routes of the official SDK, as they are: `server.py PORT`.

The SDK has no login page and no introspection, so both are here, as small as they can be.
"""

import secrets
import sys
import time

import uvicorn
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.shared.auth import OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route

PORT = int(sys.argv[1])
ISSUER = AnyHttpUrl(f"http://127.0.0.1:{PORT}")
SCOPES = ["mcp:use", "files:read", "files:write", "openid", "offline_access"]
SECONDS = 600
GUARD = "Basic Z3VhcmQ6Z3VhcmRzLXNlY3JldA=="  # guard:guards-secret
FORM = """
<form method="post"><input name="user"><input type="password" name="password">
<input type="hidden" name="login" value="{login}"><button>Log in and agree</button></form>
"""


class Memory:
    """The SDK's protocol of a provider, in memory."""

    def __init__(self):
        self.clients, self.logins, self.codes, self.access, self.refresh = {}, {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client):
        # Clients register with the scope of the first challenge. Kept, it would be a ceiling, and no step-up could pass it.
        self.clients[client.client_id] = client.model_copy(update={"scope": " ".join(SCOPES)})

    async def authorize(self, client, params):
        login = secrets.token_urlsafe()
        self.logins[login] = (client, params)
        return f"{ISSUER}login?login={login}"

    def agreed(self, login, user):
        """Where the person goes next."""
        client, params = self.logins.pop(login)
        code = AuthorizationCode(
            code=secrets.token_urlsafe(),
            client_id=client.client_id,
            expires_at=time.time() + 60,
            subject=user,
            **params.model_dump(exclude={"state", "scopes"}),
            scopes=params.scopes or [],
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, _client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        facts = {"client_id": client.client_id, "scopes": code.scopes, "resource": code.resource, "subject": code.subject}
        access = AccessToken(token=secrets.token_urlsafe(), expires_at=int(time.time()) + SECONDS, **facts)
        refresh = RefreshToken(token=secrets.token_urlsafe(), **facts)
        self.access[access.token], self.refresh[refresh.token] = access, refresh
        return OAuthToken(
            access_token=access.token,
            token_type="Bearer",
            expires_in=SECONDS,
            scope=" ".join(code.scopes),
            refresh_token=refresh.token,
        )

    async def load_refresh_token(self, _client, token):
        return self.refresh.get(token)

    async def load_access_token(self, token):
        return self.access.get(token)


memory = Memory()


async def log_in(request):
    if request.method == "GET":
        return HTMLResponse(FORM.format(login=request.query_params["login"]))
    form = await request.form()
    if (form["user"], form["password"]) != ("alice", "alice"):
        return HTMLResponse("wrong", 403)
    return RedirectResponse(memory.agreed(form["login"], form["user"]), 303)


async def introspect(request):
    if request.headers.get("authorization") != GUARD:
        return JSONResponse({"error": "invalid_client"}, 401)
    token = await memory.load_access_token((await request.form())["token"])
    if token is None:
        return JSONResponse({"active": False})
    answer = {"sub": token.subject, "client_id": token.client_id, "scope": " ".join(token.scopes), "exp": token.expires_at}
    return JSONResponse({"active": True, "token_type": "Bearer", "aud": token.resource, "iss": str(ISSUER), **answer})


app = Starlette(
    routes=[
        *create_auth_routes(
            memory, ISSUER, client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES)
        ),
        Route("/login", log_in, methods=["GET", "POST"]),
        Route("/introspect", introspect, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning")
