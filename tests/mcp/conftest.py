"""MCP servers behind guarded routes, in process."""

from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from mcp_support import TABLE, Caller

from mcp_oauth2_deps.mcp import ToolScopes, mcp_router


@pytest.fixture(params=["sdk", "fastmcp"])
def kind(request):
    return request.param


@pytest.fixture
def serve(auth, issuer):
    """A running app around a server: `async with serve(server) as make_caller`."""

    @asynccontextmanager
    async def serve(server, table=None, app=None, include=None, **options):
        app = app or FastAPI()
        app.include_router(auth.router())
        scopes_table = ToolScopes(**(TABLE if table is None else table))
        app.include_router(mcp_router(server, auth=auth, scopes=scopes_table, **options), **(include or {}))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
                yield lambda *args, **claims: Caller(client, issuer, *args, **claims)

    return serve
