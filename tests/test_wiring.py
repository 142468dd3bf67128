"""Mistakes in how an app is put together: each stops the start or is said, in one sentence, with what to write instead."""

import logging

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.testclient import TestClient
from mcp.server import MCPServer

from mcp_oauth2_deps import AccessToken, optional_token, require_scopes
from mcp_oauth2_deps.fastapi.scheme import default_scheme
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router
from mcp_oauth2_deps.models import DeclarationError

RESOURCE = "https://api.example.com/mcp"
METADATA = "https://api.example.com/.well-known/oauth-protected-resource/mcp"


def of(caplog, name):
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == f"mcp_oauth2_deps.{name}"]


@pytest.mark.parametrize("dependency", [Security, Depends])
@pytest.mark.parametrize("whose", ["the package's", "a scheme's"])
def test_a_guard_that_was_not_called_stops_the_declaration(auth, dependency, whose):
    factory = require_scopes if whose == "the package's" else auth.require_scopes
    app = FastAPI()
    with pytest.raises(DeclarationError) as caught:
        app.get("/", dependencies=[dependency(factory)])(lambda: None)
    assert (
        str(caught.value)
        == 'call it: write Security(require_scopes("files:read")), with the scopes that the route needs, or with none'
    )
    app.get("/", dependencies=[dependency(factory("files:read"))])(lambda: None)


@pytest.mark.parametrize("guard", [require_scopes("a"), require_scopes(any_of=["a"]), optional_token, default_scheme])
def test_a_guard_of_the_environment_stops_the_start_of_an_app_with_settings_in_code(auth, guard):
    app, router = FastAPI(), APIRouter(prefix="/v1")
    router.get("/files", dependencies=[Security(guard)])(lambda: None)
    app.include_router(router)
    app.include_router(auth.router())
    with pytest.raises(DeclarationError) as caught, TestClient(app):
        pass
    text = str(caught.value)
    assert "/files is guarded by the package's own require_scopes(...) or optional_token" in text
    assert "write that one's auth.require_scopes(...)" in text
    assert "MCP_OAUTH2_ISSUER" in text


def test_control_the_same_guard_is_fine_where_the_environment_has_settings(auth, monkeypatch):
    for name, value in {"ISSUER": "https://auth.example.com", "RESOURCE": RESOURCE}.items():
        monkeypatch.setenv(f"MCP_OAUTH2_{name}", value)
    app = FastAPI()
    app.get("/", dependencies=[Security(require_scopes("a"))])(lambda: None)
    app.include_router(auth.router())
    with TestClient(app) as client:
        assert client.get("/").status_code == 401


def test_control_the_same_guard_is_fine_where_a_test_overrides_it(auth):
    app = FastAPI()
    app.get("/", dependencies=[Security(require_scopes("a"))])(lambda: None)
    app.include_router(auth.router())
    app.dependency_overrides[default_scheme] = lambda: AccessToken("alice", "app", "i", (), frozenset({"a"}), 0, 0, None, {})
    with TestClient(app) as client:
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("forgotten", [True, False])
def test_forgotten_metadata_are_told_once_at_the_first_challenge(auth, caplog, forgotten):
    app = FastAPI()
    app.get("/", dependencies=[Security(auth)])(lambda: None)
    if not forgotten:
        app.include_router(auth.router())
    client = TestClient(app)
    for _ in range(3):
        assert client.get("/").status_code == 401
    line = (
        f"challenges name {METADATA}, but no route of this app serves /.well-known/oauth-protected-resource/mcp, so clients cannot "
        "find the login. Add app.include_router(auth.router()), or protected_resource_router() for the settings of the environment"
    )
    assert of(caplog, "fastapi.reach") == ([("WARNING", line)] if forgotten else [])


@pytest.mark.parametrize("reason", ["the document is elsewhere", "the app is mounted"])
def test_control_nothing_is_told_where_the_document_may_be_served_by_others(make_scheme, caplog, reason):
    elsewhere = reason == "the document is elsewhere"
    auth = make_scheme(metadata_url="https://api.example.com/meta") if elsewhere else make_scheme()
    app = inner = FastAPI()
    inner.get("/", dependencies=[Security(auth)])(lambda: None)
    if not elsewhere:
        app = FastAPI()
        app.mount("/inner", inner)
    assert TestClient(app).get("/" if elsewhere else "/inner/").status_code == 401
    assert of(caplog, "fastapi.reach") == []


def server():
    mcp = MCPServer("files")
    for name in ("read_file", "write_file"):
        mcp.add_tool(lambda: "", name=name)
    return mcp


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (("", "", None), None),
        (("", "", "/mcp"), None),
        (("/v1", "", None), "answers POST /mcp: the MCP routes are at /mcp"),
        (("", "", "/other"), "answers POST /mcp: the MCP routes are at /other"),
        (("", "/api", "/mcp"), None),
        (("", "/api", None), "below its root_path '/api' answers POST /api/mcp: the MCP routes are at /api/mcp"),
    ],
)
def test_mcp_routes_that_the_resource_does_not_lead_to_are_told_at_start(make_scheme, caplog, place, problem):
    caplog.set_level(logging.INFO, "mcp_oauth2_deps.fastapi.reach")
    prefix, root_path, path = place
    public = f"{root_path}/mcp"
    auth = make_scheme(resource=f"https://api.example.com{public}")
    app = FastAPI()
    app.root_path = root_path
    app.include_router(auth.router())
    app.include_router(mcp_router(server(), auth=auth, path=path), prefix=prefix)
    with TestClient(app):
        told, *warned = of(caplog, "fastapi.reach")
    metadata = f"https://api.example.com/.well-known/oauth-protected-resource{public}"
    assert told[0] == "INFO"
    assert told[1] == (
        f"MCP at {path or public} of this app, publicly https://api.example.com{public}; challenges name {metadata}; "
        "log in at https://auth.example.com"
    )
    assert [level for level, _ in warned] == (["WARNING"] if problem else [])
    assert problem is None or problem in warned[0][1]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (ToolScopes(), None),
        (ToolScopes(tools={"read_file": [], "write_file": ["a"]}), None),
        (ToolScopes(tools={"read_file": ["a"]}), "WARNING"),
        (ToolScopes(tools={"read_file": ["a"]}, default="deny"), "INFO"),
        (ToolScopes(tools={"read_file": ["a"]}, default="method"), None),
    ],
)
def test_what_nobody_can_use_is_named_at_start(auth, caplog, table, told):
    caplog.set_level(logging.INFO, "mcp_oauth2_deps.mcp.unruled")
    app = FastAPI()
    app.include_router(auth.router())
    app.include_router(mcp_router(server(), auth=auth, scopes=table))
    with TestClient(app):
        lines = of(caplog, "mcp.unruled")
    assert [level for level, _ in lines] == ([told] if told else [])
    assert told is None or lines[0][1].startswith("nobody may use these tools: write_file. Others of their kind have a rule")
