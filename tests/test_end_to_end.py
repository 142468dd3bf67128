"""The examples and the README, against a real issuer over HTTP on loopback."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import OAuth2Settings, protected_resource_router, require_scopes
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


def test_the_readme_names_every_setting_and_its_first_example_is_the_quickstart():
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("## Settings")[2].partition("## Answers")[0]
    named = set(re.findall(r"`([A-Z_]+)`", "\n".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))))
    assert named == {name.upper() for name in OAuth2Settings.model_fields}
    code = readme.partition("```python\n")[2].partition("```")[0]
    namespace = {}
    exec(compile(code, "README.md", "exec"), namespace)
    assert TestClient(namespace["app"]).get("/openapi.json").status_code == 200
    assert "mcp_oauth2_deps" in sys.modules
