"""Rules hold where a thing is executed (F8): whatever calls it, and whatever it is called by on the way."""

import json
import logging
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastmcp import Context, FastMCP, FastMCPApp
from fastmcp.server.middleware import Middleware
from fastmcp.server.providers import FastMCPProvider
from fastmcp.server.providers.addressing import hashed_backend_name
from fastmcp.server.transforms import Namespace, PromptsAsTools, ResourcesAsTools, Transform
from fastmcp.server.transforms.search import RegexSearchTransform
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp_support import result, text_of
from mcp_types import CallToolResult, TextContent
from reasons import reasons_inside

from mcp_oauth2_deps.mcp import ToolScopes, mcp_router, scopes, without_caller

OPTIONS = {"json_response": True, "stateless_http": True}
GOLD = "gold"
SHORT = "insufficient_scope (vault)"
TABLE = {
    "tools": {"vault": ["vault"]},
    "prompts": {"vault": ["vault"]},
    "resources": {"vault://*": ["vault"]},
    "default": "method",
}


@pytest.fixture
def reasons(caplog):
    caplog.set_level(logging.INFO)

    def read(*, tracebacks=False):
        lines = [record.getMessage() for record in caplog.records]
        assert tracebacks or not any(record.exc_info for record in caplog.records), "a traceback"
        caplog.clear()
        return reasons_inside(lines)

    return read


def closed(server):
    """A thing of each kind that needs `vault`."""

    @server.tool(name="vault")
    def vault_tool() -> str:
        return GOLD

    @server.resource("vault://gold")
    def vault_resource() -> str:
        return GOLD

    @server.resource("vault://rooms/{name}")
    def vault_template(name: str) -> str:
        return GOLD

    @server.prompt(name="vault")
    def vault_prompt() -> str:
        return GOLD

    return server


def sdk():
    server = closed(MCPServer("test"))

    @server.tool()
    async def call_tool(ctx: SDKContext) -> str:
        return (await ctx.mcp_server.call_tool("vault", {})).content[0].text

    @server.tool()
    async def call_tool_by_keyword(ctx: SDKContext) -> str:
        return (await server.call_tool(name="vault", arguments={})).content[0].text

    @server.tool()
    async def read_resource(ctx: SDKContext) -> str:
        return next(iter(await ctx.read_resource("vault://gold"))).content

    @server.tool()
    async def read_template(ctx: SDKContext) -> str:
        return next(iter(await server.read_resource("vault://rooms/7"))).content

    @server.tool()
    async def get_prompt(ctx: SDKContext) -> str:
        return (await ctx.mcp_server.get_prompt("vault")).messages[0].content.text

    return server


def fastmcp(server=None):
    server = server or closed(FastMCP("test"))

    @server.tool()
    async def call_tool(ctx: Context) -> str:
        return (await ctx.fastmcp.call_tool("vault", {})).content[0].text

    @server.tool()
    async def call_tool_by_keyword(ctx: Context) -> str:
        return (await ctx.fastmcp.call_tool(name="vault", run_middleware=False)).content[0].text

    @server.tool()
    async def read_resource(ctx: Context) -> str:
        return (await ctx.read_resource("vault://gold")).contents[0].content

    @server.tool()
    async def read_template(ctx: Context) -> str:
        return (await ctx.fastmcp.read_resource("vault://rooms/7", run_middleware=False)).contents[0].content

    @server.tool()
    async def get_prompt(ctx: Context) -> str:
        return (await ctx.get_prompt("vault")).messages[0].content.text

    return server


WAYS = ["call_tool", "call_tool_by_keyword", "read_resource", "read_template", "get_prompt"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [sdk, fastmcp])
async def test_a_tool_reaches_for_its_caller_only_what_the_caller_may_reach(serve, reasons, make, way):
    async with serve(make(), TABLE, **OPTIONS) as caller:
        assert text_of(await caller(scopes=["vault"]).call(way)) == GOLD
        assert reasons() == []
        answer = await caller(scopes=[]).call(way)
        assert answer.status_code == 200
        assert GOLD not in answer.text
        assert "insufficient_scope: the token does not hold vault" in answer.text
        assert reasons() == [SHORT]


def within(*, namespace=None, by="mount"):
    """A server in which another is mounted that reaches its own things."""

    def make():
        inner, outer = fastmcp(), FastMCP("outer")
        if by == "provider":
            provider = FastMCPProvider(inner)
            provider.add_transform(Namespace("in"))
            outer.add_provider(provider.wrap_transform(Namespace("x")))
            return outer, "x_in_", "x/in/"
        if by == "twice":
            middle = FastMCP("middle")
            middle.mount(inner, namespace="in")
            outer.mount(middle, namespace="x")
            return outer, "x_in_", "x/in/"
        outer.mount(inner, **({"namespace": namespace} if namespace else {}))
        return outer, f"{namespace}_" if namespace else "", f"{namespace}/" if namespace else ""

    return make


def table_for(prefix, path):
    names = {f"{prefix}vault": ["vault"]}
    return {"tools": names, "prompts": names, "resources": {f"vault://{path}*": ["vault"]}, "default": "method"}


MOUNTS = {
    "as it is": within(),
    "with a namespace": within(namespace="x"),
    "mounted in a mounted one": within(by="twice"),
    "by a provider with transforms": within(by="provider"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", MOUNTS.values(), ids=list(MOUNTS))
async def test_what_a_mounted_server_reaches_by_itself_needs_what_the_outermost_asks_for_it(serve, reasons, make, way):
    server, prefix, path = make()
    async with serve(server, table_for(prefix, path), **OPTIONS) as caller:
        assert text_of(await caller(scopes=["vault"]).call(prefix + way)) == GOLD
        assert reasons() == []
        assert GOLD not in (await caller(scopes=[]).call(prefix + way)).text
        assert reasons() == [SHORT]


async def test_the_rule_for_one_resource_of_a_template_is_found_from_within_a_mounted_server(serve, reasons):
    server, _, path = within(namespace="x")()
    table = {"resources": {f"vault://{path}rooms/7": ["vault"]}, "default": "method"}
    async with serve(server, table, **OPTIONS) as caller:
        assert text_of(await caller(scopes=["vault"]).call("x_read_template")) == GOLD
        assert GOLD not in (await caller(scopes=[]).call("x_read_template")).text
        assert reasons() == [SHORT]
        assert text_of(await caller(scopes=[]).call("x_read_resource")) == GOLD


async def test_a_server_that_is_mounted_twice_is_reached_by_either_name(serve, reasons):
    inner, outer = fastmcp(), FastMCP("outer")
    outer.mount(inner, namespace="a")
    outer.mount(inner, namespace="b")
    table = {"tools": {"a_vault": ["a"], "b_vault": ["b"]}, "default": "method"}
    async with serve(outer, table, **OPTIONS) as caller:
        for held in (["a"], ["b"]):
            assert text_of(await caller(scopes=held).call("a_call_tool")) == GOLD
        assert GOLD not in (await caller(scopes=[]).call("a_call_tool")).text
        assert len(reasons()) == 1
        assert text_of(await caller(scopes=["a"]).call("a_vault")) == GOLD
        assert (await caller(scopes=["b"]).call("a_vault")).status_code == 403


@pytest.mark.parametrize("make", [sdk, fastmcp])
async def test_a_uri_longer_than_any_is_refused_where_it_would_be_read(serve, reasons, make):
    server = make()

    @server.tool()
    async def read(uri: str) -> str:
        return str(await server.read_resource(uri))

    async with serve(server, {"default": "method"}, **OPTIONS) as caller:
        for size, refused in ((8192, []), (8193, ["insufficient_scope"])):
            answer = await caller(scopes=[]).call("read", uri="a://" + "b" * (size - 4))
            assert answer.status_code == 200
            assert reasons(tracebacks=True) == refused


class Without(Transform):
    """Leaves a tool out."""

    def __init__(self, name):
        self._name = name

    async def list_tools(self, tools):
        return [tool for tool in tools if tool.name != self._name]


async def test_what_the_outermost_server_does_not_show_has_no_rule_and_falls_to_the_default(serve, reasons):
    inner, outer = fastmcp(), FastMCP("outer")
    outer.mount(inner, namespace="x")
    outer.add_transform(Without("x_vault"))
    async with serve(outer, {"tools": {"x_call_tool": ["call"]}}, **OPTIONS) as caller:
        assert GOLD not in (await caller(scopes=["call", "vault"]).call("x_call_tool")).text
        assert reasons() == ["insufficient_scope"]


@pytest.mark.parametrize("namespace", [None, "x"])
@pytest.mark.parametrize("shortened", [True, False])
async def test_transforms_of_a_mounted_server_reach_and_list_no_more_than_the_caller_may(serve, reasons, namespace, shortened):
    inner, outer = closed(FastMCP("inner")), FastMCP("outer")
    for transform in (ResourcesAsTools(inner), PromptsAsTools(inner), RegexSearchTransform(always_visible=["read_resource"])):
        inner.add_transform(transform)
    outer.mount(inner, **({"namespace": namespace} if namespace else {}))
    prefix, path = (f"{namespace}_", f"{namespace}/") if namespace else ("", "")
    async with serve(outer, table_for(prefix, path), list_filter=shortened, **OPTIONS) as caller:
        for tool, arguments in {
            "read_resource": {"uri": "vault://gold"},
            "get_prompt": {"name": "vault"},
            "call_tool": {"name": "vault"},
        }.items():
            assert GOLD in text_of(await caller(scopes=["vault"]).call(prefix + tool, **arguments)), tool
            assert reasons() == []
            assert GOLD not in (await caller(scopes=[]).call(prefix + tool, **arguments)).text
            # A tool that the search did not find is unknown to it, which FastMCP logs with a traceback.
            unknown = shortened and tool == "call_tool"
            assert reasons(tracebacks=unknown) == ([] if unknown else [SHORT])
        for tool, arguments in {"list_resources": {}, "list_prompts": {}, "search_tools": {"pattern": "vault"}}.items():
            assert "vault" in text_of(await caller(scopes=["vault"]).call(prefix + tool, **arguments)), tool
            found = (await caller(scopes=[]).call(prefix + tool, **arguments)).text
            assert ('"vault' in found.replace("\\", "")) is not shortened, tool


async def test_a_server_that_is_mounted_while_it_runs_asks_too(serve, reasons):
    outer = FastMCP("outer")
    async with serve(outer, {"tools": {}, "resources": {"vault://x/*": ["vault"]}, "default": "method"}, **OPTIONS) as caller:
        outer.mount(fastmcp(), namespace="x")
        assert GOLD not in (await caller(scopes=[]).call("x_read_resource")).text
        assert reasons() == [SHORT]
        assert text_of(await caller(scopes=["vault"]).call("x_read_resource")) == GOLD


class Renaming(Middleware):
    """Gives each call to the closed tool."""

    async def on_call_tool(self, context, call_next):
        return await call_next(context.copy(message=context.message.model_copy(update={"name": "vault"})))


async def renaming_step(context, call_next):
    if context.method == "tools/call":
        context = replace(context, params={**context.params, "name": "vault"})
    if context.method == "tools/list":
        context = replace(context, method="prompts/get", params={"name": "vault"})
    return await call_next(context)


@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
async def test_a_step_that_rewrites_a_message_of_the_sdk_opens_nothing(serve, reasons, method):
    server = sdk()
    server.middleware.append(renaming_step)
    params = {"name": "call_tool", "arguments": {}} if method == "tools/call" else {}
    async with serve(server, TABLE, **OPTIONS) as caller:
        assert GOLD in (await caller(scopes=["vault"]).rpc(method, params)).text
        assert reasons() == []
        assert GOLD not in (await caller(scopes=[]).rpc(method, params)).text
        assert reasons() == [SHORT]


async def test_a_middleware_that_renames_a_call_opens_nothing(serve, reasons):
    server = fastmcp()
    server.add_middleware(Renaming())
    async with serve(server, TABLE, **OPTIONS) as caller:
        assert text_of(await caller(scopes=["vault"]).call("call_tool")) == GOLD
        assert GOLD not in (await caller(scopes=[]).call("call_tool")).text
        assert reasons() == [SHORT]


async def test_a_low_level_server_is_asked_at_its_handlers(serve, reasons):
    async def call(context, params):
        return CallToolResult(content=[TextContent(type="text", text=f"{GOLD} {params.name}")])

    server = Server("test", on_call_tool=call)
    server.middleware.append(renaming_step)
    async with serve(server, {"tools": {"vault": ["vault"], "other": []}}, **OPTIONS) as caller:
        assert text_of(await caller(scopes=["vault"]).call("other")) == "gold vault"
        assert GOLD not in (await caller(scopes=[]).call("other")).text
        assert reasons() == [SHORT]


@pytest.mark.parametrize("make", [sdk, fastmcp])
async def test_without_a_caller_nothing_is_executed_unless_somebody_says_so(serve, reasons, make):
    server = make()
    assert (await server.call_tool("vault", {})).content[0].text == GOLD
    async with serve(server, TABLE, list_filter=True, **OPTIONS):
        with pytest.raises(Exception, match="no caller is in sight"):
            await server.call_tool("vault", {})
        assert reasons() == ["no_caller"]
        assert list(await server.list_tools()) == []
        with without_caller():
            assert (await server.call_tool("vault", {})).content[0].text == GOLD
            assert "vault" in {tool.name for tool in await server.list_tools()}
    assert (await server.call_tool("vault", {})).content[0].text == GOLD


async def test_a_server_behind_two_guards_is_decided_about_by_the_guard_of_the_caller(auth, serve, reasons):
    """One server is mounted in two; the second knows its things by another name, and by other rules."""
    inner, one, other = fastmcp(), FastMCP("one"), FastMCP("other")
    one.mount(inner, namespace="x")
    other.mount(inner, namespace="y")
    app = FastAPI()
    app.include_router(mcp_router(other, auth=auth, scopes=ToolScopes(**table_for("y_", "y/")), path="/other", **OPTIONS))
    free = {"resources": {"vault://x/*": ["first"]}, "default": "method"}
    async with serve(one, free, app=app, **OPTIONS) as caller:
        first = caller(scopes=["first"])
        assert text_of(await first.call("x_read_template")) == GOLD
        assert result(await first.rpc("resources/read", {"uri": "vault://x/rooms/7"}))
        assert reasons() == []
        second_caller = caller(scopes=["first"])
        body = json.dumps(second_caller.message("tools/call", {"name": "y_read_template", "arguments": {}}))
        assert GOLD not in (await second_caller.post(body, path="/other")).text
        assert reasons() == [SHORT]


@pytest.mark.parametrize("default", [None, "method"])
async def test_a_name_that_stands_for_two_tools_is_no_server_error(serve, default):
    """An app that is added twice: FastMCP cannot tell which one the name of its pages means."""
    app, outer = FastMCPApp("files"), FastMCP("outer")

    @app.tool()
    @scopes("files:write")
    def write() -> str:
        return GOLD

    for namespace in ("a", "b"):
        outer.add_provider(app, namespace=namespace)
    async with serve(outer, {"default": default}, **OPTIONS) as caller:
        name = hashed_backend_name("files", "write")
        assert (await caller(scopes=[]).call(name)).status_code == 403
        assert (await caller(scopes=["files:write"]).call(name)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "method", "params"),
    [
        ("tools", "tools/call", {"name": "any", "arguments": {}}),
        ("resources", "resources/read", {"uri": "a://b"}),
    ],
)
async def test_a_look_up_that_fails_is_a_refusal_with_one_line(serve, caplog, kind, method, params):
    server = FastMCP("test")

    async def fail(*_, **__):
        raise RuntimeError("secret words")

    async with serve(server, {"default": "method"}, **OPTIONS) as caller:
        server.get_tool = fail
        server.add_transform(Failing())
        caplog.set_level(logging.INFO)
        caplog.clear()
        answer = await caller(scopes=[]).rpc(method, params)
        assert answer.status_code == 403
        assert "scope=" not in answer.headers["www-authenticate"]
        assert "secret words" not in answer.text + caplog.text
        assert "has no rule" not in caplog.text
        assert f"denied: the server failed when it was asked for one of its {kind}: RuntimeError" in caplog.text


class Failing(Namespace):
    def __init__(self):
        super().__init__("x")

    async def list_resources(self, resources):
        raise RuntimeError("secret words")
