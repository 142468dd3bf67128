"""What a server sends by itself: progress and log lines of a call, and news of resources, each to whom it is for."""

import asyncio
import json

import pytest
from behind.worlds import GOLD, MODERN, Names, call, mark, world
from fastmcp import Context as FastContext
from fastmcp import FastMCP
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer

KINDS = pytest.mark.parametrize("kind", ["sdk", "fastmcp"])


@KINDS
@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
async def test_what_is_told_during_a_call_is_told_to_its_caller(guarded, kind, revision):
    """Both calls are in flight at once, and each tells its progress; no stream holds what the other was told."""
    server, context = (MCPServer("telling"), SDKContext) if kind == "sdk" else (FastMCP("telling"), FastContext)
    arrived, both = 0, asyncio.Event()

    @server.tool()
    async def tell(ctx: context) -> str:
        nonlocal arrived
        await ctx.report_progress(1, 2, mark("begins for"))
        arrived += 1
        if arrived == 2:
            both.set()
        async with asyncio.timeout(20):
            await both.wait()
        await ctx.report_progress(2, 2, mark("ends for"))
        return mark("done for")

    async with guarded(server, {"default": "method"}) as caller:
        callers = [caller(name, revision=revision) for name in ("alice", "bob")]
        if revision != MODERN:
            for one in callers:
                await one.initialize()
        alice, bob = [answer.text for answer in await asyncio.gather(*map(_with_progress, callers))]
    for words in ("begins for", "ends for", "done for"):
        assert f"{words} alice" in alice
        assert f"{words} bob" in bob
    assert "bob" not in alice
    assert "alice" not in bob


async def _with_progress(caller):
    method, params = call("tell")
    message = caller.message(method, params)
    message["params"].setdefault("_meta", {})["progressToken"] = "p"  # of the protocol, no secret
    modern = {"Mcp-Method": method, "MCP-Protocol-Version": MODERN, "Mcp-Name": "tell"}
    return await caller.post(json.dumps(message), **(modern if caller.revision == MODERN else {}))


CLOSED = ["vault://gold", "vault://rooms/7", "vault://rooms/{name}"]


@KINDS
@pytest.mark.parametrize(
    ("means", "uri"), [*((means, uri) for means in ("table", "decorator") for uri in CLOSED), ("table", "VAULT://gold")]
)
async def test_nobody_hears_of_what_is_closed(guarded, kind, means, uri):
    table = Names().table() if means == "table" else {"default": "method"}
    async with guarded(world(kind, means), table) as caller:
        bob, alice = caller("bob"), caller("alice", "vault")
        for one in (bob, alice):
            await one.initialize()
        for method in ("resources/subscribe", "resources/unsubscribe"):
            refused = await bob.rpc(method, {"uri": uri})
            assert refused.status_code == 403, refused.text
            assert (await alice.rpc(method, {"uri": uri})).status_code == 200
        listening = caller("bob", revision=MODERN)
        for uris in ([uri], ["open://hello", uri], [uri, "open://hello"]):
            wanted = {"notifications": {"resourceSubscriptions": uris}}
            assert (await listening.rpc("subscriptions/listen", wanted)).status_code == 403
        assert GOLD not in refused.text
