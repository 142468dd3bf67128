"""A key that its provider publishes for one tenant alone signs for no other, also where a single tenant is trusted."""

import time

import pytest

from mcp_oauth2_deps import Authenticator, OAuth2Settings, providers
from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing import SigningKey

TENANT, APP = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11112222-bbbb-3333-cccc-4444dddd5555"
LOGIN = "https://login.microsoftonline.com"
# The consumers of Microsoft, whose key forged tokens of other tenants in 2023.
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.mark.parametrize(
    ("owner", "passes"),
    [
        (f"{LOGIN}/{CONSUMERS}/v2.0", False),
        (7, False),
        (f"{LOGIN}/{TENANT}/v2.0", True),
        (f"{LOGIN}/{{tenantid}}/v2.0", True),
        (..., True),
    ],
    ids=str,
)
async def test_a_key_of_another_tenant_alone_counts_not_for_the_single_one(owner, passes):
    own, other = SigningKey.generate("RS256", "own"), SigningKey.generate("RS256", "other")
    keys = [own.public_jwk(), other.public_jwk() | ({} if owner is ... else {"issuer": owner})]
    issuer = f"{LOGIN}/{TENANT}/v2.0"

    class Entra:
        async def fetch(self, url):
            return Document({"keys": keys} if url.endswith("/keys") else {"issuer": issuer, "jwks_uri": f"{LOGIN}/keys"})

    settings = OAuth2Settings(resource="https://api.example.com/mcp", issuers=[providers.entra(tenant=TENANT, app=APP)])
    authenticator = Authenticator(settings, documents=Entra())
    claims = {"iss": issuer, "aud": APP, "sub": "u", "azp": "x", "tid": TENANT, "exp": time.time() + 60, "scp": "a"}
    assert (await authenticator.verify(own.mint(claims, {"typ": "JWT"}))).subject == "u"
    token = other.mint(claims, {"typ": "JWT"})
    if passes:
        assert (await authenticator.verify(token)).subject == "u"
    else:
        with pytest.raises(InvalidTokenError, match="unknown_key"):
            await authenticator.verify(token)
    await authenticator.aclose()
