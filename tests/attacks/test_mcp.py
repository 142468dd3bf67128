"""MCP routes: what a message says decides, in its one reading, and only before the engine sees it (rules F1 to F4, F7)."""

import json

import pytest
from attack_support import refused
from attacked_app import SECRET
from messages import BAD, CALL, text

JSON = b"Content-Type: application/json"
ACCEPT = b"Accept: application/json, text/event-stream"
SCOPES = "mcp:use"


def post(wire, token, body, *fields, kind=JSON, target=b"/mcp", **more):
    body = body.encode() if isinstance(body, str) else body
    return wire.bearer(token, ACCEPT, kind, *fields, method=b"POST", target=target, body=body, **more)


@pytest.fixture
def token(forge):
    return forge.token(scope="mcp:use files:read")


def call(tool, **arguments):
    return json.dumps({**CALL, "params": {"name": tool, "arguments": arguments}})


def read(uri, method="resources/read"):
    return json.dumps({**CALL, "method": method, "params": {"uri": uri}})


def malformed(answer, code, message_id=None):
    """A refusal of a body: 400, a JSON-RPC error with a fixed sentence, and nothing of the body but its id."""
    assert answer.status == 400, answer.raw[:500]
    assert answer.seconds < 5
    error = answer.json()["error"]
    assert answer.json() == {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": error["message"]}}
    assert error["message"].isascii()


@pytest.mark.parametrize(("body", "code", "message_id"), BAD)
def test_a_body_that_is_not_one_message_is_refused(wire, token, body, code, message_id):
    malformed(post(wire, token, body), code, message_id)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", json.dumps(CALL).encode(), b'{"jsonrpc": "2.0", "id": "evil"}'])
@pytest.mark.parametrize("authorization", [None, "x", "expired", "elsewhere", "two"])
def test_f1_a_body_is_not_judged_before_the_token(wire, forge, body, authorization):
    good = f"Bearer {forge.token()}".encode()
    values = {
        None: [],
        "x": [b"Bearer x"],
        "expired": [b"Bearer " + forge.token(exp=1).encode()],
        "elsewhere": [b"Bearer " + forge.token(aud="https://x").encode()],
        "two": [good, good],
    }[authorization]
    answer = wire.send(*(b"Authorization: " + value for value in values), JSON, method=b"POST", target=b"/mcp", body=body)
    outcome = {None: (401, None), "two": (400, "invalid_request")}.get(authorization, (401, "invalid_token"))
    refused(answer, *outcome, scope=SCOPES)
    assert b"evil" not in answer.raw


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("target", [b"/mcp", b"/mcp/", b"/mcp?x=1", b"/%6dcp"])
def test_f4_every_method_and_both_paths_are_guarded(wire, forge, method, target):
    refused(wire.send(method=method, target=target), 401, None, scope=SCOPES)
    refused(wire.bearer(forge.token(scope="a"), method=method, target=target), 403, "insufficient_scope", scope=SCOPES)


@pytest.mark.parametrize("target", [b"//mcp", b"/MCP", b"/mcp/x", b"/mcp/../mcp/x", b"/mcp%2f..", b"/mcp%00", b"/x/..%2fmcp"])
def test_f4_no_other_path_reaches_the_engine(wire, token, target):
    answer = post(wire, token, call("plain"), target=target)
    assert answer.status == 404
    assert answer.json() == {"detail": "Not Found"}


KINDS = [
    *(
        b"text/plain",
        b"text/json",
        b"application/json-rpc",
        b"application/jsonp",
        b"application/json; charset=utf-16",
        b"application/json, text/plain",
    ),
    *(
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/json;charset=latin-1",
        b"*/*",
        b"",
        b"json",
    ),
    *(
        b"application/json; charset=utf-8; x=y",
        b"application/vnd.api+json",
        b"application/json;x",
        b"\xff",
        b"application/json\x0b;",
    ),
]


@pytest.mark.parametrize("kind", KINDS)
def test_f3_another_content_type_is_refused(attacked, wire, token, kind):
    answer = post(wire, token, call("plain"), kind=b"Content-Type: " + kind)
    if b"\x0b" in kind:
        assert (answer.status, answer.body) == (400, b"Invalid HTTP request received.")
    else:
        malformed(answer, -32600)


def test_f3_two_content_types_are_refused(wire, token):
    malformed(post(wire, token, call("plain"), b"Content-Type: text/plain"), -32600)


NAMES = [
    *(
        "listed",
        "LISTED",
        "Listed",
        "listed ",
        " listed",
        "listed\0",
        "listed\n",
        "listed/",
        "./listed",
        "listed\u200b",
        "\uff4cisted",
        "l\u0131sted",
    ),
    *("", "x", "../plain", "plain\0listed", "plain,listed", "*", "plain listed", "__proto__", "constructor", "l" * 8000),
]


@pytest.mark.parametrize("name", NAMES)
def test_f2_a_tool_without_the_scope_or_the_rule_is_denied(wire, token, name):
    """Tools have rules, so a name without one is denied; a name that only looks like another has none."""
    refused(post(wire, token, call(name)), 403, "insufficient_scope", scope=SCOPES)


ESCAPES = {
    "an escape in the name": call("listed").replace('"listed"', '"\\u006cisted"'),
    "an escape in the method": call("listed").replace("tools/call", "tools\\/call"),
    "an escape in the member": call("listed").replace('"name"', '"n\\u0061me"'),
    "white space": json.dumps(json.loads(call("listed")), indent=8),
    "a task": json.dumps({**CALL, "params": {"name": "listed", "arguments": {}, "task": {}}}),
    "another member like it": json.dumps(
        {**CALL, "Method": "tools/list", "params": {"name": "listed", "Name": "plain", "arguments": {}}}
    ),
    "a name in the arguments": json.dumps({**CALL, "params": {"name": "listed", "arguments": {"name": "plain"}}}),
}


@pytest.mark.parametrize("body", ESCAPES.values(), ids=list(ESCAPES))
def test_f3_another_spelling_of_a_call_needs_no_less(wire, token, body):
    refused(post(wire, token, body), 403, "insufficient_scope", scope="mcp:use tools:listed")


URIS = [
    *(
        "file:///secret/text/x",
        "FILE:///secret/text/x",
        "File:///secret/text/x",
        "file://SECRET/text/x",
        "file:///secret/text/%78",
    ),
    *(
        "file:///%73ecret/text/x",
        "file:///%2573ecret/text/x",
        "file:///./secret/text/x",
        "file:///public/../secret/text/x",
        "file:////secret/text/x",
    ),
    *(
        "file:///secret//text/x",
        "file:///secret/./text/x",
        "file:///secret/x/../text/x",
        "file:///public/%2e%2e/secret/text/x",
        "file:///secret%2ftext/x",
    ),
    *(
        "file:///\\secret/text/x",
        "file:\\\\\\secret\\text\\x",
        "file:///secret/text/x?y",
        "file:///secret/text/x#y",
        "file:///secret/text/\0",
    ),
    *(
        "file:///secret/text/a/b",
        "file:///secret/text/x\n",
        " file:///secret/text/x",
        "file:/secret/text/x",
        "file:secret/text/x",
    ),
    *(
        "file://localhost/secret/text/x",
        "file:///Secret/text/x",
        "file:///s\u00adecret/text/x",
        "file:///\uff53ecret/text/x",
        "file:///secret\\text/x",
    ),
    *(
        "file:///public/..%2fsecret/text/x",
        "file:///public/..\\secret/text/x",
        "file:///public/%252e%252e/secret/text/x",
        "file://x@/secret/text/x",
    ),
]


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "completion/complete"])
@pytest.mark.parametrize("target", [b"/mcp", b"/fast"])
def test_f2_no_spelling_of_a_uri_reads_what_needs_more(wire, token, target, method, uri):
    """Whatever is said of the spelling, the text that needs `files:secret` is never in an answer."""
    body = read(uri, method)
    if method == "completion/complete":
        reference = {"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "name", "value": ""}}
        body = json.dumps({**CALL, "method": method, "params": reference})
    answer = post(wire, token, body, target=target)
    assert SECRET.encode() not in answer.raw
    assert answer.seconds < 5
    if answer.status == 200:
        assert "error" in answer.json(), "no such thing at the engine, or it is let in"
    elif answer.status == 403:
        refused(answer, 403, "insufficient_scope", scope=SCOPES)
    else:
        malformed(answer, -32602, 7)


@pytest.mark.parametrize("target", [b"/mcp", b"/fast"])
def test_control_the_secret_is_read_with_its_scope(wire, forge, target):
    answer = post(wire, forge.token(scope="mcp:use files:read files:secret"), read("file:///secret/text/x"), target=target)
    assert answer.status == 200
    assert SECRET.encode() in answer.raw


def test_control_a_tool_is_called(wire, token):
    assert post(wire, token, call("plain")).json()["result"]["content"][0]["text"] == "plain"


MIRRORED = {
    "another method": [b"Mcp-Method: tools/list"],
    "the method in capitals": [b"Mcp-Method: TOOLS/CALL"],
    "an empty method": [b"Mcp-Method:"],
    "two methods": [b"Mcp-Method: tools/call", b"Mcp-Method: tools/list"],
    "the method twice": [b"Mcp-Method: tools/call", b"Mcp-Method: tools/call"],
    "two methods and a comma": [b"Mcp-Method: tools/call, tools/list"],
    "another name": [b"Mcp-Name: listed"],
    "the name in capitals": [b"Mcp-Name: PLAIN"],
    "an empty name": [b"Mcp-Name:"],
    "the name twice": [b"Mcp-Name: plain", b"Mcp-Name: plain"],
    "the name quoted": [b'Mcp-Name: "plain"'],
    "another name in base64": [b"Mcp-Name: =?base64?bGlzdGVk?="],
    "lax base64": [b"Mcp-Name: =?base64?cGxhaW4?="],
    "base64 of no UTF-8": [b"Mcp-Name: =?base64?//79?="],
    "empty base64": [b"Mcp-Name: =?base64??="],
    "bytes": [b"Mcp-Name: \xff\xfe"],
    "a hundred names": [b"Mcp-Name: plain"] * 90,
    "percent-encoding": [b"Mcp-Name: pl%61in"],
}


@pytest.mark.parametrize("fields", MIRRORED.values(), ids=list(MIRRORED))
def test_f3_a_field_that_contradicts_the_body_is_refused(wire, token, fields):
    malformed(post(wire, token, call("plain"), *fields), -32020, 7)


@pytest.mark.parametrize("fields", [[b"Mcp-Method: tools/call", b"Mcp-Name: plain"], [b"Mcp-Name: =?base64?cGxhaW4=?="]], ids=str)
def test_control_fields_that_say_what_the_body_says(wire, token, fields):
    assert post(wire, token, call("plain"), *fields).status == 200


def test_f3_fields_in_place_of_a_body_decide_nothing(wire, token):
    answer = post(wire, token, call("listed"), b"Mcp-Method: tools/call", b"Mcp-Name: plain")
    malformed(answer, -32020, 7)


@pytest.mark.parametrize(
    "host", [b"evil.example", b"api.example.com.evil.example", b"127.0.0.1", b"localhost", b"api.example.com:81", b""]
)
def test_dns_rebinding_another_host_is_refused_by_the_engine(wire, token, host):
    answer = post(wire, token, call("plain"), host=host)
    assert answer.status in (400, 421)
    assert b"result" not in answer.body


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://api.example.com", b"https://api.example.com.evil.example"]
)
def test_dns_rebinding_another_origin_is_refused(wire, token, origin):
    answer = post(wire, token, call("plain"), b"Origin: " + origin)
    assert answer.status == 403
    assert b"result" not in answer.body
    assert answer.every("access-control-allow-origin") == []


def test_cwe400_a_body_above_the_limit_is_refused(wire, token):
    malformed(post(wire, token, text(params={"name": "plain", "arguments": {"x": "y" * (4 * 1024 * 1024)}})), -32600)


@pytest.mark.parametrize("filler", ["[]", "{}", "1", '""', '"a"', '{"a":1}'])
def test_cwe400_a_body_of_very_many_values_is_refused(wire, token, filler):
    malformed(post(wire, token, call("plain")[:-1] + ', "x": [' + ",".join([filler] * 400_000) + "]}"), -32700)


@pytest.mark.parametrize("uri", ["file://" + "/secret/" * 100_000, "file:///" + "%25" * 100_000, "file://" + "/../" * 100_000])
def test_cwe1333_a_very_long_uri_is_refused(wire, token, uri):
    malformed(post(wire, token, read(uri)), -32602, 7)


def test_rule_c7_a_token_in_a_body_is_no_credential(wire, forge):
    body = json.dumps({**CALL, "params": {"name": "plain", "arguments": {}, "access_token": forge.token(scope="mcp:use")}})
    refused(wire.send(JSON, method=b"POST", target=b"/mcp", body=body.encode()), 401, None, scope=SCOPES)


def test_rfc9112_7_1_a_body_in_chunks_is_one_body(wire, forge):
    body = call("listed").encode()
    chunks = b"".join(b"1\r\n" + body[place : place + 1] + b"\r\n" for place in range(len(body)))
    head = (
        b"POST /mcp HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer " + forge.token(scope="mcp:use").encode() + b"\r\n" + JSON + b"\r\n" + ACCEPT + b"\r\n\r\n"
    )
    refused(wire.exchange(head + chunks + b"0\r\n\r\n", "POST"), 403, "insufficient_scope", scope="mcp:use tools:listed")
