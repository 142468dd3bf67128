"""Streams that a client would like to keep when the token that opened them is over (F11), over raw sockets; and tasks that go on.

The server runs in this process, so that its clock is the test's: nothing here waits for time to pass.
"""

import asyncio
import json
import logging
import os
import socket
from contextlib import ExitStack
from typing import Annotated

import pytest
from attack_support import HOST, Wire, refused
from fastapi import FastAPI, Security, WebSocket
from fastmcp import Context, FastMCP
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer
from mcp_support import MODERN
from reasons import reasons_in, reasons_inside
from ticking import Time

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router, scopes
from mcp_oauth2_deps.testing import LoopbackServer

RESOURCE = "https://api.example.com/mcp"
LIFE, LEEWAY = 600, 30
SESSION = "2025-11-25"
GOLD = "what a task reaches"
WAYS = {
    "function": None,
    "tool": lambda server: server.call_tool("open", {}),
    "the same tool": lambda server: server.call_tool("leave", {"way": "tool"}),
    "resource": lambda server: server.read_resource("open://x"),
    "prompt": lambda server: (server.get_prompt if isinstance(server, MCPServer) else server.render_prompt)("open"),
}
ACCEPT = b"Accept: application/json, text/event-stream"
END = b"0\r\n\r\n"
EXPIRED = "expired (exp)"


class Target:
    """A server with a stream of each kind, and what an attacker needs to keep one."""

    def __init__(self, kind, issuer, caplog):
        self.time, self.issuer, self._log = Time(), issuer, caplog
        settings = OAuth2Settings(issuer=issuer.url, resource=RESOURCE, leeway=LEEWAY)
        authenticator = Authenticator(settings, documents=issuer, wall_clock=self.time.now, sleep=self.time.sleep)
        self.scheme = OAuth2BearerScheme(authenticator=authenticator)
        self.app = FastAPI()
        server = MCPServer("streams") if kind == "sdk" else FastMCP("streams")
        self.later = []
        self._fill(server, SDKContext if kind == "sdk" else Context)
        self.app.include_router(mcp_router(server, auth=self.scheme, scopes=ToolScopes(default="method"), json_response=True))
        self.app.websocket("/echo")(self._echo())
        self.old = issuer.token(subject="alice", exp=self.time.after(LIFE))
        self.fresh = issuer.token(subject="alice", exp=self.time.after(10 * LIFE))
        self.port = 0
        self._connections = ExitStack()

    def _fill(self, server, context_type):
        """Things that are open to all who have a good token, and a tool whose tasks go on when it has answered."""
        guarded = scopes()(lambda: GOLD)

        async def leave(way: str, ctx: context_type) -> str:
            gate = asyncio.Event()
            loop = asyncio.get_running_loop()

            async def work():
                await gate.wait()
                return guarded() if way == "function" else await WAYS[way](getattr(ctx, "fastmcp", None) or ctx.mcp_server)

            task = asyncio.create_task(work())

            async def outcome():
                gate.set()
                return await task

            self.later.append(lambda: asyncio.run_coroutine_threadsafe(outcome(), loop).result(10))
            return "left"

        server.tool(name="leave")(leave)
        server.tool(name="open")(lambda: GOLD)
        server.resource("open://x", name="x")(lambda: GOLD)
        server.prompt(name="open")(lambda: GOLD)

    def _echo(self):
        async def echo(websocket: WebSocket, token: Annotated[AccessToken, Security(self.scheme)]):
            await websocket.accept()
            async with self.scheme.until_expiry(token):
                while True:
                    await websocket.send_text(await websocket.receive_text())

        return echo

    def connect(self, request):
        """A connection that has sent this."""
        return self._connections.enter_context(Connection(self.port, request))

    def close(self):
        """Closes all connections."""
        self._connections.close()

    def over(self):
        """The time at which the old token counts no more has come, and whoever waits for it knows."""
        assert self.time.waited.wait(10)
        self.time.advance(LIFE + LEEWAY)

    def said(self):
        """The lines of the log since it was read last."""
        lines = [record.getMessage() for record in self._log.records if record.name.startswith("mcp_oauth2_deps")]
        self._log.clear()
        return lines

    def ask(self, token, *lines, method=b"GET", body=b"", version=SESSION):
        """The answer to a request of its own connection, with the reasons of its refusal."""
        fields = [ACCEPT, b"MCP-Protocol-Version: " + version.encode(), *lines]
        if body:
            fields.append(b"Content-Type: application/json")
        self.said()
        answer = Wire(self.port).bearer(token, *fields, method=method, target=b"/mcp", body=body)
        answer.refusals = reasons_in(self.said())
        return answer

    def session(self):
        """The field that names a session which the old token opened."""
        info = {"protocolVersion": SESSION, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        begun = self.ask(self.old, method=b"POST", body=message("initialize", info))
        (name,) = begun.every("mcp-session-id")
        field = b"Mcp-Session-Id: " + name.encode()
        self.ask(self.old, field, method=b"POST", body=b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return field


def message(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def head(method, target, token, *fields, body=b""):
    lines = [b"Host: " + HOST, b"Authorization: Bearer " + token.encode(), ACCEPT, *fields]
    lines.append(b"Content-Length: %d" % len(body))
    return method + b" " + target + b" HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


class Connection:
    """Bytes to the server and back."""

    def __init__(self, port, request):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(request)
        self.came = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def until(self, sought):
        """Reads until this has come."""
        while sought not in self.came:
            part = self.socket.recv(65536)
            assert part, self.came
            self.came += part
        before, _, self.came = self.came.partition(sought)
        return before

    def rest(self):
        """All that comes until the server closes."""
        try:
            while part := self.socket.recv(65536):
                self.came += part
        except ConnectionResetError:
            pass
        return self.came


@pytest.fixture
def target(kind, issuer, caplog):
    caplog.set_level(logging.INFO)
    target = Target(kind, issuer, caplog)
    with LoopbackServer(target.app) as server:
        target.port = server.port
        try:
            yield target
        finally:
            target.close()


def stream_request(target, wire):
    """The request that opens a stream with the old token, and the field that names its session."""
    if wire == "GET":
        session = target.session()
        return head(b"GET", b"/mcp", target.old, session, b"MCP-Protocol-Version: 2025-11-25"), session
    params = {"notifications": {"toolsListChanged": True}, "_meta": _META}
    fields = [b"MCP-Protocol-Version: " + MODERN.encode(), b"Mcp-Method: subscriptions/listen", b"Content-Type: application/json"]
    return head(b"POST", b"/mcp", target.old, *fields, body=message("subscriptions/listen", params)), None


_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
# FastMCP knows no `subscriptions/listen`; its answer ends at once.
STREAMS = [pytest.param(*row, id="-".join(row)) for row in (("sdk", "GET"), ("fastmcp", "GET"), ("sdk", "listen"))]


def nothing(target, stream, session):
    """The client only listens."""


def asks_on(target, stream, session):
    """The client uses its session all the time, with a fresh token."""
    fields = [session] if session else []
    ping = target.ask(target.fresh, *fields, method=b"POST", body=message("ping", {}))
    assert ping.status in (200, 400)


def asks_ahead(target, stream, session):
    """The client has asked for the next stream on the same connection, when its token still was good."""
    stream.socket.sendall(head(b"GET", b"/mcp", target.old, *([session] if session else [])))


def goes_on_sending(target, stream, session):
    """The client sends bytes that belong to no request."""
    stream.socket.sendall(b"\r\n" * 100)


@pytest.mark.parametrize("trick", [nothing, asks_on, asks_ahead, goes_on_sending])
@pytest.mark.parametrize(("kind", "wire"), STREAMS)
def test_f11_no_client_keeps_a_stream_when_its_token_is_over(target, wire, trick):
    request, session = stream_request(target, wire)
    stream = target.connect(request)
    assert b" 200 " in stream.until(b"\r\n\r\n")
    trick(target, stream, session)
    assert not stream.came.endswith(END)
    target.said()
    target.over()
    stream.until(END)
    lines = target.said()
    assert "a stream ended with its token: client=client subject=alice" in lines
    # The same token opens no other, here or on a connection of its own.
    if trick is not asks_ahead:
        stream.socket.sendall(head(b"GET", b"/mcp", target.old, *([session] if session else [])))
    assert b" 401 " in stream.until(b"\r\n\r\n")
    assert reasons_in(lines + target.said()) == [EXPIRED]
    resumed = target.ask(target.old, *([session] if session else []), b"Last-Event-ID: 1")
    refused(resumed, reason=EXPIRED, scope="")


@pytest.mark.parametrize(("kind", "wire"), STREAMS)
def test_control_until_then_it_is_open(target, wire):
    request, _ = stream_request(target, wire)
    stream = target.connect(request)
    assert b" 200 " in stream.until(b"\r\n\r\n")
    assert target.time.waited.wait(10)
    # At its expiry the leeway still counts.
    target.time.advance(LIFE)
    assert target.ask(target.old, method=b"POST", body=message("tools/list", {})).refusals == []
    assert not [line for line in target.said() if "ended with its token" in line]


@pytest.mark.parametrize("kind", ["fastmcp"])
def test_f11_a_listening_that_the_engine_does_not_know_is_no_stream(target):
    request, _ = stream_request(target, "listen")
    answer = Wire(target.port).exchange(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), "POST")
    assert (answer.status, answer.json()["error"]["code"]) == (404, -32601)


def handshake(token):
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    return head(b"GET", b"/echo", token, b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", key)


def frame(opcode, payload, *, last=True):
    """A frame of a client (RFC 6455 section 5.2)."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([opcode | (0x80 if last else 0), 0x80 | len(payload)]) + mask + masked


TEXT, PING = 1, 9
CLOSED = b"\x88\x0f\x03\xf0invalid_token"
FRAMES = {
    "nothing": b"",
    "pings": frame(PING, b"") * 50,
    "a message without an end": frame(TEXT, b"half", last=False),
    "many messages": frame(TEXT, b"one") * 50,
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=list(FRAMES))
@pytest.mark.parametrize("kind", ["sdk"])
def test_f11_no_client_keeps_a_websocket_when_its_token_is_over(target, frames):
    stream = target.connect(handshake(target.old))
    assert b" 101 " in stream.until(b"\r\n\r\n")
    stream.socket.sendall(frame(TEXT, b"first"))
    stream.until(b"\x81\x05first")
    stream.socket.sendall(frames)
    target.over()
    stream.until(CLOSED)
    # A client that does not answer the close, and goes on, is heard by nobody.
    try:
        stream.socket.sendall(frame(TEXT, b"later"))
        stream.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    assert b"later" not in stream.rest()
    target.said()
    again = target.connect(handshake(target.old))
    assert b" 401 " in again.until(b"\r\n")
    assert reasons_in(target.said()) == [EXPIRED]


@pytest.mark.parametrize("kind", ["sdk"])
def test_control_until_then_the_websocket_answers(target):
    stream = target.connect(handshake(target.old))
    stream.until(b"\r\n\r\n")
    assert target.time.waited.wait(10)
    target.time.advance(LIFE)
    stream.socket.sendall(frame(TEXT, b"still"))
    stream.until(b"\x81\x05still")


def left(target, way):
    """A task that a call has left behind, which goes on when it is called."""
    arguments = {"name": "leave", "arguments": {"way": way}}
    answer = target.ask(target.old, target.session(), method=b"POST", body=message("tools/call", arguments))
    assert (answer.status, answer.refusals) == (200, [])
    assert b"left" in answer.body, answer.body
    return target.later.pop()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_f11_a_task_that_outlives_its_token_runs_nothing_guarded(target, way):
    task = left(target, way)
    target.said()
    target.time.advance(LIFE + LEEWAY)
    with pytest.raises(InsufficientScopeError) as caught:
        task()
    assert caught.value.reason == "token_over"
    assert "has expired" in str(caught.value)
    assert reasons_inside(target.said()) == ["token_over"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_control_until_then_it_runs_what_it_likes(target, way):
    task = left(target, way)
    target.time.advance(LIFE + LEEWAY - 1)
    assert ("left" if way == "the same tool" else GOLD) in repr(task())
    assert reasons_inside(target.said()) == []
