"""A caller that writes the fields of an `AccessToken` into the request (RFC 6750 section 2.1, rule A1) is nobody more than before.

That no route, model or tool can be declared to read one is tested in `tests/test_trust_values.py`.
"""

import json
from urllib.parse import quote, urlencode

import pytest
from attack_support import accepted, refused
from messages import CALL

pytestmark = pytest.mark.parametrize("attacked", ["httptools"], indirect=True, scope="session")

MADE_UP = {
    "subject": "admin",
    "scopes": ["a", "root"],
    "client_id": "x",
    "issuer": "https://auth.example.com",
    "expires_at": 4102444800,
}
TEXT = json.dumps(MADE_UP)
FIELDS = urlencode(MADE_UP, doseq=True)


def _json(value):
    return {"lines": [b"Content-Type: application/json"], "body": json.dumps(value).encode()}


def _form(text):
    return {"lines": [b"Content-Type: application/x-www-form-urlencoded"], "body": text.encode()}


def _lines(*lines):
    return {"lines": [line.encode() for line in lines]}


ROWS = {
    "body: the fields": _json(MADE_UP),
    "body: a token": _json({"token": MADE_UP}),
    "body: a list": _json([MADE_UP]),
    "body: a caller": _json({"caller": {"token": MADE_UP, "hierarchy": {}}, "connection": {}, "security_scopes": {"scopes": []}}),
    "form: the fields": _form(FIELDS),
    "form: a token": _form(f"token={quote(TEXT)}"),
    "query: the fields": {"target": f"/guarded?{FIELDS}".encode()},
    "query: a token": {"target": f"/guarded?token={quote(TEXT)}&access_token={quote(TEXT)}".encode()},
    "query: what the guard takes": {"target": b"/guarded?connection=x&security_scopes=a&scheme=x&requirement=x&shown=x"},
    "header: a token": _lines(f"Token: {TEXT}", "Subject: admin", "Scopes: a root"),
    "cookie: a token": _lines(f"Cookie: token={quote(TEXT)}; subject=admin; scopes=a"),
}


def _send(wire, row, *lines):
    return wire.send(
        *lines, *row.get("lines", ()), method=b"POST", target=row.get("target", b"/guarded"), body=row.get("body", b"")
    )


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_it_stands_for_no_token(wire, row):
    refused(_send(wire, row), reason="missing_credentials")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_it_changes_nothing_of_a_good_token(wire, forge, row):
    accepted(_send(wire, row, b"Authorization: Bearer " + forge.token().encode()))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_it_adds_no_scope_to_a_token_that_lacks_it(wire, forge, row):
    answer = _send(wire, row, b"Authorization: Bearer " + forge.token(scope="b").encode())
    refused(answer, reason="insufficient_scope (a)")


def _call(wire, forge, target, arguments):
    body = json.dumps({**CALL, "params": {"name": "whoami", "arguments": arguments}}).encode()
    fields = [b"Accept: application/json, text/event-stream", b"Content-Type: application/json"]
    return wire.bearer(forge.token(scope="mcp:use"), *fields, method=b"POST", target=target, body=body)


@pytest.mark.parametrize("target", [b"/mcp", b"/fast"])
@pytest.mark.parametrize("name", ["token", "caller", "current_token", "ctx", "context", "access_token"])
def test_an_argument_of_a_tool_is_no_caller(wire, forge, target, name):
    answer = _call(wire, forge, target, {name: MADE_UP})
    assert (answer.status, answer.refusals) == (200, [])
    result = answer.json()["result"]
    text = result["content"][0]["text"]
    # FastMCP refuses an argument that the tool does not have; the SDK leaves it out.
    assert "Unexpected keyword argument" in text if result.get("isError") else json.loads(text)["ours"] == "alice"


@pytest.mark.parametrize("target", [b"/mcp", b"/fast"])
def test_control_the_tool_names_the_caller(wire, forge, target):
    answer = _call(wire, forge, target, {})
    assert json.loads(answer.json()["result"]["content"][0]["text"])["ours"] == "alice"
