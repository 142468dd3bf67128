"""A rule that names a query, versions of one name, and URIs that would make an engine's patterns slow (F8, F9)."""

import logging

import pytest
from behind.worlds import QUICK, read
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.mcp import scopes

RULES = {"data://items": ["read"], "data://items?zone=secret": ["vault"], "data://items?zone=my%20secret": ["vault"]}
EVASIONS = ["secret&", "secret&x=1", "secret&zone=public", "%73ecret", "my+secret", "my%20secret"]
KINDS = pytest.mark.parametrize("make", [FastMCP, MCPServer])


def items_server(make):
    server = make("items")

    @server.resource("data://items{?zone}")
    def items(zone: str = "public") -> str:
        return f"items of {zone}"

    return server


@KINDS
@pytest.mark.parametrize("uri", [*(f"data://items?zone={one}" for one in EVASIONS), "data://items?&zone=secret"])
async def test_f9_a_rule_with_a_query_counts_in_each_spelling(guarded, make, uri):
    async with guarded(items_server(make), {"resources": RULES}, **QUICK) as caller:
        refused = await caller("bob", "read").rpc(*read(uri))
        assert refused.status_code == 403
        assert 'scope="' in refused.headers["www-authenticate"]
        assert "vault" in refused.headers["www-authenticate"]
        assert "items of" in (await caller("alice", "read", "vault").rpc(*read(uri))).text


@KINDS
async def test_control_without_a_query_no_more_is_needed(guarded, make):
    async with guarded(items_server(make), {"resources": RULES}, **QUICK) as caller:
        assert "items of public" in (await caller("bob", "read").rpc(*read("data://items"))).text


@KINDS
@pytest.mark.parametrize("query", ["zone=secret", "zone=secret&zone=public", "zone=public&zone=secret"])
async def test_f9_a_rule_for_one_query_opens_no_other(guarded, make, query):
    async with guarded(items_server(make), {"resources": {"data://items?zone=public": ["read"]}}, **QUICK) as caller:
        bob = caller("bob", "read")
        refused = await bob.rpc(*read(f"data://items?{query}"))
        assert (refused.status_code, "items of" in refused.text) == (403, False)
        assert "items of public" in (await bob.rpc(*read("data://items?zone=public"))).text


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_f8_each_version_of_a_tool_needs_what_all_of_them_need(guarded, version):
    server = FastMCP("versions")

    @server.tool(name="act", version="1.0")
    @scopes("old")
    def old() -> str:
        return "done"

    @server.tool(name="act", version="2.0")
    @scopes("new")
    def new() -> str:
        return "done"

    message = {"name": "act", "arguments": {}, "_meta": {"fastmcp": {"version": version}}}
    async with guarded(server, {}, **QUICK) as caller:
        for held in ("old", "new"):
            assert (await caller("bob", held).rpc("tools/call", message)).status_code == 403
        assert "done" in (await caller("alice", "old", "new").rpc("tools/call", message)).text


@pytest.mark.parametrize("template", ["logs://{a*}-{b*}x", "logs://{year}-{month}-{day}.log"])
async def test_f9_a_uri_that_an_engine_could_not_match_in_time_is_denied(guarded, template, caplog):
    server = FastMCP("slow")
    values = ("a", "b") if "a*" in template else ("year", "month", "day")
    signature = ", ".join(f"{one}: str" for one in values)
    space = {}
    exec(f"def log({signature}) -> str: return 'served'", space)
    server.resource(template)(space["log"])
    caplog.set_level(logging.INFO)
    async with guarded(server, {}, **QUICK) as caller:
        bob = caller("bob")
        assert (await bob.rpc(*read("logs://" + "-" * 3000))).status_code == 403
        assert "could take too long to match" in caplog.text
        assert "has no rule" not in caplog.text
        assert "served" in (await bob.rpc(*read("logs://2026-11-24.log" if "day" in template else "logs://a-bx"))).text
