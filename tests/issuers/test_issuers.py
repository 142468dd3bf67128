"""Real issuers: a real client logs in and steps up twice, and what is no access token for this server is refused by its rule."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import issuers.authlib_flask.issuer as authlib_flask
import issuers.better_auth.issuer as better_auth
import issuers.django_oauth_toolkit.issuer as django_oauth_toolkit
import issuers.glewlwyd.issuer as glewlwyd
import issuers.lemonldap.issuer as lemonldap
import issuers.mcp_sdk.issuer as mcp_sdk
import issuers.oidc_provider.issuer as oidc_provider
import pytest
from clients.drivers.tour import tour
from issuers.harness import Row, part_of
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull
from sdk_login import REDIRECT_URI, Memory, provider_for

BASE = {"mcp:use"}
READ = BASE | {"files:read"}
WRITE = READ | {"files:write"}


def jwt(alg, **more):
    """A header as RFC 9068 asks for."""
    return {"alg": alg, "typ": "at+jwt", "kid": "any"} | more


# Opaque refresh tokens, ID tokens for the client alone, and access tokens for the resource that was asked for.
USUAL = {"id_token": "audience (aud)", "refresh_token": "opaque", "elsewhere": "audience (aud)"}
ROWS = [
    Row("oidc_provider", oidc_provider.running, jwt("ES256"), USUAL),
    Row("oidc_provider-documents", oidc_provider.with_client_documents, jwt("ES256"), USUAL),
    Row("django_oauth_toolkit", django_oauth_toolkit.running, jwt("RS256"), USUAL),
    Row("better_auth", better_auth.running, jwt("EdDSA"), USUAL),
    Row("glewlwyd", glewlwyd.running, jwt("ES256"), USUAL, host="localhost"),
    Row("lemonldap", lemonldap.running, {"alg": "RS256", "typ": "JWT", "kid": "any"}, USUAL | {"id_token": "id_token (at_hash)"}),
    Row("authlib_flask", authlib_flask.running, {"alg": "ES256", "typ": "at+jwt"}, USUAL),
    # It says that its refresh tokens are active too, without an audience.
    Row("oidc_provider-opaque", oidc_provider.opaque, None, USUAL | {"refresh_token": "audience_missing (aud)"}),
    Row("django_oauth_toolkit-opaque", django_oauth_toolkit.opaque, None, USUAL | {"refresh_token": "inactive"}),
    # It has no ID tokens.
    Row("mcp_sdk", mcp_sdk.running, None, {"refresh_token": "inactive", "elsewhere": "audience (aud)"}),
]
pytestmark = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


async def test_the_python_sdk_logs_in_and_steps_up_twice(row, place, alice):
    issuer, server = place
    asked = []

    def walk(authorization_url):
        asked.append(parse_qs(urlsplit(authorization_url).query))
        return issuer.walk(authorization_url)

    before = server.log.stat().st_size
    provider = provider_for(server.mcp_url, walk, Memory(_known_client(issuer)), issuer.client_document, **issuer.registration)
    async with (
        httpx2.AsyncClient(auth=provider, timeout=30) as http,
        Client(streamable_http_client(server.mcp_url, http_client=http)) as client,
    ):
        result = await tour(client)
    assert result["whoami"] == (issuer.subject or part_of(alice(server.mcp_url, "mcp:use", "openid")["id_token"], 1)["sub"])
    assert (result["read_file"], result["write_file"]) == ("read a.txt", "wrote 4 to b.txt")
    always = {"offline_access", "openid"}
    assert [set(request["scope"][0].split()) - always for request in asked] == [BASE, READ, WRITE]
    if issuer.client_document is not None:
        assert {request["client_id"][0] for request in asked} == {issuer.client_document}
    assert server.statuses(before).count(401) == 1
    assert server.statuses(before).count(403) == 2


def _known_client(issuer):
    if issuer.client is None:
        return None
    return OAuthClientInformationFull.model_validate({"redirect_uris": [REDIRECT_URI], "issuer": issuer.url} | issuer.client)


def test_its_other_tokens_are_refused_each_by_its_rule(row, place, alice):
    issuer, server = place
    tokens = alice(server.mcp_url, "mcp:use", "openid", "offline_access")
    answer, _ = server.ask(tokens["access_token"])
    assert answer.status == 200, server.log.read_text("utf-8")
    if row.header is None:
        assert tokens["access_token"].count(".") != 2
        assert answer.json()["subject"] == issuer.subject
    else:
        named = part_of(tokens["id_token"], 1)["sub"]
        assert answer.json()["subject"] == named == (issuer.subject or named)
        header = part_of(tokens["access_token"], 0)
        assert header | ({"kid": "any"} if "kid" in header else {}) == row.header
    elsewhere = {} if issuer.other_client is None else {"client": issuer.other_client}
    tokens["elsewhere"] = alice(f"{server.url}/other", "mcp:use", "openid", **elsewhere)["access_token"]
    found = {}
    for kind in row.refused:
        answer, found[kind] = server.ask(tokens[kind])
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert found == row.refused
