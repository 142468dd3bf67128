"""What a server asks of one client is answered by that client: elicitation in a session, and by `requestState` without one."""

import asyncio
import json
import re

import pytest
from behind.worlds import MODERN, QUICK, call, mark
from fastmcp import Context as FastContext
from fastmcp import FastMCP
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp_support import text_of
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import BaseModel

FREE = {"default": "method"}
KINDS = pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
OTHERS = pytest.mark.parametrize(("subject", "claims"), [("mallory", {}), ("alice", {"client_id": "other"})])


class Answer(BaseModel):
    word: str


def asking(kind):
    """A tool that asks its client for a word, in the way of sessions."""
    server, context = (MCPServer("asking"), SDKContext) if kind == "sdk" else (FastMCP("asking"), FastContext)

    @server.tool()
    async def ask(ctx: context) -> str:
        answer = await ctx.elicit("Which word?", Answer)
        return f"{mark('heard by')}: {answer.data.word}"

    return server


class Wire:
    """The app, and all that it has sent so far."""

    def __init__(self, app):
        self.app = app
        self.sent = ""
        self.more = asyncio.Event()

    async def __call__(self, scope, receive, send):
        async def watched(message):
            if message["type"] == "http.response.body":
                self.sent += message.get("body", b"").decode()
                self.more.set()
            await send(message)

        await self.app(scope, receive, watched)

    async def find(self, pattern):
        async with asyncio.timeout(10):
            while not (found := re.search(pattern, self.sent)):
                self.more.clear()
                await self.more.wait()
        return found


@KINDS
@OTHERS
async def test_an_answer_to_a_question_is_taken_from_who_was_asked_only(guarded, kind, subject, claims):
    async with guarded(asking(kind), FREE) as caller:
        alice, other = caller("alice"), caller(subject, **claims)
        wire = alice.client._transport.app = Wire(alice.client._transport.app)
        for one in (alice, other):
            one.headers["MCP-Protocol-Version"] = "2025-11-25"
            await _open(one)
        asked = asyncio.create_task(alice.rpc(*call("ask")))
        found = await wire.find(r'data: (\{.*"elicitation/create".*\})')
        number = json.loads(found.group(1))["id"]
        foreign = answer_to(number, "of mallory")
        # In a session of their own, and in that of Alice.
        mine = await other.post(foreign)
        assert mine.status_code in (202, 400)
        theirs = await other.post(foreign, **{"Mcp-Session-Id": alice.headers["Mcp-Session-Id"]})
        assert theirs.status_code == 404
        assert not asked.done()
        assert (await alice.post(answer_to(number, "of alice"))).status_code == 202
        async with asyncio.timeout(10):
            heard = (await asked).text
    assert "heard by alice: of alice" in heard
    assert "mallory:" not in heard


async def _open(caller):
    """A session of a client that can be asked."""
    capabilities = {"elicitation": {"form": {}}}
    info = {"protocolVersion": caller.revision, "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}}
    answer = await caller.rpc("initialize", info)
    caller.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
    await caller.post(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))


def answer_to(number, word):
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": {"action": "accept", "content": {"word": word}}})


def asking_without_sessions(kind):
    """A tool that asks for a word by an answer that the client sends again, with what the server remembers of it."""
    server, context = (MCPServer("asking"), SDKContext) if kind == "sdk" else (FastMCP("asking"), FastContext)

    @server.tool()
    async def ask(ctx: context) -> str | InputRequiredResult:
        if ctx.input_responses is None:
            schema = {"type": "object", "properties": {"word": {"type": "string"}}}
            question = ElicitRequest(params=ElicitRequestFormParams(message="Which word?", requestedSchema=schema))
            return InputRequiredResult(inputRequests={"word": question}, requestState=mark("remembered of"))
        return f"{mark('heard by')}, {ctx.request_state}"

    return server


async def asked_of(caller):
    """What the server gave the client to remember."""
    return (await _send(caller, {})).json()["result"]["requestState"]


async def again(caller, state):
    """The call once more, with the answer and with what was to be remembered."""
    return await _send(
        caller, {"requestState": state, "inputResponses": {"word": {"action": "accept", "content": {"word": "w"}}}}
    )


async def _send(caller, more):
    method, params = call("ask")
    message = caller.message(method, {**params, **more})
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    mirrored = {"Mcp-Method": method, "MCP-Protocol-Version": MODERN, "Mcp-Name": "ask"}
    return await caller.post(json.dumps(message), **mirrored)


@KINDS
@OTHERS
async def test_what_a_server_remembers_of_a_question_is_of_use_to_who_was_asked_only(guarded, kind, subject, claims):
    async with guarded(asking_without_sessions(kind), FREE, **QUICK) as caller:
        alice = caller("alice", revision=MODERN)
        other = caller(subject, revision=MODERN, **claims)
        state = await asked_of(alice)
        stolen = await again(other, state)
        assert "error" in stolen.json()
        assert "remembered of" not in stolen.text
        # A fresh token of the same user goes on where the last one stopped.
        for one in (alice, caller("alice", "more", revision=MODERN)):
            assert text_of(await again(one, await asked_of(alice))) == "heard by alice, remembered of alice"


@KINDS
async def test_tokens_that_name_nobody_do_not_answer_for_each_other(guarded, kind):
    async with guarded(asking_without_sessions(kind), FREE, **QUICK) as caller:
        one, other = (caller(None, client_id=None, jti=jti, revision=MODERN) for jti in ("a", "b"))
        state = await asked_of(one)
        assert "error" in (await again(other, state)).json()
        assert "remembered of" in (await again(one, state)).text
