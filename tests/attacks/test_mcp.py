"""MCP routes: what a message says decides, in its one reading, and only before the engine sees it (rules F1 to F4, F7)."""

import json

import pytest
from attack_support import SERVER, not_found, refused
from attacked_app import SECRET
from messages import BAD, CALL, RULES, text

JSON = b"Content-Type: application/json"
ACCEPT = b"Accept: application/json, text/event-stream"
SCOPES = "mcp:use"
# A name without a rule, where others of its kind have one: no scope is missing, because none would help.
NO_RULE = "insufficient_scope"


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


def malformed(answer, *, rule, message_id=None):
    """A refusal of a body: 400, the sentence of its rule in the log and in a JSON-RPC error, nothing of the body but its id."""
    code, sentence = RULES[rule]
    assert (answer.status, answer.refusals) == (400, [sentence]), answer.raw[:500]
    assert answer.seconds < 5
    assert answer.json() == {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": sentence}}


def left_to_the_engine(answer):
    """What no rule refuses, the engine answers."""
    assert answer.refusals == [], answer.raw[:500]
    assert answer.seconds < 5


@pytest.mark.parametrize(("body", "rule", "message_id"), BAD)
def test_a_body_that_is_not_one_message_is_refused(wire, token, body, rule, message_id):
    malformed(post(wire, token, body), rule=rule, message_id=message_id)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", json.dumps(CALL).encode(), b'{"jsonrpc": "2.0", "id": "evil"}'])
@pytest.mark.parametrize("reason", ["missing_credentials", "opaque", "expired (exp)", "audience (aud)", "multiple_credentials"])
def test_f1_a_body_is_not_judged_before_the_token(wire, forge, body, reason):
    good = f"Bearer {forge.token()}".encode()
    values = {
        "missing_credentials": [],
        "opaque": [b"Bearer x"],
        "expired (exp)": [b"Bearer " + forge.token(exp=1).encode()],
        "audience (aud)": [b"Bearer " + forge.token(aud="https://x").encode()],
        "multiple_credentials": [good, good],
    }[reason]
    answer = wire.send(*(b"Authorization: " + value for value in values), JSON, method=b"POST", target=b"/mcp", body=body)
    refused(answer, reason=reason, scope=SCOPES)
    assert b"evil" not in answer.raw


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("target", [b"/mcp", b"/mcp/", b"/mcp?x=1", b"/%6dcp"])
def test_f4_every_method_and_both_paths_are_guarded(wire, forge, method, target):
    refused(wire.send(method=method, target=target), reason="missing_credentials", scope=SCOPES)
    other = forge.token(scope="a")
    refused(wire.bearer(other, method=method, target=target), reason="insufficient_scope (mcp:use)", scope=SCOPES)


@pytest.mark.parametrize("target", [b"//mcp", b"/MCP", b"/mcp/x", b"/mcp/../mcp/x", b"/mcp%2f..", b"/mcp%00", b"/x/..%2fmcp"])
def test_f4_no_other_path_reaches_the_engine(wire, token, target):
    not_found(post(wire, token, call("plain"), target=target))


KINDS = b"""
text/plain text/json application/json-rpc application/jsonp application/x-www-form-urlencoded application/json;charset=latin-1
*/* json application/vnd.api+json application/json;x
"""
SPACED_KINDS = [
    b"application/json; charset=utf-16",
    b"application/json, text/plain",
    b"multipart/form-data; boundary=x",
    b"application/json; charset=utf-8; x=y",
    b"",
    b"\xff",
]


@pytest.mark.parametrize("kind", KINDS.split() + SPACED_KINDS)
def test_f3_another_content_type_is_refused(wire, token, kind):
    malformed(post(wire, token, call("plain"), kind=b"Content-Type: " + kind), rule="content type")


def test_f3_a_content_type_with_a_control_character_does_not_reach_us(wire, token):
    refused(post(wire, token, call("plain"), kind=b"Content-Type: application/json\x0b;"), reason=SERVER)


def test_f3_two_content_types_are_refused(wire, token):
    malformed(post(wire, token, call("plain"), b"Content-Type: text/plain"), rule="content type")


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"x"])
def test_f3_a_compressed_body_is_refused(wire, token, encoding):
    malformed(post(wire, token, call("plain"), b"Content-Encoding: " + encoding), rule="compressed")


def test_f2_a_tool_without_the_scope_is_denied(wire, token):
    refused(post(wire, token, call("listed")), reason="insufficient_scope (tools:listed)", scope="mcp:use tools:listed")


NAMES = "LISTED Listed listed/ ./listed listed\u200b \uff4cisted l\u0131sted x ../plain plain,listed * __proto__ constructor"
SPACED_NAMES = ["listed ", " listed", "listed\0", "listed\n", "plain\0listed", "plain listed", "", "l" * 8000]


@pytest.mark.parametrize("name", NAMES.split() + SPACED_NAMES)
def test_f2_a_tool_without_a_rule_is_denied(wire, token, name):
    """Tools have rules, so a name without one is denied; a name that only looks like another has none."""
    refused(post(wire, token, call(name)), reason=NO_RULE, scope="")


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
    refused(post(wire, token, body), reason="insufficient_scope (tools:listed)", scope="mcp:use tools:listed")


# Each may be taken for the secret by some reader of URIs, so it needs the scope of the secret.
SECRET_URIS = r"""
file:///secret/text/x FILE:///secret/text/x File:///secret/text/x file:///secret/text/%78 file:///%73ecret/text/x
file:///%2573ecret/text/x file:///./secret/text/x file:///public/../secret/text/x file:////secret/text/x file:///secret//text/x
file:///secret/./text/x file:///secret/x/../text/x file:///public/%2e%2e/secret/text/x file:///secret%2ftext/x
file:///\secret/text/x file://localhost/secret/text/x file:///secret/text/x?y file:///secret/text/x#y file:///secret/text/a/b
file:///secret\text/x file:///public/..%2fsecret/text/x file:///public/..\secret/text/x file:///public/%252e%252e/secret/text/x
"""
# Of another scheme or host than any rule.
FOREIGN_URIS = "file://SECRET/text/x file:/secret/text/x file:secret/text/x file://x@/secret/text/x"
# Programs drop control characters and turn backslashes in ways of their own, so nobody knows what is asked for.
REPAIRED_URIS = ["file:///secret/text/\0", "file:///secret/text/x\n", "file:///sec\tret/text/x", r"file:\\\secret\text\x"]
# Paths are case-sensitive, and letters beyond ASCII are others, so `file:///*` fits, and the engine has no such resource.
OTHER_URIS = ["file:///Secret/text/x", "file:///s\u00adecret/text/x", "file:///\uff53ecret/text/x"]
METHODS = ["resources/read", "resources/subscribe", "completion/complete"]
both_engines = pytest.mark.parametrize("target", [b"/mcp", b"/fast"])


def ask_for(wire, token, target, method, uri):
    body = read(uri, method)
    if method == "completion/complete":
        reference = {"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "name", "value": ""}}
        body = json.dumps({**CALL, "method": method, "params": reference})
    answer = post(wire, token, body, target=target)
    assert SECRET.encode() not in answer.raw
    return answer


@pytest.mark.parametrize("uri", [*SECRET_URIS.split(), " file:///secret/text/x"])
@pytest.mark.parametrize("method", METHODS)
@both_engines
def test_f2_no_spelling_of_a_uri_needs_less(wire, token, target, method, uri):
    scope = "mcp:use files:read files:secret"
    refused(ask_for(wire, token, target, method, uri), reason="insufficient_scope (files:secret)", scope=scope)


@pytest.mark.parametrize("uri", FOREIGN_URIS.split() + REPAIRED_URIS)
@pytest.mark.parametrize("method", METHODS)
@both_engines
def test_f2_a_uri_without_a_rule_is_denied(wire, token, target, method, uri):
    refused(ask_for(wire, token, target, method, uri), reason=NO_RULE, scope="")


@pytest.mark.parametrize("uri", OTHER_URIS)
@pytest.mark.parametrize("method", METHODS)
@both_engines
def test_f2_a_uri_that_only_looks_like_another_is_unknown_to_the_engine(wire, token, target, method, uri):
    answer = ask_for(wire, token, target, method, uri)
    left_to_the_engine(answer)
    # Neither engine of these servers subscribes or completes.
    assert (answer.status, answer.json()["error"]["code"]) == (200, -32602 if method == "resources/read" else -32601)


@pytest.mark.parametrize("target", [b"/mcp", b"/fast"])
def test_control_the_secret_is_read_with_its_scope(wire, forge, target):
    answer = post(wire, forge.token(scope="mcp:use files:read files:secret"), read("file:///secret/text/x"), target=target)
    assert answer.status == 200
    assert SECRET.encode() in answer.raw


def test_control_a_tool_is_called(wire, token):
    assert post(wire, token, call("plain")).json()["result"]["content"][0]["text"] == "plain"


METHOD_FIELDS = {
    "another method": b"tools/list",
    "the method in capitals": b"TOOLS/CALL",
    "an empty method": b"",
    "two methods and a comma": b"tools/call, tools/list",
}
NAME_FIELDS = {
    "another name": b"listed",
    "the name in capitals": b"PLAIN",
    "an empty name": b"",
    "the name quoted": b'"plain"',
    "another name in base64": b"=?base64?bGlzdGVk?=",
    "lax base64": b"=?base64?cGxhaW4?=",
    "base64 of no UTF-8": b"=?base64?//79?=",
    "empty base64": b"=?base64??=",
    "bytes": b"\xff\xfe",
    "percent-encoding": b"pl%61in",
}
MIRRORED = {
    "two methods": ([b"Mcp-Method: tools/call", b"Mcp-Method: tools/list"], "Mcp-Method twice"),
    "the method twice": ([b"Mcp-Method: tools/call", b"Mcp-Method: tools/call"], "Mcp-Method twice"),
    "the name twice": ([b"Mcp-Name: plain", b"Mcp-Name: plain"], "Mcp-Name twice"),
    "a hundred names": ([b"Mcp-Name: plain"] * 90, "Mcp-Name twice"),
}
MIRRORED |= {name: ([b"Mcp-Method: " + value], "Mcp-Method") for name, value in METHOD_FIELDS.items()}
MIRRORED |= {name: ([b"Mcp-Name: " + value], "Mcp-Name") for name, value in NAME_FIELDS.items()}


@pytest.mark.parametrize(("fields", "rule"), MIRRORED.values(), ids=list(MIRRORED))
def test_f3_a_field_that_contradicts_the_body_is_refused(wire, token, fields, rule):
    malformed(post(wire, token, call("plain"), *fields), rule=rule, message_id=7)


@pytest.mark.parametrize("fields", [[b"Mcp-Method: tools/call", b"Mcp-Name: plain"], [b"Mcp-Name: =?base64?cGxhaW4=?="]], ids=str)
def test_control_fields_that_say_what_the_body_says(wire, token, fields):
    assert post(wire, token, call("plain"), *fields).status == 200


def test_f3_fields_in_place_of_a_body_decide_nothing(wire, token):
    answer = post(wire, token, call("listed"), b"Mcp-Method: tools/call", b"Mcp-Name: plain")
    malformed(answer, rule="Mcp-Name", message_id=7)


HOSTS = [b"evil.example", b"api.example.com.evil.example", b"127.0.0.1", b"localhost", b"api.example.com:81", b""]
ORIGINS = [b"https://evil.example", b"null", b"http://api.example.com", b"https://api.example.com.evil.example"]


@pytest.mark.parametrize("host", HOSTS)
def test_dns_rebinding_another_host_is_refused_by_the_engine(wire, token, host):
    answer = post(wire, token, call("plain"), host=host)
    left_to_the_engine(answer)
    assert (answer.status, answer.body) == (421, b"Invalid Host header")


@pytest.mark.parametrize("origin", ORIGINS)
def test_dns_rebinding_another_origin_is_refused_by_the_engine(wire, token, origin):
    answer = post(wire, token, call("plain"), b"Origin: " + origin)
    left_to_the_engine(answer)
    assert (answer.status, answer.body) == (403, b"Invalid Origin header")
    assert answer.every("access-control-allow-origin") == []


def test_cwe400_a_body_above_the_limit_is_refused(wire, token):
    malformed(post(wire, token, text(params={"name": "plain", "arguments": {"x": "y" * (4 * 1024 * 1024)}})), rule="size")


@pytest.mark.parametrize("filler", ["[]", "{}", "1", '""', '"a"', '{"a":1}'])
def test_cwe400_a_body_of_very_many_values_is_refused(wire, token, filler):
    malformed(post(wire, token, call("plain")[:-1] + ', "x": [' + ",".join([filler] * 400_000) + "]}"), rule="json")


@pytest.mark.parametrize("uri", ["file://" + "/secret/" * 100_000, "file:///" + "%25" * 100_000, "file://" + "/../" * 100_000])
def test_cwe1333_a_very_long_uri_is_refused(wire, token, uri):
    malformed(post(wire, token, read(uri)), rule="names", message_id=7)


def test_rule_c7_a_token_in_a_body_is_no_credential(wire, forge):
    body = json.dumps({**CALL, "params": {"name": "plain", "arguments": {}, "access_token": forge.token(scope="mcp:use")}})
    refused(wire.send(JSON, method=b"POST", target=b"/mcp", body=body.encode()), reason="missing_credentials", scope=SCOPES)


def test_rfc9112_7_1_a_body_in_chunks_is_one_body(wire, forge):
    body = call("listed").encode()
    chunks = b"".join(b"1\r\n" + body[place : place + 1] + b"\r\n" for place in range(len(body)))
    head = (
        b"POST /mcp HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer " + forge.token(scope="mcp:use").encode() + b"\r\n" + JSON + b"\r\n" + ACCEPT + b"\r\n\r\n"
    )
    answer = wire.exchange(head + chunks + b"0\r\n\r\n", "POST")
    refused(answer, reason="insufficient_scope (tools:listed)", scope="mcp:use tools:listed")
