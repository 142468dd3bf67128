"""JSON-RPC bodies that are not one message of MCP, with the rule that refuses each and the id that the answer names."""

import json

import pytest

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "plain", "arguments": {}}}


def text(**changes):
    return json.dumps({**CALL, **changes})


def listen(uris):
    return text(method="subscriptions/listen", params={"notifications": {"resourceSubscriptions": list(uris)}})


# The JSON-RPC error code of each rule about a body, and the sentence that the answer and the log say.
RULES = {
    "json": (-32700, "The body must be one JSON object in UTF-8, no batch, with unique names."),
    "version": (-32600, "The member jsonrpc must be 2.0."),
    "kind": (-32600, "The message must be one request, notification or response."),
    "id": (-32600, "The member id must be a string or an integer, and not a long one."),
    "params": (-32602, "The member params must be an object."),
    "names": (-32602, "The params name nothing that the method acts on, or too much."),
    "content type": (-32600, "The content type must be application/json."),
    "compressed": (-32600, "The body must not be compressed; send it without Content-Encoding."),
    "size": (-32600, "The body is larger than 4194304 bytes."),
    "Mcp-Method twice": (-32020, "The field Mcp-Method is there twice."),
    "Mcp-Method": (-32020, "The field Mcp-Method contradicts the body."),
    "Mcp-Name twice": (-32020, "The field Mcp-Name is there twice."),
    "Mcp-Name": (-32020, "The field Mcp-Name contradicts the body."),
}
BAD = [
    pytest.param("", "json", None, id="empty"),
    pytest.param("x", "json", None, id="no JSON"),
    pytest.param("[]", "json", None, id="empty batch"),
    pytest.param(f"[{json.dumps(CALL)}]", "json", None, id="batch"),
    pytest.param("null", "json", None, id="null"),
    pytest.param('"text"', "json", None, id="a string"),
    pytest.param(json.dumps(CALL) + "{}", "json", None, id="two objects"),
    pytest.param(json.dumps(CALL)[:-1], "json", None, id="cut off"),
    pytest.param(json.dumps(CALL)[:-1] + ', "method": "tools/list"}', "json", None, id="method twice"),
    pytest.param(text(params={}).replace("{}", '{"name": "a", "name": "plain"}'), "json", None, id="name twice"),
    pytest.param(json.dumps(CALL)[:-1] + ', "m\\u0065thod": "tools/list"}', "json", None, id="method twice, once escaped"),
    pytest.param(json.dumps(CALL).encode("utf-16"), "json", None, id="UTF-16"),
    pytest.param(b"\xef\xbb\xbf" + json.dumps(CALL).encode(), "json", None, id="byte order mark"),
    pytest.param(json.dumps(CALL).encode().replace(b"plain", b"\xff"), "json", None, id="no UTF-8"),
    pytest.param(text(params={"a": "b"}).replace('"b"', "[" * 5000 + "]" * 5000), "json", None, id="too deep"),
    pytest.param(text(params={"a": 1}).replace(": 1", ": NaN"), "json", None, id="NaN"),
    pytest.param(text(jsonrpc="1.0"), "version", 7, id="another version"),
    pytest.param(text(jsonrpc=2.0), "version", 7, id="version is a number"),
    pytest.param(text(method=None), "kind", 7, id="method null"),
    pytest.param(text(method=1), "kind", 7, id="method a number"),
    pytest.param(text(method=["tools/list"]), "kind", 7, id="method a list"),
    pytest.param(text(result={}), "kind", 7, id="request and response at once"),
    pytest.param(text(error={}), "kind", 7, id="request and error at once"),
    pytest.param('{"jsonrpc": "2.0", "id": 7}', "kind", 7, id="no method, no result"),
    pytest.param('{"jsonrpc": "2.0", "id": 7, "result": 1, "error": 1}', "kind", 7, id="result and error"),
    pytest.param('{"jsonrpc": "2.0", "result": 1}', "kind", None, id="response without id"),
    pytest.param(text(id=None), "id", None, id="id null"),
    pytest.param(text(id=True), "id", None, id="id a boolean"),
    pytest.param(text(id=1.5), "id", None, id="id a fraction"),
    pytest.param(text(id={}), "id", None, id="id an object"),
    pytest.param(text(id="x" * 257), "id", None, id="id very long"),
    pytest.param(text(id=1 << 63), "id", None, id="id very large"),
    pytest.param(text(params=[]), "params", 7, id="params a list"),
    pytest.param(text(params=None), "params", 7, id="params null"),
    pytest.param(text(params={}), "names", 7, id="no name"),
    pytest.param(text(params={"name": 1}), "names", 7, id="name a number"),
    pytest.param(text(params={"name": ["plain"]}), "names", 7, id="name a list"),
    pytest.param(text(params={"name": None}), "names", 7, id="name null"),
    pytest.param(text(params={"name": "x" * 8193}), "names", 7, id="name very long"),
    pytest.param(text(method="resources/read"), "names", 7, id="no uri"),
    pytest.param(text(method="completion/complete", params={"ref": {"type": "ref/new"}}), "names", 7, id="unknown reference"),
    pytest.param(text(method="completion/complete", params={"ref": 1}), "names", 7, id="reference a number"),
    pytest.param(
        text(method="subscriptions/listen", params={"notifications": {"resourceSubscriptions": [1]}}), "names", 7, id="odd URIs"
    ),
    pytest.param(
        text(method="subscriptions/listen", params={"notifications": {"resource_subscriptions": "uri"}}),
        "names",
        7,
        id="URIs a string",
    ),
    pytest.param(text(method="subscriptions/listen", params={"notifications": 1}), "names", 7, id="odd notifications"),
    pytest.param(listen(str(number) for number in range(1001)), "names", 7, id="very many URIs"),
    pytest.param(listen(f"{number:x>8192}" for number in range(9)), "names", 7, id="URIs very long together"),
]
