"""A guarded MCP server: any call needs `mcp:use`, and two tools need a scope of their own.

What it guards with is written by hand here; the clients only see what they would see of any server.
"""

import json
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Request, Response, Security
from mcp.server.auth.middleware.auth_context import auth_context_var, get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken as EngineToken
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme
from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.models import ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import verify_scopes

EVERY_CALL = "mcp:use"
TOOLS = {"read_file": "files:read", "write_file": "files:write"}

engine = MCPServer("files")


@engine.tool()
def whoami() -> str:
    return get_access_token().subject


@engine.tool()
def read_file(path: str) -> str:
    return f"read {path}"


@engine.tool()
def write_file(path: str, text: str) -> str:
    return f"wrote {len(text)} to {path}"


engine.streamable_http_app()
auth = OAuth2BearerScheme()
# Named once, so that a challenge repeats those of them that are held.
auth.require_scopes(EVERY_CALL, *TOOLS.values())


@asynccontextmanager
async def lifespan(_):
    async with engine.session_manager.run():
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(auth.router())


async def guard(request: Request, token: Annotated[AccessToken, Security(auth.require_scopes(EVERY_CALL))]):
    if request.method != "POST":
        return token
    try:
        call = json.loads(await request.body())
    except ValueError:
        raise HTTPException(400) from None
    if not isinstance(call, dict):
        raise HTTPException(400)
    tool = call["params"]["name"] if call.get("method") == "tools/call" else None
    requirement = ScopeRequirement((EVERY_CALL, TOOLS[tool]) if tool in TOOLS else (EVERY_CALL,))
    try:
        verify_scopes(requirement, token.scopes, {})
    except InsufficientScopeError as error:
        auth.refuse(error, request, requirement, token)
    return token


class HandOver(Response):
    """The engine answers, with the body that the guard has read."""

    def __init__(self, body, token):
        super().__init__()
        self._body = body
        self._user = AuthenticatedUser(
            EngineToken(
                token="",
                client_id=token.client_id,
                scopes=sorted(token.scopes),
                subject=token.subject,
                claims={"iss": token.issuer},
            )
        )

    async def __call__(self, scope, receive, send):
        unread = [{"type": "http.request", "body": self._body, "more_body": False}]

        async def replay():
            return unread.pop() if unread else await receive()

        reset = auth_context_var.set(self._user)
        try:
            await engine.session_manager.asgi_app(dict(scope) | {"user": self._user}, replay, send)
        finally:
            auth_context_var.reset(reset)


@app.api_route("/mcp", methods=["GET", "POST", "DELETE"])
async def mcp(request: Request, token: Annotated[AccessToken, Security(guard)]):
    return HandOver(await request.body(), token)
