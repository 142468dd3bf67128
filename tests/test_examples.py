"""Does every file of examples/ run and guard what it says, against a real issuer over HTTP on loopback?"""

import importlib.util
from pathlib import Path

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from mcp_client import call_tool, open_session, send

from mcp_oauth2_deps import protected_resource_router, require_scopes
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


def test_mcp_sdk(oauth2_issuer):
    with TestClient(load("mcp_sdk").app, base_url="http://127.0.0.1:8000") as client:
        reader = oauth2_issuer.bearer(subject="alice", scopes=["mcp:use", "notes:read"])
        session = open_session(client, reader)
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
        listed = send(client, reader, "tools/list").json()
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
