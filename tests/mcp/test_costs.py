"""What deciding costs: no more than a bounded share of what the engine takes, and the event loop is given back in between."""

import asyncio
import sys
import time
from collections import Counter

import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from mcp_support import result, text_of

from mcp_oauth2_deps.mcp import ToolScopes, scopes
from mcp_oauth2_deps.mcp.engines import principals
from mcp_oauth2_deps.mcp.engines.fastmcp import FastMCPEngine
from mcp_oauth2_deps.mcp.engines.sdk import SDKEngine

OPTIONS = {"json_response": True, "stateless_http": True}
MANY, ROUNDS = 200, 15
KINDS = ["sdk", "fastmcp", "mounted"]


def large(kind):
    """A server with many tools and resources, every second of them with a rule at itself."""
    server = MCPServer("large") if kind == "sdk" else FastMCP("large")
    for number in range(MANY):

        def function(text: str, count: int = 1) -> str:
            return text

        server.tool(name=f"tool{number}")(scopes("a")(function) if number % 2 else function)
        server.resource(f"d://h/r{number}", name=f"r{number}")(lambda: "x")
    for number in range(20):
        server.resource(f"t{number}://h/{{x}}-{{y}}", name=f"t{number}")(lambda x, y: "x")
    if kind != "mounted":
        return server
    outer = FastMCP("outer")
    outer.mount(server, namespace="in")
    return outer


async def seconds_of(serve, kind, method, *, list_filter):
    """The least time of this process for one message, which other processes cannot change much."""
    table = {"tools": {"in_tool1" if kind == "mounted" else "tool1": ["a"]}, "resources": {"d://*": []}, "default": "method"}
    async with serve(large(kind), table, list_filter=list_filter, **OPTIONS) as caller:
        alice, spent = caller(scopes=["a"]), []
        for _ in range(ROUNDS):
            started = time.process_time()
            answer = await alice.rpc(method)
            spent.append(time.process_time() - started)
        assert len(result(answer)[method.partition("/")[0]]) == MANY
        return min(spent)


def is_traced():
    """Whether each line of the package costs more than usual, and those of the engines do not."""
    monitoring = getattr(sys, "monitoring", None)
    return sys.gettrace() is not None or (monitoring is not None and monitoring.get_tool(monitoring.COVERAGE_ID) is not None)


@pytest.mark.skipif(is_traced(), reason="coverage is measured; a plain run compares times")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_for_one_caller_takes_at_most_twice_the_list(serve, kind):
    for _ in range(3):
        plain = await seconds_of(serve, kind, "tools/list", list_filter=False)
        filtered = await seconds_of(serve, kind, "tools/list", list_filter=True)
        # A garbage collection may fall into every round of one of the two.
        if filtered <= 2 * plain:
            return
    assert filtered <= 2 * plain, (filtered, plain)


@pytest.mark.parametrize("method", ["tools/list", "resources/list"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_for_one_caller_asks_the_engine_once_and_decides_once_about_each_thing(serve, kind, method, monkeypatch):
    counts = Counter()

    def counting(owner, name):
        original = getattr(owner, name)

        def counted(self, *args, **kwargs):
            counts[name] += 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    async with serve(large(kind), {"default": "method"}, list_filter=True, **OPTIONS) as caller:
        counting(SDKEngine if kind == "sdk" else FastMCPEngine, "held")
        counting(ToolScopes, "needed_for")
        answer = await caller(scopes=[]).rpc(method)
    assert len(result(answer)[method.partition("/")[0]]) == (MANY if method == "resources/list" else MANY // 2)
    # One more for the message itself.
    assert counts == {"held": 1, "needed_for": MANY + 1}


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_a_tool_is_called_again_without_another_look_at_the_table_or_at_the_token(serve, kind, monkeypatch):
    """A token that is remembered and a tool that was there at the start are the usual case."""
    counts = Counter()
    original, read = ToolScopes.needed_for, principals._text_of

    def needed_for(self, *args, **kwargs):
        counts["table"] += 1
        return original(self, *args, **kwargs)

    def read_token(token):
        counts["token"] += 1
        return read(token)

    monkeypatch.setattr(ToolScopes, "needed_for", needed_for)
    monkeypatch.setattr(principals, "_text_of", read_token)
    async with serve(large(kind), {"default": "method"}, **OPTIONS) as caller:
        alice, bob = caller(scopes=["a"]), caller(scopes=["a"], subject="bob")
        counts.clear()
        for _ in range(3):
            assert text_of(await alice.call("tool1", text="x")) == "x"
        assert counts == {"table": 1, "token": 1}
        # Another token is read for itself, and decided about by what is known of the tool.
        assert text_of(await bob.call("tool1", text="x")) == "x"
        assert counts == {"table": 1, "token": 2}


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_while_a_thousand_uris_are_compared_others_get_their_turn(serve, kind):
    uris = [f"d://h/%41{number}/../r{number}?{number}" for number in range(1000)]
    table = {"resources": {f"d://h/r{number}*": ["a"] for number in range(50)}, "default": "method"}
    async with serve(large(kind), table, **OPTIONS) as caller:
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        answer = await caller(scopes=[]).rpc("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})
        counting.cancel()
    assert answer.status_code == 403
    assert turns > 100
