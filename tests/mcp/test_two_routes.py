"""Several routes to one server, each with a table of its own: what one decides says nothing of another."""

import json

import pytest
from fastapi import FastAPI
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from mcp_support import result

from mcp_oauth2_deps.mcp import PUBLIC, ToolScopes, mcp_router

QUICK = {"json_response": True, "stateless_http": True}
OPEN = {"methods": {"tools/list": PUBLIC}, "tools": {"search": PUBLIC, "write": PUBLIC}}
STRICT = {"tools": {"search": [], "write": ["files:write"]}}


def build(kind):
    server = MCPServer("shared") if kind == "sdk" else FastMCP("shared")
    server.tool(name="search")(lambda: "found")
    server.tool(name="write")(lambda: "gold")
    return server


@pytest.fixture(params=[True, False], ids=["open starts first", "strict starts first"])
def tables(request):
    both = {"/open": OPEN, "/strict": STRICT}
    return both if request.param else dict(reversed(both.items()))


def app_of(auth, server, tables, **options):
    app = FastAPI()
    for path, table in tables.items():
        app.include_router(mcp_router(server, auth=auth, scopes=ToolScopes(**table), path=path, **options, **QUICK))
    return app


async def ask(caller, path, method, params=None):
    return await caller.post(json.dumps(caller.message(method, params)), path=path)


async def test_a_list_shows_what_its_own_route_lets_through(auth, serve, kind, tables):
    server = build(kind)
    app = app_of(auth, server, tables, list_filter=True, describe_security=True)
    async with serve(build(kind), {}, app=app, path="/mcp", **QUICK) as make:
        told = {}
        for path in tables:
            tools = result(await ask(make(), path, "tools/list"))["tools"]
            told[path] = {tool["name"]: tool["securitySchemes"][0]["type"] for tool in tools}
        assert told == {"/open": {"search": "noauth", "write": "noauth"}, "/strict": {"search": "oauth2"}}


async def test_who_comes_from_elsewhere_is_asked_about_by_every_route(auth, serve, kind, tables):
    """Another server's tool calls this one, which has two guarded routes: the caller meets the rules of both."""
    server, elsewhere = build(kind), MCPServer("elsewhere") if kind == "sdk" else FastMCP("elsewhere")

    @elsewhere.tool()
    async def reach(name: str) -> str:
        return str(await server.call_tool(name, {}))

    # No rule of these is public, which only who comes without a token meets.
    tables = {path: {"tools": {"search": [], "write": [f"write:{path[1:]}"]}} for path in tables}
    async with serve(elsewhere, {"tools": {"reach": []}}, app=app_of(auth, server, tables), path="/mcp", **QUICK) as make:
        for held, allowed in ((["write:open"], False), (["write:strict"], False), (["write:open", "write:strict"], True)):
            answer = await make(scopes=held).call("reach", name="write")
            assert ("gold" in answer.text) is allowed, held
