"""Does each preset start on what its provider really published, and trust no key but those?"""

import asyncio
import json
from pathlib import Path

import pytest
from providers.harness import Provider, key_of, token_of, wall_clock
from providers.shapes import APP, OTHER_TENANT, RESOURCE, SHAPES, TENANT, Shape

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.testing import SigningKey

FOLDER = Path(__file__).parent / "recorded"
# By file: the line of settings, and a token's claims but for its issuer.
ROWS = {
    "auth0": ("auth0 domain=common.auth0.com", SHAPES["auth0"]),
    "azure-v1": (f"entra v=1 tenant={TENANT} app={APP}", SHAPES["entra v1"]),
    "azure-v2": (f"entra tenant={TENANT} app={APP}", SHAPES["entra v2"]),
    "keycloak": ("keycloak base=http://localhost:8080 realm=master", SHAPES["keycloak with an audience mapper"]),
}


def recorded(name, tenant=TENANT):
    text = (FOLDER / f"{name}.json").read_text("utf-8")
    return json.loads(text.replace("{tenantid}", tenant) if name.endswith("metadata") else text)


def guard(name, tenant=TENANT):
    metadata, keys = recorded(f"{name}-metadata", tenant), recorded(f"{name}-keys")["keys"]
    provider = Provider(keys)
    provider.publish(metadata["issuer"], metadata)
    settings = OAuth2Settings(
        provider=ROWS[name][0].replace(TENANT, tenant), resource=RESOURCE, allow_insecure_http=True, token_cache_size=0
    )
    return Authenticator(settings, documents=provider, wall_clock=wall_clock), metadata["issuer"], keys


def refusal(authenticator, shape, issuer, kid, **claims):
    key = SigningKey(shape.alg, kid, key_of(shape.alg)._private)
    with pytest.raises(InvalidTokenError) as caught:
        asyncio.run(authenticator.verify(token_of(shape, {"iss": issuer} | claims, key)))
    return str(caught.value)


@pytest.mark.parametrize("name", ROWS)
def test_it_starts_on_what_was_recorded_and_trusts_only_these_keys(name):
    authenticator, issuer, keys = guard(name)
    asyncio.run(authenticator.start())
    shape: Shape = ROWS[name][1]
    usable = [key["kid"] for key in keys if key.get("use") == "sig" and OTHER_TENANT not in key.get("issuer", "")]
    assert len(usable) >= 1
    # The recorded key is found by its name, and did not sign this.
    assert {refusal(authenticator, shape, issuer, kid) for kid in usable} == {"signature"}
    assert refusal(authenticator, shape, issuer, "of-nobody") == "unknown_key (kid)"


@pytest.mark.parametrize(("tenant", "expected"), [(TENANT, "unknown_key (kid)"), (OTHER_TENANT, "signature")])
def test_keys_of_entra_that_are_for_one_tenant_alone_count_for_no_other(tenant, expected):
    metadata, keys = recorded("azure-v2-metadata", tenant), recorded("azure-v2-keys")["keys"]
    provider = Provider(keys)
    provider.publish(metadata["issuer"], metadata)
    settings = OAuth2Settings(provider=f"entra tenant={TENANT},{OTHER_TENANT} app={APP}", resource=RESOURCE)
    authenticator = Authenticator(settings, documents=provider, wall_clock=wall_clock)
    own = [key["kid"] for key in keys if OTHER_TENANT in key["issuer"]]
    assert len(own) == 2
    found = {refusal(authenticator, SHAPES["entra v2"], metadata["issuer"], kid, tid=tenant) for kid in own}
    assert found == {expected}
    # The other keys are for every tenant.
    shared = next(key["kid"] for key in keys if "{tenantid}" in key["issuer"])
    assert refusal(authenticator, SHAPES["entra v2"], metadata["issuer"], shared, tid=tenant) == "signature"


@pytest.mark.parametrize("name", ["cognito", "okta-default"])
def test_metadata_without_recorded_keys_lead_to_where_the_keys_are(name):
    line, shape = {
        "cognito": ("cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6", "cognito with a resource"),
        "okta-default": ("okta org=dev-265911.oktapreview.com audience=api://files", "okta"),
    }[name]
    metadata, shape = recorded(f"{name}-metadata"), SHAPES[shape]
    provider = Provider([key_of(shape.alg)])
    provider.publish(metadata["issuer"], metadata)
    authenticator = Authenticator(OAuth2Settings(provider=line, resource=RESOURCE), documents=provider, wall_clock=wall_clock)
    token = asyncio.run(authenticator.verify(token_of(shape, {"iss": metadata["issuer"]})))
    assert (token.issuer, provider.asked[-1]) == (metadata["issuer"], metadata["jwks_uri"])
