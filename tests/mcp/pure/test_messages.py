"""Which bodies are one JSON-RPC message of MCP, and what it acts on."""

import json

import pytest
from messages import BAD, RULES

from mcp_oauth2_deps.mcp.messages import Message, MessageError, is_json_content_type, read_message, verify_mirrored_headers


@pytest.mark.parametrize(("body", "rule", "message_id"), BAD)
def test_what_is_not_one_message_is_refused(body, rule, message_id):
    with pytest.raises(MessageError) as caught:
        read_message(body if isinstance(body, bytes) else body.encode())
    assert (caught.value.code, str(caught.value), caught.value.message_id) == (*RULES[rule], message_id)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"id": 1, "method": "ping"}, Message("ping", message_id=1)),
        ({"method": "notifications/initialized"}, Message("notifications/initialized")),
        ({"id": "a", "result": None}, Message(None, message_id="a")),
        ({"id": 0, "error": {}}, Message(None, message_id=0)),
        ({"id": 1, "method": "tools/call", "params": {"name": ""}}, Message("tools/call", "tools", ("",), 1)),
        ({"method": "prompts/get", "params": {"name": "p"}}, Message("prompts/get", "prompts", ("p",))),
        ({"method": "resources/read", "params": {"uri": "u"}}, Message("resources/read", "resources", ("u",))),
        (
            {"method": "completion/complete", "params": {"ref": {"type": "ref/prompt", "name": "p"}}},
            Message("completion/complete", "prompts", ("p",)),
        ),
        (
            {
                "method": "subscriptions/listen",
                "params": {"notifications": {"resourceSubscriptions": ["a"], "resource_subscriptions": ["b"]}},
            },
            Message("subscriptions/listen", "resources", ("a", "b")),
        ),
        (
            {"method": "subscriptions/listen", "params": {"notifications": {"resourceSubscriptions": ["a", "b", "a"] * 9999}}},
            Message("subscriptions/listen", "resources", ("a", "b")),
        ),
        ({"method": "subscriptions/listen"}, Message("subscriptions/listen", "resources")),
        ({"method": "resources/subscribe"}, Message("resources/subscribe", "resources")),
        ({"method": "made/up", "params": {"name": 1}}, Message("made/up")),
    ],
)
def test_a_message_is_read_with_all_that_it_names(members, message):
    assert read_message(json.dumps({"jsonrpc": "2.0", **members}).encode()) == message


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ([], True),
        ([(b"mcp-method", b"tools/call"), (b"mcp-name", b"a"), (b"other", b"b")], True),
        ([(b"mcp-name", b" a ")], True),
        ([(b"mcp-name", b"=?base64?YQ==?=")], True),
        ([(b"mcp-name", b"=?base64?YR==?=")], False),
        ([(b"mcp-name", b"=?base64?Y?=")], False),
        ([(b"mcp-name", b"=?base64?/w==?=")], False),
        ([(b"mcp-name", b"b")], False),
        ([(b"mcp-method", b"tools/list")], False),
        ([(b"mcp-method", b"tools/call"), (b"mcp-method", b"x")], False),
        ([(b"mcp-method", b"tools/call"), (b"mcp-method", b"tools/call")], False),
        ([(b"mcp-name", b"a"), (b"mcp-name", b"a")], False),
    ],
)
def test_mirrored_headers_say_what_the_body_says(headers, fits):
    body = b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a"}}'
    if fits:
        verify_mirrored_headers(headers, read_message(body))
        return
    with pytest.raises(MessageError) as caught:
        verify_mirrored_headers(headers, read_message(body))
    assert (caught.value.code, caught.value.message_id) == (-32020, 5)


@pytest.mark.parametrize(
    ("params", "fits"), [({"taskId": "a"}, True), ({"taskId": "b"}, False), ({"taskId": ["a"]}, False), ({}, False)]
)
def test_the_name_of_an_extension_is_one_of_its_parameters(params, fits):
    body = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tasks/get", "params": params}).encode()
    message = read_message(body)
    if fits:
        verify_mirrored_headers([(b"mcp-name", b"a")], message)
        return
    with pytest.raises(MessageError):
        verify_mirrored_headers([(b"mcp-name", b"a")], message)


@pytest.mark.parametrize(
    ("value", "is_json"),
    [
        ("application/json", True),
        (" application/json ; charset=UTF-8 ", True),
        ("application/json; charset=latin-1", False),
        ("application/json+x", False),
        ("text/json", False),
        ("", False),
    ],
)
def test_the_content_type_is_json_in_utf_8(value, is_json):
    assert is_json_content_type(value) is is_json
