"""JSON-RPC bodies that are not one message of MCP, with the error code and the id that the answer names."""

import json

import pytest

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "plain", "arguments": {}}}


def text(**changes):
    return json.dumps({**CALL, **changes})


def listen(uris):
    return text(method="subscriptions/listen", params={"notifications": {"resourceSubscriptions": list(uris)}})


BAD = [
    pytest.param("", -32700, None, id="empty"),
    pytest.param("x", -32700, None, id="no JSON"),
    pytest.param("[]", -32700, None, id="empty batch"),
    pytest.param(f"[{json.dumps(CALL)}]", -32700, None, id="batch"),
    pytest.param("null", -32700, None, id="null"),
    pytest.param('"text"', -32700, None, id="a string"),
    pytest.param(json.dumps(CALL) + "{}", -32700, None, id="two objects"),
    pytest.param(json.dumps(CALL)[:-1], -32700, None, id="cut off"),
    pytest.param(json.dumps(CALL)[:-1] + ', "method": "tools/list"}', -32700, None, id="method twice"),
    pytest.param(text(params={}).replace("{}", '{"name": "a", "name": "plain"}'), -32700, None, id="name twice"),
    pytest.param(json.dumps(CALL)[:-1] + ', "m\\u0065thod": "tools/list"}', -32700, None, id="method twice, once escaped"),
    pytest.param(json.dumps(CALL).encode("utf-16"), -32700, None, id="UTF-16"),
    pytest.param(b"\xef\xbb\xbf" + json.dumps(CALL).encode(), -32700, None, id="byte order mark"),
    pytest.param(json.dumps(CALL).encode().replace(b"plain", b"\xff"), -32700, None, id="no UTF-8"),
    pytest.param(text(params={"a": "b"}).replace('"b"', "[" * 5000 + "]" * 5000), -32700, None, id="too deep"),
    pytest.param(text(params={"a": 1}).replace(": 1", ": NaN"), -32700, None, id="NaN"),
    pytest.param(text(jsonrpc="1.0"), -32600, 7, id="another version"),
    pytest.param(text(jsonrpc=2.0), -32600, 7, id="version is a number"),
    pytest.param(text(method=None), -32600, 7, id="method null"),
    pytest.param(text(method=1), -32600, 7, id="method a number"),
    pytest.param(text(method=["tools/list"]), -32600, 7, id="method a list"),
    pytest.param(text(result={}), -32600, 7, id="request and response at once"),
    pytest.param(text(error={}), -32600, 7, id="request and error at once"),
    pytest.param('{"jsonrpc": "2.0", "id": 7}', -32600, 7, id="no method, no result"),
    pytest.param('{"jsonrpc": "2.0", "id": 7, "result": 1, "error": 1}', -32600, 7, id="result and error"),
    pytest.param('{"jsonrpc": "2.0", "result": 1}', -32600, None, id="response without id"),
    pytest.param(text(id=None), -32600, None, id="id null"),
    pytest.param(text(id=True), -32600, None, id="id a boolean"),
    pytest.param(text(id=1.5), -32600, None, id="id a fraction"),
    pytest.param(text(id={}), -32600, None, id="id an object"),
    pytest.param(text(id="x" * 257), -32600, None, id="id very long"),
    pytest.param(text(id=1 << 63), -32600, None, id="id very large"),
    pytest.param(text(params=[]), -32602, 7, id="params a list"),
    pytest.param(text(params=None), -32602, 7, id="params null"),
    pytest.param(text(params={}), -32602, 7, id="no name"),
    pytest.param(text(params={"name": 1}), -32602, 7, id="name a number"),
    pytest.param(text(params={"name": ["plain"]}), -32602, 7, id="name a list"),
    pytest.param(text(params={"name": None}), -32602, 7, id="name null"),
    pytest.param(text(params={"name": "x" * 8193}), -32602, 7, id="name very long"),
    pytest.param(text(method="resources/read"), -32602, 7, id="no uri"),
    pytest.param(text(method="completion/complete", params={"ref": {"type": "ref/new"}}), -32602, 7, id="unknown reference"),
    pytest.param(text(method="completion/complete", params={"ref": 1}), -32602, 7, id="reference a number"),
    pytest.param(
        text(method="subscriptions/listen", params={"notifications": {"resourceSubscriptions": [1]}}), -32602, 7, id="odd URIs"
    ),
    pytest.param(
        text(method="subscriptions/listen", params={"notifications": {"resource_subscriptions": "uri"}}),
        -32602,
        7,
        id="URIs a string",
    ),
    pytest.param(text(method="subscriptions/listen", params={"notifications": 1}), -32602, 7, id="odd notifications"),
    pytest.param(listen(str(number) for number in range(1001)), -32602, 7, id="very many URIs"),
    pytest.param(listen(f"{number:x>8192}" for number in range(9)), -32602, 7, id="URIs very long together"),
]
