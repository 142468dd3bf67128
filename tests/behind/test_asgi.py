"""A server that cannot be asked: what the table sees there, what it does not, and that the log says so."""

import pytest
from behind.worlds import GOLD, QUICK, Names, call, mark, said, world
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.mcp import scopes

UNSEEN = "cannot be asked what it has"


def as_app(server):
    """The same server, given as an ASGI app: nothing of it is in sight."""
    if isinstance(server, MCPServer):
        return server.streamable_http_app(**QUICK, host="api.example.com")
    return server.http_app(path="/mcp", **QUICK)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if UNSEEN in record.getMessage()]


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_messages_are_ruled_and_the_log_says_that_only_they_are(guarded, kind, caplog):
    async with guarded(as_app(world(kind)), Names().table()) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        for question in Names().closed().values():
            assert f"{GOLD} alice" in await said(alice, question)
            assert (await bob.rpc(*question)).status_code == 403
    [line] = lines(caplog)
    assert "rules for tools, prompts, resources are compared with messages only" in line


@pytest.mark.parametrize("table", [{}, {"every_call": ["use"], "methods": {"tools/list": ["list"]}}], ids=["none", "methods"])
async def test_rules_that_need_no_sight_leave_no_line(guarded, table, caplog):
    async with guarded(as_app(world("sdk")), table):
        pass
    assert lines(caplog) == []


async def test_a_server_that_can_be_asked_leaves_no_line(guarded, caplog):
    async with guarded(world("fastmcp"), Names().table(), **QUICK):
        pass
    assert lines(caplog) == []


async def test_a_function_asks_there_too(guarded):
    server = MCPServer("unseen")

    @server.tool()
    @scopes("vault")
    def vault() -> str:
        return mark(GOLD)

    async with guarded(as_app(server), {"default": "method"}) as caller:
        assert f"{GOLD} alice" in await said(caller("alice", "vault"), call("vault"))
        assert GOLD not in await said(caller("bob"), call("vault"))
        # No challenge: the route cannot know.
        assert (await caller("bob").rpc(*call("vault"))).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status", "setting"),
    [({"Host": "evil.example"}, 421, "allowed_hosts"), ({"Origin": "https://evil.example"}, 403, "cors_origins")],
)
async def test_what_fastmcp_refuses_for_its_host_or_origin_leaves_a_line(guarded, caplog, sent, status, setting):
    async with guarded(world("fastmcp"), {"default": "method"}, **QUICK) as caller:
        method, params = call("hello")
        assert (await caller("alice").rpc(method, params)).status_code == 200
        assert [record for record in caplog.records if "by FastMCP" in record.getMessage()] == []
        answer = await caller("alice").rpc(method, params, **sent)
        assert answer.status_code == status
    [line] = [record.getMessage() for record in caplog.records if "by FastMCP" in record.getMessage()]
    [(field, value)] = sent.items()
    assert (
        line == f"refused with {status} by FastMCP: reason={field.lower()} found={value}; if it should pass, name it in {setting}"
    )
