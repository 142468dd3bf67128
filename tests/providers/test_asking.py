"""Is a client told of scopes under the names that its provider knows, and the operator of what a preset warns of?"""

import asyncio
import logging
from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from providers.harness import Provider, key_of, token_of, wall_clock
from providers.shapes import APP, RESOURCE, SHAPES, TENANT

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings

ENTRA = f"entra tenant={TENANT} app={APP}"
AUTH0 = "auth0 domain=acme.eu.auth0.com"
ISSUERS = {ENTRA: SHAPES["entra v2"].claims["iss"], AUTH0: SHAPES["auth0"].claims["iss"]}
PREFIX = f"api://{APP}/"


def app_of(*lines):
    """An app with a route that demands a scope of a client and a role of a user."""
    provider = Provider([key_of("RS256")])
    for line in lines:
        issuer = ISSUERS[line]
        provider.publish(
            issuer,
            {"issuer": issuer, "jwks_uri": "https://keys.example/"}
            | {name: f"https://login.example/{name}" for name in ("authorization_endpoint", "token_endpoint")},
        )
    settings = OAuth2Settings(provider="; ".join(lines), resource=RESOURCE, scopes={"files.read": "Read", "role:Editor": ""})
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=provider, wall_clock=wall_clock))
    app = FastAPI(swagger_ui_init_oauth=auth.swagger_ui_init_oauth("docs"))
    app.include_router(auth.router())

    @app.get("/mcp", dependencies=[Security(auth.require_scopes("files.read", "files.write", "role:Editor"))])
    async def files(token: Annotated[AccessToken, Security(auth)]) -> str:
        return token.issuer

    return app


def scopes_in(answer):
    found = [part for part in answer.headers["www-authenticate"].split(", ") if part.startswith('scope="')]
    return found[0].removeprefix('scope="').rstrip('"').split() if found else []


@pytest.fixture
def entra():
    with TestClient(app_of(ENTRA), base_url="https://api.example.com") as client:
        yield client


def test_a_challenge_asks_for_scopes_as_entra_knows_them_and_never_for_a_role(entra):
    answer = entra.get("/mcp")
    assert (answer.status_code, scopes_in(answer)) == (401, [PREFIX + "files.read", PREFIX + "files.write"])


def test_what_is_checked_has_the_name_that_is_in_the_token(entra):
    shape = SHAPES["entra v2"]
    good = token_of(shape, {"scp": "files.read files.write", "roles": ["Editor"]})
    assert entra.get("/mcp", headers={"Authorization": f"Bearer {good}"}).status_code == 200
    # The name with the prefix is no scope of a token; a role is no scope, and a scope is no role.
    for change in ({"scp": f"{PREFIX}files.read files.write"}, {"roles": ["files.write"], "scp": "files.read"}, {"roles": []}):
        token = token_of(shape, {"scp": "files.read files.write", "roles": ["Editor"]} | change)
        answer = entra.get("/mcp", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["detail"]["error"]) == (403, "insufficient_scope"), change


def test_the_metadata_name_scopes_as_entra_knows_them(entra):
    document = entra.get("/.well-known/oauth-protected-resource/mcp").json()
    assert document["scopes_supported"] == [PREFIX + "files.read"]
    assert document["authorization_servers"] == [ISSUERS[ENTRA]]


def test_swagger_ui_asks_entra_without_a_resource(entra):
    document = entra.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert set(scheme["flows"]["authorizationCode"]["scopes"]) == {PREFIX + "files.read", PREFIX + "files.write"}
    (required,) = [names for entry in document["paths"]["/mcp"]["get"]["security"] for names in entry.values()]
    assert set(required) == {PREFIX + "files.read", PREFIX + "files.write"}
    page = entra.get("/docs").text
    assert (f'"{PREFIX}files.read"' in page, '"resource"' in page, '"additionalQueryStringParams": {}' in page) == (
        True,
        False,
        True,
    )


def test_other_providers_are_asked_as_before():
    with TestClient(app_of(AUTH0), base_url="https://api.example.com") as client:
        assert scopes_in(client.get("/mcp")) == ["files.read", "files.write", "role:Editor"]
        page = client.get("/docs").text
        assert (f'"resource": "{RESOURCE}"' in page, PREFIX in page) == (True, False)


def test_of_two_providers_the_one_that_issued_the_token_is_asked_in_its_own_way():
    with TestClient(app_of(ENTRA, AUTH0), base_url="https://api.example.com") as client:
        # Nobody knows yet whom the client will ask.
        assert scopes_in(client.get("/mcp")) == ["files.read", "files.write", "role:Editor"]
        for name, prefix in (("entra v2", PREFIX), ("auth0", "")):
            token = token_of(SHAPES[name], {"scp" if prefix else "scope": "files.read"})
            answer = client.get("/mcp", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 403
            assert scopes_in(answer)[:2] == [prefix + "files.read", prefix + "files.write"]
        schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
        scopes = [set(scheme["flows"]["authorizationCode"]["scopes"]) for scheme in schemes.values()]
        assert scopes == [{PREFIX + "files.read", PREFIX + "files.write"}, {"files.read", "files.write", "role:Editor"}]


def started(line, caplog):
    provider = Provider([key_of("ES256")], ["https://abcdefghijklmnop.supabase.co/auth/v1"])
    with caplog.at_level(logging.INFO):
        asyncio.run(Authenticator(OAuth2Settings(provider=line, resource=RESOURCE), documents=provider).start())
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_the_start_warns_of_an_audience_that_does_not_name_this_server(caplog):
    (line,) = started("supabase project=abcdefghijklmnop", caplog)
    assert line.startswith("issuer https://abcdefghijklmnop.supabase.co/auth/v1: the audience `authenticated` does not name")


def test_the_start_warns_of_nothing_where_one_client_is_named(caplog):
    assert started("supabase project=abcdefghijklmnop client=c", caplog) == []
