"""Two tenants behind one template, and a stranger: what each of them could try with a key that signs for all of them."""

import logging
import re
from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import AccessToken, Authenticator, Document, IssuerPolicy, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.testing import SigningKey

RESOURCE = "https://api.example.com/mcp"
OWN = {"acme": "acme-key", "globex": "globex-key"}


def issuer_of(tenant):
    return f"https://login.example.com/{tenant}/v2.0"


# The places at which metadata and keys of the two trusted tenants may be.
WITHIN = re.compile(
    r"https://login\.example\.com/(\.well-known/[a-z-]+/)?(acme|globex)/(v2\.0(/\.well-known/openid-configuration)?|keys)"
)


class Provider:
    """Publishes the same four keys to every tenant, as Entra ID does: for all, for each of two, and for a stranger."""

    def __init__(self):
        self.keys = {kid: SigningKey.generate("ES256", kid) for kid in ("for-all", "acme-key", "globex-key", "stranger-key")}
        self.fetched = []

    def jwks(self):
        owners = {"for-all": issuer_of("{tenantid}"), "stranger-key": issuer_of("stranger")}
        owners |= {kid: issuer_of(tenant) for tenant, kid in OWN.items()}
        return {"keys": [key.public_jwk() | {"issuer": owners[kid]} for kid, key in self.keys.items()]}

    async def fetch(self, url):
        self.fetched.append(url)
        if url.endswith("/keys"):
            return Document(self.jwks())
        found = re.fullmatch(r"https://login\.example\.com/(\w+)/v2\.0/\.well-known/openid-configuration", url)
        if found is None:
            raise DocumentError("404")
        return Document({"issuer": issuer_of(found[1]), "jwks_uri": f"https://login.example.com/{found[1]}/keys"})

    def bearer(self, kid, tenant, changes):
        claims = {"iss": issuer_of(tenant), "tid": tenant, "aud": RESOURCE, "sub": "mallory", "exp": 4_000_000_000} | changes
        token = self.keys[kid].mint({name: value for name, value in claims.items() if value is not None})
        return {"Authorization": f"Bearer {token}"}


async def is_customer(tenant):
    return tenant in OWN


TRUST = {"a list": {"tenants": tuple(OWN)}, "code of the user's own": {"tenant_check": is_customer}}


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture(params=TRUST.values(), ids=TRUST)
def client(request, provider):
    policy = IssuerPolicy(
        issuer="https://login.example.com/{tenant}/v2.0",
        authorization_server="https://login.example.com/organizations/v2.0",
        **request.param,
    )
    settings = OAuth2Settings(issuers=[policy], resource=RESOURCE)
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=provider))
    app = FastAPI()

    @app.get("/who")
    def who(token: Annotated[AccessToken, Security(auth)]):
        return [token.issuer, token.claims["tid"]]

    app.include_router(auth.router())
    with TestClient(app) as client:
        yield client


ROWS = {
    "a key of the other tenant": ("globex-key", "acme", {}, "unknown_key (kid)"),
    "a key of a tenant that is not trusted": ("stranger-key", "acme", {}, "unknown_key (kid)"),
    "the other tenant in the claim": ("acme-key", "acme", {"tid": "globex"}, "issuer (tid)"),
    "the other tenant in the issuer": ("acme-key", "acme", {"iss": issuer_of("globex")}, "unknown_key (kid)"),
    "the other tenant in the issuer, with the key for all": ("for-all", "acme", {"iss": issuer_of("globex")}, "issuer (tid)"),
    "no tenant in the claim": ("for-all", "acme", {"tid": None}, "claim (tid)"),
    "two tenants in the claim": ("for-all", "acme", {"tid": ["acme", "globex"]}, "claim (tid)"),
    "a tenant that is not trusted": ("for-all", "stranger", {}, "issuer (iss)"),
    "a tenant that is not trusted, with its own key": ("stranger-key", "stranger", {}, "issuer (iss)"),
    "the name of the provider's own login": ("for-all", "organizations", {}, "issuer (iss)"),
    "the template itself": ("for-all", "{tenant}", {}, "issuer (iss)"),
    "another place at the provider": (
        "for-all",
        "acme",
        {"iss": "https://login.example.com/acme/../globex/v2.0"},
        "issuer (iss)",
    ),
    "another host": ("for-all", "acme", {"iss": "https://login.example.com.evil.example/acme/v2.0"}, "issuer (iss)"),
    "a user in front of another host": (
        "for-all",
        "acme",
        {"iss": "https://login.example.com@evil.example/acme/v2.0"},
        "issuer (iss)",
    ),
}


@pytest.mark.parametrize("good_ones_before", [False, True], ids=["first", "after good tokens of both"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_tenant_passes_for_another(client, provider, caplog, row, good_ones_before):
    if good_ones_before:
        for tenant, kid in OWN.items():
            assert client.get("/who", headers=provider.bearer(kid, tenant, {})).json() == [issuer_of(tenant), tenant]
    before = len(provider.fetched)
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    kid, tenant, changes, reason = row
    answer = client.get("/who", headers=provider.bearer(kid, tenant, changes))
    assert (answer.status_code, 'error="invalid_token"' in answer.headers["www-authenticate"]) == (401, True)
    assert [f"{code} ({claim})" for code, claim in re.findall(r"reason=(\w+) claim=(\S+)", caplog.text)] == [reason]
    fetched = provider.fetched[before:]
    assert [url for url in fetched if not WITHIN.fullmatch(url)] == []
    assert reason != "issuer (iss)" or fetched == []


@pytest.mark.parametrize("kid", ["for-all", "own"])
@pytest.mark.parametrize("tenant", OWN)
def test_control_each_tenants_own_token_passes(client, provider, tenant, kid):
    headers = provider.bearer(OWN[tenant] if kid == "own" else kid, tenant, {})
    assert client.get("/who", headers=headers).json() == [issuer_of(tenant), tenant]


def test_nobody_is_told_who_the_tenants_are(client):
    text = client.get("/.well-known/oauth-protected-resource/mcp").text + client.get("/openapi.json").text
    assert "https://login.example.com/organizations/v2.0" in text
    assert not any(tenant in text for tenant in OWN)
