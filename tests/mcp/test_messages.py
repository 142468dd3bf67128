"""A body is handed on byte for byte, or not at all."""

import asyncio
import json
from base64 import b64encode
from typing import Annotated

import pytest
from fastapi import Body, Depends, FastAPI
from mcp_support import MODERN, build, result, text_of
from messages import BAD, CALL, RULES, text
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from mcp_oauth2_deps.mcp import mcp_router


class Recorder:
    """An engine that keeps what reached it."""

    def __init__(self):
        self.bodies = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        message = await receive()
        assert message["more_body"] is False
        self.bodies.append(message["body"])
        await PlainTextResponse("seen")(scope, receive, send)


@pytest.mark.parametrize(("body", "rule", "message_id"), BAD)
async def test_a_body_that_is_not_one_message_is_400_and_never_handed_on(serve, body, rule, message_id):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        answer = await caller().post(body)
    assert answer.status_code == 400
    code, sentence = RULES[rule]
    assert answer.json() == {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": sentence}}
    assert engine.bodies == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/jsonp",
        "",
        "application/json, text/plain",
    ],
)
async def test_another_content_type_is_400(serve, content_type):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        answer = await caller().post(json.dumps(CALL), **{"Content-Type": content_type})
    assert (answer.status_code, engine.bodies) == (400, [])


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"']
)
async def test_json_in_utf_8_is_taken(serve, content_type):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        assert (await caller().post(json.dumps(CALL), **{"Content-Type": content_type})).text == "seen"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "", "x"])
async def test_a_compressed_body_is_400_unread_by_the_engine(serve, encoding):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        answer = await caller().post(json.dumps(CALL), **{"Content-Encoding": encoding})
    assert (answer.status_code, engine.bodies) == (400, [])
    assert "Content-Encoding" in answer.json()["error"]["message"]


async def test_a_body_said_to_be_as_it_is_is_taken(serve):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        assert (await caller().post(json.dumps(CALL), **{"Content-Encoding": "Identity"})).text == "seen"


async def test_a_body_over_the_limit_is_400_whatever_length_it_declares(make_scheme, issuer):
    import httpx
    from mcp_support import Caller

    engine, app = Recorder(), FastAPI()
    app.include_router(mcp_router(engine, auth=make_scheme(max_body_size=200)))

    async def in_parts(body):
        for start in range(0, len(body), 50):
            yield body[start : start + 50]

    small = text(params={"name": "plain", "arguments": {}}).encode()
    fits, large = small + b" " * (200 - len(small)), small + b" " * (201 - len(small))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="https://a.example") as client:
        caller = Caller(client, issuer)
        assert [(await caller.post(body)).status_code for body in (fits, large)] == [200, 400]
        assert [(await caller.post(in_parts(body))).status_code for body in (fits, large)] == [200, 400]
    assert engine.bodies == [fits, fits]


async def test_a_message_is_handed_on_byte_for_byte(serve):
    engine = Recorder()
    bodies = [
        b' {"jsonrpc":"2.0" , "id":"\\u0041", "method":"notifications/x"}\n',
        '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"é":1e2}}'.encode(),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":0,"result":{}}',
        b'{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"}}',
    ]
    async with serve(engine, {}) as caller:
        for body in bodies:
            assert (await caller().post(body)).text == "seen"
    assert engine.bodies == bodies


@pytest.mark.parametrize("version", [None, "2025-06-18", MODERN])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Mcp-Method", "tools/list")], id="another method"),
        pytest.param([("Mcp-Method", "TOOLS/CALL")], id="the method in capitals"),
        pytest.param([("Mcp-Method", "")], id="an empty method"),
        pytest.param([("Mcp-Name", "whoami")], id="another name"),
        pytest.param([("Mcp-Name", "Plain")], id="the name in another case"),
        pytest.param([("Mcp-Name", "=?base64?d2hvYW1p?=")], id="another name, encoded"),
        pytest.param([("Mcp-Name", "=?base64?!?=")], id="a name that cannot be decoded"),
        pytest.param([("Mcp-Name", "=?base64?cGxhaW5=?=")], id="a name in no canonical base64"),
        pytest.param([("Mcp-Name", "=?base64?/w==?=")], id="a name in no UTF-8"),
        pytest.param([("Mcp-Name", "plain"), ("Mcp-Name", "whoami")], id="two names"),
        pytest.param([("Mcp-Method", "tools/call"), ("Mcp-Method", "tools/list")], id="two methods"),
    ],
)
async def test_mirrored_headers_that_contradict_the_body_are_400_whatever_the_version(serve, headers, version):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        one = caller()
        sent = [*one.headers.items(), *headers, *([("MCP-Protocol-Version", version)] if version else [])]
        answer = await one.client.post("/mcp", content=json.dumps(CALL), headers=sent)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["id"]) == (-32020, 7)
    assert engine.bodies == []


@pytest.mark.parametrize(
    ("message", "name", "status"),
    [
        ({}, "plain", 200),
        ({}, f"=?base64?{b64encode(b'plain').decode()}?=", 200),
        (
            {"method": "resources/read", "params": {"uri": "file:///é"}},
            f"=?base64?{b64encode('file:///é'.encode()).decode()}?=",
            200,
        ),
        ({"method": "tasks/get", "params": {"taskId": "t1"}}, "t1", 200),
        ({"method": "tasks/get", "params": {"taskId": "t1"}}, "t2", 400),
        ({"method": "tools/list", "params": {}}, "plain", 400),
    ],
)
async def test_mirrored_headers_that_say_the_same_pass(serve, message, name, status):
    engine = Recorder()
    async with serve(engine, {}) as caller:
        answer = await caller().post(json.dumps({**CALL, **message}), **{"Mcp-Name": name})
    assert (answer.status_code, len(engine.bodies)) == (status, status == 200)


async def test_the_name_in_the_body_decides_not_the_one_in_the_header(kind, serve):
    """With an old revision engines do not look at the header: it must not lend its rights to the body."""
    async with serve(build(kind), json_response=True, stateless_http=True) as caller:
        answer = await caller().rpc("tools/call", {"name": "listed", "arguments": {}}, **{"Mcp-Name": "plain"})
        assert answer.status_code == 400
        assert text_of(await caller().rpc("tools/call", {"name": "plain", "arguments": {}}, **{"Mcp-Name": "plain"})) == "plain"


async def test_a_refused_message_leaves_one_log_line_without_its_text(serve, caplog):
    caplog.set_level("INFO", "mcp_oauth2_deps")
    async with serve(Recorder(), {}) as caller:
        one = caller()
        await one.post('{"secret-text"')
    lines = [record.getMessage() for record in caplog.records if "400" in record.getMessage()]
    assert len(lines) == 1
    assert "subject=alice" in lines[0]
    assert "secret-text" not in caplog.text
    assert one.headers["Authorization"][-12:] not in caplog.text


async def test_a_list_is_answered_by_the_real_engine(kind, serve):
    async with serve(build(kind), json_response=True, stateless_http=True) as caller:
        assert {tool["name"] for tool in result(await caller().rpc("tools/list"))["tools"]} >= {"plain", "listed"}


async def test_the_log_of_a_refused_message_keeps_to_one_line_of_plain_text(serve, caplog):
    caplog.set_level("INFO", "mcp_oauth2_deps")
    async with serve(Recorder(), {}) as caller:
        await caller(subject="bob\nINFO: forged", client_id="c\x1b[31m").post("x")
    (line,) = [record.getMessage() for record in caplog.records if "refused with 400" in record.getMessage()]
    assert line.isprintable()
    assert "forged" in line


async def test_a_large_body_is_read_beside_the_loop(serve):
    engine = Recorder()
    body = text(params={"name": "plain", "arguments": {"text": "x" * 100_000}}).encode()
    async with serve(engine, {}) as caller:
        assert (await caller().post(body)).text == "seen"
        assert (await caller().post(body[:-1])).status_code == 400
    assert engine.bodies == [body]


async def _raw(request: Request):
    await request.body()


async def _parsed(message: Annotated[dict, Body()]):
    assert message["jsonrpc"] == "2.0"


@pytest.mark.parametrize("read", [_raw, _parsed])
async def test_a_body_that_a_dependency_has_read_is_handed_on_all_the_same(serve, read):
    """Asked for once more, the server that read it would wait until the client leaves."""
    engine = Recorder()
    body = text(params={"name": "plain", "arguments": {}}).encode()
    async with serve(engine, {}, include={"dependencies": [Depends(read)]}) as caller, asyncio.timeout(10):
        assert (await caller().post(body)).text == "seen"
    assert engine.bodies == [body]


async def test_a_body_that_breaks_off_is_not_handed_on(auth, issuer):
    engine, app, sent = Recorder(), FastAPI(), []
    app.include_router(mcp_router(engine, auth=auth))
    parts = [{"type": "http.request", "body": json.dumps(CALL).encode(), "more_body": True}, {"type": "http.disconnect"}]
    fields = [(b"authorization", issuer.bearer()["Authorization"].encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": fields}

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert (sent[0]["status"], engine.bodies) == (400, [])
