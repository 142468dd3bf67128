"""What an operator reads when a token is refused: what was expected, what came, and what cures it. Each row is a mistake."""

import logging
import re
import time
from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from reasons import OUTCOMES

from mcp_oauth2_deps import AccessToken, OAuth2Settings
from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, MissingCredentialsError
from mcp_oauth2_deps.events import Explanation, Refused
from mcp_oauth2_deps.explanations import Trusted, explain
from mcp_oauth2_deps.instrumentation.logging import RefusalLog
from mcp_oauth2_deps.protocol.policy import TokenPolicy

RESOURCE = "https://api.example.com/mcp"
ISSUER = "https://auth.example.com"
CLOCKS = "A clock is wrong, here or at the issuer (timedatectl), or the setting leeway is too small"


@pytest.fixture
def said(auth, caplog):
    """The warnings about refusals of the route, whose scope is `files:read`."""
    app = FastAPI()

    @app.get("/files")
    def files(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]):
        return token.subject

    client = TestClient(app)

    def ask(authorization):
        caplog.clear()
        answer = client.get("/files", headers={"Authorization": authorization})
        (record,) = [record for record in caplog.records if record.name == "mcp_oauth2_deps.security"]
        return answer.status_code, record

    return ask


# The token's differences from a good one, and what the line says after the reason.
TOKENS = {
    "another audience": (
        {"audience": "account"},
        "reason=audience claim=aud found=account expected=https://api.example.com/mcp",
        "Let the issuer put the resource into aud (Keycloak: an audience mapper; Auth0: the API identifier), or name what",
    ),
    "no audience": (
        {"aud": None},
        'reason=audience_missing claim=aud found="no aud" expected=https://api.example.com/mcp',
        "The issuer writes no aud; let it name this resource there",
    ),
    "a slash": (
        {"iss": ISSUER + "/"},
        "reason=issuer claim=iss found=https://auth.example.com/ expected=https://auth.example.com",
        "They differ in the slash at the end only. Both must agree to the byte",
    ),
    "upper case": (
        {"iss": "https://Auth.example.com"},
        "reason=issuer claim=iss found=https://Auth.example.com expected=https://auth.example.com",
        "They differ in upper and lower case only. Both must agree to the byte",
    ),
    "http": (
        {"iss": "http://auth.example.com"},
        "reason=issuer claim=iss found=http://auth.example.com expected=https://auth.example.com",
        "They differ in http and https only. Both must agree to the byte",
    ),
    "another issuer": (
        {"iss": "https://other.example.com"},
        "reason=issuer claim=iss found=https://other.example.com expected=https://auth.example.com",
        "Both must agree to the byte, a slash at the end included; correct the setting issuer",
    ),
    "a space in what was found": (
        {"iss": "a b"},
        'reason=issuer claim=iss found="a b" expected=https://auth.example.com',
        "Both must agree to the byte",
    ),
    "an ID token": (
        {"at_hash": "x"},
        "reason=id_token claim=at_hash",
        "The client sent its ID token; the access token is wanted",
    ),
    "a token of another type": (
        {"header": {"typ": "logout+jwt"}},
        'reason=type claim=typ found=logout.jwt expected="JWT or at.jwt"',
        "The client sent another of its tokens",
    ),
}
TIMES = {
    "expired": (
        {"expires_in": -100},
        'reason=expired claim=exp found="10. s ago"',
        "The client must refresh its token. If it is fresh",
    ),
    "not yet valid": ({"nbf": 100}, 'reason=not_yet_valid claim=nbf found="in (100|99) s"', CLOCKS),
    "issued in the future": ({"iat": 100}, 'reason=issued_in_future claim=iat found="in (100|99) s"', CLOCKS),
}


def _with_times_from(now, differences):
    return {name: value + now if name in ("nbf", "iat") else value for name, value in differences.items()}


@pytest.mark.parametrize("name", [*TOKENS, *TIMES])
def test_a_refused_token_is_explained(said, issuer, name):
    differences, facts, cure = (TOKENS | TIMES)[name]
    status, record = said(f"Bearer {issuer.token(**_with_times_from(int(time.time()), differences))}")
    text = record.getMessage()
    assert (status, record.levelname) == (401, "WARNING")
    assert re.match(f"refused with 401: {facts}", text)
    assert f'request="GET /files". {cure}' in text
    if name in TIMES:
        assert 'expected="a clock difference of at most 30 s"' in text


SCOPES = {
    "some other scope": (
        {"scopes": ["files:write", "mcp:use"]},
        'missing=files:read expected=files:read held="files:write mcp:use"',
        "The person must consent to it, or the issuer allow it to this client",
    ),
    "an empty claim": (
        {"scope": ""},
        'missing=files:read expected=files:read held="no scope"',
        "The scope claim of the token is empty. The person must consent to it",
    ),
    "roles instead": (
        {"scope": None, "roles": ["a"], "realm_access": {"roles": ["b"]}},
        'missing=files:read expected=files:read held="no claim scope or scp in the token, which has realm_access roles"',
        "The issuer writes scopes under another name, or none: the setting scope_claims",
    ),
    "no further claim": (
        {"scope": None},
        'held="no claim scope or scp in the token, which has no other claims"',
        "The issuer writes scopes under another name, or none: the setting scope_claims",
    ),
}


@pytest.mark.parametrize("name", SCOPES)
def test_a_token_without_the_scope_is_explained(said, issuer, name):
    differences, facts, cure = SCOPES[name]
    status, record = said(f"Bearer {issuer.token(**differences)}")
    assert (status, record.levelname) == (403, "WARNING")
    assert "reason=insufficient_scope " in record.getMessage()
    assert facts in record.getMessage()
    assert f'request="GET /files". {cure}' in record.getMessage()


def test_settings_of_the_environment_are_named_as_variables(monkeypatch):
    for name, value in {"ISSUER": ISSUER, "RESOURCE": RESOURCE}.items():
        monkeypatch.setenv("MCP_OAUTH2_" + name, value)
    settings = OAuth2Settings()
    trusted = Trusted((ISSUER,), TokenPolicy(issuers=(ISSUER,), audiences=(RESOURCE,), algorithms=frozenset()))
    explanation = explain(InvalidTokenError("audience", claim="aud", found="x"), None, trusted, settings.spelled_out)
    assert explanation.cure.endswith("or name what it writes there in MCP_OAUTH2_AUDIENCE")
    in_code = OAuth2Settings(issuer=ISSUER, resource=RESOURCE)
    explanation = explain(InvalidTokenError("audience", claim="aud", found="x"), None, trusted, in_code.spelled_out)
    assert explanation.cure.endswith("or name what it writes there in the setting audience")


def test_a_hint_of_the_preset_takes_the_place_of_the_cure():
    policy = TokenPolicy(issuers=(ISSUER,), audiences=(RESOURCE,), algorithms=frozenset())
    trusted = Trusted((ISSUER,), policy, {"audience": "Add an audience mapper"})
    explanation = explain(InvalidTokenError("audience", claim="aud", found="x"), None, trusted, str)
    assert explanation == Explanation(RESOURCE, "x", "Add an audience mapper")


def test_a_token_without_an_audience_of_a_client_that_is_not_named_is_told_with_both():
    policy = TokenPolicy(issuers=(ISSUER,), audiences=(RESOURCE,), algorithms=frozenset(), clients=frozenset({"b", "a"}))
    error = InvalidTokenError("audience_missing", claim="aud", found="c")
    explanation = explain(error, None, Trusted((ISSUER,), policy), str)
    assert explanation.expected == f"{RESOURCE}, or none and one of the clients a b"
    assert explanation.found == "no aud for the client c"


def test_of_many_issuers_five_are_shown():
    names = tuple(f"https://{number}.example.com" for number in range(1000))
    trusted = Trusted(names, TokenPolicy(issuers=names, audiences=(), algorithms=frozenset()))
    explanation = explain(InvalidTokenError("issuer", claim="iss", found="x"), None, trusted, str)
    assert explanation.expected == " ".join(names[:5]) + " and 995 more"


@pytest.fixture
def log(caplog):
    """A log with a clock, and the lines of it that are shown at its level, without their facts."""
    caplog.set_level(logging.INFO, "mcp_oauth2_deps.security")
    now = [0.0]
    write = RefusalLog(lambda: now[0])

    def refuse(*refusals, at=0.0):
        now[0] = at
        caplog.clear()
        for error in refusals:
            write(Refused(401, error, None))
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    return refuse


def _of(issuer, reason="expired"):
    error = InvalidTokenError(reason)
    error.issuer = issuer
    return error


def test_the_first_of_a_reason_and_issuer_is_a_warning_and_once_a_minute_with_the_count(log):
    first = "refused with 401: reason=expired issuer=a"
    assert log(_of("a"), _of("a"), _of("b"), _of("a", "signature")) == [
        ("WARNING", first),
        ("INFO", first),
        ("WARNING", "refused with 401: reason=expired issuer=b"),
        ("WARNING", "refused with 401: reason=signature issuer=a"),
    ]
    assert log(_of("a"), _of("a"), at=59.9) == [("INFO", first)] * 2
    assert log(_of("a"), _of("a"), at=60) == [
        ("WARNING", first + " (3 more like this one since the last warning)"),
        ("INFO", first),
    ]


def test_ten_thousand_refusals_are_one_line_by_default(log, caplog):
    caplog.set_level(logging.WARNING, "mcp_oauth2_deps.security")
    assert len(log(*[_of(None, "malformed")] * 10_000)) == 1


def test_the_issuers_that_are_counted_are_bounded(log):
    assert {level for level, _ in log(*(_of(str(number)) for number in range(2000)))} == {"WARNING"}
    assert log(_of("1999"))[0][0] == "INFO"
    assert log(_of("0"))[0][0] == "WARNING", "it was displaced"


def test_a_request_without_a_token_is_no_warning(log):
    assert log(MissingCredentialsError()) == [("INFO", "refused with 401: reason=missing_credentials")]


def test_the_facts_are_fields_of_the_record(said, issuer):
    _, record = said(f"Bearer {issuer.token(audience='account', subject='alice', client_id='app')}")
    facts = {
        name: getattr(record, name) for name in ("status", "reason", "claim", "found", "expected", "issuer", "client", "subject")
    }
    assert facts == {
        "status": 401,
        "reason": "audience",
        "claim": "aud",
        "found": "account",
        "expected": RESOURCE,
        "issuer": ISSUER,
        "client": "app",
        "subject": "alice",
    }
    assert record.cure.startswith("Let the issuer put the resource into aud")


@pytest.mark.parametrize("text", ['x" reason="y', "x\nrefused with 200", "x\\", "\u202e", "x" * 5000])
def test_what_a_caller_writes_stays_one_value_of_one_line(said, issuer, text):
    _, record = said(f"Bearer {issuer.token(iss=text)}")
    line = record.getMessage()
    assert line.isascii()
    assert line.isprintable()
    assert line.count(" reason=") == 1 + text.count(' reason="')
    assert len(line) < 1500


@pytest.mark.parametrize("reason", sorted({reason.partition(" ")[0] for reason in OUTCOMES} - {"missing_credentials"}))
def test_every_reason_has_a_cure(reason):
    trusted = Trusted((ISSUER,), TokenPolicy(issuers=(ISSUER,), audiences=(RESOURCE,), algorithms=frozenset()))
    if reason == "insufficient_scope":
        error = InsufficientScopeError(required=("a",), granted=frozenset(), missing=("a",))
    else:
        error = InvalidTokenError(reason)
    assert len(explain(error, None, trusted, str).cure) > 30
