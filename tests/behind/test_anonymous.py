"""A caller without a token next to Alice, where nearly everything is public (rule F12): what is closed stays closed to them, they
share no answer, session or state, and neither takes over what the other began.
"""

import pytest
from behind.rows import FASTMCP
from behind.test_sessions import remembering
from behind.test_tasks import TaskCaller, working
from behind.worlds import GOLD, MODERN, OPEN, QUICK, Row, call, closed, others_answers, said, world
from fastmcp import FastMCP
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from mcp_support import text_of

from mcp_oauth2_deps.mcp import PUBLIC

METHODS = (
    "tools/call",
    "tools/list",
    "prompts/get",
    "prompts/list",
    "resources/read",
    "resources/list",
    "resources/templates/list",
    "completion/complete",
    "tasks/get",
)
# Whatever has no rule is public, as far as a table can say so.
WIDE = {"methods": dict.fromkeys(METHODS, PUBLIC), "default": "method"}

ROWS = [
    pytest.param(row, means, id=f"{name.rpartition('.')[2]}-{means}")
    for name, row in FASTMCP.items()
    if isinstance(row, Row)
    for means in row.means
]
ENGINES = [("sdk", "table"), ("sdk", "decorator"), *(("fastmcp", means) for means in Row.means)]


def stranger(caller, revision="2025-11-25"):
    """A client that sends no token."""
    other = caller("nobody", revision=revision)
    del other.headers["Authorization"]
    return other


async def leaks(alice, nobody, row, means):
    """What went wrong between the two, of whom only Alice holds `vault`: one line for each."""
    wrong = await closed(alice, nobody, row, means, "who has no token")
    wrong += await others_answers({"nobody": nobody, "alice": alice}, row)
    for what, (question, name) in {**row.names.lists(), **row.lists}.items():
        if means not in row.unseen and name in await said(nobody, question):
            wrong.append(f"who has no token finds it in {what}")
    return list(dict.fromkeys(wrong))


async def outcome(guarded, row, means):
    closed = row.names.table() if means == "table" else {}
    async with guarded(row.build(means), {**closed, **WIDE}, list_filter=means != "engine", **QUICK) as caller:
        return await leaks(caller("alice", "vault"), stranger(caller), row, means)


@pytest.mark.parametrize(("row", "means"), ROWS)
async def test_what_is_closed_stays_closed_to_who_has_no_token(guarded, row, means):
    wrong = await outcome(guarded, row, means)
    if row is FASTMCP["fastmcp.server.middleware.authorization.AuthMiddleware"]:
        # It demands a token of everybody, also for what our table calls public.
        assert wrong
        wrong = [line for line in wrong if not line.startswith("nobody does not get an answer of their own")]
    assert wrong == []


@pytest.mark.parametrize(("kind", "means"), ENGINES)
async def test_without_anything_between_it_holds_too(guarded, kind, means):
    assert await outcome(guarded, Row(lambda means: world(kind, means)), means) == []


async def test_the_suite_sees_a_leak(guarded):
    """Its own control: a server where nothing is closed."""
    row = Row(lambda means: world("fastmcp", "table"))
    async with guarded(row.build("table"), WIDE, **QUICK) as caller:
        wrong = await leaks(caller("alice", "vault"), stranger(caller), row, "table")
    assert "who has no token gets the tool" in wrong
    assert "who has no token finds it in tools/list" in wrong


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_nobody_takes_over_a_session_in_either_direction(guarded, kind):
    async with guarded(world(kind), WIDE, json_response=True) as caller:
        alice, first, second = caller("alice", "vault"), stranger(caller), stranger(caller)
        for one in (alice, first, second):
            await one.initialize()
        theirs = {one: {"Mcp-Session-Id": one.headers["Mcp-Session-Id"]} for one in (alice, first)}
        question = call("hello")
        assert f"{OPEN} nobody" in await said(first, question)
        assert f"{OPEN} alice" in await said(alice, question)
        for one, session in ((second, theirs[alice]), (alice, theirs[first])):
            assert (await one.rpc(*question, **session)).status_code == 404
        # Neither is ended by the other.
        for one, session in ((second, theirs[alice]), (alice, theirs[first])):
            ended = await one.client.delete("/mcp", headers={**one.headers, **session})
            assert ended.status_code == 404
        assert f"{OPEN} nobody" in await said(first, question)
        assert f"{OPEN} alice" in await said(alice, question)


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_a_stream_of_a_session_is_not_opened_without_a_token(guarded, kind):
    async with guarded(world(kind), WIDE, json_response=True) as caller:
        alice, nobody = caller("alice"), stranger(caller)
        for one in (alice, nobody):
            await one.initialize()
            session = {"Mcp-Session-Id": one.headers["Mcp-Session-Id"]}
            for more in ({}, {"Last-Event-ID": "1"}):
                answer = await nobody.client.get("/mcp", headers={**nobody.headers, **session, **more})
                assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, DELETE")


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
async def test_state_is_not_shared_between_alice_and_who_has_no_token(guarded, revision):
    async with guarded(remembering(), WIDE, json_response=True) as caller:
        alice, nobody = caller("alice"), stranger(caller)
        for one, note in ((alice, "gold"), (nobody, "lead")):
            await one.initialize()
            await said(one, call("keep", note=note))
        assert (text_of(await alice.call("recall")), text_of(await nobody.call("recall"))) == ("gold", "lead")
        named = {"Mcp-Session-Id": alice.headers["Mcp-Session-Id"]}
        assert "gold" not in (await stranger(caller, revision).rpc(*call("recall"), **named)).text
        named = {"Mcp-Session-Id": nobody.headers["Mcp-Session-Id"]}
        assert "lead" not in (await caller("alice", revision=revision).rpc(*call("recall"), **named)).text


async def test_a_session_that_a_tool_made_opens_to_nobody_without_a_token(guarded):
    async with guarded(remembering(), WIDE, **QUICK) as caller:
        alice, nobody = caller("alice"), stranger(caller)
        session = text_of(await alice.call("create_session"))
        await said(alice, call("keep_by_id", note="gold", session_id=session))
        assert "gold" not in await said(nobody, call("recall_by_id", session_id=session))
        assert "gold" not in await said(nobody, call("recall_as_user"))


async def test_a_cache_gives_no_answer_of_alice_to_who_has_no_token(guarded):
    server = FastMCP("cached")
    server.add_middleware(ResponseCachingMiddleware())
    asked = []

    @server.tool()
    def latest() -> str:
        asked.append(1)
        return f"answer {len(asked)}"

    async with guarded(server, WIDE, **QUICK) as caller:
        alice, nobody = caller("alice"), stranger(caller)
        answers = [text_of(await one.call("latest")) for one in (alice, nobody, alice, nobody, stranger(caller))]
    assert answers == ["answer 1", "answer 2", "answer 1", "answer 2", "answer 2"]


@pytest.mark.parametrize("tool", ["whoami", "reach", "vault"])
async def test_a_background_task_needs_a_token(guarded, issuer, tool):
    """A worker finds out for whom a task runs by what the engine stored of the token, and here nothing is."""
    async with guarded(working(), WIDE, **QUICK) as caller:
        nobody = TaskCaller(caller("nobody").client, issuer, MODERN, subject="nobody")
        del nobody.headers["Authorization"]
        answer = await nobody.rpc(*call(tool))
        if tool == "vault":
            assert answer.status_code == 401
            return
        text = answer.text
        if '"taskId"' in text:
            text = (await nobody.outcome(answer.json()["result"]["taskId"])).text
        assert GOLD not in text
        assert "run for" not in text
