"""The thirteen common set-ups, as a new user makes them: one line of settings that works, or a start that says what to do."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from providers.harness import Provider, key_of, token_of, wall_clock
from providers.shapes import APP, RESOURCE, SHAPES, TENANT
from pydantic import ValidationError

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings

# The line of the documentation, and the token of the table that it has to let in.
WORK = {
    "Keycloak": ("keycloak base=https://sso.example.com realm=acme", "keycloak with an audience mapper"),
    "Entra v1": (f"entra v=1 tenant={TENANT} app={APP}", "entra v1"),
    "Entra v2": (f"entra tenant={TENANT} app={APP}", "entra v2"),
    "Azure AD B2C": (f"entra_b2c name=acme tenant={TENANT} policy=b2c_1_susi app={APP}", "entra b2c"),
    "Auth0": ("auth0 domain=acme.eu.auth0.com", "auth0"),
    "Okta, custom server": ("okta org=acme.okta.com audience=api://files", "okta"),
    "Cognito with a resource": ("cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6", "cognito with a resource"),
    "Cognito without": ("cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6 clients=app-client-1", "cognito by clients"),
    "WorkOS": ("workos domain=acme.authkit.app", "workos"),
    "Clerk": ("clerk domain=brave-hare-12.clerk.accounts.dev", "clerk with a resource"),
}
CANNOT = {
    "Okta, org server": (
        "okta org=acme.okta.com server=org",
        "Okta promises neither the form nor the keys",
        "Make a custom authorization",
    ),
    "Google": (
        "google client=123.apps.googleusercontent.com",
        "opaque and for Google's own APIs",
        "Put an authorization server in front",
    ),
    "GitHub": ("github client=Iv1.123", "opaque, have no audience", "Put an authorization server in front"),
}


def test_there_are_thirteen():
    assert len(WORK) + len(CANNOT) == 13


@pytest.fixture
def environment(monkeypatch):
    def set_line(line):
        monkeypatch.setenv("MCP_OAUTH2_PROVIDER", line)
        monkeypatch.setenv("MCP_OAUTH2_RESOURCE", RESOURCE)

    return set_line


@pytest.mark.parametrize("name", WORK)
def test_one_line_of_settings_works(name, environment):
    line, shape = WORK[name][0], SHAPES[WORK[name][1]]
    environment(line)
    provider = Provider([key_of(shape.alg)], [shape.claims["iss"]])
    auth = OAuth2BearerScheme(authenticator=Authenticator(OAuth2Settings(), documents=provider, wall_clock=wall_clock))
    scope = shape.scopes.split()[0]
    app = FastAPI()
    app.include_router(auth.router())

    @app.get("/mcp")
    async def whoami(token: Annotated[AccessToken, Security(auth, scopes=[scope])]) -> tuple[str | None, str | None]:
        return token.subject, token.client_id

    with TestClient(app, base_url="https://api.example.com") as client:
        answer = client.get("/mcp", headers={"Authorization": f"Bearer {token_of(shape)}"})
        assert (answer.status_code, answer.json()) == (200, [shape.subject, shape.client])
        for what, (changes, _) in shape.wrong.items():
            refused = client.get("/mcp", headers={"Authorization": f"Bearer {token_of(shape, changes)}"})
            assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True), what
        opaque = client.get("/mcp", headers={"Authorization": "Bearer oat_2xhFjEI5X2qWRvtV13BzSj8H6Dk"})
        assert opaque.status_code == 401


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_work_stops_the_start_with_the_reason_and_what_to_do(name, environment):
    line, why, cure = CANNOT[name]
    environment(line)
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings()
    text = str(caught.value)
    assert ("MCP_OAUTH2_PROVIDER" in text, why in text, cure in text) == (True, True, True)
