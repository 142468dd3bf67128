"""RFC 9728 sections 3 and 5.1, RFC 9110 section 11.6.1: nothing that a caller sends changes a challenge or the metadata."""

import pytest
from attack_support import METADATA_URL, RESOURCE, SERVER, not_found, refused
from rfc9110 import parse_challenge

PLACES = [
    b"/.well-known/oauth-protected-resource",
    b"/.well-known/oauth-protected-resource/",
    b"/.well-known/oauth-protected-resource/mcp",
    b"/.well-known/oauth-protected-resource/mcp/",
]
POISON = {
    "RFC 9110 7.2: Host": (b"evil.example", ()),
    "RFC 9110 7.2: Host with a port": (b"api.example.com:8080", ()),
    "RFC 9110 7.2: Host with a user": (b"api.example.com@evil.example", ()),
    "RFC 9110 7.2: Host with a path": (b"api.example.com/evil.example", ()),
    "RFC 9110 7.2: Host with a quote": (b'evil.example", error="x', ()),
    "RFC 9110 7.2: Host with a comma": (b"api.example.com, evil.example", ()),
    "RFC 9110 7.2: Host with a fragment": (b"evil.example#", ()),
    "RFC 9110 7.2: a long Host": (b"evil.example." * 300, ()),
    "RFC 9110 7.2: Host in capitals": (b"EVIL.EXAMPLE", ()),
    "RFC 9110 7.2: Host of another script": (b"\xd0\xb5vil.example", ()),
    "RFC 7239 4: Forwarded": (b"api.example.com", (b"Forwarded: for=1.2.3.4;host=evil.example;proto=http",)),
    "X-Forwarded-Host": (b"api.example.com", (b"X-Forwarded-Host: evil.example",)),
    "X-Forwarded-Host with a quote": (b"api.example.com", (b'X-Forwarded-Host: evil.example", x="y',)),
    "X-Forwarded-Proto": (b"api.example.com", (b"X-Forwarded-Proto: http",)),
    "X-Forwarded-Proto with a name": (b"api.example.com", (b"X-Forwarded-Proto: evil.example",)),
    "X-Forwarded-Port": (b"api.example.com", (b"X-Forwarded-Port: 666",)),
    "X-Forwarded-For": (b"api.example.com", (b"X-Forwarded-For: evil.example",)),
    "X-Forwarded-Prefix": (b"api.example.com", (b"X-Forwarded-Prefix: /evil.example",)),
    "X-Forwarded-Server": (b"api.example.com", (b"X-Forwarded-Server: evil.example",)),
    "X-Original-Host": (b"api.example.com", (b"X-Original-Host: evil.example", b"X-Host: evil.example")),
    "X-Original-URL": (b"api.example.com", (b"X-Original-URL: /evil.example", b"X-Rewrite-URL: /evil.example")),
    "RFC 9110 13.1.2: If-None-Match": (b"api.example.com", (b"If-None-Match: *",)),
    "RFC 9110 14.2: Range": (b"api.example.com", (b"Range: bytes=0-1",)),
    "RFC 9110 12.5: Accept": (
        b"api.example.com",
        (b"Accept: text/html", b"Accept-Encoding: gzip", b"Accept-Language: x-evil.example"),
    ),
    "RFC 6454 7: Origin": (b"api.example.com", (b"Origin: https://evil.example",)),
    "RFC 9110 10.1.3: Referer": (b"api.example.com", (b"Referer: https://evil.example/",)),
    "User-Agent": (b"api.example.com", (b"User-Agent: evil.example<script>\x1b[31m",)),
}


@pytest.fixture
def documents(issuers):
    return {
        "resource": RESOURCE,
        "authorization_servers": [issuer.url for issuer in issuers],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["a", "b"],
    }


def _sendable(attacked, fields):
    """The parser httptools refuses control characters in fields, h11 refuses none of these."""
    return tuple(field.replace(b"\x1b", b"") if attacked.parser == "httptools" else field for field in fields)


@pytest.mark.parametrize(("host", "fields"), POISON.values(), ids=list(POISON))
def test_the_metadata_is_the_same_whatever_is_said(attacked, wire, documents, host, fields):
    for target in PLACES:
        answer = wire.send(*_sendable(attacked, fields), target=target, host=host)
        assert answer.status == 200
        assert answer.json() == documents
        assert answer.every("content-type") == ["application/json"]
        assert answer.every("access-control-allow-origin") == ["*"]
        assert answer.every("location") == []


@pytest.mark.parametrize(("host", "fields"), POISON.values(), ids=list(POISON))
def test_the_challenge_is_the_same_whatever_is_said(attacked, wire, forge, host, fields):
    fields = _sendable(attacked, fields)
    refused(wire.send(*fields, host=host), reason="missing_credentials")
    refused(wire.bearer("x", *fields, host=host), reason="opaque")
    refused(wire.bearer(forge.token(scope="b"), *fields, host=host), reason="insufficient_scope (a)")
    refused(wire.send(b"Authorization: Bearer", *fields, host=host), reason="malformed_credentials")


PREFIX = b"/.well-known/oauth-protected-resource"
ENDINGS = b"""
/other /mcp/x /.. /%2e%2e/%2e%2e/etc/passwd /https://evil.example //evil.example /MCP /mcp%00 /mcp;x /mcp%0d%0aX:y /%ff x
"""
OTHER_PLACES = [b"/.well-known", b"/.well-known/OAUTH-protected-resource", b"/.well-known/openid-configuration"]


@pytest.mark.parametrize("target", [PREFIX + ending for ending in [*ENDINGS.split(), b"/" + b"x" * 8000]] + OTHER_PLACES)
def test_rfc9728_3_1_no_other_resource_has_metadata_here(wire, target):
    answer = wire.send(target=target)
    not_found(answer)
    assert answer.every("location") == []


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE"])
def test_rfc9728_3_1_the_metadata_is_only_read(wire, method):
    assert wire.send(target=PLACES[2], method=method).status == 405


def test_control_the_metadata_needs_no_token_and_minds_none(wire, forge, documents):
    for fields in ((), (b"Authorization: Bearer x",), (b"Authorization: Bearer " + forge.token(aud="x").encode(),)):
        assert wire.send(*fields, target=PLACES[2]).json() == documents


def test_control_a_preflight_of_the_metadata(wire):
    answer = wire.send(b"Origin: https://any.example", b"Access-Control-Request-Method: GET", target=PLACES[2], method=b"OPTIONS")
    assert answer.status == 204
    assert answer.every("access-control-allow-origin") == ["*"]


QUOTES = ['"', '\\"', '", error="x', "\\", "Bearer realm=evil", ", Basic realm=evil"]
LINES = ["\r\nSet-Cookie: evil=1", "\n\n<script>alert(1)</script>", "\0", "\x1b]0;evil\x07", "\u2028evil"]
TEMPLATES = ["${jndi:ldap://127.0.0.1:1/evil}", "{{7*7}}", "%s%n", "<evil>", "evil" * 1500]
IN_CLAIMS = dict.fromkeys(("scope", "sub", "client_id", "jti"), "insufficient_scope (a)")
IN_CLAIMS |= {"iss": "issuer (iss)", "aud": "audience (aud)"}
IN_HEADER = {"typ": "type (typ)", "kid": "unknown_key (kid)"}


@pytest.mark.parametrize("text", QUOTES + LINES + TEMPLATES)
@pytest.mark.parametrize(("claim", "reason"), (IN_CLAIMS | IN_HEADER).items())
def test_cwe113_no_claim_reaches_a_challenge(wire, forge, claim, reason, text):
    """Of claims that no rule minds the token is refused for its scope."""
    token = forge.headed(**{claim: text}) if claim in IN_HEADER else forge.token(**({"scope": "b"} | {claim: text}))
    answer = wire.bearer(token)
    refused(answer, reason=reason)
    assert b"evil" not in answer.raw
    assert answer.every("set-cookie") == []


TARGETS = dict.fromkeys(
    [b'/guarded?x="%0d%0aevil', b"/guarded?%22,Basic%20realm=evil", b"/guarded?<evil>"], "missing_credentials"
) | {b"/guarded?x=\xff": SERVER}


@pytest.mark.parametrize(("target", "reason"), TARGETS.items())
def test_cwe113_no_query_reaches_a_challenge(wire, target, reason):
    answer = wire.send(target=target)
    refused(answer, reason=reason)
    assert b"evil" not in answer.raw


def test_the_parser_of_this_suite_is_strict():
    assert parse_challenge('Bearer a="b", c=d') == ("Bearer", {"a": "b", "c": "d"})
    assert parse_challenge(r'Bearer a="\"\\"') == ("Bearer", {"a": '"\\'})
    for bad in (
        "",
        "Bearer",
        'Bearer a="b',
        'Bearer a="b" c=d',
        'Bearer a="b", a=c',
        "Bearer a=",
        'Bearer a="\n"',
        'Bearer a="b",',
        'Bearer a="b"x',
    ):
        with pytest.raises(ValueError, match=r"."):
            parse_challenge(bad)
    assert METADATA_URL.endswith("/mcp")
