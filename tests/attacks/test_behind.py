"""Behind the door: another caller's answers, and what is closed reached by a way that the message does not name (F6, F8, F10)."""

import json

import pytest
from attack_support import Wire
from behind_server import GOLD
from reasons import reasons_inside

JSON = b"Content-Type: application/json"
ACCEPT = b"Accept: application/json, text/event-stream"


class Behind:
    """Sends calls of tools to the server, and reads what its log says of those that it let in."""

    def __init__(self, attacked):
        self.wire = Wire(attacked.wire.port)
        self.log = attacked.log
        self.forge = attacked.forge

    def call(self, tool, *fields, token=None, **arguments):
        read = self.log.stat().st_size
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        token = token or self.forge.token(scope="mcp:use")
        answer = self.wire.bearer(token, ACCEPT, JSON, *fields, method=b"POST", target=b"/behind", body=json.dumps(body).encode())
        assert answer.status == 200, answer.raw[:500]
        with self.log.open("rb") as log:
            log.seek(read)
            self.reasons = reasons_inside(log.read().decode("utf-8", "replace").splitlines())
        return answer.json()["result"]["content"][0]["text"]


@pytest.fixture
def behind(attacked):
    return Behind(attacked)


@pytest.fixture
def entitled(forge):
    return forge.token(scope="mcp:use files:secret")


REACHED = {
    "a resource read by a tool": ("read_resource", {"uri": "gold:///bar"}, "insufficient_scope (files:secret)"),
    "the same in capitals": ("read_resource", {"uri": "GOLD:///bar"}, "insufficient_scope (files:secret)"),
    "the same with dot segments": ("read_resource", {"uri": "gold:///x/../bar"}, "insufficient_scope (files:secret)"),
    "a function of a tool": ("direct", {}, "insufficient_scope (files:secret)"),
    "a function in a pool of threads": ("in_a_pool", {}, "no_caller"),
}


@pytest.mark.parametrize(("tool", "arguments", "reason"), REACHED.values(), ids=list(REACHED))
def test_f8_what_is_closed_is_reached_by_no_other_way(behind, tool, arguments, reason):
    assert GOLD not in behind.call(tool, **arguments)
    assert behind.reasons == [reason]


@pytest.mark.parametrize(("tool", "arguments"), [("read_resource", {"uri": "gold:///bar"}), ("direct", {})])
def test_control_the_same_ways_are_open_to_who_holds_the_scope(behind, entitled, tool, arguments):
    assert behind.call(tool, token=entitled, **arguments) == GOLD
    assert behind.reasons == []


def test_f10_what_is_remembered_for_one_caller_is_given_to_no_other(behind, forge):
    for subject in ("alice", "mallory", "alice"):
        token = forge.token(sub=subject, scope="mcp:use")
        assert behind.call("remembered", token=token) == f"remembered for {subject}"


@pytest.mark.parametrize("version", [[], [b"MCP-Protocol-Version: 2025-11-25"]], ids=["no version", "a version with sessions"])
def test_f6_a_session_id_of_ones_own_choice_opens_nothing(behind, forge, version):
    session = [b"Mcp-Session-Id: chosen-by-alice", *version]
    alice, mallory = (forge.token(sub=subject, scope="mcp:use") for subject in ("alice", "mallory"))
    assert behind.call("keep", *session, token=alice, note="alices") == "kept"
    assert behind.call("recall", *session, token=mallory) == "recalled None"
