"""What is ruled is decided by what the engine has when it is asked: templates too, and what was added to a running server."""

import pytest
from behind.worlds import GOLD, OPEN, QUICK, call, mark, read, said
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.mcp import rules, scopes
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes

KINDS = pytest.mark.parametrize("kind", ["sdk", "fastmcp"])


def server_of(kind):
    return MCPServer("running") if kind == "sdk" else FastMCP("running")


def open_thing(server, sort):
    """Something without a rule, and the message that asks for it."""

    def function() -> str:
        return mark(OPEN)

    def template(name: str) -> str:
        return mark(OPEN)

    if sort == "tools":
        server.tool(name="open")(function)
        return call("open")
    if sort == "prompts":
        server.prompt(name="open")(function)
        return "prompts/get", {"name": "open"}
    if sort == "resources":
        server.resource("open://x")(function)
        return read("open://x")
    server.resource("open://rooms/{name}")(template)
    return read("open://rooms/7")


def closed_thing(server, sort):
    """Something with a rule at its function, and the message that asks for it."""

    @scopes("vault")
    def function() -> str:
        return mark(GOLD)

    @scopes("vault")
    def template(name: str) -> str:
        return mark(GOLD)

    if sort == "tools":
        server.tool(name="closed")(function)
        return call("closed")
    if sort == "prompts":
        server.prompt(name="closed")(function)
        return "prompts/get", {"name": "closed"}
    if sort == "resources":
        server.resource("vault://x")(function)
        return read("vault://x")
    server.resource("vault://rooms/{name}")(template)
    return read("vault://rooms/7")


SORTS = ["tools", "prompts", "resources", "templates"]


@KINDS
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("late", [False, True], ids=["before the start", "while it runs"])
async def test_once_one_has_a_rule_one_without_is_denied(guarded, kind, sort, late):
    server = server_of(kind)
    ask_open = open_thing(server, sort)
    ask_closed = None if late else closed_thing(server, sort)
    async with guarded(server, {}, **QUICK) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        if late:
            # Nothing has a rule yet.
            assert f"{OPEN} bob" in await said(bob, ask_open)
            ask_closed = closed_thing(server, sort)
        for one in (alice, bob):
            assert (await one.rpc(*ask_open)).status_code == 403
        assert f"{GOLD} alice" in await said(alice, ask_closed)
        assert (await bob.rpc(*ask_closed)).status_code == 403


@KINDS
async def test_a_template_with_a_rule_denies_resources_without_and_the_other_way(guarded, kind):
    """Resources and templates are read by one message, so they are of one kind."""
    for first, second in (("templates", "resources"), ("resources", "templates")):
        server = server_of(kind)
        closed_thing(server, first)
        ask_open = open_thing(server, second)
        async with guarded(server, {}, **QUICK) as caller:
            assert (await caller("alice", "vault").rpc(*ask_open)).status_code == 403


@KINDS
async def test_what_is_taken_away_rules_no_more(guarded, kind):
    server = server_of(kind)
    ask_open, _ = open_thing(server, "tools"), closed_thing(server, "tools")
    async with guarded(server, {}, **QUICK) as caller:
        bob = caller("bob")
        assert (await bob.rpc(*ask_open)).status_code == 403
        (server if kind == "sdk" else server.local_provider).remove_tool("closed")
        assert f"{OPEN} bob" in await said(bob, ask_open)


async def test_what_was_mounted_while_it_runs_rules_too(guarded):
    server, other = FastMCP("running"), FastMCP("other")
    ask_open, _ = open_thing(server, "tools"), closed_thing(other, "tools")
    async with guarded(server, {}, **QUICK) as caller:
        bob = caller("bob")
        assert f"{OPEN} bob" in await said(bob, ask_open)
        server.mount(other, namespace="x")
        assert (await bob.rpc(*ask_open)).status_code == 403
        assert (await bob.rpc(*call("x_closed"))).status_code == 403
        assert f"{GOLD} alice" in await said(caller("alice", "vault"), call("x_closed"))


@KINDS
async def test_a_rule_of_the_table_holds_for_what_comes_later(guarded, kind):
    """The name is ruled by a pattern before there is anything of that name."""
    server = server_of(kind)
    async with guarded(server, {"resources": {"vault://*": ["vault"]}, "default": "method"}, **QUICK) as caller:

        @server.resource("vault://later")
        def later() -> str:
            return mark(GOLD)

        assert f"{GOLD} alice" in await said(caller("alice", "vault"), read("vault://later"))
        assert (await caller("bob").rpc(*read("vault://later"))).status_code == 403


@KINDS
async def test_what_did_not_change_is_not_looked_through_again(guarded, kind, monkeypatch):
    """A server of a thousand tools is looked through when one was added or taken away, not for each message."""
    looked = []
    monkeypatch.setattr(rules, "declared_scopes", lambda function: looked.append(function) or declared_scopes(function))
    server = server_of(kind)
    ask_open = open_thing(server, "tools")
    async with guarded(server, {}, **QUICK) as caller:
        bob = caller("bob")
        assert f"{OPEN} bob" in await said(bob, ask_open)
        assert len(looked) == 1
        for _ in range(3):
            assert f"{OPEN} bob" in await said(bob, ask_open)
        assert len(looked) == 1
        closed_thing(server, "tools")
        assert (await bob.rpc(*ask_open)).status_code == 403
        assert len(looked) > 1


@KINDS
async def test_a_template_that_takes_the_place_of_another_is_seen(guarded, kind):
    """The number of things stays the same, and so does the name."""
    server = server_of(kind)
    ask_open = open_thing(server, "templates")
    ask_other = read("other://rooms/7")

    @server.resource("other://rooms/{name}")
    def before(name: str) -> str:
        return mark(OPEN)

    async with guarded(server, {}, **QUICK) as caller:
        bob = caller("bob")
        assert f"{OPEN} bob" in await said(bob, ask_open)

        if kind == "fastmcp":
            server.local_provider.remove_template("other://rooms/{name}")

        @server.resource("other://rooms/{name}")
        @scopes("vault")
        def after(name: str) -> str:
            return mark(GOLD)

        for question in (ask_open, ask_other):
            assert (await bob.rpc(*question)).status_code == 403
