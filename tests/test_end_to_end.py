"""The examples and the README, against a real issuer over HTTP on loopback."""

import importlib.util
import re
from pathlib import Path

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from mcp.server.mcpserver import MCPServer

import mcp_oauth2_deps.mcp
from mcp_oauth2_deps import OAuth2Settings, errors, protected_resource_router, require_scopes
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.testing import DevelopmentIssuer

pytest_plugins = ["mcp_oauth2_deps.testing.plugin"]
ROOT = Path(__file__).parent.parent


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart(oauth2_issuer):
    with TestClient(load("quickstart").app) as client:
        assert client.post("/tools/call").status_code == 401
        assert client.post("/tools/call", headers=oauth2_issuer.bearer(scopes=["other"])).status_code == 403
        answer = client.post("/tools/call", headers=oauth2_issuer.bearer(subject="alice", scopes=["tools:call"]))
    assert answer.json() == {"hello": "alice"}


def test_websocket(oauth2_issuer):
    with TestClient(load("websocket").app) as client:
        headers = oauth2_issuer.bearer(subject="alice", scopes=["events:read"])
        with client.websocket_connect("/events", headers=headers) as events:
            assert events.receive_json() == {"hello": "alice"}


ACCEPT = {"Accept": "application/json, text/event-stream"}


def call_tool(client, headers, tool, **arguments):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    return client.post("/mcp", json=message, headers={**ACCEPT, **headers})


def test_mcp_sdk(oauth2_issuer):
    with TestClient(load("mcp_sdk").app, base_url="http://127.0.0.1:8000") as client:
        reader = oauth2_issuer.bearer(subject="alice", scopes=["mcp:use", "notes:read"])
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        opened = client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}, headers={**ACCEPT, **reader}
        )
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        assert call_tool(client, reader | session, "read_note", name="a").status_code == 200
        refused = call_tool(client, reader | session, "write_note", name="a", text="b")
        assert refused.status_code == 403
        assert 'scope="mcp:use notes:write notes:read"' in refused.headers["www-authenticate"]
        writer = oauth2_issuer.bearer(subject="alice", scopes=["mcp:use", "notes:read", "notes:write"])
        assert "written by alice" in call_tool(client, writer | session, "write_note", name="a", text="b").text
        assert client.get("/notes", headers=reader).json() == {"reader": "alice", "notes": ["a"]}


def test_fastmcp_server(oauth2_issuer):
    with TestClient(load("fastmcp_server").app, base_url="http://127.0.0.1:8000") as client:
        reader = oauth2_issuer.bearer(subject="alice", scopes=["mcp:use", "files:read"])
        assert "alice" in call_tool(client, reader, "whoami").text
        listed = client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers={**ACCEPT, **reader}
        ).json()
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["whoami"]
        assert call_tool(client, reader, "delete_file", name="x").status_code == 403
        deleter = oauth2_issuer.bearer(scopes=["mcp:use", "files:write", "team:b"])
        assert "deleted x" in call_tool(client, deleter, "delete_file", name="x").text


def test_several_issuers(monkeypatch):
    audience = "https://api.example.com/mcp"
    with (
        DevelopmentIssuer(algorithm="ES256", audience=audience).serve() as staff,
        DevelopmentIssuer(algorithm="EdDSA", audience=audience).serve() as partners,
    ):
        monkeypatch.setenv("ISSUERS", f"{staff.url},{partners.url}")
        with TestClient(load("several_issuers").app) as client:
            for issuer in (staff, partners):
                answer = client.get("/files", headers=issuer.bearer(scopes=["files:write"]))
                assert answer.json()["issuer"] == issuer.url
            crossed = staff.token(iss=partners.url, scopes=["files:write"])
            assert client.get("/files", headers={"Authorization": f"Bearer {crossed}"}).status_code == 401


@pytest.mark.parametrize("algorithm", SUPPORTED_ALGORITHMS)
def test_tokens_of_every_algorithm_pass_and_a_changed_one_does_not(oauth2_issuer, algorithm):
    oauth2_issuer.rotate(algorithm)
    app = FastAPI()
    app.include_router(protected_resource_router())
    app.get("/", dependencies=[Security(require_scopes("a"))])(lambda: "in")
    with TestClient(app) as client:
        header = oauth2_issuer.bearer(scopes=["a"])
        assert client.get("/", headers=header).status_code == 200
        head, payload, signature = header["Authorization"].split(".")
        forged = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
        answer = client.get("/", headers={"Authorization": f"{head}.{payload}.{forged}"})
        assert (answer.status_code, answer.json()["detail"]["error"]) == (401, "invalid_token")


README = (ROOT / "README.md").read_text()


def test_the_readme_names_every_setting():
    table = README.partition("## Settings")[2].partition("## Answers")[0]
    named = set(re.findall(r"`([A-Z_]+)`", "\n".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))))
    assert named == {name.upper() for name in OAuth2Settings.model_fields}


def test_the_readme_names_every_reason():
    documented = set(re.findall(r"`([a-z_]+)`", errors.__doc__))
    table = README.partition("## Answers")[2].partition("\n\n##")[0]
    assert len(documented) > 15
    assert documented <= set(re.findall(r"[a-z_]+", table))


def test_the_code_of_the_readme_runs_in_the_order_of_reading(oauth2_issuer):
    """The first app of all, several demands, a scheme of one's own; then an override, and the fixture, on the first app."""
    first, several, own, override, in_tests, behind = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    apps = []
    for code in (first, several, own, behind):
        names = dict(vars(mcp_oauth2_deps)) | {name: getattr(mcp_oauth2_deps.mcp, name) for name in mcp_oauth2_deps.mcp.__all__}
        names |= {"FastAPI": FastAPI, "Security": Security, "TestClient": TestClient, "MCPServer": MCPServer}
        exec(compile(code, "README.md", "exec"), names)
        assert TestClient(names["app"]).get("/openapi.json").status_code == 200
        apps.append(names)
    challenge = TestClient(apps[1]["app"]).get("/files").headers["www-authenticate"]
    assert 'scope="mcp:use files:read team:a team:b"' in challenge
    assert 'scope="files:read"' in TestClient(apps[2]["app"]).get("/files").headers["www-authenticate"]
    with TestClient(apps[3]["app"], base_url="http://127.0.0.1:8000") as client:
        headers = oauth2_issuer.bearer(scopes=["mcp:use", "tools:call"])
        refused = call_tool(client, headers, "write_file", path="a", text="b")
        assert 'scope="mcp:use tools:call files:write"' in refused.headers["www-authenticate"]
    names = apps[0]
    exec(compile(in_tests, "README.md", "exec"), names)
    names["test_call"](oauth2_issuer)
    assert TestClient(names["app"]).post("/tools/call").status_code == 401
    exec(compile(override, "README.md", "exec"), names)
    assert TestClient(names["app"]).post("/tools/call").json() == {"hello": "alice"}
