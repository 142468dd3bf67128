"""Does every file of examples/ run and guard what it says, against a real issuer over HTTP on loopback?"""

import importlib.util
import json
from hashlib import sha256
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


def written(path, *entries):
    path.write_text("\n".join(map(json.dumps, entries)), "utf-8")
    return str(path)


def key_of(key, **more):
    return {"sha256": sha256(key.encode()).hexdigest(), "subject": "nightly-report", "scopes": ["files:read"], **more}


def test_two_ways_in(oauth2_issuer, monkeypatch, tmp_path):
    keys = [key_of("svc_one"), key_of("svc_two", subject="backup", scopes=["other"]), key_of("a.b.c", subject="dots")]
    monkeypatch.setenv("SERVICE_KEYS", written(tmp_path / "keys.jsonl", *keys))
    with TestClient(load("two_ways_in").app) as client:

        def status(token):
            return client.get("/files", headers={"Authorization": f"Bearer {token}"}).status_code

        answer = client.get("/files", headers={"Authorization": "Bearer svc_one"})
        assert answer.json() == {"issuer": "keys", "subject": "nightly-report"}
        answer = client.get("/files", headers=oauth2_issuer.bearer(subject="alice", scopes=["files:read"]))
        assert answer.json() == {"issuer": oauth2_issuer.url, "subject": "alice"}
        assert (status("a.b.c"), status("svc_two")) == (200, 403)
        digest = key_of("svc_one")["sha256"]
        for wrong in ("svc_on", "svc_one1", "SVC_ONE", digest, "svc_one.svc_one.svc_one"):
            assert status(wrong) == 401
        for token in (
            oauth2_issuer.token(scopes=["files:read"], expires_in=-3600),
            oauth2_issuer.token(scopes=["files:read"], audience="https://other.example.com"),
        ):
            assert status(token) == 401
        assert client.get("/files", headers={"Authorization": "DPoP svc_one"}).status_code == 401
        assert client.get("/files", params={"access_token": "svc_one"}).status_code == 401


def test_a_jwt_is_no_key_even_where_its_digest_is_written_down(oauth2_issuer, monkeypatch, tmp_path):
    """Whoever can write the file cannot bring an expired token back to life by it, not even by accident."""
    expired = oauth2_issuer.token(scopes=["files:read"], expires_in=-3600)
    monkeypatch.setenv("SERVICE_KEYS", written(tmp_path / "keys.jsonl", key_of(expired), key_of("svc_one")))
    with TestClient(load("two_ways_in").app) as client:
        assert client.get("/files", headers={"Authorization": f"Bearer {expired}"}).status_code == 401
        assert client.get("/files", headers={"Authorization": "Bearer svc_one"}).status_code == 200


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([key_of("x", sha256="abcd")], "key 1: sha256 is not"),
        ([key_of("x"), key_of("x")], "key 2: sha256 is not the SHA-256 of one key"),
        ([key_of("x", sha256="svc_one")], "hexadecimal"),
        ([key_of("x", subject="")], "subject must say"),
        ([key_of("x", subject=None)], "subject must say"),
        ([key_of("x", scopes="files:read")], "scopes must be a list"),
    ],
)
def test_a_wrong_line_of_keys_stops_the_start(monkeypatch, tmp_path, entries, sentence):
    monkeypatch.setenv("SERVICE_KEYS", written(tmp_path / "keys.jsonl", *entries))
    with pytest.raises(ValueError, match=sentence):
        load("two_ways_in")


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
