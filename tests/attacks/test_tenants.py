"""Two tenants in one process, rules B5 and B6: the second, made in code, is verified with its own keys and audience only.

All settings of the first one stand in the environment, those that name a key set and an audience among them.
"""

import logging
import re
from typing import Annotated

import pytest
from documents_by_issuer import Documents
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.testing import DevelopmentIssuer

FIRST, SECOND = "https://first.example", "https://second.example"
AUDIENCE = "api://first"
RESOURCE = "https://second.example/mcp"


@pytest.fixture
def first():
    return DevelopmentIssuer(FIRST, algorithm="ES256", audience=AUDIENCE)


@pytest.fixture
def second():
    return DevelopmentIssuer(SECOND, algorithm="ES256", audience=RESOURCE)


@pytest.fixture
def client(first, second, monkeypatch):
    for name, value in {
        "ISSUER": FIRST,
        "RESOURCE": "https://first.example/mcp",
        "AUDIENCE": AUDIENCE,
        "JWKS_URI": f"{FIRST}/jwks",
    }.items():
        monkeypatch.setenv("MCP_OAUTH2_" + name, value)
    documents = Documents(first, second)
    app = FastAPI()
    for path, settings in {"/first": OAuth2Settings(), "/second": OAuth2Settings(issuer=SECOND, resource=RESOURCE)}.items():
        auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=documents), scheme_name=path.strip("/"))

        @app.get(path)
        def route(token: Annotated[AccessToken, Security(auth)]):
            return token.subject

    return TestClient(app)


def forged(signed_by, names, audience):
    """A token signed by one tenant's issuer that names another, or another's audience."""
    return {"Authorization": "Bearer " + signed_by.token(subject="mallory", iss=names.url, audience=audience)}


ROWS = {
    "the first issuer's key, the second's name, the second's audience": ("first", "second", RESOURCE, "/second", "unknown_key"),
    "the first issuer's key, the second's name, the first's audience": ("first", "second", AUDIENCE, "/second", "unknown_key"),
    "the first issuer's own token at the second": ("first", "first", AUDIENCE, "/second", "issuer"),
    "the first issuer's token for the second's audience": ("first", "first", RESOURCE, "/second", "issuer"),
    "the second's own token, but for the first's audience": ("second", "second", AUDIENCE, "/second", "audience"),
    "the second issuer's key, the first's name, the first's audience": ("second", "first", AUDIENCE, "/first", "unknown_key"),
    "the second's own token at the first": ("second", "second", RESOURCE, "/first", "issuer"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_another_tenants_does_not_pass(client, first, second, caplog, row):
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    signed_by, names, audience, path, reason = row
    issuers = {"first": first, "second": second}
    answer = client.get(path, headers=forged(issuers[signed_by], issuers[names], audience))
    assert answer.status_code == 401
    assert re.findall(r"reason=(\w+)", caplog.text) == [reason]


def test_control_each_tenants_own_token_passes_at_its_own_route(client, first, second):
    assert client.get("/first", headers=first.bearer(subject="alice")).json() == "alice"
    assert client.get("/second", headers=second.bearer(subject="bob")).json() == "bob"
    assert second.requests["/jwks"] == first.requests["/jwks"] == 1
