"""Laws of the whole walk: any signed token, any document of an issuer, any `Authorization` value at a route."""

import asyncio
import json
import math
import time

import httpx
import pytest
from fastapi import FastAPI, Security
from hypothesis import given
from hypothesis import strategies as st
from rfc9110 import parse_challenge
from strategies import CLAIMS, FIELDS, HEADERS, JSON, SEGMENTS

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError
from mcp_oauth2_deps.stores.documents import HTTPDocuments
from mcp_oauth2_deps.testing import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import base64url

RESOURCE = "https://api.example.com/mcp"
ISSUER = DevelopmentIssuer("https://auth.example.com", algorithm="ES256", audience=RESOURCE)
AUTHENTICATOR = Authenticator(OAuth2Settings(issuer=(ISSUER.url,), resource=RESOURCE), documents=ISSUER)


@pytest.fixture(scope="module")
def run():
    """One event loop for all examples."""
    with asyncio.Runner() as runner:
        yield runner.run


def verified(run, token):
    try:
        return run(AUTHENTICATOR.verify(token))
    except InvalidTokenError as error:
        assert all(piece not in repr(vars(error)) + str(error) for piece in token.split(".") if len(piece) > 24)  # noqa: PT017  # either outcome is right
        return None


@given(HEADERS, CLAIMS, st.booleans())
def test_a_rightly_signed_token_is_accepted_or_refused_by_its_own_class(run, header, claims, good):
    header = {"alg": "ES256", "kid": ISSUER.key.kid} | header
    claims = {"iss": ISSUER.url, "aud": RESOURCE, "exp": time.time() + 60} | ({} if good else claims)
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    token = verified(run, f"{text}.{base64url(ISSUER.key.sign(text.encode()))}")
    if token is not None:
        assert header["alg"] == "ES256"
        assert header.get("kid", "") in ("", ISSUER.key.kid)
        assert header.keys().isdisjoint({"crit", "b64", "enc"})
        assert (claims["iss"], token.issuer) == (ISSUER.url, ISSUER.url)
        assert math.isfinite(token.expires_at)


@given(st.lists(SEGMENTS, max_size=4).map(lambda parts: b".".join(parts).decode("latin-1")) | st.text(max_size=80))
def test_no_text_is_a_token(run, text):
    assert verified(run, text) is None


@given(st.integers(0, 2), st.integers(0, 400), st.integers(1, 255))
def test_no_byte_of_a_good_token_can_be_changed(run, part, place, change):
    parts = [bytearray(part.encode()) for part in ISSUER.token(scopes=["a"]).split(".")]
    place %= len(parts[part])
    parts[part][place] ^= change
    assert verified(run, b".".join(parts).decode("latin-1")) is None


async def ask(app, fields):
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/",
        "raw_path": b"/",
    }
    scope |= {"query_string": b"", "root_path": "", "headers": fields, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.fixture(scope="module")
def app():
    auth = OAuth2BearerScheme(authenticator=AUTHENTICATOR)
    app = FastAPI()
    app.get("/", dependencies=[Security(auth.require_scopes("a"))])(lambda: "in")
    return app


CANARY = b"c4naryc4nary"


@given(st.lists(FIELDS | st.binary(max_size=60), min_size=0, max_size=2), st.booleans())
def test_any_authorization_value_gets_a_challenge_that_parses(run, app, values, canary):
    values = [value + (CANARY if canary else b"") for value in values]
    status, headers, body = run(ask(app, [(b"authorization", value) for value in values]))
    assert status in (400, 401)
    scheme, parameters = parse_challenge(headers[b"www-authenticate"].decode())
    assert (scheme, parameters["scope"]) == ("Bearer", "a")
    assert parameters.get("error") == {400: "invalid_request"}.get(status, parameters.get("error"))
    assert json.loads(body)["detail"]["error"] == parameters.get("error")
    assert CANARY not in body + str(headers).encode()


ANSWERS = st.builds(
    lambda status, kind, body, encoding: httpx.Response(
        status, headers={"content-type": kind, "cache-control": encoding}, content=body
    ),
    st.sampled_from([200, 200, 200, 204, 206, 301, 304, 404, 500, 599]),
    st.sampled_from(
        ["application/json", "application/json; charset=utf-8", "application/jwk-set+json", "text/html", "", "application/JSON"]
    ),
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["", "max-age=1", "max-age=99999999999", "no-store", "max-age=-1", 'max-age="5"', "max-age=x"]),
)


@given(ANSWERS)
def test_any_answer_is_one_object_or_a_document_error(run, answer):
    documents = HTTPDocuments(timeout=5, transport=httpx.MockTransport(lambda _: answer))
    try:
        document = run(documents.fetch("https://auth.example.com/keys"))
    except DocumentError as error:
        assert str(error).isascii()  # noqa: PT017  # either outcome is right
    else:
        assert answer.status_code == 200
        assert document.content == json.loads(answer.content)
        assert document.max_age is None or 0 <= document.max_age < 10**9
