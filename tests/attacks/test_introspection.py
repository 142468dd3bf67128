"""RFC 7662: tokens that only their issuer understands, over raw sockets, with an issuer that says what each row makes it say."""

import gzip
import json
import random
import time
from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from asked_issuer import JSON, SECRET, SIGNED
from attack_support import accepted, refused, rows

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"


@pytest.fixture
def wire(asked):
    return asked[0].wire


@pytest.fixture
def issuer(asked):
    return asked[1]


@pytest.fixture
def present(wire, issuer):
    """Lets the issuer say this of a new token, and presents it."""

    def present(answer, *lines, token=None, **more):
        token = token or f"{random.randrange(10**12)}-opaque"
        issuer.answers[token] = answer
        return wire.bearer(token, *lines, **more)

    return present


def unavailable(answer):
    """The law of an issuer that gives no answer: 503 for the caller, without a challenge and without a name."""
    assert (answer.status, answer.refusals) == (503, ["issuer_unavailable"]), answer.raw[:600]
    assert answer.every("www-authenticate") == []
    assert int(answer.every("retry-after")[0]) >= 1
    assert b"127.0.0.1" not in answer.body


REFUSED = {
    "a token that it never made": ({"active": False}, "inactive"),
    "one that is not active, with all the rest": ({"active": False, "scope": "a"}, "inactive"),
    "a refresh token, by its type": ({"token_type": "refresh_token"}, "type (token_type)"),
    "a refresh token, for nobody": ({"aud": ..., "token_type": ...}, "audience_missing (aud)"),
    "a refresh token of Keycloak": ({"typ": "Refresh"}, "type (typ)"),
    "a refresh token of Hydra": ({"token_use": "refresh_token"}, "type (token_use)"),
    "an ID token": ({"aud": "client", "azp": "client", "nonce": "n"}, "audience (aud)"),
    "an ID token for us": ({"at_hash": "x"}, "id_token (at_hash)"),
    "a token for another client of the issuer": ({"aud": "other-client"}, "audience (aud)"),
    "a token for another resource": ({"aud": "https://api.example.com/mcp/other"}, "audience (aud)"),
    "a token of another issuer": ({"iss": "https://other.example.com"}, "issuer (iss)"),
    "iss with a slash more": ({"iss": "https://other.example.com/"}, "issuer (iss)"),
    "expired": ({"exp": 1}, "expired (exp)"),
    "exp is a text": ({"exp": "9999999999"}, "claim (exp)"),
    "exp is true": ({"exp": True}, "claim (exp)"),
    "not valid yet": ({"nbf": 9_999_999_999}, "not_yet_valid (nbf)"),
    "aud with a number in it": ({"aud": ["https://api.example.com/mcp", 1]}, "claim (aud)"),
    "aud is an object": ({"aud": {"https://api.example.com/mcp": True}}, "claim (aud)"),
    "a DPoP token as Bearer": ({"cnf": {"jkt": "x"}, "token_type": "DPoP"}, "binding (cnf)"),
    "a DPoP token that calls itself Bearer": ({"cnf": {"jkt": "x"}}, "binding (token_type)"),
    "a token bound to a certificate": ({"cnf": {"x5t#S256": "x"}}, "binding (cnf)"),
    "without the scope": ({"scope": "b"}, "insufficient_scope (a)"),
    "a scope that only resembles": ({"scope": "aa A"}, "insufficient_scope (a)"),
}


@pytest.mark.parametrize(("change", "reason"), rows(REFUSED))
def test_rfc7662_2_2_what_is_active_but_not_for_us_is_refused(present, issuer, change, reason):
    refused(present(change if "active" in change else issuer.good(**change)), reason=reason)


def test_rfc7662_2_2_the_issuer_says_400_of_what_can_be_no_token_of_its_own(present):
    refused(present(400), reason="malformed")


def _whole(head, body=b""):
    return b"HTTP/1.1 " + head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


BIG = b'{"active": true, "x": "' + b"x" * 10_000_000 + b'"}'
NO_ANSWERS = {
    "active is a text": {"active": "true", "scope": "a"},
    "active is 1": {"active": 1},
    "active is null": {"active": None},
    "active is missing": {"scope": "a"},
    "active twice": (200, JSON, '{"active": false, "active": true}'),
    "exp is NaN": (200, JSON, '{"active": true, "exp": NaN}'),
    "HTML": (200, "text/html", "<html>"),
    "JSON that calls itself HTML": (200, "text/html", '{"active": true}'),
    "a redirect to who says yes": _whole("302 Found\nlocation: /introspect?token=good\ncontent-length: 0"),
    "a bomb": _whole("200 OK\ncontent-type: application/json\ncontent-encoding: gzip", gzip.compress(BIG)),
    "ten megabytes": (200, JSON, BIG),
    "half a body": _whole("200 OK\ncontent-type: application/json\ncontent-length: 99", b'{"active": true}'),
    "a JWT that nobody asked for": (200, SIGNED, "eyJ.eyJ.x"),
    "it fails": 500,
    "it is not there": 404,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=list(NO_ANSWERS))
def test_rfc7662_2_3_no_answer_is_503_and_never_lets_in(present, issuer, answer):
    unavailable(present(answer))
    # It also tells the breaker that the issuer is well.
    accepted(present(issuer.good()))


def test_a_slow_drip_ends_at_the_deadline(present, issuer):
    before = time.monotonic()
    unavailable(present(lambda: time.sleep(4) or issuer.good()))
    assert time.monotonic() - before < 3.5
    accepted(present(issuer.good()))


def test_revoked_it_is_refused_at_once_where_the_route_asks_now(present, issuer, wire):
    accepted(present(issuer.good(), token="revoked-soon"))
    issuer.answers["revoked-soon"] = {"active": False}
    accepted(wire.bearer("revoked-soon"))
    refused(wire.bearer("revoked-soon", target=b"/live"), reason="inactive")
    refused(wire.bearer("revoked-soon"), reason="inactive")


def test_a_hundred_tokens_that_the_issuer_answers_with_400_shut_nothing(present, issuer):
    for _ in range(100):
        refused(present(400), reason="malformed")
    accepted(present(issuer.good()))


def test_rfc6749_2_3_1_a_token_with_every_character_arrives_as_it_was_sent(present, issuer):
    accepted(present(issuer.good(), token=ALPHABET + "=="))
    accepted(present(issuer.good(), token="a+b/c~d" + "." * 40))


def test_a_jwt_is_shown_to_no_issuer_whatever_its_fault(wire, issuer):
    good = issuer.key.mint({"iss": issuer.url, "aud": issuer.audience, "exp": time.time() + 60, "sub": "alice", "scope": "a"})
    accepted(wire.bearer(good))
    for bad, reason in (
        (good[:-4] + "AAAA", "signature"),
        (good + "=", "malformed"),
        (good + ".x", "malformed"),
        ("ICAg" + good, "signature"),
        (issuer.key.mint({"iss": "https://other.example.com"}), "issuer (iss)"),
        (issuer.signed_answer(issuer.good()), "type (typ)"),
    ):
        issuer.answers[bad] = issuer.good()
        refused(wire.bearer(bad), reason=reason)
        assert issuer.asked_about(bad) == 0
    assert issuer.asked_about(good) == 0


@pytest.mark.parametrize("length", [16 * 1024 - 1, 16 * 1024])
def test_control_the_longest_token(present, issuer, length):
    accepted(present(issuer.good(), token="a" * length))


def test_rule_i5_what_is_too_long_never_leaves(wire, issuer):
    token = "a" * (16 * 1024 + 1)
    refused(wire.bearer(token), reason="oversized_credentials")
    assert issuer.asked_about(token) == 0


def test_guesses_leave_what_is_remembered_untouched(present, issuer, wire):
    accepted(present(issuer.good(), token="well-known"))
    asked = issuer.asked_about("well-known")
    for number in range(300):
        refused(wire.bearer(f"guess-{number}"), reason="inactive")
    accepted(wire.bearer("well-known"))
    # Ten seconds may have gone by on a busy machine.
    assert issuer.asked_about("well-known") <= asked + 1
    assert issuer.most_at_once <= 16


def test_neither_a_token_nor_our_secret_is_in_the_log(asked, present, issuer):
    accepted(present(issuer.good(), token="a-secret-token-of-alice"))
    refused(present({"active": False}, token="a-secret-token-of-nobody"), reason="inactive")
    log = asked[0].log.read_text("utf-8", "replace")
    assert "refused with 401" in log
    basic = b64encode(f"{quote_plus('files:api')}:{quote_plus(SECRET)}".encode()).decode()
    for text in ("a-secret-token", SECRET, quote_plus(SECRET), basic, json.dumps(SECRET).strip('"')):
        assert text not in log
