"""`require(live=True)`: the issuer is asked for each request, wherever the demand stands, and nothing remembered stands in its way."""

from typing import Annotated

import pytest
from asked_issuer import CLIENT_ID, SECRET, AskedIssuer
from fastapi import Depends, FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings, require
from mcp_oauth2_deps.errors import IssuerUnavailableError
from mcp_oauth2_deps.models import DeclarationError

RESOURCE = "https://api.example.com/mcp"


@pytest.fixture
def server():
    with AskedIssuer(RESOURCE).serve() as server:
        server.answers["token"] = server.good()
        yield server


def scheme_of(server, **settings):
    asking = {"introspection": "opaque", "client_id": CLIENT_ID, "client_secret": SECRET}
    settings = {"issuer": server.url, "resource": RESOURCE, "allow_insecure_http": True} | asking | settings
    return OAuth2BearerScheme(OAuth2Settings(**settings))


def app_of(auth):
    app = FastAPI()
    app.include_router(auth.router())

    @app.get("/usual")
    async def usual(token: Annotated[AccessToken, Security(auth.require_scopes("a"))]) -> str:
        return token.subject

    @app.get("/live")
    async def live(token: Annotated[AccessToken, Security(auth.require(scopes=["a"], live=True))]) -> str:
        return token.subject

    # The demand stands beside the route, and another dependency asked for the token first.
    @app.get("/beside", dependencies=[Depends(auth), Security(auth.require(live=True))])
    async def beside(token: Annotated[AccessToken, Security(auth.require_scopes("a"))]) -> str:
        return token.subject

    return app


@pytest.fixture
def auth(server):
    return scheme_of(server)


@pytest.fixture
def client(auth):
    with TestClient(app_of(auth), base_url="https://api.example.com", headers={"Authorization": "Bearer token"}) as client:
        yield client


def test_the_issuer_is_asked_for_each_request_and_once_for_each(client, server):
    for _ in range(3):
        assert client.get("/usual").status_code == 200
    assert server.asked_about("token") == 1
    for number in range(3):
        assert client.get("/live").status_code == 200
        assert server.asked_about("token") == 2 + number
    assert client.get("/beside").status_code == 200
    assert server.asked_about("token") == 5


@pytest.mark.parametrize("path", ["/live", "/beside"])
def test_a_revoked_token_is_refused_at_once_and_then_everywhere(client, server, path):
    assert client.get("/usual").status_code == 200
    server.answers["token"] = {"active": False}
    assert client.get("/usual").status_code == 200
    answer = client.get(path)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert client.get("/usual").status_code == 401


def test_scopes_that_the_issuer_took_back_are_missed_at_once(client, server):
    assert client.get("/live").status_code == 200
    server.answers["token"] = server.good(scope="b")
    assert client.get("/usual").status_code == 200
    assert client.get("/live").status_code == 403


def test_an_issuer_that_is_away_is_503_and_lets_nobody_in(client, server):
    assert client.get("/usual").status_code == 200
    server.answers["token"] = 500
    answer = client.get("/live")
    assert (answer.status_code, "retry-after" in answer.headers, "www-authenticate" in answer.headers) == (503, True, False)
    assert server.url not in answer.text


def test_a_guard_asks_by_itself_where_fastapi_does_not_tell_what_the_route_demands(client, server, monkeypatch):
    monkeypatch.setattr("mcp_oauth2_deps.fastapi.gate.matched_dependant", lambda _: None)
    assert client.get("/usual").status_code == 200
    server.answers["token"] = {"active": False}
    assert client.get("/live").status_code == 401


def test_a_token_that_a_test_put_in_place_is_asked_about_by_nobody(auth, client, server):
    before = len(server.forms)
    client.app.dependency_overrides[auth] = lambda: AccessToken(subject="test", scopes={"a"})
    assert client.get("/live").json() == "test"
    assert len(server.forms) == before


def test_equal_demands_are_equal_dependencies_and_unlike_ones_are_not(auth):
    assert auth.require(scopes=["a"]) == auth.require_scopes("a")
    assert auth.require(any_of=["a", "b"]) == auth.require_scopes(any_of=["a", "b"])
    assert auth.require(scopes=["a"], live=True) == auth.require(scopes=["a"], live=True) != auth.require_scopes("a")
    assert require(scopes=["a"]).requirement == auth.require(scopes=["a"]).requirement


def test_where_no_issuer_is_asked_the_start_is_refused(server):
    auth = scheme_of(server, introspection="off")
    app = app_of(auth)
    with pytest.raises(DeclarationError, match="the setting introspection"), TestClient(app):
        pass
    # An app that was not started refuses each request.
    answer = TestClient(app, headers={"Authorization": f"Bearer {server.key.mint({})}"}).get("/live")
    assert answer.status_code == 401


def test_scopes_are_a_list(auth):
    with pytest.raises(ValueError, match="one string"):
        auth.require(scopes="files:read")


def test_a_wrong_secret_stops_the_start(server):
    with (
        pytest.raises(IssuerUnavailableError, match="refuses our credentials"),
        TestClient(app_of(scheme_of(server, client_secret="x"))),
    ):
        pass
