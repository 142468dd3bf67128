"""Rule C7, CWE-532 and CWE-209: after all attacks neither the log nor an answer holds a token, a key or an internal text.

It judges what the rest of the suite sent to the same server process (conftest.py puts it behind all others); alone it sends
some tokens itself.
"""

import json
import re

import pytest
from attack_support import accepted, refused

PIECE = 12
BASE64URL = re.compile(rb"[A-Za-z0-9_-]{12,}")
SENT_TOKEN = re.compile(rb"(?i)(?:bearer|access_token)[ \t:=]+([\x21-\x7e]{12,})")
INTERNAL = re.compile(
    rb"Traceback|\.py\b|site-packages|/root/|/home/|/usr/|/tmp/|Exception|"
    rb"\b(?:Value|Type|Key|Index|Attribute|Unicode\w*|Recursion|Overflow|Assertion|Runtime|JSONDecode|Validation|JW[TKS])Error\b"
)

# What uvicorn 0.54 writes of every WebSocket that is refused: its target with the query, also without an access log, and that the
# handshake was not completed. An app cannot change either.
NOT_OURS = re.compile(rb'(?m)^(?:INFO: +\S+ - "WebSocket [^\n]*|ERROR: +ASGI callable returned without completing handshake\.)\n')


def pieces(data):
    """Every 12-character piece of every run of base64url in the data."""
    return {run[place : place + PIECE] for run in BASE64URL.findall(data) for place in range(len(run) - PIECE + 1)}


def tokens_in(requests):
    """Pieces of what was sent as a token: of the random part of each, which no other text can hold by chance."""
    found = set()
    for request in requests:
        for token in SENT_TOKEN.findall(request):
            for segment in token.split(b"."):
                # Texts that are spelt out, such as a repeated letter, may stand elsewhere too.
                if len(set(segment)) > PIECE:
                    found |= pieces(segment)
    return found


@pytest.fixture
def said(attacked, wire, forge):
    """All that the server process wrote to its log, and all that it answered."""
    accepted(wire.bearer(forge.token()))
    refused(wire.bearer(forge.token(aud="x")), reason="audience (aud)")
    refused(wire.bearer(forge.token(scope="b")), reason="insufficient_scope (a)")
    refused(wire.bearer(forge.token()[:-8] + "AAAAAAAA"), reason="signature")
    return {"log": NOT_OURS.sub(b"", attacked.log.read_bytes()), "answers": b"\n".join(answer.raw for answer in wire.answers)}


def test_no_token_and_no_piece_of_one(wire, said):
    sent = tokens_in(wire.sent)
    assert len(sent) > 500
    for place, data in said.items():
        assert len(data) > 200
        assert pieces(data) & sent == set(), place


def test_no_key_material(said, issuers):
    secret = set()
    for issuer in issuers:
        for key in (*issuer.good.values(), *issuer.traps.values()):
            numbers = getattr(key._private, "private_numbers", None)
            if numbers is None:
                secret |= {key._private.private_bytes_raw().hex().encode()}
            else:
                values = vars(numbers()) if hasattr(numbers(), "__dict__") else {}
                private = values.get("d") or getattr(numbers(), "private_value", None) or numbers().d
                secret |= {str(private).encode(), f"{private:x}".encode()}
            jwk = key.public_jwk()
            secret |= {jwk[name].encode()[:PIECE] for name in ("n", "x", "y") if name in jwk}
    assert len(secret) > 20
    for place, data in said.items():
        assert [text for text in secret if text in data] == [], place


def test_no_path_no_traceback_no_internal_text(said):
    for place, data in said.items():
        assert [data[max(0, match.start() - 200) : match.end() + 200] for match in INTERNAL.finditer(data)][:3] == [], place


def test_every_line_of_the_log_is_one_line_and_printable(said):
    """CWE-117: no caller writes a line of its own, nor in ours a control character."""
    lines = said["log"].split(b"\n")
    ours = [line for line in lines if b":mcp_oauth2_deps" in line]
    assert len(ours) > 2
    assert [line for line in ours if re.search(rb"[^\x20-\x7e]", line)] == []
    assert [line for line in lines if line and not re.match(rb"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)[: ]", line)] == []


LINE = 'x\r\nFORGED: line\x1b[2J\u2028\u0085 reason=forged "client=root'


def message(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


# What a caller may write where: the claims and header parameters of its token, or its message.
WRITTEN = {
    "sub": {"sub": LINE, "scope": "b"},
    "client_id": {"client_id": LINE, "scope": "b"},
    "scope": {"scope": LINE},
    "iss": {"iss": LINE},
    "aud": {"aud": LINE},
    "kid": {"kid": LINE},
    "typ": {"typ": LINE},
    "alg": {"alg": LINE},
    "method": message(LINE),
    "tool": message("tools/call", name=LINE, arguments={}),
    "prompt": message("prompts/get", name=LINE),
    "resource": message("resources/read", uri=f"memo:///{LINE}"),
    "subscription": message("subscriptions/listen", notifications={"resourceSubscriptions": [LINE]}),
    "completion": message(
        "completion/complete", ref={"type": "ref/prompt", "name": LINE}, argument={"name": LINE, "value": LINE}
    ),
    "log level": message("logging/setLevel", level=LINE),
}


@pytest.mark.parametrize("path", [b"/mcp", b"/fast"])
@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
def test_no_caller_writes_a_line_of_its_own(attacked, wire, forge, written, path):
    """CWE-117, one place after the other; the test above judges all that the whole suite sent."""
    before = attacked.log.stat().st_size
    if isinstance(written, dict):
        in_header = {name: value for name, value in written.items() if name in ("kid", "typ", "alg")}
        claims = {name: value for name, value in written.items() if name not in in_header}
        wire.bearer(forge.mint(forge.header(**in_header), forge.claims(**claims)))
    else:
        for scope in ("a", "mcp:use tools:listed files:read memo:read prompts:use"):
            fields = (b"Content-Type: application/json", b"Accept: application/json, text/event-stream")
            wire.bearer(forge.token(scope=scope), *fields, method=b"POST", target=path, body=written)
    with attacked.log.open("rb") as log:
        log.seek(before)
        lines = log.read().split(b"\n")
    assert [line for line in lines if re.search(rb"[^\x20-\x7e]", line)] == []
    assert [line for line in lines if line and not re.match(rb"(?:INFO|WARNING|DEBUG):", line)] == []
    assert len(lines) > 1


def test_a_server_error_never_happened(wire, said):
    assert wire.answers
    assert [answer.raw[:300] for answer in wire.answers if answer.status >= 500] == []
    assert b"ERROR" not in said["log"]
    assert b"CRITICAL" not in said["log"]
