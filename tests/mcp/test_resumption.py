"""Streams resumed by `Last-Event-ID`: each caller gets its own events back, and nobody else's."""

import json
import re

import httpx
import pytest
from clients.event_memory import EventMemory
from fastapi import FastAPI
from mcp_support import Caller, build

from mcp_oauth2_deps.mcp import ToolScopes, mcp_router
from mcp_oauth2_deps.mcp.engines.resumption import SessionEvents
from mcp_oauth2_deps.testing.loopback import LoopbackServer


@pytest.fixture
def said(kind):
    """A server with something to say to one caller only."""
    server = build(kind)

    @server.tool()
    async def secret() -> str:
        return "what only alice may read"

    return server


async def resumed(caller, event_id, *, until):
    """The text of a stream resumed after this event: up to the event with this id, or the end of a stream that has none."""
    headers = {**caller.headers, "Last-Event-ID": event_id, "MCP-Protocol-Version": "2025-11-25"}
    text = ""
    async with caller.client.stream("GET", "/mcp", headers=headers) as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_text():
            text += part
            if until and re.search(rf"^id: {until}\r?$", text, re.MULTILINE):
                break
    return text


async def test_a_caller_gets_its_own_events_back_and_nobody_elses(kind, said, auth, issuer):
    store = EventMemory()
    app = FastAPI()
    app.include_router(auth.router())
    app.include_router(mcp_router(said, auth=auth, scopes=ToolScopes(default="method"), event_store=store))
    with LoopbackServer(app) as server:
        async with httpx.AsyncClient(base_url=server.url, headers={"Host": "api.example.com"}, timeout=10) as client:
            alice, mallory, again = Caller(client, issuer), Caller(client, issuer, subject="mallory"), Caller(client, issuer)
            for one in (alice, mallory, again):
                await one.initialize()
            assert "what only alice may read" in (await alice.call("secret")).text
            numbered = list(enumerate(store.events, 1))
            [answer] = [number for number, (_, message) in numbered if message and "only alice" in message.model_dump_json()]
            before = next(number for number, (stream, _) in numbered if stream == store.events[answer - 1][0])
            assert before < answer
            assert "what only alice may read" in await resumed(alice, str(before), until=answer)
            for other in (mallory, again):
                assert "what only alice may read" not in await resumed(other, str(before), until=None)


async def test_events_reach_nobody_before_their_owner_is_known():
    store = EventMemory()
    one, other = SessionEvents(store), SessionEvents(store)
    first = await one.store_event("1", None)
    await one.store_event("1", json.loads('{"secret": 1}'))
    sent = []

    async def send(event):
        sent.append(event.message)

    assert await other.replay_events_after(first, send) is None
    assert sent == []
    assert await one.replay_events_after(first, send) == "1"
    assert sent == [{"secret": 1}]
