"""Real clients log in by themselves, call a tool, and step up twice, told by nothing but the server's answers."""

import sys
from pathlib import Path

import pytest

DRIVERS = Path(__file__).parent / "drivers"
BASE = {"mcp:use"}
READ = BASE | {"files:read"}
WRITE = READ | {"files:write"}


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


@pytest.mark.parametrize(("mode", "protocol"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_the_python_sdk_logs_in_and_steps_up(dance, guarded_server, mode, protocol):
    done = dance(sys.executable, DRIVERS / "python_sdk.py", guarded_server.mcp_url, mode)
    assert done.result["protocol"] == protocol
    assert_danced(done, guarded_server.mcp_url)
