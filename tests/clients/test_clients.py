"""Real clients log in by themselves, call a tool, and step up twice, told by nothing but the server's answers."""

import sys
from pathlib import Path

import pytest
from processes import program

DRIVERS = Path(__file__).parent / "drivers"
BASE = {"mcp:use"}
READ = BASE | {"files:read"}
WRITE = READ | {"files:write"}

# The handshake of old, and the stateless revision that clients find by themselves.
wires = pytest.mark.parametrize(("mode", "protocol"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])


def assert_danced(done, mcp_url):
    assert sorted(done.result["tools"]) == ["read_file", "whoami", "write_file"]
    assert done.result["whoami"] == "alice"
    assert done.result["read_file"] == "read a.txt"
    assert done.result["write_file"] == "wrote 4 to a.txt"
    assert [scopes - {"offline_access"} for scopes in done.scopes] == [BASE, READ, WRITE]
    assert {request["resource"] for request in done.authorizations} == {mcp_url}
    assert {request["code_challenge_method"] for request in done.authorizations} == {"S256"}
    assert done.statuses[0] == 401
    assert done.statuses.count(401) == 1
    assert done.statuses.count(403) == 2


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
