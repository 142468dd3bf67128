"""The dependencies at routes: who is let in, and what a challenge names."""

import logging
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.testclient import TestClient
from rfc9110 import challenge_of, scopes_of
from starlette.testclient import WebSocketDenialResponse

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes
from mcp_oauth2_deps.errors import IssuerUnavailableError
from mcp_oauth2_deps.fastapi import gate
from mcp_oauth2_deps.fastapi.scheme import default_scheme

METADATA_URL = "https://api.example.com/.well-known/oauth-protected-resource/mcp"


@pytest.fixture
def app(auth):
    """Demands at the app, a router, a route, a parameter and a nested dependency."""
    app = FastAPI(dependencies=[Security(auth.require_scopes("app"))])
    app.include_router(auth.router())
    router = APIRouter(prefix="/r", dependencies=[Security(auth.require_scopes("router"))])

    async def nested(token: Annotated[AccessToken, Security(auth.require_scopes("nested"))]) -> str | None:
        return token.subject

    @router.get("/x", dependencies=[Security(auth.require_scopes("route"))])
    async def x(
        token: Annotated[AccessToken, Security(auth.require_scopes("parameter"), scopes=["extra"])],
        subject: Annotated[str, Depends(nested)],
    ) -> dict:
        return {"subject": subject, "scopes": sorted(token.scopes)}

    @router.get("/any")
    async def any_(token: Annotated[AccessToken, Security(auth.require_scopes(any_of=("b", "c")))]) -> dict:
        return {"subject": token.subject}

    app.include_router(router)
    return app


ALL = {"app", "router", "route", "parameter", "extra", "nested"}


def test_no_token_names_all_scopes_and_no_error(app):
    response = TestClient(app).get("/r/x")
    assert response.status_code == 401
    assert scopes_of(response) == ALL
    assert "error" not in response.headers["www-authenticate"]
    assert f'resource_metadata="{METADATA_URL}"' in response.headers["www-authenticate"]
    assert response.headers["access-control-expose-headers"] == "WWW-Authenticate"


def test_a_token_with_all_scopes_passes_and_is_verified_once(app, auth, issuer, monkeypatch):
    calls = []
    authenticate = auth.authenticator.authenticate
    monkeypatch.setattr(auth.authenticator, "authenticate", lambda *given, **how: calls.append(1) or authenticate(*given, **how))
    response = TestClient(app).get("/r/x", headers=issuer.bearer(subject="alice", scopes=ALL))
    assert response.status_code == 200
    assert response.json() == {"subject": "alice", "scopes": sorted(ALL)}
    assert len(calls) == 1


@pytest.mark.parametrize("lacking", sorted(ALL))
def test_each_single_missing_scope_is_403_and_names_all(app, issuer, lacking):
    response = TestClient(app).get("/r/x", headers=issuer.bearer(scopes=ALL - {lacking}))
    assert response.status_code == 403
    assert scopes_of(response) == ALL
    assert response.json()["detail"]["error"] == "insufficient_scope"


@pytest.mark.parametrize(("held", "status"), [({"b"}, 200), ({"c"}, 200), (set(), 403), ({"b c"}, 200), ({"d"}, 403)])
def test_one_of_the_alternatives_is_enough(app, issuer, held, status):
    response = TestClient(app).get("/r/any", headers=issuer.bearer(scopes={"app", "router"} | held))
    assert response.status_code == status
    if status == 403:
        assert scopes_of(response) == {"app", "router", "b", "c"}


def test_a_strict_demand_is_not_weakened_by_an_alternative_beside_it(auth, issuer):
    app = FastAPI()

    @app.get("/", dependencies=[Security(auth.require_scopes(any_of=("a", "b"))), Security(auth.require_scopes("a", "b"))])
    async def both() -> None: ...

    assert TestClient(app).get("/", headers=issuer.bearer(scopes={"a"})).status_code == 403
    assert TestClient(app).get("/", headers=issuer.bearer(scopes={"a", "b"})).status_code == 200


def test_openapi_shows_the_scopes_of_every_operation(app):
    paths = TestClient(app).get("/openapi.json").json()["paths"]
    assert set(paths["/r/x"]["get"]["security"][0]["OAuth2BearerScheme"]) == ALL
    assert set(paths["/r/any"]["get"]["security"][0]["OAuth2BearerScheme"]) == {"app", "router", "b", "c"}


def test_openapi_holds_the_flow_once_the_issuer_is_discovered(make_scheme):
    auth = make_scheme(authorization_url="https://auth.example.com/authorize", scopes={"a": "An a"})
    auth.require_scopes("b")
    with TestClient(FastAPI()) as _:
        pass
    assert auth.model.flows.authorizationCode is None
    app = FastAPI()
    app.include_router(auth.router())
    with TestClient(app):
        flow = auth.model.flows.authorizationCode
    assert flow.authorizationUrl == "https://auth.example.com/authorize"
    assert flow.tokenUrl == "https://auth.example.com/token"
    assert flow.scopes == {"a": "An a", "b": ""}


def test_a_broader_scope_passes_where_a_narrower_is_asked(make_scheme, issuer):
    auth = make_scheme(scope_hierarchy={"admin": ["files:write"], "files:write": ["files:read"]})
    app = FastAPI()

    @app.get("/")
    async def read(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]) -> list[str]:
        return sorted(token.scopes)

    response = TestClient(app).get("/", headers=issuer.bearer(scopes={"admin"}))
    assert (response.status_code, response.json()) == (200, ["admin"])


def test_a_403_repeats_known_scopes_held_and_no_others(auth, issuer):
    app = FastAPI()
    auth.require_scopes("other")

    @app.get("/", dependencies=[Security(auth, scopes=["needed"])])
    async def guarded() -> None: ...

    response = TestClient(app).get("/", headers=issuer.bearer(scopes={"other", "openid", "offline_access"}))
    assert scopes_of(response) == {"needed", "other"}


def test_optional_token_is_none_without_and_401_when_bad(auth, issuer):
    app = FastAPI()

    @app.get("/")
    async def who(token: Annotated[AccessToken | None, Security(auth.optional_token)]) -> dict:
        return {"subject": token and token.subject}

    client = TestClient(app)
    assert client.get("/").json() == {"subject": None}
    assert client.get("/", headers=issuer.bearer(subject="alice")).json() == {"subject": "alice"}
    assert client.get("/", headers={"Authorization": "Bearer x.y.z"}).status_code == 401


@pytest.mark.parametrize("key", ["scheme", "guard", "equal guard"])
def test_a_dependency_override_replaces_the_caller(auth, key):
    app = FastAPI()
    guard = auth.require_scopes("a")

    @app.get("/")
    async def who(token: Annotated[AccessToken, Security(guard)]) -> dict:
        return {"subject": token.subject}

    overridden = {"scheme": auth, "guard": guard, "equal guard": auth.require_scopes("a")}[key]
    app.dependency_overrides[overridden] = lambda: AccessToken(subject="test", scopes={"a"})
    assert TestClient(app).get("/").json() == {"subject": "test"}
    if key == "scheme":
        app.dependency_overrides[auth] = lambda: AccessToken(subject="test", scopes={"b"})
        assert TestClient(app).get("/").status_code == 403


def test_an_overridden_guard_demands_nothing_of_the_others(auth, issuer):
    app = FastAPI()
    first = auth.require_scopes("first")

    @app.get("/", dependencies=[Security(first), Security(auth.require_scopes("second"))])
    async def guarded() -> None: ...

    app.dependency_overrides[first] = lambda: None
    assert TestClient(app).get("/", headers=issuer.bearer(scopes={"second"})).status_code == 200


def test_demands_of_routes_that_are_made_again_are_not_kept_without_bound(auth, issuer, monkeypatch):
    """Whoever adds a route to an included router makes FastAPI build all of its routes again."""
    monkeypatch.setattr(gate, "_MOST_ROUTES", 5)
    app, router = FastAPI(), APIRouter()

    @router.get("/guarded", dependencies=[Security(auth.require_scopes("a"))])
    async def guarded() -> None: ...

    app.include_router(router)
    client = TestClient(app)
    for number in range(12):
        router.add_api_route(f"/{number}", lambda: None)
        assert client.get("/guarded", headers=issuer.bearer(scopes={"a"})).status_code == 200
        assert client.get("/guarded", headers=issuer.bearer(scopes={"b"})).status_code == 403
        assert 1 <= len(auth.gate._requirements) <= 5


def test_a_websocket_is_refused_before_it_is_accepted(auth, issuer):
    app = FastAPI()

    @app.websocket("/ws")
    async def ws(websocket: WebSocket, token: Annotated[AccessToken, Security(auth.require_scopes("a"))]) -> None:
        await websocket.accept()
        await websocket.send_text(token.subject or "")

    client = TestClient(app)
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect("/ws"):
        pass
    assert caught.value.status_code == 401
    assert scopes_of(caught.value) == {"a"}
    with client.websocket_connect("/ws", headers=issuer.bearer(subject="alice", scopes={"a"})) as socket:
        assert socket.receive_text() == "alice"


@pytest.mark.parametrize("scopes", [("a b",), ("",), ("offline_access",), (["a"],), ('a"',)])
def test_what_is_no_scope_is_refused_when_the_route_is_built(auth, scopes):
    with pytest.raises(ValueError):
        auth.require_scopes(*scopes)
    with pytest.raises(ValueError, match="list of scopes"):
        auth.require_scopes(any_of="abc")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Basic YTpi", 401),
        ("Bearer", 400),
        ("Bearer a b", 400),
        ("Bearer a,b", 400),
        ("Bearer a\tb", 400),
        ("Bearer \xe9", 400),
        ("Bearer " + "a" * 17000, 400),
        ("Bearer abc", 401),
        ("bearer a.b.c.d.e", 401),
    ],
)
def test_whatever_is_sent_gets_its_status_and_a_challenge(app, authorization, status):
    response = TestClient(app).get("/r/x", headers={"Authorization": authorization.encode("latin-1")})
    assert response.status_code == status
    assert scopes_of(response) == ALL


def test_two_authorization_fields_are_400(app, issuer):
    good = issuer.bearer(scopes=ALL)["Authorization"]
    response = TestClient(app).get("/r/x", headers=[("Authorization", good), ("Authorization", good)])
    assert response.status_code == 400
    assert 'error="invalid_request"' in response.headers["www-authenticate"]


def test_a_refusal_is_one_log_line_without_the_token(app, issuer, caplog):
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    header = issuer.bearer(subject="alice", client_id="c1", expires_in=-100, scopes=ALL)
    client = TestClient(app)
    client.get("/r/x", headers=header)
    client.get("/r/x", headers=issuer.bearer(subject="alice"))
    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(lines) == 2
    assert "reason=expired" in lines[0]
    assert "subject=alice" in lines[0]
    assert "client=c1" in lines[0]
    assert "reason=insufficient_scope" in lines[1]
    assert not any(part in caplog.text for part in header["Authorization"].removeprefix("Bearer ").split("."))


def test_an_issuer_that_is_down_is_503_with_retry_after(auth, issuer, monkeypatch):
    async def down(issuer):
        raise IssuerUnavailableError(issuer, "down", retry_after=7)

    monkeypatch.setattr(auth.authenticator.jwks_store, "key_set", down)
    app = FastAPI()
    app.get("/", dependencies=[Security(auth)])(lambda: None)
    response = TestClient(app).get("/", headers=issuer.bearer())
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example.com", ""),
        ("https://api.example.com/", ""),
        ("https://api.example.com/mcp", "/mcp"),
        ("https://api.example.com/mcp/", "/mcp/"),
        ("https://api.example.com:8443/a/b", "/a/b"),
    ],
)
def test_metadata_is_served_where_the_challenge_points_and_at_the_root(make_scheme, resource, path):
    auth = make_scheme(resource=resource)
    app = FastAPI(dependencies=[Security(auth.require_scopes("app"))])
    app.include_router(auth.router())
    app.get("/")(lambda: None)
    client = TestClient(app)
    url = challenge_of(client.get("/"))[1]["resource_metadata"]
    for place in (url.partition("://")[2].partition("/")[2], ".well-known/oauth-protected-resource"):
        response = client.get("/" + place, headers={"Host": "evil.example", "Origin": "https://x.example"})
        assert response.status_code == 200
        assert response.json()["resource"] == resource
        assert response.headers["access-control-allow-origin"] == "*"
    assert url.endswith("/.well-known/oauth-protected-resource" + path)
    assert client.options("/.well-known/oauth-protected-resource").status_code == 204
    assert client.get("/.well-known/oauth-protected-resource/other").status_code == 404


def test_metadata_names_the_resource_to_clients_and_their_developers(make_scheme):
    scheme = make_scheme(resource_name="Files of Acme", resource_documentation="https://api.example.com/docs/mcp")
    app = FastAPI()
    app.include_router(scheme.router())
    document = TestClient(app).get("/.well-known/oauth-protected-resource/mcp").json()
    assert document["resource_name"] == "Files of Acme"
    assert document["resource_documentation"] == "https://api.example.com/docs/mcp"


def test_metadata_under_a_root_path(auth):
    app = FastAPI()
    app.include_router(auth.router())
    client = TestClient(app, root_path="/api")
    assert client.get("/.well-known/oauth-protected-resource/mcp").status_code == 200
    assert client.get("/api/.well-known/oauth-protected-resource/mcp").status_code == 200


def test_two_resources_in_one_app_have_no_root_document(make_scheme):
    app = FastAPI()
    app.include_router(make_scheme(resource="https://api.example.com/a").router())
    app.include_router(make_scheme(resource="https://api.example.com/b").router())
    with TestClient(app) as client:
        place = "/.well-known/oauth-protected-resource"
        assert client.get(place + "/a").json()["resource"] == "https://api.example.com/a"
        assert client.get(place + "/b").json()["resource"] == "https://api.example.com/b"
        assert client.get(place).status_code == 404


def test_the_default_scheme_reads_the_environment_at_first_use_and_serves_an_overridden_place(monkeypatch):
    app = FastAPI()
    app.include_router(protected_resource_router())
    app.get("/", dependencies=[Security(require_scopes("tools:call"))])(lambda: None)
    assert app.openapi()["paths"]["/"]["get"]["security"]
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "https://auth.example.com")
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com/mcp")
    monkeypatch.setenv("MCP_OAUTH2_FAIL_FAST", "false")
    monkeypatch.setenv("MCP_OAUTH2_METADATA_URL", "https://api.example.com/mcp/metadata")
    monkeypatch.setenv("MCP_OAUTH2_JWKS_URI", "https://127.0.0.1:1/jwks")
    for _ in range(2):
        with TestClient(app) as client:
            response = client.get("/")
            assert 'resource_metadata="https://api.example.com/mcp/metadata"' in response.headers["www-authenticate"]
            for place in ("/mcp/metadata", "/.well-known/oauth-protected-resource/mcp"):
                assert client.get(place).json()["resource"] == "https://api.example.com/mcp"
            assert client.get("/.well-known/oauth-protected-resource/other").status_code == 404


def test_fail_fast_refuses_to_start_and_says_why(make_scheme, issuer, monkeypatch):
    monkeypatch.setattr(issuer, "metadata", lambda: {"issuer": "https://other.example.com"})
    app = FastAPI()
    app.include_router(make_scheme().router())
    with pytest.raises(IssuerUnavailableError, match="MCP_OAUTH2_FAIL_FAST"), TestClient(app):
        pass


def test_a_request_handed_on_with_other_credentials_is_judged_anew(auth, issuer):
    """An app may dispatch a request into itself with a copy of the scope; what was remembered is not for others."""
    import httpx

    app = FastAPI()
    app.include_router(auth.router())

    @app.get("/inner")
    async def inner(token: Annotated[AccessToken, Security(auth.require_scopes("a"))]) -> str | None:
        return token.subject

    @app.get("/outer", dependencies=[Security(auth.require_scopes("a"))])
    async def outer(request: Request) -> list[int | str]:
        bob = issuer.bearer(subject="bob", scopes=["a"])["Authorization"].encode()
        own = request.headers["authorization"].encode()
        statuses = []
        for fields in ([], [b"Bearer garbage"], [own, own], [bob], [own]):
            headers = [(b"authorization", field) for field in fields]

            async def dispatch(scope, receive, send, headers=headers):
                await app({**request.scope, "path": "/inner", "headers": headers}, receive, send)

            async with httpx.AsyncClient(transport=httpx.ASGITransport(dispatch), base_url="http://t") as client:
                answer = await client.get("/inner")
                statuses.append(answer.json() if answer.status_code == 200 else answer.status_code)
        return statuses

    with TestClient(app) as client:
        answer = client.get("/outer", headers=issuer.bearer(subject="alice", scopes=["a"]))
    assert answer.json() == [401, 401, 400, "bob", "alice"]


@pytest.mark.parametrize("path", ["/m%20p", "/%C3%A9", "/a%2Bb/"])
def test_a_metadata_url_with_percent_encoding_answers(make_scheme, path):
    for settings in ({"resource": f"https://api.example.com{path}"}, {"metadata_url": f"https://api.example.com{path}"}):
        auth = make_scheme(**settings)
        app = FastAPI()
        app.include_router(auth.router())
        app.get("/", dependencies=[Security(auth)])(lambda: "in")
        with TestClient(app) as client:
            url = challenge_of(client.get("/"))[1]["resource_metadata"]
            assert path in url
            assert client.get(url.removeprefix("https://api.example.com")).status_code == 200


def test_metadata_that_is_not_where_clients_look_stops_the_start(auth):
    app = FastAPI()
    app.include_router(auth.router(), prefix="/api")
    with pytest.raises(ValueError, match="without a prefix"), TestClient(app):
        pass


def test_an_overridden_default_scheme_needs_no_environment():
    app = FastAPI()
    app.get("/", dependencies=[Security(require_scopes("a"))])(lambda: "in")
    app.dependency_overrides[default_scheme] = lambda: AccessToken(scopes={"a"})
    assert TestClient(app).get("/").status_code == 200
