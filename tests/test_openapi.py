"""The OpenAPI document: who can be logged in at, with which scopes, and how operations refuse."""

import re
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from pydantic import BaseModel

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router

RESOURCE = "https://api.example.com/mcp"


def make_app(auth):
    app = FastAPI(dependencies=[Security(auth.require_scopes("app"))])
    app.include_router(auth.router())
    router = APIRouter(prefix="/r", dependencies=[Security(auth.require_scopes("router"))])

    @router.get("/x", dependencies=[Security(auth.require_scopes("route"))])
    async def x(token: Annotated[AccessToken, Security(auth, scopes=["own"])]) -> str | None:
        return token.subject

    app.include_router(router)
    app.include_router(mcp_router(lambda: None, auth=auth, scopes=ToolScopes(every_call=["mcp:use"], tools={"t": ["tool:t"]})))
    return app


def document_of(app):
    with TestClient(app) as client:
        document = client.get("/openapi.json").json()
    validate(document)
    return document


def flow_of(document, name="OAuth2BearerScheme"):
    return document["components"]["securitySchemes"][name]["flows"]["authorizationCode"]


def test_the_scheme_knows_the_endpoints_and_every_scope(make_scheme, issuer):
    document = document_of(make_app(make_scheme(scopes={"described": "What it is", "app": "The app"})))
    flow = flow_of(document)
    assert flow["authorizationUrl"] == issuer.url + "/authorize"
    assert flow["tokenUrl"] == flow["refreshUrl"] == issuer.url + "/token"
    described = {"described": "What it is", "app": "The app"}
    assert flow["scopes"] == dict.fromkeys(["router", "route", "own", "mcp:use", "tool:t"], "") | described
    assert issuer.url in document["components"]["securitySchemes"]["OAuth2BearerScheme"]["description"]


def test_the_settings_win_over_discovery(make_scheme):
    settings = {"authorization_url": "https://a.example/login", "token_url": "https://a.example/token"}
    flow = flow_of(document_of(make_app(make_scheme(**settings))))
    assert (flow["authorizationUrl"], flow["tokenUrl"]) == tuple(settings.values())


def test_an_issuer_without_refresh_tokens_has_no_refresh_url(make_scheme, issuer, monkeypatch):
    metadata = issuer.metadata() | {"grant_types_supported": ["authorization_code"]}
    monkeypatch.setattr(issuer, "metadata", lambda: metadata)
    assert "refreshUrl" not in flow_of(document_of(make_app(make_scheme())))


def test_each_operation_lists_exactly_the_scopes_it_needs(auth):
    paths = document_of(make_app(auth))["paths"]
    assert paths["/r/x"]["get"]["security"] == [{"OAuth2BearerScheme": ["app", "router", "route", "own"]}]
    for operation in paths["/mcp"].values():
        assert operation["security"] == [{"OAuth2BearerScheme": ["app", "mcp:use"]}]


def test_each_of_several_issuers_has_a_scheme_and_every_operation_takes_any(make_scheme, issuer):
    auth = make_scheme(issuer=f"{issuer.url},https://other.example.com:8443/t/", fail_fast=False)
    document = document_of(make_app(auth))
    names = ["OAuth2BearerScheme-auth.example.com", "OAuth2BearerScheme-other.example.com-8443-t"]
    assert set(document["components"]["securitySchemes"]) == set(names)
    scopes = ["app", "router", "route", "own"]
    assert document["paths"]["/r/x"]["get"]["security"] == [{name: scopes} for name in names]


def test_another_scheme_on_the_operation_is_left_alone(auth):
    from fastapi.security import APIKeyHeader

    app = FastAPI()
    app.include_router(auth.router())
    app.get("/both", dependencies=[Security(auth.require_scopes("a")), Depends(APIKeyHeader(name="k"))])(lambda: "")
    app.get("/other", dependencies=[Depends(APIKeyHeader(name="k"))])(lambda: "")
    document = document_of(app)
    assert document["paths"]["/both"]["get"]["security"] == [{"OAuth2BearerScheme": ["a"]}, {"APIKeyHeader": []}]
    assert "401" not in document["paths"]["/other"]["get"]["responses"]


def test_before_the_issuer_is_reached_the_document_answers_and_is_right_afterwards(make_scheme, issuer, monkeypatch):
    auth = make_scheme(fail_fast=False, jwks_refresh_cooldown=0)
    working = issuer.fetch

    async def fail(url):
        raise DocumentError("it answers 500")

    monkeypatch.setattr(issuer, "fetch", fail)
    with TestClient(make_app(auth)) as client:
        before = client.get("/openapi.json").json()
        validate(before)
        scheme = before["components"]["securitySchemes"]["OAuth2BearerScheme"]
        assert scheme["flows"] == {}
        assert "not known yet" in scheme["description"]
        monkeypatch.setattr(issuer, "fetch", working)
        token = issuer.bearer(scopes=["app", "router", "route", "own"])
        assert client.get("/r/x", headers=token).status_code == 200
        after = client.get("/openapi.json").json()
        assert flow_of(after)["tokenUrl"] == issuer.url + "/token"
        assert client.get("/openapi.json").json() == after


def test_the_document_is_made_once_while_nothing_changes(auth):
    app = make_app(auth)
    with TestClient(app):
        assert app.openapi() is app.openapi()


def test_two_schemes_of_one_app_are_both_told_of(make_scheme, issuer):
    auth = make_scheme()
    other = OAuth2BearerScheme(authenticator=make_scheme(resource="https://api.example.com/b").authenticator, scheme_name="Other")
    app = FastAPI()
    for scheme, path in ((auth, "/a"), (other, "/b")):
        app.include_router(scheme.router())
        app.get(path, dependencies=[Security(scheme.require_scopes(path[1:]))])(lambda: "")
    document = document_of(app)
    assert set(document["components"]["securitySchemes"]) == {"OAuth2BearerScheme", "Other"}
    assert flow_of(document, "Other")["scopes"] == {"b": ""}
    assert document["paths"]["/b"]["get"]["security"] == [{"Other": ["b"]}]


def test_refusals_are_documented_with_headers_body_and_examples(auth, issuer):
    app = make_app(auth)
    document = document_of(app)
    assert set(document["paths"]["/r/x"]["get"]["responses"]) == {"200", "400", "401", "403", "503"}
    responses = document["components"]["responses"]
    real = {}
    with TestClient(app) as client:
        real["401"] = client.get("/r/x")
        real["400"] = client.get("/r/x", headers={"Authorization": "Bearer a b"})
        real["403"] = client.get("/r/x", headers=issuer.bearer(scopes=[]))
    for status, answer in real.items():
        assert str(answer.status_code) == status
        place = document["paths"]["/r/x"]["get"]["responses"][status]["$ref"]
        told = responses[place.removeprefix("#/components/responses/")]
        shown, example = answer.json()["detail"], told["content"]["application/json"]["example"]["detail"]
        missing = {name: detail.pop("missing_scopes", None) for name, detail in (("shown", shown), ("example", example))}
        assert shown == example
        expected = ["app", "router", "route", "own"] if status == "403" else None
        assert missing == {"shown": expected, "example": expected}
        if status == "403":
            assert told["headers"]["WWW-Authenticate"]["example"] == answer.headers["WWW-Authenticate"]
        assert set(told["headers"]) == {"WWW-Authenticate"}
    assert set(responses["OAuth2Refusal503"]["headers"]) == {"Retry-After"}


def test_the_403_of_each_operation_names_its_own_scopes(make_scheme):
    auth = make_scheme(scope_prefix="api://x/")
    other = OAuth2BearerScheme(scheme_name="Another", authenticator=make_scheme().authenticator)
    app = FastAPI()
    app.include_router(auth.router())
    app.include_router(other.router())
    demands = {
        "/a": (auth, ["a"]),
        "/also-a": (auth, ["a"]),
        "/ab": (auth, ["a", "b"]),
        "/none": (auth, []),
        "/c": (other, ["c"]),
    }
    for path, (scheme, scopes) in demands.items():
        app.get(path, dependencies=[Security(scheme.require_scopes(*scopes))])(lambda: "")
    document = document_of(app)
    refusals = {path: operations["get"]["responses"]["403"]["$ref"] for path, operations in document["paths"].items()}
    assert refusals["/a"] == refusals["/also-a"]
    assert len(set(refusals.values())) == 4
    for path, (_, scopes) in demands.items():
        told = document["components"]["responses"][refusals[path].rpartition("/")[2]]
        missing = told["content"]["application/json"]["example"]["detail"]["missing_scopes"]
        assert missing == (scopes or ["files:write"])
    example = document["components"]["responses"][refusals["/ab"].rpartition("/")[2]]["headers"]["WWW-Authenticate"]["example"]
    assert 'scope="api://x/a api://x/b"' in example
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in document["components"]["responses"])


def test_what_the_user_documented_stays(auth):
    app = FastAPI()
    app.include_router(auth.router())
    app.get("/", dependencies=[Security(auth)], responses={401: {"description": "mine"}})(lambda: "")
    responses = document_of(app)["paths"]["/"]["get"]["responses"]
    assert responses["401"] == {"description": "mine"}
    assert "$ref" in responses["403"]


def test_a_document_of_the_users_own_is_completed_whatever_it_leaves_out(auth):
    app = FastAPI()
    app.include_router(auth.router())
    own = {"openapi": "3.1.0", "info": {"title": "own", "version": "1"}, "paths": {}}
    own["paths"]["/files"] = {"summary": "Files", "get": {"security": [{"OAuth2BearerScheme": ["files:read"]}]}}
    own["paths"] |= {"/open": {"get": {"security": None}}, "x-order": 1}
    app.openapi = lambda: own
    with TestClient(app) as client:
        document = client.get("/openapi.json").json()
        assert set(document["paths"]["/files"]["get"]["responses"]) == {"400", "401", "403", "503"}
        assert document["paths"]["/open"] == {"get": {"security": None}}
        own["paths"] = None
        assert client.get("/openapi.json").status_code == 200


def test_a_model_of_the_users_with_the_name_of_ours_stays(auth):
    class OAuth2Refusal(BaseModel):
        mine: int

    app = FastAPI()
    app.include_router(auth.router())

    @app.get("/x", dependencies=[Security(auth)])
    async def x() -> OAuth2Refusal:
        raise NotImplementedError

    assert set(document_of(app)["components"]["schemas"]["OAuth2Refusal"]["properties"]) == {"mine"}


def test_one_argument_switches_the_refusals_off(make_scheme):
    auth = OAuth2BearerScheme(authenticator=make_scheme().authenticator, document_responses=False)
    document = document_of(make_app(auth))
    assert set(document["paths"]["/r/x"]["get"]["responses"]) == {"200"}
    assert "responses" not in document["components"]
    assert flow_of(document)["scopes"]


def test_swagger_ui_is_told_client_scopes_and_resource(make_scheme):
    auth = make_scheme(scopes={"described": ""})
    options = auth.swagger_ui_init_oauth(client_id="ui", appName="Mine")
    app = make_app(auth)
    app.swagger_ui_init_oauth = options
    with TestClient(app) as client:
        client.get("/openapi.json")
        page = client.get("/docs").text
    assert options == {
        "clientId": "ui",
        "usePkceWithAuthorizationCodeGrant": True,
        "scopes": ["app", "described", "mcp:use", "own", "route", "router", "tool:t"],
        "additionalQueryStringParams": {"resource": RESOURCE},
        "appName": "Mine",
    }
    assert '"clientId": "ui"' in page
    assert '"described"' in page


def test_the_client_id_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_SWAGGER_CLIENT_ID", "from-environment")
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "https://a.example")
    auth = OAuth2BearerScheme(OAuth2Settings(resource=RESOURCE))
    assert auth.swagger_ui_init_oauth()["clientId"] == "from-environment"


@pytest.mark.parametrize("name", ["client_secret", "clientSecret"])
def test_a_client_secret_is_refused(auth, name):
    with pytest.raises(ValueError, match="secret"):
        auth.swagger_ui_init_oauth(client_id="ui", **{name: "s"})


def test_without_a_client_id_the_error_names_the_setting(auth):
    with pytest.raises(ValueError, match="MCP_OAUTH2_SWAGGER_CLIENT_ID"):
        auth.swagger_ui_init_oauth()


def test_without_settings_the_document_still_answers():
    auth = OAuth2BearerScheme()
    app = FastAPI()
    app.get("/", dependencies=[Security(auth.require_scopes("a"))])(lambda: "")
    from mcp_oauth2_deps.fastapi.documentation import OpenAPIDocument

    OpenAPIDocument.install(app, auth._description)
    document = app.openapi()
    validate(document)
    assert document["paths"]["/"]["get"]["security"] == [{"OAuth2BearerScheme": ["a"]}]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://auth.example.com/login", "data:text/html,x", "//a.example/login"])
@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint"])
def test_nobody_is_sent_to_an_endpoint_that_is_no_https_url(make_scheme, issuer, monkeypatch, url, endpoint):
    metadata = issuer.metadata() | {endpoint: url}
    monkeypatch.setattr(issuer, "metadata", lambda: metadata)
    assert document_of(make_app(make_scheme()))["components"]["securitySchemes"]["OAuth2BearerScheme"]["flows"] == {}
