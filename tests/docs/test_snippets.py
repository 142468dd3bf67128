"""Does every piece of Python in README.md and in the documentation run, guard what it says, and pass its own tests?"""

import inspect

import pytest
from fastapi.testclient import TestClient
from mcp_client import call_tool, open_session
from snippets import snippets

pytest_plugins = ["mcp_oauth2_deps.testing.plugin"]
SNIPPETS = {str(snippet): snippet for snippet in snippets()}
# Routes at which nothing sent is right.
OPEN_TO_ALL = {"first-steps.md: A route for everybody"}
# What is said to somebody without a token who asks for a stream, where a client needs none to connect.
NO_STREAM = {("mcp.md: Public and protected on one server", "get")}


def run(name):
    names = {"__name__": SNIPPETS[name].module_name}
    exec(compile(SNIPPETS[name].code, name, "exec"), names)
    return names


def test_the_pages_have_their_snippets():
    assert {name.partition(":")[0] for name in SNIPPETS} >= {
        "README.md",
        "first-steps.md",
        "mcp.md",
        "swagger-ui.md",
        "testing.md",
    }


@pytest.mark.parametrize("name", SNIPPETS)
def test_what_it_guards_refuses_who_sends_nothing(name, oauth2_issuer):
    app = run(name)["app"]
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    guarded = [
        (path, method)
        for path, operations in client.get("/openapi.json").json()["paths"].items()
        for method, operation in operations.items()
        if operation.get("security")
    ]
    assert guarded
    for path, method in guarded:
        answer = client.request(method, path)
        if (name, method) in NO_STREAM:
            assert answer.status_code == 405
            continue
        assert answer.status_code == (200 if name in OPEN_TO_ALL else 401), (method, path)
        assert ("www-authenticate" in answer.headers) is (name not in OPEN_TO_ALL)


@pytest.mark.parametrize("name", [name for name, snippet in SNIPPETS.items() if "def test_" in snippet.code])
def test_its_own_tests_pass(name, oauth2_issuer):
    tests = [value for key, value in run(name).items() if key.startswith("test_")]
    assert tests
    for test in tests:
        test(*([oauth2_issuer] if inspect.signature(test).parameters else []))


def test_the_library_lends_to_those_who_log_in(oauth2_issuer):
    names = run("mcp.md: Public and protected on one server")
    with TestClient(names["app"], base_url="http://127.0.0.1:8000") as client:
        client.headers |= {"Accept": "application/json, text/event-stream"}

        def ask(tool, **arguments):
            params = {"name": tool, "arguments": arguments}
            return client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

        assert "for everybody" in ask("search", text="bees").text
        assert 'scope="books:lend"' in ask("lend", book="Bees").headers["www-authenticate"]
        client.headers |= oauth2_issuer.bearer(subject="alice", scopes=["books:lend"])
        assert "for alice" in ask("search", text="bees").text
        assert "is yours" in ask("lend", book="Bees").text


def test_the_challenges_that_the_pages_show(oauth2_issuer):
    shown = 'resource_metadata="http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp", scope="files:read"'
    for name in ("README.md: A FastAPI route", "first-steps.md: Guard a route"):
        assert TestClient(run(name)["app"]).get("/files").headers["www-authenticate"] == f"Bearer {shown}"
    several = TestClient(run("first-steps.md: Several demands")["app"]).get("/files").headers["www-authenticate"]
    assert 'scope="mcp:use files:read team:a team:b"' in several


def test_the_login_that_the_page_on_mcp_describes(oauth2_issuer):
    with TestClient(run("mcp.md: MCP servers")["app"], base_url="http://127.0.0.1:8000") as client:
        first = call_tool(client, {}, "write_file", path="a", text="b")
        assert (first.status_code, 'scope="mcp:use"' in first.headers["www-authenticate"]) == (401, True)
        second = call_tool(client, oauth2_issuer.bearer(scopes=["mcp:use"]), "write_file", path="a", text="b")
        assert (second.status_code, 'scope="mcp:use tools:call files:write"' in second.headers["www-authenticate"]) == (403, True)
        headers = oauth2_issuer.bearer(scopes=["mcp:use", "tools:call", "files:write"])
        session = open_session(client, headers)
        written = call_tool(client, headers | session, "write_file", path="a", text="bc")
        assert (written.status_code, "wrote 2 characters to a" in written.text) == (200, True)


def test_the_page_on_swagger_ui_hands_over_its_client(oauth2_issuer):
    page = TestClient(run("swagger-ui.md: Logging in from /docs")["app"]).get("/docs").text
    assert '"clientId": "docs"' in page
