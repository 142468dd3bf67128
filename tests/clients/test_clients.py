"""Real clients log in by themselves, call a tool, and step up twice, told by nothing but the server's answers."""

import sys
from pathlib import Path

import pytest
from code_login import access_token
from processes import HOST, free_port, program

DRIVERS = Path(__file__).parent / "drivers"
BASE = {"mcp:use"}
READ = BASE | {"files:read"}
WRITE = READ | {"files:write"}

# The handshake of old, and the stateless revision that clients find by themselves.
wires = pytest.mark.parametrize(("mode", "protocol"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])


def assert_danced(done, mcp_url):
    assert {"read_file", "whoami", "write_file"} <= set(done.result["tools"])
    assert done.result["whoami"] == "alice"
    assert done.result["read_file"] == "read a.txt"
    assert done.result["write_file"] == "wrote 4 to b.txt"
    assert [scopes - {"offline_access"} for scopes in done.scopes] == [BASE, READ, WRITE]
    assert {request["resource"] for request in done.authorizations} == {mcp_url}
    assert {request["code_challenge_method"] for request in done.authorizations} == {"S256"}
    assert done.statuses[0] == 401
    # The demo's log names requests of all methods, and some clients open a stream to see whether they may.
    assert done.statuses.count(401) == 1 or set(done.statuses) == {401, 403}
    assert done.statuses.count(403) == 2


@pytest.mark.parametrize("guarded_server", ["sdk_app", "fastmcp_app", "demo"], indirect=True)
@wires
def test_the_python_sdk_logs_in_and_steps_up(dance, guarded_server, mode, protocol):
    done = dance(sys.executable, DRIVERS / "python_sdk.py", guarded_server.mcp_url, mode)
    assert done.result["protocol"] == protocol
    assert_danced(done, guarded_server.mcp_url)


@pytest.mark.parametrize(
    ("library", "protocol"),
    [
        pytest.param(["sdk"], "2025-11-25", id="sdk"),
        pytest.param(["client", "legacy"], "2025-11-25", id="client-legacy"),
        pytest.param(["client", "auto"], "2026-07-28", id="client-auto"),
    ],
)
def test_the_typescript_sdks_log_in_and_step_up(dance, guarded_server, node_clients, library, protocol):
    done = dance(program("node"), DRIVERS / "typescript.mjs", guarded_server.mcp_url, *library)
    assert done.result["protocol"] == protocol
    assert_danced(done, guarded_server.mcp_url)


@pytest.mark.parametrize("guarded_server", ["demo"], indirect=True)
@pytest.mark.parametrize("driver", [["python_sdk.py", "auto"], ["typescript.mjs", "sdk"], ["typescript.mjs", "client", "auto"]])
def test_a_client_that_did_not_register_logs_in_by_the_document_about_it(
    dance, guarded_server, node_clients, published_client, driver
):
    script, *arguments = driver
    interpreter = program("node") if script.endswith(".mjs") else sys.executable
    url = guarded_server.mcp_url
    done = dance(interpreter, DRIVERS / script, url, *arguments, CLIENT_DOCUMENT=published_client.url)
    assert_danced(done, url)
    assert {request["client_id"] for request in done.authorizations} == {published_client.url}


@wires
def test_mcp_remote_logs_in_and_steps_up_for_a_stdio_client(dance, guarded_server, node_clients, mode, protocol):
    done = dance(
        sys.executable,
        DRIVERS / "mcp_remote.py",
        guarded_server.mcp_url,
        mode,
        node_clients / "mcp-remote" / "dist" / "proxy.js",
        MCP_REMOTE_CONFIG_DIR="mcp-remote",
    )
    assert done.result["protocol"] == protocol
    assert_danced(done, guarded_server.mcp_url)


@wires
def test_fastmcp_logs_in_and_steps_up(dance, guarded_server, mode, protocol):
    done = dance(sys.executable, DRIVERS / "fastmcp_client.py", guarded_server.mcp_url, mode)
    assert done.result["protocol"] == protocol
    assert_danced(done, guarded_server.mcp_url)


MIXED_CLIENTS = {
    "python sdk, legacy": ("python_sdk.py", "legacy"),
    "python sdk, auto": ("python_sdk.py", "auto"),
    "fastmcp, auto": ("fastmcp_client.py", "auto"),
    "typescript sdk": ("typescript.mjs", "sdk"),
    "typescript client, auto": ("typescript.mjs", "client", "auto"),
}


@pytest.mark.parametrize("guarded_server", ["mixed_sdk_app", "mixed_fastmcp_app"], indirect=True)
@pytest.mark.parametrize("name", MIXED_CLIENTS)
def test_a_client_looks_around_without_a_login_and_is_sent_to_one_by_the_first_protected_call(
    dance, guarded_server, node_clients, name
):
    script, *arguments = MIXED_CLIENTS[name]
    interpreter = program("node") if script.endswith(".mjs") else sys.executable
    done = dance(interpreter, DRIVERS / script, guarded_server.mcp_url, *arguments, PUBLIC_TOOL="about")
    assert done.result["public"] == "files of Acme"
    assert {"about", "read_file", "whoami", "write_file"} <= set(done.result["tools"])
    assert (done.result["whoami"], done.result["write_file"]) == ("alice", "wrote 4 to b.txt")
    before = done.statuses[: done.statuses.index(401)]
    # The handshake or the discovery, the list, and the public tool.
    assert len(before) >= 3
    assert set(before) <= {200, 202}
    assert [scopes - {"offline_access"} for scopes in done.scopes] == [BASE, READ, WRITE]


@pytest.fixture
def inspector(modern_node, node_clients, guarded_server):
    launcher = node_clients / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
    asked = ["--cli", "--server-url", guarded_server.mcp_url, "--transport", "http", "--format", "json"]
    return [modern_node, launcher, *asked]


eras = pytest.mark.parametrize("era", ["legacy", "modern"])


@eras
def test_the_inspector_calls_a_tool_with_a_ready_token(dance, guarded_server, inspector, era):
    token = access_token(guarded_server.issuer_url, guarded_server.mcp_url, "mcp:use files:read")
    call = ["--method", "tools/call", "--tool-name", "read_file", "--tool-arg", "path=a.txt"]
    done = dance(*inspector, "--protocol-era", era, "--header", f"Authorization: Bearer {token}", *call)
    assert done.result["result"]["content"] == [{"type": "text", "text": "read a.txt"}]
    assert set(done.statuses) <= {200, 202}


@eras
def test_the_inspector_logs_in(dance, guarded_server, inspector, era):
    callback = ["--callback-url", f"http://{HOST}:{free_port()}/oauth/callback"]
    call = ["--method", "tools/call", "--tool-name", "whoami"]
    # Without a terminal it opens a browser only when it is told to.
    done = dance(*inspector, "--protocol-era", era, *callback, *call, MCP_AUTO_OPEN_ENABLED="true")
    assert done.result["result"]["content"] == [{"type": "text", "text": "alice"}]
    # It asks at once for all that the server advertises.
    assert [scopes >= BASE for scopes in done.scopes] == [True]
    assert done.statuses[0] == 401
