"""Rules in another spelling than what they are for, other ways to what they close, and look-ups that a caller could stretch (F8, F9)."""

import json

import pytest
from attack_support import Wire, refused
from fastmcp.server.providers.addressing import hashed_backend_name
from reasons import reasons_inside
from rules_server import GOLD, SPELLINGS

JSON = b"Content-Type: application/json"
ACCEPT = b"Accept: application/json, text/event-stream"
CLOSED = "insufficient_scope (files:secret)"
NEEDED = "mcp:use files:secret"
KINDS = ("sdk", "fastmcp")
# Three places to divide it at, so that FastMCP's own pattern would try some 10^11 ways; nobody may wait for one in a hundred.
STRETCHED = "logs://" + "-" * 8000
METHODS = ("resources/read", "resources/subscribe", "completion/complete", "subscriptions/listen")


def post(wire, token, kind, method, params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return wire.bearer(token, ACCEPT, JSON, method=b"POST", target=f"/rules/{kind}".encode(), body=body)


def naming(method, *uris):
    """The parameters that name these URIs."""
    match method:
        case "completion/complete":
            return {"ref": {"type": "ref/resource", "uri": uris[0]}, "argument": {"name": "name", "value": ""}}
        case "subscriptions/listen":
            return {"notifications": {"resourceSubscriptions": list(uris)}}
    return {"uri": uris[0]}


@pytest.fixture
def token(forge):
    return forge.token(scope="mcp:use")


@pytest.fixture
def entitled(forge):
    return forge.token(scope=NEEDED)


@pytest.mark.parametrize("uri", [uri for uri, _ in SPELLINGS.values()], ids=list(SPELLINGS))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_f9_a_rule_in_another_spelling_closes_the_resource(wire, token, kind, method, uri):
    refused(post(wire, token, kind, method, naming(method, uri)), reason=CLOSED, scope=NEEDED)


@pytest.mark.parametrize("uri", [uri for uri, _ in SPELLINGS.values()], ids=list(SPELLINGS))
@pytest.mark.parametrize("kind", KINDS)
def test_control_the_resource_is_read_with_its_scope(wire, entitled, kind, uri):
    answer = post(wire, entitled, kind, "resources/read", {"uri": uri})
    assert (answer.status, answer.refusals) == (200, [])
    assert answer.json()["result"]["contents"][0]["text"] == GOLD


def test_f9_one_spelling_that_is_not_closed_closes_the_whole_message(wire, token):
    uris = [uri for uri, _ in SPELLINGS.values()]
    for place in range(len(uris)):
        params = naming("subscriptions/listen", *["open://h/x"] * place, uris[place], "open://h/y")
        refused(post(wire, token, "sdk", "subscriptions/listen", params), reason=CLOSED, scope=NEEDED)


# Ways to what is closed that no message names: the tool to call, its arguments, and for which engine.
WAYS = {
    "a tool that calls another": ("call_vault", {}, KINDS),
    "a tool that reads a resource": ("read_gold", {}, KINDS),
    "a tool that renders a prompt": ("get_vault", {}, KINDS),
    "a prompt in the shape of a tool": ("get_prompt", {"name": "vault"}, ("fastmcp",)),
    "the call of a search": ("call_tool", {"name": "vault", "arguments": {}}, ("fastmcp",)),
    "a tool of a mounted server": ("in_read_gold", {}, ("fastmcp",)),
    "the call of a search to a mounted server": ("call_tool", {"name": "in_read_gold", "arguments": {}}, ("fastmcp",)),
}
ROWS = [
    pytest.param(kind, tool, arguments, id=f"{name}-{kind}") for name, (tool, arguments, kinds) in WAYS.items() for kind in kinds
]


class Inside:
    """Calls tools, and reads what the log says of what was refused behind the route."""

    def __init__(self, attacked):
        self.wire, self.log = Wire(attacked.wire.port), attacked.log

    def call(self, token, kind, tool, arguments):
        read = self.log.stat().st_size
        answer = post(self.wire, token, kind, "tools/call", {"name": tool, "arguments": arguments})
        with self.log.open("rb") as log:
            log.seek(read)
            lines = log.read().decode("utf-8", "replace").splitlines()
        assert not any(line.startswith("Traceback") for line in lines)
        return answer, reasons_inside(lines)


@pytest.fixture
def inside(attacked):
    return Inside(attacked)


@pytest.mark.parametrize(("kind", "tool", "arguments"), ROWS)
def test_f8_what_is_closed_is_reached_by_no_other_way(inside, token, kind, tool, arguments):
    answer, reasons = inside.call(token, kind, tool, arguments)
    assert answer.status == 200
    assert GOLD.encode() not in answer.raw
    assert reasons == [CLOSED]


@pytest.mark.parametrize(("kind", "tool", "arguments"), ROWS)
def test_control_the_same_ways_are_open_to_who_holds_the_scope(inside, entitled, kind, tool, arguments):
    answer, reasons = inside.call(entitled, kind, tool, arguments)
    assert answer.status == 200
    assert GOLD.encode() in answer.raw
    assert reasons == []


@pytest.mark.parametrize("kind", KINDS)
def test_f8_a_tool_behind_a_search_has_its_rule(wire, token, kind):
    refused(post(wire, token, kind, "tools/call", {"name": "vault", "arguments": {}}), reason=CLOSED, scope=NEEDED)


def test_f9_a_name_that_stands_for_two_tools_is_refused_as_both_are(wire, token):
    name = hashed_backend_name("pages", "page")
    refused(post(wire, token, "fastmcp", "tools/call", {"name": name, "arguments": {}}), reason=CLOSED, scope=NEEDED)


@pytest.mark.parametrize(
    "uris", [[STRETCHED], [STRETCHED[:-1] + "x", *(f"{STRETCHED[:50]}{n}" for n in range(999))]], ids=["one", "many"]
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_f9_no_uri_stretches_the_look_up_of_who_may_not_ask(wire, token, kind, method, uris):
    """`refused` has a bound of seconds; a pattern that tries all ways would take minutes."""
    refused(post(wire, token, kind, method, naming(method, *uris)), reason=CLOSED, scope=NEEDED)


UNSERVED = ["resources/subscribe", "completion/complete", "subscriptions/listen"]


@pytest.mark.parametrize("method", UNSERVED)
def test_f9_nor_does_one_stretch_the_matching_of_fastmcp_for_who_may(wire, entitled, method):
    """Its patterns try every place for each value, so the guard denies what would take too long: no scope helps."""
    answer = post(wire, entitled, "fastmcp", method, naming(method, STRETCHED))
    refused(answer, reason="insufficient_scope", scope="")
    assert answer.seconds < 2


@pytest.mark.parametrize(("kind", "uri"), [("sdk", STRETCHED), *((kind, "logs://2026-11-24.log") for kind in KINDS)])
@pytest.mark.parametrize("method", UNSERVED)
def test_control_what_is_matched_in_time_is_let_in_for_who_may(wire, entitled, kind, uri, method):
    """Neither engine of these servers subscribes or completes, so what is measured is the look-up before it."""
    answer = post(wire, entitled, kind, method, naming(method, uri))
    assert answer.refusals == []
    assert answer.seconds < 2


@pytest.mark.parametrize("kind", KINDS)
def test_f9_what_is_encoded_too_often_to_be_compared_is_denied(wire, entitled, kind):
    answer = post(wire, entitled, kind, "resources/read", {"uri": "gold://h/%2525252567"})
    refused(answer, reason="insufficient_scope", scope="")


# Only what takes too many passes to decode is denied; the rest names nothing that is there.
ESCAPES = {
    "percent signs": ("%25" * 2700, []),
    "no UTF-8": ("%e9" * 2700, []),
    "nested": ("%" * 4000 + "25" * 2000, ["insufficient_scope"]),
}


@pytest.mark.parametrize(("escapes", "reasons"), ESCAPES.values(), ids=list(ESCAPES))
@pytest.mark.parametrize("kind", KINDS)
def test_f9_no_escapes_stretch_the_comparison(wire, entitled, kind, escapes, reasons):
    answer = post(wire, entitled, kind, "resources/read", {"uri": f"gold://h/{escapes}"})
    assert answer.refusals == reasons
    assert GOLD.encode() not in answer.raw
    assert answer.seconds < 2


# All of these are 7 to a function that takes an `int`.
SEVENS = ["07", "0007", "+7", "%207", "7%20", "%097", "7.0", "0_7", "%D9%A7", "%EF%BC%97", "\u0667", "%30%37", "%2B7", "7"]


@pytest.fixture
def late(inside, entitled):
    """Both servers, with a template that was added while they run, and whose number 7 has a rule."""
    for kind in KINDS:
        answer, reasons = inside.call(entitled, kind, "add_template", {})
        assert (b"added" in answer.raw, reasons) == (True, [])


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("seven", SEVENS)
@pytest.mark.parametrize("kind", KINDS)
def test_f9_a_rule_for_one_value_of_a_template_is_passed_by_no_spelling_of_it(wire, token, kind, seven):
    answer = post(wire, token, kind, "resources/read", {"uri": f"late://items/{seven}"})
    refused(answer, reason=CLOSED, scope=NEEDED)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(("value", "text"), [("07", GOLD), ("8", "open")])
@pytest.mark.parametrize("kind", KINDS)
def test_control_the_template_is_read_with_the_scope(wire, entitled, kind, value, text):
    answer = post(wire, entitled, kind, "resources/read", {"uri": f"late://items/{value}"})
    assert (answer.status, answer.refusals) == (200, [])
    assert answer.json()["result"]["contents"][0]["text"] == text
