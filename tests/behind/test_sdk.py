"""What the official SDK has of its own: extensions, their interceptors, nested calls, resolvers and cache hints."""

import json
from typing import Annotated

import pytest
from behind.worlds import GOLD, MODERN, OPEN, QUICK, Names, call, fill, leaks, mark, read, said
from mcp.server.apps import Apps
from mcp.server.caching import CacheHint
from mcp.server.extension import Extension, MethodBinding, ResourceBinding, ToolBinding
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Resolve
from mcp.server.mcpserver.resources import TextResource
from mcp_support import text_of
from mcp_types import CallToolResult, EmptyResult, RequestParams, TextContent

from mcp_oauth2_deps.mcp import scopes

FREE = {"default": "method"}


class Vaults(Extension):
    """Brings a closed tool, a closed resource, a method of its own, and a look at every call of a tool."""

    identifier = "com.example/vaults"

    def __init__(self, means):
        self.seen = []
        self._closed = scopes("vault") if means == "decorator" else lambda function: function

    def tools(self):
        @self._closed
        def brought() -> str:
            return mark(GOLD)

        return [ToolBinding(brought)]

    def resources(self):
        return [ResourceBinding(TextResource(uri="vault://brought", name="brought", text=GOLD))]

    def methods(self):
        async def empty(context, params):
            return EmptyResult(_meta={"caller": mark(OPEN)})

        return [MethodBinding("vaults/open", RequestParams, empty)]

    async def intercept_tool_call(self, params, ctx, call_next):
        self.seen.append(mark(params.name))
        if params.name == "hello":
            return CallToolResult(content=[TextContent(type="text", text=mark(OPEN))])
        return await call_next(ctx)


@pytest.mark.parametrize("means", ["table", "decorator"])
async def test_what_an_extension_brings_is_ruled_like_everything_else(guarded, means):
    extension = Vaults(means)
    server = MCPServer("extended", extensions=[extension])
    table = {"tools": {"brought": ["vault"]}, "resources": {"vault://brought": ["vault"]}, "default": "method"}
    if means == "decorator":
        table = {"resources": {"vault://brought": ["vault"]}, "default": "method"}
    async with guarded(server, table, **QUICK) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        for question in (call("brought"), read("vault://brought")):
            assert GOLD in await said(alice, question)
            assert GOLD not in await said(bob, question)
        # The interceptor never saw what was refused.
        assert extension.seen == ["brought alice"]
        for name in ("alice", "bob"):
            assert f"{OPEN} {name}" in await said(caller(name), ("vaults/open", {}))


async def test_an_interceptor_that_answers_itself_knows_its_caller(guarded):
    server = fill(MCPServer("extended", extensions=[Vaults("table")]), "table")
    async with guarded(server, Names().table(), **QUICK) as caller:
        for name in ("alice", "bob", "alice"):
            assert text_of(await caller(name).call("hello")) == f"{OPEN} {name}"


async def test_methods_of_an_extension_can_be_given_a_rule(guarded):
    server = MCPServer("extended", extensions=[Vaults("table")])
    async with guarded(server, {"methods": {"vaults/open": ["vault"]}}, **QUICK) as caller:
        assert (await caller("bob").rpc("vaults/open", {})).status_code == 403
        assert f"{OPEN} alice" in await said(caller("alice", "vault"), ("vaults/open", {}))


async def test_tools_of_apps_and_their_pages_are_ruled_like_everything_else(guarded):
    apps = Apps()

    @apps.tool(resource_uri="ui://vault/page.html")
    def vault() -> str:
        return mark(GOLD)

    apps.add_html_resource("ui://vault/page.html", f"<p>{GOLD}</p>")
    table = {"tools": {"vault": ["vault"]}, "resources": {"ui://vault/*": ["vault"]}, "default": "method"}
    async with guarded(MCPServer("apps", extensions=[apps]), table, list_filter=True, **QUICK) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        for question in (call("vault"), read("ui://vault/page.html")):
            assert GOLD in await said(alice, question)
            assert GOLD not in await said(bob, question)
        for method in ("tools/list", "resources/list"):
            assert "vault" in await said(alice, (method, {}))
            assert "vault" not in await said(bob, (method, {}))


async def test_what_a_resolver_finds_is_its_callers(guarded):
    server = MCPServer("resolving")

    def who(ctx: Context) -> str:
        return mark("resolved for")

    @scopes("vault")
    def gold(ctx: Context) -> str:
        return mark(GOLD)

    @server.tool()
    async def tell(found: Annotated[str, Resolve(who)]) -> str:
        return found

    @server.tool()
    async def reach(found: Annotated[str, Resolve(gold)]) -> str:
        return found

    async with guarded(server, FREE, **QUICK) as caller:
        for name in ("alice", "bob"):
            assert text_of(await caller(name).call("tell")) == f"resolved for {name}"
        assert GOLD in await said(caller("alice", "vault"), call("reach"))
        assert GOLD not in await said(caller("bob"), call("reach"))


async def test_a_shortened_list_is_cached_for_its_caller_only(guarded):
    """The server says that lists may be shared between callers; what was shortened for one may not."""
    server = fill(MCPServer("hinted", cache_hints={"tools/list": CacheHint(60_000, "public")}), "table")
    async with guarded(server, Names().table(), list_filter=True, **QUICK) as caller:
        for held in ((), ("vault",)):
            answer = json.loads(await said(caller("alice", *held, revision=MODERN), ("tools/list", {})))["result"]
            assert answer["cacheScope"] == "private"
            assert answer["ttlMs"] == 60_000


async def test_a_step_of_the_chain_that_remembers_by_token_mixes_nobody_up(guarded):
    """A cache as somebody would write it for the SDK: by the token that it is given."""
    from behind.worlds import Row
    from mcp.server.auth.middleware.auth_context import get_access_token

    server, remembered = fill(MCPServer("cached"), "table"), {}

    async def cache(ctx, call_next):
        if ctx.request_id is None or ctx.method == "initialize":
            return await call_next(ctx)
        key = get_access_token().token, ctx.method, json.dumps(ctx.params, sort_keys=True, default=str)
        if key not in remembered:
            remembered[key] = await call_next(ctx)
        return remembered[key]

    server.middleware.insert(0, cache)
    row = Row(None)
    async with guarded(server, row.names.table(), list_filter=True, **QUICK) as caller:
        assert await leaks(caller("alice", "vault"), caller("bob"), row, "engine") == []
    assert remembered


def reaching(nested):
    server = fill(MCPServer("nested"), "table")

    @server.tool()
    async def reach(ctx: Context) -> str:
        return str(await nested(server, ctx))

    return server


NESTED = {
    "call_tool": lambda server, ctx: server.call_tool("vault", {}),
    "read_resource": lambda server, ctx: server.read_resource("vault://gold"),
    "read_resource of a template": lambda server, ctx: server.read_resource("vault://rooms/7"),
    "ctx.read_resource": lambda server, ctx: ctx.read_resource("vault://gold"),
    "get_prompt": lambda server, ctx: server.get_prompt("password"),
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
async def test_a_tool_reaches_for_its_caller_what_the_caller_may_have(guarded, nested):
    async with guarded(reaching(nested), Names().table(), **QUICK) as caller:
        assert f"{GOLD} alice" in await said(caller("alice", "vault"), call("reach"))
        assert GOLD not in await said(caller("bob"), call("reach"))
