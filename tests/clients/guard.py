"""A guard for any engine of the official SDK, written by hand: every call needs `mcp:use`, some tools a scope more.

The one place that the apps of this folder are guarded in. The clients only see what they would see of any server.
"""

import json
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Request, Response, Security
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken as EngineToken

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme
from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.models import ScopeRequirement
from mcp_oauth2_deps.protocol.scopes import verify_scopes

EVERY_CALL = "mcp:use"


def guarded_app(engine, tools=None) -> FastAPI:
    """The engine at `/mcp`, with the scope that each of `tools` needs. Settings come from the environment."""
    tools = tools or {}
    auth = OAuth2BearerScheme()
    # Named once, so that a challenge repeats those of them that are held.
    auth.require_scopes(EVERY_CALL, *tools.values())

    @asynccontextmanager
    async def lifespan(_):
        async with engine.session_manager.run():
            yield

    async def guard(request: Request, token: Annotated[AccessToken, Security(auth.require_scopes(EVERY_CALL))]):
        if request.method != "POST":
            return token
        requirement = ScopeRequirement((EVERY_CALL, *_scopes_of(await request.body(), tools)))
        try:
            verify_scopes(requirement, token.scopes, {})
        except InsufficientScopeError as error:
            auth.refuse(error, request, requirement, token)
        return token

    app = FastAPI(lifespan=lifespan)
    app.include_router(auth.router())

    @app.api_route("/mcp", methods=["GET", "POST", "DELETE"])
    async def mcp(request: Request, token: Annotated[AccessToken, Security(guard)]):
        return _HandOver(engine.session_manager.asgi_app, await request.body(), token)

    return app


def _scopes_of(body, tools):
    try:
        call = json.loads(body)
    except ValueError:
        raise HTTPException(400) from None
    match call:
        case {"method": "tools/call", "params": {"name": name}} if name in tools:
            return (tools[name],)
        case dict():
            return ()
        case _:
            raise HTTPException(400)


class _HandOver(Response):
    """The engine answers, with the body that the guard has read."""

    def __init__(self, engine, body, token):
        super().__init__()
        self._engine = engine
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
            await self._engine(dict(scope) | {"user": self._user}, replay, send)
        finally:
            auth_context_var.reset(reset)
