"""What the issuer tells servers about tokens that they cannot read, and how these prove who they are."""

import base64
import json
import time
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from mcp_oauth2_deps import OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, read_header, split_token, verify_signature
from mcp_oauth2_deps.protocol.keys import KeySet
from mcp_oauth2_deps.testing import Client, Fault, FaultIssuer, SigningKey

SECRET = "s:%é+ /"
KEY = SigningKey.generate("ES256", "k")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGNED = "application/token-introspection+jwt"
CLIENTS = {
    "gu:rd": Client(SECRET),
    "signer": Client(key=KEY.public_jwk(), scopes=frozenset({"files:read"})),
    "public": Client(redirect_uris=("http://127.0.0.1:3000/callback",)),
}


@pytest.fixture
def browser(make_browser):
    return make_browser(clients=CLIENTS, audience="https://api.example.com/mcp", opaque=True)


@pytest.fixture
def ask(browser):
    def ask(token, headers=None, **form):
        by_header = {} if "client_id" in form or "client_assertion" in form else basic()
        data = {"token": token, **form} if token is not None else form
        return browser.post("/introspect", data=data, headers=by_header | (headers or {}))

    return ask


def basic(client="gu:rd", secret=SECRET, quote=quote_plus):
    # Form-encoded before base64 (RFC 6749 section 2.3.1).
    pair = f"{quote(client)}:{quote(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def assertion(key=KEY, header=None, **changes):
    now = int(time.time())
    claims = {"iss": "signer", "sub": "signer", "aud": "http://127.0.0.1:9000", "jti": "1", "iat": now, "exp": now + 60}
    signed = key.mint({name: value for name, value in (claims | changes).items() if value is not None}, header)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


def test_an_opaque_token_says_nothing_and_its_introspection_what_a_jwt_would_have_said(browser, ask):
    token = browser.issuer.token(subject="alice", scopes=["files:read"], acr="high")
    assert "." not in token
    answer = ask(token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    said = answer.json()
    assert isinstance(said.pop("exp"), int)
    assert isinstance(said.pop("iat"), int)
    assert said.pop("jti")
    assert said == {
        "active": True,
        "token_type": "Bearer",
        "iss": "http://127.0.0.1:9000",
        "aud": "https://api.example.com/mcp",
        "sub": "alice",
        "client_id": "client",
        "scope": "files:read",
        "acr": "high",
    }
    assert browser.issuer.requests["/introspect"] == 1


def test_the_token_endpoint_gives_opaque_tokens(browser, ask):
    tokens = browser.redeem(browser.code()).json()
    said = ask(tokens["access_token"]).json()
    assert (said["sub"], said["client_id"], said["scope"]) == ("alice", "public", "files:read files:write")
    assert ask(tokens["refresh_token"]).json() == {"active": False}


def test_a_jwt_can_be_asked_about_too(make_browser):
    browser = make_browser(clients=CLIENTS)
    token = browser.issuer.token(subject="alice", audience="https://api.example.com/mcp")
    assert token.count(".") == 2
    assert browser.post("/introspect", data={"token": token}, headers=basic()).json()["active"] is True


def test_a_token_bound_to_a_key_is_of_the_type_dpop(browser, ask):
    assert ask(browser.issuer.token(cnf={"jkt": "x"})).json()["token_type"] == "DPoP"


def test_of_what_is_not_valid_nothing_is_said(browser, ask):
    expired, revoked = browser.issuer.token(expires_in=-1), browser.issuer.token()
    browser.issuer.revoke(revoked)
    for token in (expired, revoked, "unknown", "ü"):
        assert ask(token).json() == {"active": False}


def test_who_accepts_a_signed_answer_gets_one(browser, ask):
    token = browser.issuer.token(subject="alice")
    answer = ask(token, {"Accept": f"{SIGNED}, application/json;q=0.9"})
    assert answer.headers["content-type"] == SIGNED
    parts = split_token(answer.text)
    header = read_header(parts.header_segment)
    assert header.typ == "token-introspection+jwt"
    key = KeySet.from_document(browser.issuer.jwks(), SUPPORTED_ALGORITHMS).select(header)
    verify_signature(parts, key)
    claims = json.loads(parts.payload)
    assert claims.pop("iat") == pytest.approx(time.time(), abs=60)
    assert claims == {"iss": "http://127.0.0.1:9000", "aud": "gu:rd", "token_introspection": ask(token).json()}


@pytest.mark.parametrize(
    "make",
    [lambda: {"client_id": "gu:rd", "client_secret": SECRET}, assertion, lambda: assertion() | {"client_id": "signer"}],
    ids=["a secret", "an assertion", "an assertion and a name"],
)
def test_a_client_may_prove_itself_in_the_form(browser, ask, make):
    assert ask(browser.issuer.token(), **make()).json()["active"] is True


def test_an_assertion_may_name_the_token_endpoint_and_fetches_tokens(browser):
    form = {"grant_type": "client_credentials", **assertion(aud="http://127.0.0.1:9000/token")}
    assert browser.token(**form).json()["scope"] == "files:read"


@pytest.mark.parametrize(
    "make",
    # Each makes its assertion in its test: made before the first one, it could be over.
    [
        lambda: {"client_id": "public"},
        lambda: {"client_id": "gu:rd"},
        lambda: {"client_id": "gu:rd", "client_secret": "wrong"},
        lambda: {"client_id": "signer"},
        lambda: {"client_id": "signer", "client_secret": ""},
        lambda: {"client_id": "public", **assertion()},
        lambda: {"client_id": "gu:rd", **assertion()},
        lambda: assertion(SigningKey.generate("ES256", "k")),
        lambda: assertion(SigningKey.generate("ES256", "another")),
        lambda: assertion(header={"crit": ["x"]}),
        lambda: assertion(iss="other"),
        lambda: assertion(sub="other"),
        lambda: assertion(sub=None),
        lambda: assertion(aud="http://127.0.0.1:9001"),
        lambda: assertion(aud=["http://127.0.0.1:9000"]),
        lambda: assertion(aud=None),
        lambda: assertion(exp=1),
        lambda: assertion(exp=int(time.time()) + 3600),
        lambda: assertion(exp="soon"),
        lambda: assertion(exp=None),
        lambda: assertion(jti=None),
        lambda: assertion() | {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        lambda: assertion() | {"client_assertion": "a.b.c"},
        lambda: assertion() | {"client_assertion": "ü"},
    ],
)
def test_a_client_that_proves_nothing_learns_nothing(browser, ask, make):
    answer = ask(browser.issuer.token(), **make())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("headers", [basic(secret="wrong"), basic(quote=str), basic("unknown"), {"Authorization": "Basic ?"}])
def test_a_wrong_header_is_told_its_scheme(browser, ask, headers):
    answer = ask("token", headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="development issuer"')


def test_an_assertion_counts_once(browser, ask):
    form = assertion()
    assert ask("token", **form).status_code == 200
    assert ask("token", **form).status_code == 401
    assert ask("token", **assertion(jti="2")).status_code == 200


@pytest.mark.parametrize(
    "form", [{"client_secret": SECRET}, assertion(), {"client_id": "signer"}, {"client_secret": SECRET, **assertion()}]
)
def test_credentials_in_two_ways_are_refused(browser, form):
    answer = browser.post("/introspect", data={"token": "token", **form}, headers=basic())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_the_token_is_needed_once_and_in_the_body(browser, ask):
    assert ask(None).json()["error"] == "invalid_request"
    assert ask(["a", "b"]).json()["error"] == "invalid_request"
    assert browser.post("/introspect?token=a", headers=basic()).json()["error"] == "invalid_request"
    assert browser.get("/introspect").status_code == 405


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "https://a.example", "null"])
def test_no_page_may_ask(ask, origin):
    assert ask("token", {"Origin": origin}).status_code == 403


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_a_private_key_can_be_written_for_a_program_that_signs_by_itself(alg):
    key = SigningKey.generate(alg)
    again = SigningKey(alg, key.kid, load_pem_private_key(key.private_pem().encode(), None))
    assert again.public_jwk() == key.public_jwk()


def test_a_client_with_a_secret_and_a_key_is_refused():
    with pytest.raises(ValueError, match="not by both"):
        Client("secret", key=KEY.public_jwk())


def test_only_the_newest_tokens_are_known(browser, ask, monkeypatch):
    monkeypatch.setattr("mcp_oauth2_deps.testing.authorization_server.issued._MAX_TOKENS", 2)
    tokens = [browser.issuer.token() for _ in range(3)]
    assert [ask(token).json()["active"] for token in tokens] == [False, True, True]


# The right answer, a byte at a time, is as right as any if it is there in time.
@pytest.mark.parametrize("fault", [None, *(fault for fault in Fault if fault is not Fault.DRIP)])
def test_an_issuer_in_trouble_shows_what_an_app_does_without_answers(fault):
    with FaultIssuer(audience="http://127.0.0.1:8000/mcp", clients={"server": Client("secret")}, opaque=True).serve() as issuer:
        settings = OAuth2Settings(
            issuer=issuer.url,
            resource="http://127.0.0.1:8000/mcp",
            allow_insecure_http=True,
            introspection="opaque",
            client_id="server",
            client_secret="secret",
            http_timeout=2,
        )
        auth = OAuth2BearerScheme(settings)
        app = FastAPI(dependencies=[Depends(auth)])
        app.include_router(auth.router())

        @app.get("/files")
        async def list_files():
            return []

        with TestClient(app) as client:
            if fault is not None:
                issuer.spoil("introspection", fault)
            answer = client.get("/files", headers=issuer.bearer())
    # Another issuer's name in the answer is the token's fault; whatever is no answer says nothing of the token.
    expected = {None: 200, Fault.FOREIGN: 401}.get(fault, 503)
    assert answer.status_code == expected, answer.text
