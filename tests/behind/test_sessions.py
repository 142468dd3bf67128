"""What lasts from one message to the next belongs to one caller: sessions, their state, and what a session id opens."""

import json

import pytest
from behind.worlds import MODERN, QUICK, call, said
from fastmcp import Context, FastMCP
from fastmcp.server.sessions import SessionId, SessionProvider, UserSession, get_session
from mcp_support import text_of

FREE = {"default": "method"}
LASTING = {"json_response": True}


def remembering():
    """Tools that keep a note by every means that FastMCP has."""
    server = FastMCP("notes")
    server.add_provider(SessionProvider())

    @server.tool()
    async def keep(note: str, ctx: Context) -> str:
        await ctx.set_state("note", note)
        return "kept"

    @server.tool()
    async def recall(ctx: Context) -> str:
        return str(await ctx.get_state("note"))

    @server.tool()
    async def keep_as_user(note: str, session: UserSession) -> str:
        await session.set("note", note)
        return "kept"

    @server.tool()
    async def recall_as_user(session: UserSession) -> str:
        return str(await session.get("note"))

    @server.tool()
    async def keep_by_id(note: str, session_id: SessionId) -> str:
        await (await get_session(session_id)).set("note", note)
        return "kept"

    @server.tool()
    async def recall_by_id(session_id: SessionId) -> str:
        return str(await (await get_session(session_id)).get("note"))

    return server


OTHERS = [
    pytest.param("mallory", {}, id="another subject"),
    pytest.param("alice", {"client_id": "other"}, id="another client"),
]


async def others_of(caller, subject, claims, **more):
    return caller(subject, **claims, **more)


@pytest.mark.parametrize(("subject", "claims"), OTHERS)
async def test_state_of_a_session_is_not_read_by_naming_the_session(guarded, subject, claims):
    """On the wire of 2026-07-28 there are no sessions, so the engine compares no owner; the field must not open one."""
    async with guarded(remembering(), FREE, **LASTING) as caller:
        alice = caller("alice")
        await alice.initialize()
        await said(alice, call("keep", note="gold"))
        assert text_of(await alice.call("recall")) == "gold"
        session = {"Mcp-Session-Id": alice.headers["Mcp-Session-Id"]}
        for revision in ("2025-11-25", MODERN):
            other = caller(subject, revision=revision, **claims)
            assert "gold" not in (await other.rpc(*call("recall"), **session)).text


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
async def test_without_sessions_a_session_id_is_nobodys(guarded, revision):
    """`stateless_http=True`: the engine makes no sessions and owns none, so a caller's own choice of an id opens nothing."""
    async with guarded(remembering(), FREE, **QUICK) as caller:
        chosen = {"Mcp-Session-Id": "chosen"}
        alice, mallory = caller("alice", revision=revision), caller("mallory", revision=revision)
        assert "kept" in (await alice.rpc(*call("keep", note="gold"), **chosen)).text
        answer = await mallory.rpc(*call("recall"), **chosen)
        assert text_of(answer) == "None"


@pytest.mark.parametrize(("subject", "claims"), OTHERS)
async def test_what_is_kept_for_a_user_is_that_users(guarded, subject, claims):
    async with guarded(remembering(), FREE, **QUICK) as caller:
        alice, other = caller("alice"), caller(subject, **claims)
        await said(alice, call("keep_as_user", note="gold"))
        assert text_of(await caller("alice", "more").call("recall_as_user")) == "gold"
        assert text_of(await other.call("recall_as_user")) == "None"


@pytest.mark.parametrize(("subject", "claims"), OTHERS)
async def test_a_session_that_a_tool_made_opens_for_its_maker_only(guarded, subject, claims):
    async with guarded(remembering(), FREE, **QUICK) as caller:
        alice, other = caller("alice"), caller(subject, **claims)
        session = text_of(await alice.call("create_session"))
        await said(alice, call("keep_by_id", note="gold", session_id=session))
        assert text_of(await alice.call("recall_by_id", session_id=session)) == "gold"
        for tool in ("recall_by_id", "end_session"):
            assert "Invalid or unknown session" in await said(other, call(tool, session_id=session))
        assert text_of(await alice.call("recall_by_id", session_id=session)) == "gold"


async def test_tokens_that_name_nobody_are_not_one_user(guarded):
    async with guarded(remembering(), FREE, **QUICK) as caller:
        one, other = (caller(None, client_id=None, jti=jti) for jti in ("a", "b"))
        await said(one, call("keep_as_user", note="gold"))
        assert text_of(await one.call("recall_as_user")) == "gold"
        assert text_of(await other.call("recall_as_user")) == "None"


async def test_what_one_caller_hides_for_its_session_is_hidden_for_nobody_else(guarded):
    server = FastMCP("hiding")

    @server.tool()
    async def hide(ctx: Context) -> str:
        await ctx.disable_components(names={"seen"})
        return "hidden"

    @server.tool()
    def seen() -> str:
        return "seen"

    async with guarded(server, FREE, **LASTING) as caller:
        alice, bob = caller("alice"), caller("bob")
        for one in (alice, bob):
            await one.initialize()
        await said(alice, call("hide"))
        assert "Unknown tool" in await said(alice, call("seen"))
        assert text_of(await bob.call("seen")) == "seen"
        names = [tool["name"] for tool in json.loads(await said(bob, ("tools/list", {})))["result"]["tools"]]
        assert names == ["hide", "seen"]
