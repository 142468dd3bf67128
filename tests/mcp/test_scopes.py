"""What a message needs: by method, by name, at the function; and what the answer to a shortfall says."""

import logging
import re

import httpx
import pytest
from fastapi import FastAPI
from fastmcp import Context, FastMCP, FastMCPApp
from fastmcp.server import create_proxy
from fastmcp.server.providers.addressing import hashed_backend_name
from fastmcp.tools import Tool
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp_support import MODERN, REVISIONS, build, result, text_of
from mcp_types import ListToolsResult
from mcp_types import Tool as ToolModel
from rfc9110 import challenge_of

from mcp_oauth2_deps.mcp import ToolScopes, current_token, current_token_or_none, mcp_router, scopes
from mcp_oauth2_deps.mcp.engines.execution import MessageStep
from mcp_oauth2_deps.mcp.lists import ListFilter

OPTIONS = {"json_response": True, "stateless_http": True}


def assert_short(answer, needed):
    assert answer.status_code == 403, answer.text
    assert answer.json()["detail"]["error"] == "insufficient_scope"
    found = challenge_of(answer)[1]
    assert found["error"] == "insufficient_scope"
    # What no consent cures names no scopes (rule C9).
    assert set(found.get("scope", "").split()) == set(needed)
    assert found["resource_metadata"] == "https://api.example.com/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("tool", "needed"), [("listed", ["tools:listed"]), ("declared", ["files:write"]), ("outside", ["team:a", "team:b"])]
)
async def test_a_tool_needs_what_the_table_or_its_function_says(kind, serve, revision, tool, needed):
    async with serve(build(kind), **OPTIONS) as caller:
        assert_short(await caller(revision).call(tool, text="declared"), ["mcp:use", *needed])
        granted = caller(revision, scopes=["mcp:use", needed[-1]])
        assert text_of(await granted.call(tool, **({"text": "declared"} if tool == "declared" else {}))) == tool


async def test_a_shortfall_names_held_and_needed_scopes_but_no_strange_ones(kind, serve):
    async with serve(build(kind), **OPTIONS) as caller:
        answer = await caller(scopes=["mcp:use", "files:read", "strange"]).call("listed")
        assert_short(answer, ["mcp:use", "files:read", "tools:listed"])


async def test_the_hierarchy_counts(kind, make_scheme, issuer, serve):
    app = FastAPI()
    auth = make_scheme(scope_hierarchy={"admin": ("tools:listed", "mcp:use")})
    app.include_router(mcp_router(build(kind), auth=auth, scopes=ToolScopes(tools={"listed": ["tools:listed"]}), **OPTIONS))
    from mcp_support import Caller

    async with app.router.lifespan_context(app):
        import httpx

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
            assert text_of(await Caller(client, issuer, scopes=["admin"]).call("listed")) == "listed"
            assert_short(await Caller(client, issuer, scopes=["mcp:use"]).call("listed"), ["mcp:use", "tools:listed"][1:])


async def test_the_rules_of_method_and_tool_add_up(kind, serve):
    table = {"every_call": ["mcp:use"], "methods": {"tools/call": ["tools:call"]}, "tools": {"listed": ["tools:listed"]}}
    async with serve(build(kind), table, **OPTIONS) as caller:
        assert_short(await caller().call("listed"), ["mcp:use", "tools:call", "tools:listed"])
        assert_short(await caller(scopes=["mcp:use", "tools:listed"]).call("listed"), ["mcp:use", "tools:call", "tools:listed"])
        assert result(await caller().rpc("tools/list"))["tools"]


async def test_alternatives_in_the_table(kind, serve):
    async with serve(build(kind), {"tools": {"plain": scopes(any_of=["a", "b"])}}, **OPTIONS) as caller:
        assert_short(await caller(scopes=["c"]).call("plain"), ["a", "b"])
        assert text_of(await caller(scopes=["b"]).call("plain")) == "plain"


@pytest.mark.parametrize(
    ("table", "tool", "passes"),
    [
        pytest.param({"tools": {"plain": []}}, "listed", False, id="some are listed: the others are denied"),
        pytest.param({"tools": {"plain": []}}, "plain", True, id="listed without scopes"),
        pytest.param({"tools": {"plain": []}, "default": "method"}, "listed", True, id="the method's scopes do"),
        pytest.param({}, "listed", False, id="some have rules at the function"),
        pytest.param({"default": "deny"}, "listed", False, id="denied by choice"),
        pytest.param({"default": "deny"}, "no-such-tool", False, id="also what does not exist"),
    ],
)
async def test_a_tool_without_a_rule_falls_to_the_default(kind, serve, table, tool, passes):
    async with serve(build(kind), {"every_call": ["mcp:use"], **table}, **OPTIONS) as caller:
        answer = await caller().call(tool)
        if passes:
            assert text_of(answer) == tool
        else:
            assert_short(answer, [])


@pytest.mark.parametrize("make", [MCPServer, FastMCP])
async def test_without_any_rule_every_tool_is_open_to_a_good_token(make, serve):
    server = make("test")

    @server.tool()
    def free() -> str:
        return "free"

    async with serve(server, {}, **OPTIONS) as caller:
        assert text_of(await caller(scopes=[]).call("free")) == "free"


@pytest.mark.parametrize(
    ("uri", "needed"),
    [
        ("file:///public/x", ["files:read"]),
        ("file:///secret/x", ["files:read", "files:secret"]),
        ("file:///public/../secret/x", ["files:read", "files:secret"]),
        ("file:///%73ecret/x", ["files:read", "files:secret"]),
        ("file:///%2573ecret/x", ["files:read", "files:secret"]),
        ("FILE:///secret/x", ["files:read", "files:secret"]),
        ("file:///./secret//x", ["files:read", "files:secret"]),
        ("memo:///declared/x", ["memo:read"]),
        ("other:///x", []),
    ],
)
@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "subscriptions/listen", "completion/complete"])
async def test_a_resource_needs_what_every_fitting_pattern_says(kind, serve, uri, needed, method):
    params = {
        "resources/read": {"uri": uri},
        "resources/subscribe": {"uri": uri},
        "subscriptions/listen": {"notifications": {"resource_subscriptions": [uri]}},
        "completion/complete": {"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "name", "value": ""}},
    }[method]
    async with serve(build(kind), **OPTIONS) as caller:
        assert_short(await caller().rpc(method, params), ["mcp:use", *needed] if needed else [])
        for one in needed:
            assert_short(await caller(scopes=["mcp:use", *set(needed) - {one}]).rpc(method, params), ["mcp:use", *needed])


@pytest.mark.parametrize(
    ("uri", "granted"), [("file:///secret/x", ["files:read", "files:secret"]), ("memo:///declared/x", ["memo:read"])]
)
async def test_a_resource_is_read_with_all_its_scopes(kind, serve, uri, granted):
    async with serve(build(kind), **OPTIONS) as caller:
        answer = result(await caller(scopes=["mcp:use", *granted]).rpc("resources/read", {"uri": uri}))
        assert answer["contents"][0]["text"] == "x"


async def test_a_prompt_needs_what_stands_at_it(kind, serve):
    async with serve(build(kind), **OPTIONS) as caller:
        assert_short(await caller().rpc("prompts/get", {"name": "hello"}), ["mcp:use", "prompts:use"])
        granted = caller(scopes=["mcp:use", "prompts:use"])
        assert result(await granted.rpc("prompts/get", {"name": "hello"}))["messages"][0]["content"]["text"] == "hello"


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ("tools", "misspelt"),
        ("prompts", "misspelt"),
        ("resources", "file:///misspelt"),
        ("resources", "file:///public/{name}"),
        ("resources", "file:///secret/{other}"),
    ],
)
async def test_a_rule_for_what_the_server_does_not_have_stops_the_start(kind, serve, kinds, name):
    with pytest.raises(ValueError, match=f"{kinds} that the server does not have: {re.escape(name)}"):
        async with serve(build(kind), {kinds: {name: ["a"]}}):
            pass


@pytest.mark.parametrize(
    "uri", ["file:///public/x", "FILE:///public/./x", "file:///secret/{name}", "file:///secret/x", "file:///misspelt/*"]
)
async def test_a_rule_for_a_resource_stands_for_one_for_a_template_or_for_what_a_template_serves(kind, serve, uri):
    async with serve(build(kind), {"resources": {uri: ["a"]}}, **OPTIONS) as caller:
        answer = await caller(scopes=[]).rpc("resources/read", {"uri": uri.replace("*", "x")})
        assert_short(answer, ["a"])


ALL_RULES = {"mcp:use", "tools:listed", "files:write", "team:a", "team:b", "prompts:use"}


@pytest.mark.parametrize(
    ("table", "configured", "expected"),
    [
        ({"every_call": ["mcp:use"]}, {}, {"mcp:use"}),
        ({"every_call": scopes("mcp:use", any_of=["eu", "us"])}, {}, {"mcp:use", "eu", "us"}),
        ({}, {}, None),
        ({"every_call": ["mcp:use"]}, {"a": "A", "b": "B"}, {"a", "b"}),
        ({"every_call": ["mcp:use"], "advertise": True}, {}, ALL_RULES),
        ({"every_call": ["mcp:use"], "advertise": True}, {"a": "A"}, ALL_RULES | {"a"}),
    ],
)
async def test_the_metadata_names_the_basic_set_and_the_scopes_of_tools_only_when_asked(
    kind, make_scheme, table, configured, expected
):
    auth = make_scheme(scopes=configured)
    app = FastAPI()
    app.include_router(auth.router())
    table = ToolScopes(tools={"listed": ["tools:listed"]}, **table)
    app.include_router(mcp_router(build(kind), auth=auth, scopes=table))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://x") as client,
    ):
        document = (await client.get("/.well-known/oauth-protected-resource/mcp")).json()
    supported = document.get("scopes_supported")
    if expected is None or not table.advertise:
        assert expected == (supported if supported is None else set(supported))
    else:
        assert expected <= set(supported)


async def test_a_rule_at_a_function_counts_in_a_tool_that_was_added_later(kind, serve):
    server = build(kind)
    async with serve(server, **OPTIONS) as caller:

        @server.tool()
        @scopes("later:use")
        def later() -> str:
            return "later"

        assert_short(await caller().call("later"), ["mcp:use", "later:use"])
        assert text_of(await caller(scopes=["mcp:use", "later:use"]).call("later")) == "later"


@pytest.mark.parametrize("table", [{"tools": {"other": []}, "default": "method"}, {}], ids=["with rules", "without"])
async def test_a_tool_that_takes_the_place_of_one_that_was_called_is_decided_about_again(kind, serve, table):
    """What the first one needed is known by its name; what has the name now may need more."""
    server = MCPServer("test") if kind == "sdk" else FastMCP("test")
    holder = server if kind == "sdk" else server.local_provider
    server.tool(name="other")(lambda: "other")
    server.tool(name="same")(lambda: "first")
    async with serve(server, table, **OPTIONS) as caller:
        alice = caller(scopes=[])
        for _ in range(2):
            assert text_of(await alice.call("same")) == "first"
        holder.remove_tool("same")
        server.tool(name="same")(scopes("later:use")(lambda: "second"))
        for _ in range(2):
            assert_short(await alice.call("same"), ["later:use"])
        assert text_of(await caller(scopes=["later:use"]).call("same")) == "second"
        holder.remove_tool("same")
        server.tool(name="same")(lambda: "third")
        assert text_of(await alice.call("same")) == "third"


async def test_a_function_refuses_by_itself_where_the_route_cannot_know_its_rule(serve):
    """Behind a proxy of FastMCP the function is out of sight; its rule holds nevertheless."""
    inner = FastMCP("inner")

    @inner.tool()
    @scopes("files:write")
    async def write() -> str:
        return "written"

    async with serve(create_proxy(inner), {"default": "method"}, **OPTIONS) as caller:
        refused = await caller().call("write")
        assert refused.status_code == 403 or result(refused)["isError"]
        assert "written" not in refused.text
        assert text_of(await caller(scopes=["files:write"]).call("write")) == "written"


def mounted():
    outer, middle, inner = FastMCP("outer"), FastMCP("middle"), build("fastmcp")
    middle.mount(inner, namespace="in")
    outer.mount(middle, namespace="x")
    return outer


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("tools/call", {"name": "x_in_declared", "arguments": {"text": "t"}}, ["files:write"]),
        ("tools/call", {"name": "x_in_outside", "arguments": {}}, ["team:a", "team:b"]),
        ("prompts/get", {"name": "x_in_hello"}, ["prompts:use"]),
        ("resources/read", {"uri": "memo://x/in//declared/y"}, ["memo:read"]),
        ("tools/call", {"name": "x_in_plain", "arguments": {}}, []),
    ],
)
async def test_what_was_mounted_brings_its_rules_along(serve, method, params, needed):
    """The last has none, and is denied because others have."""
    async with serve(mounted(), {"every_call": ["mcp:use"]}, **OPTIONS) as caller:
        assert_short(await caller().rpc(method, params), ["mcp:use", *needed] if needed else [])
        if needed:
            assert result(await caller(scopes=["mcp:use", needed[-1]]).rpc(method, params))


@pytest.mark.parametrize("namespace", [None, "x"])
@pytest.mark.parametrize("default", [None, "method", "deny"])
async def test_another_name_of_a_tool_needs_no_less_and_no_more(serve, namespace, default):
    """Pages of a FastMCPApp call its tools by a name made of a hash."""
    app, server = FastMCPApp("files"), FastMCP("test")

    @app.tool()
    def listed() -> str:
        return "listed"

    @app.tool()
    @scopes("files:write")
    def declared() -> str:
        return "declared"

    server.add_provider(app, **({"namespace": namespace} if namespace else {}))
    table = {"tools": {"x_listed" if namespace else "listed": ["tools:listed"]}, "default": default}
    async with serve(server, table, **OPTIONS) as caller:
        for tool, needed in (("listed", ["tools:listed"]), ("declared", ["files:write"])):
            assert_short(await caller(scopes=[]).call(hashed_backend_name("files", tool)), needed)
            assert text_of(await caller(scopes=needed).call(hashed_backend_name("files", tool))) == tool
        unknown = await caller(scopes=[]).call("0123456789ab_listed")
        assert unknown.status_code == (200 if default == "method" else 403)


async def test_lists_leave_out_what_was_mounted_and_may_not_be_used(serve):
    async with serve(mounted(), {"default": "method"}, list_filter=True, **OPTIONS) as caller:
        tools = result(await caller(scopes=["files:write"]).rpc("tools/list"))["tools"]
        assert {tool["name"] for tool in tools} == {"x_in_whoami", "x_in_plain", "x_in_listed", "x_in_declared"}


async def test_a_tool_made_from_another_brings_its_rule_along(serve):
    server = FastMCP("test")
    server.add_tool(Tool.from_tool(await build("fastmcp").get_tool("declared"), name="renamed"))
    async with serve(server, {}, **OPTIONS) as caller:
        assert_short(await caller(scopes=[]).call("renamed", text="t"), ["files:write"])
        assert text_of(await caller(scopes=["files:write"]).call("renamed", text="t")) == "t"


async def test_a_rule_is_found_at_a_tool_that_fastmcp_shows_to_some_only(serve):
    server = FastMCP("test")
    members = {"auth": lambda context: context.token is not None and context.token.subject == "alice"}

    @server.tool(**members)
    def listed() -> str:
        return "listed"

    @server.tool(**members)
    @scopes("files:write")
    def declared() -> str:
        return "declared"

    async with serve(server, {"tools": {"listed": ["tools:listed"]}}, **OPTIONS) as caller:
        for tool, needed in (("listed", ["tools:listed"]), ("declared", ["files:write"])):
            assert_short(await caller(scopes=[]).call(tool), needed)
            assert text_of(await caller(scopes=needed).call(tool)) == tool
            assert result(await caller(subject="bob", scopes=needed).call(tool))["isError"]


@pytest.mark.parametrize(("make", "context"), [(MCPServer, SDKContext), (FastMCP, Context)])
async def test_the_decorator_keeps_arguments_context_and_documentation(make, context, serve):
    server = make("test")

    @server.tool()
    @scopes("a")
    async def add(number: int, ctx: context) -> int:
        """Adds one."""
        assert ctx.request_id is not None
        return number + 1

    async with serve(server, {}, **OPTIONS) as caller:
        (tool,) = result(await caller().rpc("tools/list"))["tools"]
        assert (tool["description"], list(tool["inputSchema"]["properties"])) == ("Adds one.", ["number"])
        assert text_of(await caller(scopes=["a"]).call("add", number=1)) == "2"


def test_rules_in_two_decorators_add_up():
    @scopes("a")
    @scopes("b", any_of=["c"])
    def function():
        return 1

    from mcp_oauth2_deps.mcp.function_scopes import declared_scopes

    assert set(declared_scopes(function).names()) == {"a", "b", "c"}
    # Outside of a guarded route nobody is calling.
    assert function() == 1
    assert current_token_or_none() is None
    with pytest.raises(LookupError, match="no caller is in sight"):
        current_token()


@pytest.mark.parametrize("wrong", ["", "a b", "offline_access", 1, None], ids=repr)
def test_what_is_no_scope_is_refused_where_it_stands(wrong):
    with pytest.raises(ValueError, match=r"scope|offline_access"):
        scopes(wrong)
    for table in ({"every_call": [wrong]}, {"methods": {"a": [wrong]}}, {"tools": {"a": [wrong]}}, {"resources": {"a": [wrong]}}):
        with pytest.raises(ValueError, match=r"scope|offline_access"):
            ToolScopes(**table)


def test_one_string_is_no_list_of_scopes():
    with pytest.raises(ValueError, match="not one string"):
        ToolScopes(tools={"a": "files:read"})
    with pytest.raises(ValueError, match="not one string"):
        scopes(any_of="files:read")
    with pytest.raises(ValueError, match="default"):
        ToolScopes(default="allow")


@pytest.mark.parametrize(("kind", "names"), [("tool", ()), ("prompt", ()), ("resource", ["a://{name}"])])
def test_a_function_that_fastmcp_holds_already_is_refused(kind, names):
    """A guard around it would never run: behind a mount or a proxy nothing would ask for the scopes."""

    def function(name: str = "") -> str:
        return name

    registered = getattr(FastMCP("test"), kind)(*names)(function)
    with pytest.raises(TypeError, match="below the engine's decorator"):
        scopes("a")(registered)


@pytest.mark.parametrize("thing", [object(), type, "text"], ids=["an object", "a class", "a text"])
def test_the_decorator_takes_functions_only(thing):
    with pytest.raises(TypeError, match="takes a function"):
        scopes("a")(thing)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_lists_show_only_what_the_caller_may_use(kind, serve, revision):
    def names(found, member, name):
        return {one[name] for one in found[member]}

    async with serve(build(kind), list_filter=True, json_response=True) as caller:
        few, more = caller(revision), caller(revision, scopes=["mcp:use", "files:write", "team:b", "files:read", "prompts:use"])
        for one in (few, more):
            if revision != MODERN:
                await one.initialize()
        tools = result(await few.rpc("tools/list"))
        assert names(tools, "tools", "name") == {"whoami", "plain"}
        assert names(result(await more.rpc("tools/list")), "tools", "name") == {"whoami", "plain", "declared", "outside"}
        assert names(result(await few.rpc("prompts/list")), "prompts", "name") == set()
        assert names(result(await more.rpc("prompts/list")), "prompts", "name") == {"hello"}
        assert names(result(await few.rpc("resources/list")), "resources", "uri") == set()
        assert names(result(await more.rpc("resources/list")), "resources", "uri") == {"file:///public/x"}
        assert names(result(await more.rpc("resources/templates/list")), "resourceTemplates", "uriTemplate") == set()
        both = caller(revision, scopes=["mcp:use", "files:read", "files:secret", "memo:read"])
        if revision != MODERN:
            await both.initialize()
        templates = result(await both.rpc("resources/templates/list"))
        assert len(templates["resourceTemplates"]) == 2
        if revision == MODERN:
            assert tools["cacheScope"] == "private"


@pytest.mark.parametrize("shape", ["dictionary", "model", "nameless"])
async def test_a_list_that_another_step_answers_is_shortened_too(kind, serve, shape):
    server = build(kind)
    model = ListToolsResult(tools=[ToolModel(name=name, inputSchema={"type": "object"}) for name in ("plain", "declared")])
    wire = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    answers = {"model": model, "dictionary": wire, "nameless": {"tools": [*wire["tools"][:1], {"title": "declared"}, "declared"]}}

    async def from_memory(context, call_next):
        return answers[shape] if context.method == "tools/list" else await call_next(context)

    (server.middleware if kind == "sdk" else server._mcp_server.middleware).append(from_memory)
    async with serve(server, list_filter=True, json_response=True) as caller:
        few = caller()
        await few.initialize()
        assert [tool["name"] for tool in result(await few.rpc("tools/list"))["tools"]] == ["plain"]


async def test_the_list_filter_leaves_the_server_as_it_was(kind, serve):
    server = build(kind)
    chain = server.middleware if kind == "sdk" else server._mcp_server.middleware
    before, methods = list(chain), dict(vars(server))
    async with serve(server, list_filter=True):
        assert isinstance(chain[0], ListFilter)
        assert isinstance(chain[-1], MessageStep)
        assert vars(server).keys() - methods.keys() == {"call_tool", "read_resource"} | (
            {"list_tools", "list_prompts", "list_resources", "list_resource_templates"}
        ) | {"get_prompt" if kind == "sdk" else "render_prompt"}
    assert chain == before
    assert vars(server).keys() == methods.keys()


async def test_the_list_filter_needs_a_server_to_look_into(serve):
    async def bare(scope, receive, send):
        return None

    with pytest.raises(ValueError, match="list_filter"):
        async with serve(bare, {}, list_filter=True):
            pass


async def test_a_low_level_server_is_guarded_by_its_table(serve):
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent

    async def call(ctx, params):
        return CallToolResult(content=[TextContent(type="text", text=current_token().subject)])

    async def list_tools(ctx, params):
        return ListToolsResult(tools=[])

    server = Server("test", on_call_tool=call, on_list_tools=list_tools)
    async with serve(server, {"tools": {"any": ["a"]}}, **OPTIONS) as caller:
        assert_short(await caller().call("any"), ["a"])
        assert text_of(await caller(scopes=["a"]).call("any")) == "alice"


@pytest.mark.parametrize("uri", ["data://h/secret?x", "data://h/secret#x", "data://h/secret%3Fx"])
async def test_no_spelling_of_a_uri_reaches_a_resource_with_fewer_scopes(kind, serve, uri):
    server = MCPServer("test") if kind == "sdk" else FastMCP("test")

    @server.resource("data://h/{name}")
    def data(name: str) -> str:
        return f"read {name}"

    table = {"resources": {"data://h/*": ["read"], "data://h/secret": ["admin"]}}
    async with serve(server, table, **OPTIONS) as caller:
        assert_short(await caller(scopes=["read"]).rpc("resources/read", {"uri": uri}), ["read", "admin"])


@pytest.mark.parametrize("uri", ["data://h/secret%00", "data://h/%2e%2e%2f", "data://h//x", "data://h/a\u0000b"])
async def test_a_uri_that_a_template_refuses_to_judge_is_no_server_error(kind, serve, uri):
    server = MCPServer("test") if kind == "sdk" else FastMCP("test")

    @server.resource("data://h/{name}")
    @scopes("read")
    def data(name: str) -> str:
        return f"read {name}"

    async with serve(server, {}, **OPTIONS) as caller:
        for granted in ([], ["read"]):
            answer = await caller(scopes=granted).rpc("resources/read", {"uri": uri})
            assert answer.status_code in (200, 400, 403, 404), answer.text
            assert "read " not in answer.text or granted


@pytest.mark.parametrize("name", ["..", "%2e%2e", "C:%5Cx", "%00"])
async def test_a_uri_that_the_engine_will_refuse_needs_what_its_template_says(kind, serve, name):
    uri = f"memo:///declared/{name}"
    async with serve(build(kind), **OPTIONS) as make_caller:
        assert_short(await make_caller(scopes=["mcp:use"]).rpc("resources/read", {"uri": uri}), {"mcp:use", "memo:read"})
        let_in = await make_caller(scopes=["mcp:use", "memo:read"]).rpc("resources/read", {"uri": uri})
        assert (let_in.status_code, let_in.json()["id"]) == (200, 1)


async def test_a_uri_with_a_control_character_is_denied_to_everybody(kind, serve, caplog):
    caplog.set_level(logging.INFO)
    async with serve(build(kind), **OPTIONS) as make_caller:
        for granted in (["mcp:use"], ["mcp:use", "memo:read"]):
            answer = await make_caller(scopes=granted).rpc("resources/read", {"uri": "memo:///declared/\0"})
            assert answer.status_code == 403
            assert "scope=" not in answer.headers["www-authenticate"].partition(", resource_metadata")[0]
            assert "denied: a URI cannot be compared with the rules" in caplog.text
            assert "has no rule" not in caplog.text
            caplog.clear()
        await make_caller(scopes=["mcp:use"]).rpc("resources/read", {"uri": "memo://elsewhere"})
        assert ("has no rule" in caplog.text, "cannot be compared" in caplog.text) == (True, False)
