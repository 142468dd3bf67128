"""Notifications in a session that lasts: whoever sends one is the caller of its handler, not who began the session (F8, F11)."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from fastmcp import FastMCP
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp_support import Caller
from mcp_types import NotificationParams
from ticking import Time

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.mcp import ToolScopes, current_token, mcp_router, scopes

RESOURCE = "https://api.example.com/mcp"
LIFE = 600
WITH_SESSIONS = "2025-11-25"
METHOD = "notifications/roots/list_changed"


class Heard:
    """A handler that writes down what its caller holds, and whether a guarded function lets it in."""

    def __init__(self):
        self.queue = asyncio.Queue()

    async def __call__(self, context, params):
        try:
            said = await guarded()
        except InsufficientScopeError as error:
            said = error.reason
        self.queue.put_nowait((sorted(current_token().scopes), said))


@scopes("vault")
async def guarded():
    return "gold"


def server_of(kind, heard):
    server = {"low": lambda: Server("x"), "sdk": lambda: MCPServer("x"), "fastmcp": lambda: FastMCP("x")}[kind]()
    low = {"low": lambda: server, "sdk": lambda: server._lowlevel_server, "fastmcp": lambda: server._mcp_server}[kind]()
    low.add_notification_handler(METHOD, NotificationParams, heard)
    return server


@pytest.mark.parametrize("kind", ["low", "sdk", "fastmcp"])
async def test_f11_who_sends_a_notification_is_its_caller(kind, issuer):
    """A session lasts longer than the token that began it, and a fresh token may hold less."""
    heard, ticking = Heard(), Time()
    settings = OAuth2Settings(issuer=issuer.url, resource=RESOURCE, leeway=0)
    authenticator = Authenticator(settings, documents=issuer, wall_clock=ticking.now, sleep=ticking.sleep)
    app = FastAPI()
    router = mcp_router(
        server_of(kind, heard),
        auth=OAuth2BearerScheme(authenticator=authenticator),
        scopes=ToolScopes(default="method"),
        json_response=True,
    )
    app.include_router(router)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client,
    ):
        first = Caller(client, issuer, WITH_SESSIONS, exp=ticking.after(LIFE), scopes=["vault"])
        await first.initialize()

        async def notify(held, seconds):
            sender = Caller(client, issuer, WITH_SESSIONS, scopes=held, exp=ticking.after(seconds))
            headers = sender.headers | {"Mcp-Session-Id": first.headers["Mcp-Session-Id"]}
            return (await client.post("/mcp", headers=headers, json={"jsonrpc": "2.0", "method": METHOD})).status_code

        for held, seconds, said in (
            (["vault"], LIFE, "gold"),
            ([], 2 * LIFE, "insufficient_scope"),
            (["vault"], 2 * LIFE, "gold"),
        ):
            assert await notify(held, seconds) == 202
            async with asyncio.timeout(10):
                assert await heard.queue.get() == (held, said)
            if not held:
                ticking.advance(LIFE)
        assert await notify(["vault"], -1) == 401
        assert heard.queue.empty()
