"""A stream ends with the token that opened it, and the answer to a single call may finish (rule F11)."""

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
import websockets
from behind.worlds import MODERN, call
from fastapi import BackgroundTasks, Depends, FastAPI, Security, WebSocket, WebSocketException
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from mcp_support import Caller
from starlette.responses import PlainTextResponse
from ticking import Time

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.fastapi.token_end import TokenOverError, until_over
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router, streams
from mcp_oauth2_deps.testing import LoopbackServer

RESOURCE = "https://api.example.com/mcp"
LIFE, LEEWAY = 600, 30
KINDS = pytest.mark.parametrize("kind", ["sdk", "fastmcp"])


@pytest.fixture
def ticking():
    return Time()


@pytest.fixture
def scheme(issuer, ticking):
    settings = OAuth2Settings(issuer=issuer.url, resource=RESOURCE, leeway=LEEWAY)
    return OAuth2BearerScheme(
        authenticator=Authenticator(settings, documents=issuer, wall_clock=ticking.now, sleep=ticking.sleep)
    )


@pytest.fixture
def clockwork(scheme, issuer, ticking):
    return scheme, issuer, ticking


class Seen:
    """An app that tells when an answer begins, and how it went on."""

    def __init__(self, app):
        self.app = app
        self.begun = asyncio.Event()
        self.messages = []

    async def __call__(self, scope, receive, send):
        async def watched(message):
            self.messages.append(message)
            self.begun.set()
            await send(message)

        await self.app(scope, receive, watched)


@asynccontextmanager
async def served(scheme, server, **options):
    app = FastAPI()
    app.include_router(mcp_router(server, auth=scheme, scopes=ToolScopes(default="method"), **options))
    async with app.router.lifespan_context(app):
        seen = Seen(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(seen), base_url="https://api.example.com") as client:
            yield client, seen


def server_of(kind):
    return MCPServer("streams") if kind == "sdk" else FastMCP("streams")


def open_stream(caller, wire):
    """A GET of a session, or `subscriptions/listen` of the wire without sessions."""
    if wire == MODERN:
        return caller.rpc("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    return caller.client.get("/mcp", headers={**caller.headers, "MCP-Protocol-Version": wire})


async def opened(seen, request):
    """The request in flight, whose answer has begun."""
    seen.begun.clear()
    seen.messages.clear()
    task = asyncio.create_task(request)
    async with asyncio.timeout(10):
        await seen.begun.wait()
    assert not task.done()
    return task


WIRES = [
    pytest.param("sdk", "2025-11-25", id="sdk-GET"),
    pytest.param("fastmcp", "2025-11-25", id="fastmcp-GET"),
    pytest.param("sdk", MODERN, id="sdk-listen"),
]


@pytest.mark.parametrize(("kind", "wire"), WIRES)
async def test_f11_a_stream_ends_with_its_token_and_is_opened_again_with_a_fresh_one(clockwork, kind, wire, caplog):
    scheme, issuer, ticking = clockwork
    caplog.set_level(logging.INFO)
    async with served(scheme, server_of(kind), json_response=True) as (client, seen):
        alice = Caller(client, issuer, wire, exp=ticking.after(LIFE))
        if wire != MODERN:
            await alice.initialize()
        stream = await opened(seen, open_stream(alice, wire))
        # Not before: at its expiry the leeway still counts.
        ticking.advance(LIFE)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not stream.done()
        assert max(ticking.asked) == 60
        ticking.advance(LEEWAY)
        async with asyncio.timeout(10):
            answer = await stream
        assert answer.status_code == 200
        assert seen.messages[0]["type"] == "http.response.start"
        assert seen.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
        assert [record.getMessage() for record in caplog.records if "ended with its token" in record.getMessage()] == [
            "a stream ended with its token: client=client subject=alice"
        ]
        assert (await open_stream(alice, wire)).status_code == 401
        # The session goes on, for whoever it belongs to.
        fresh = Caller(client, issuer, wire, exp=ticking.after(3 * LIFE))
        if wire != MODERN:
            fresh.headers["Mcp-Session-Id"] = alice.headers["Mcp-Session-Id"]
        again = await opened(seen, open_stream(fresh, wire))
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


@KINDS
@pytest.mark.parametrize("wire", ["2025-11-25", MODERN])
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "events"])
async def test_f11_the_answer_to_a_single_call_may_finish(clockwork, kind, wire, as_json):
    scheme, issuer, ticking = clockwork
    server, running, go = server_of(kind), asyncio.Event(), asyncio.Event()

    @server.tool()
    async def long() -> str:
        running.set()
        await go.wait()
        return "finished"

    async with served(scheme, server, json_response=as_json, stateless_http=True) as (client, _):
        alice = Caller(client, issuer, wire, exp=ticking.after(LIFE))
        task = asyncio.create_task(alice.rpc(*call("long")))
        async with asyncio.timeout(10):
            await running.wait()
            ticking.advance(LIFE + 2 * LEEWAY)
            assert (await alice.rpc("tools/list")).status_code == 401
            go.set()
            assert "finished" in (await task).text


async def test_f11_whatever_ends_a_token_ends_its_streams(issuer):
    """Expiry is one cause; a list of revoked tokens is asked by the same method."""
    revoked = asyncio.Event()

    class Revoking(Authenticator):
        async def token_end(self, token):
            assert token.subject == "alice"
            await revoked.wait()

    settings = OAuth2Settings(issuer=issuer.url, resource=RESOURCE)
    scheme = OAuth2BearerScheme(authenticator=Revoking(settings, documents=issuer))
    async with served(scheme, server_of("sdk"), json_response=True) as (client, seen):
        stream = await opened(seen, open_stream(Caller(client, issuer, MODERN), MODERN))
        revoked.set()
        async with asyncio.timeout(10):
            assert (await stream).status_code == 200


async def test_f11_a_stream_that_had_not_begun_is_refused_as_its_token_would_be(scheme, issuer, ticking):
    waiting = asyncio.Event()

    async def silent(scope, receive, send):
        if scope["type"] == "http":
            waiting.set()
            await asyncio.Event().wait()

    async with served(scheme, silent) as (client, _):
        alice = Caller(client, issuer, exp=ticking.after(LIFE))
        task = asyncio.create_task(client.get("/mcp", headers=alice.headers))
        async with asyncio.timeout(10):
            await waiting.wait()
            await asyncio.to_thread(ticking.waited.wait, 10)
            ticking.advance(LIFE + LEEWAY)
            answer = await task
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_f11_a_stream_that_ends_by_itself_is_left_as_it_is(scheme, issuer, ticking):
    async def short(scope, receive, send):
        if scope["type"] == "http":
            await PlainTextResponse("short")(scope, receive, send)

    async with served(scheme, short) as (client, seen):
        alice = Caller(client, issuer, exp=ticking.after(LIFE))
        assert (await client.get("/mcp", headers=alice.headers)).text == "short"
        ticking.advance(LIFE + LEEWAY)
        for _ in range(20):
            await asyncio.sleep(0)
    assert [message["type"] for message in seen.messages] == ["http.response.start", "http.response.body"]


async def _stays(send, stop):
    """Keeps answering although it is cancelled."""
    while not stop.is_set():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await send({"type": "http.response.body", "body": b"late", "more_body": True})
            finally:
                await stop.wait()


async def _leaves_a_child(send, stop):
    """Answers from a task that nobody cancels."""

    async def child():
        await stop.wait()
        await send({"type": "http.response.body", "body": b"late", "more_body": True})

    _leaves_a_child.task = asyncio.create_task(child())
    await asyncio.Event().wait()


@pytest.mark.parametrize("way", [_stays, _leaves_a_child])
async def test_f11_the_stream_is_over_for_the_client_whatever_the_app_does(scheme, issuer, ticking, way, monkeypatch):
    monkeypatch.setattr(streams, "_STOPS_WITHIN", 0)
    stop = asyncio.Event()

    async def stubborn(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"early", "more_body": True})
            await way(send, stop)

    async with served(scheme, stubborn) as (client, seen):
        alice = Caller(client, issuer, exp=ticking.after(LIFE))
        stream = await opened(seen, client.get("/mcp", headers=alice.headers))
        await asyncio.to_thread(ticking.waited.wait, 10)
        ticking.advance(LIFE + LEEWAY)
        async with asyncio.timeout(10):
            assert (await stream).text == "early"
        stop.set()
        if way is _leaves_a_child:
            with pytest.raises(TokenOverError):
                await _leaves_a_child.task
        for _ in range(20):
            await asyncio.sleep(0)
    assert [message.get("body") for message in seen.messages] == [None, b"early", b""]


async def test_f11_an_error_of_the_app_is_not_taken_for_the_end_of_the_token(scheme, issuer):
    async def broken(scope, receive, send):
        if scope["type"] == "http":
            raise TimeoutError("of its own")

    async with served(scheme, broken) as (client, _):
        with pytest.raises(TimeoutError, match="of its own"):
            await client.get("/mcp", headers=Caller(client, issuer).headers)


@KINDS
async def test_f11_a_token_made_by_hand_has_no_end(scheme, issuer, ticking, kind):
    """`AccessToken(subject=...)` in a test has no expiry; its streams last as long as the client likes."""
    app = FastAPI()
    app.include_router(mcp_router(server_of(kind), auth=scheme, json_response=True))
    app.dependency_overrides[scheme] = lambda: AccessToken(subject="alice")
    async with app.router.lifespan_context(app):
        seen = Seen(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(seen), base_url="https://api.example.com") as client:
            alice = Caller(client, issuer)
            await alice.initialize()
            stream = await opened(seen, open_stream(alice, "2025-11-25"))
            ticking.advance(10**9)
            for _ in range(20):
                await asyncio.sleep(0)
            assert not stream.done()
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)


@KINDS
def test_f11_over_a_real_connection_the_stream_ends_cleanly(scheme, issuer, ticking, kind):
    """What the client sees is the end of a stream, not a broken connection."""
    app = FastAPI()
    app.include_router(mcp_router(server_of(kind), auth=scheme, json_response=True))
    with (
        LoopbackServer(app) as server,
        httpx.Client(base_url=server.url, headers={"Host": "api.example.com"}, timeout=10) as client,
    ):
        headers = {**issuer.bearer(exp=ticking.after(LIFE)), "Accept": "application/json, text/event-stream"}
        info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        begun = client.post("/mcp", headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info})
        headers["Mcp-Session-Id"] = begun.headers["mcp-session-id"]
        client.post("/mcp", headers=headers, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        with client.stream("GET", "/mcp", headers=headers) as answer:
            assert answer.status_code == 200
            assert ticking.waited.wait(10)
            ticking.advance(LIFE + LEEWAY)
            # To its end, which is there.
            answer.read()
        fresh = {**headers, **issuer.bearer(exp=ticking.after(3 * LIFE))}
        message = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert client.post("/mcp", headers=headers, json=message).status_code == 401
        assert client.post("/mcp", headers=fresh, json=message).status_code == 200


@pytest.fixture
def sockets(scheme):
    """An app with a WebSocket that lasts, and one that says goodbye."""
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket, token: Annotated[AccessToken, Security(scheme)]):
        await websocket.accept()
        async with scheme.until_expiry(token):
            while True:
                await websocket.send_text(f"{token.subject}: {await websocket.receive_text()}")

    @app.websocket("/polite")
    async def polite(websocket: WebSocket, token: Annotated[AccessToken, Security(scheme)]):
        await websocket.accept()
        try:
            async with scheme.until_expiry(token):
                await asyncio.Event().wait()
        except WebSocketException as over:
            await websocket.send_text("goodbye")
            await websocket.close(over.code, over.reason)

    return app


def connect(server, path, token):
    address = server.url.replace("http:", "ws:") + path
    return websockets.connect(address, additional_headers={"Authorization": f"Bearer {token}"})


async def test_f11_a_websocket_is_closed_when_its_token_ends(sockets, issuer, ticking):
    with LoopbackServer(sockets) as server:
        async with (
            asyncio.timeout(20),
            connect(server, "/echo", issuer.token(subject="alice", exp=ticking.after(LIFE))) as socket,
        ):
            await socket.send("one")
            assert await socket.recv() == "alice: one"
            assert await asyncio.to_thread(ticking.waited.wait, 10)
            ticking.advance(LIFE)
            await socket.send("two")
            assert await socket.recv() == "alice: two"
            ticking.advance(LEEWAY)
            with pytest.raises(websockets.ConnectionClosedError) as closed:
                await socket.recv()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "invalid_token")


async def test_f11_a_websocket_may_say_goodbye(sockets, issuer, ticking):
    with LoopbackServer(sockets) as server:
        async with (
            asyncio.timeout(20),
            connect(server, "/polite", issuer.token(subject="alice", exp=ticking.after(LIFE))) as socket,
        ):
            assert await asyncio.to_thread(ticking.waited.wait, 10)
            ticking.advance(LIFE + LEEWAY)
            assert await socket.recv() == "goodbye"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd.code == 1008


async def test_f11_a_websocket_that_the_client_closes_leaves_nothing_waiting(sockets, issuer, ticking):
    with LoopbackServer(sockets) as server:
        async with asyncio.timeout(20), connect(server, "/echo", issuer.token(exp=ticking.after(LIFE))) as socket:
            await socket.send("one")
            await socket.recv()
        ticking.advance(LIFE + LEEWAY)


async def waiting_block(scheme, ticking):
    """A task that waits inside of a block that ends with a token."""
    token = AccessToken(subject="alice", expires_at=ticking.now() + LIFE)

    async def work():
        async with until_over(scheme.authenticator, token):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.to_thread(ticking.waited.wait, 10)
    return task


async def test_the_end_of_a_token_cancels_only_the_block(scheme, ticking):
    task = await waiting_block(scheme, ticking)
    ticking.advance(LIFE + LEEWAY)
    with pytest.raises(TokenOverError):
        await task
    assert not task.cancelled()


async def test_a_token_that_is_over_already_lets_nothing_wait(scheme, ticking):
    token = AccessToken(subject="alice", expires_at=ticking.now() - LEEWAY)
    with pytest.raises(TokenOverError):
        async with until_over(scheme.authenticator, token):
            await asyncio.Event().wait()
    assert ticking.asked == []


async def test_a_clock_that_is_set_forward_is_noticed_within_a_minute(scheme, ticking):
    token = AccessToken(subject="alice", expires_at=ticking.now() + 10**6)
    end = asyncio.create_task(scheme.authenticator.token_end(token))
    await asyncio.to_thread(ticking.waited.wait, 10)
    assert ticking.asked == [60]
    ticking.advance(10**6 + LEEWAY)
    async with asyncio.timeout(10):
        await end


async def test_a_cancelled_wait_is_cancelled_and_not_over(scheme, ticking):
    task = await waiting_block(scheme, ticking)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@KINDS
async def test_tasks_of_a_dependency_run_after_the_answer(scheme, issuer, kind):
    ran = []

    def asks(tasks: BackgroundTasks):
        tasks.add_task(lambda: ran.append([message["type"] for message in seen.messages]))

    app = FastAPI(dependencies=[Depends(asks)])
    app.include_router(mcp_router(server_of(kind), auth=scheme, json_response=True, stateless_http=True))
    seen = Seen(app)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(seen), base_url="https://api.example.com")
    async with app.router.lifespan_context(app), client:
        assert (await Caller(client, issuer).rpc("tools/list")).status_code == 200
        assert ran == [["http.response.start", "http.response.body"]]
        assert (await client.post("/mcp", content=b"{}")).status_code == 401
        assert len(ran) == 1
