"""Does the log say what to do at the provider, where a preset knows it?"""

import asyncio

import pytest
from providers.harness import Provider, key_of, token_of, wall_clock
from providers.shapes import ABSENT, RESOURCE, SHAPES

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError
from mcp_oauth2_deps.explanations import _CURES
from mcp_oauth2_deps.providers.by_name import PRESETS
from mcp_oauth2_deps.providers.hints import HINTS


def cure(line, token, monkeypatch=None):
    shape_issuers = {shape.claims["iss"] for shape in SHAPES.values() if "://" in shape.claims["iss"]}
    if monkeypatch is None:
        settings = OAuth2Settings(provider=line, resource=RESOURCE)
    else:
        monkeypatch.setenv("MCP_OAUTH2_PROVIDER", line)
        settings = OAuth2Settings(resource=RESOURCE)
    provider = Provider([key_of("RS256")], shape_issuers)
    authenticator = Authenticator(settings, documents=provider, wall_clock=wall_clock)
    with pytest.raises(InvalidTokenError) as caught:
        asyncio.run(authenticator.verify(token))
    return authenticator.explain(caught.value).cure


def test_hints_are_of_presets_and_of_reasons_that_there_are():
    assert set(HINTS) <= set(PRESETS)
    assert len(HINTS) > 15
    for hints in HINTS.values():
        for reason, text in hints.items():
            assert reason in {*_CURES, "issuer", "insufficient_scope"}
            # The name of a setting is put there by the door, which knows whether it is a variable.
            assert ("MCP_OAUTH2_" in text, text.endswith("."), "\n" in text) == (False, False, False)


CURES = {
    "keycloak with an audience mapper": ({"aud": "account"}, "Add an audience mapper"),
    "cognito with a resource": ({"aud": ABSENT}, "Make the resource the identifier of a resource server"),
    "clerk with a resource": ({"aud": ABSENT}, "Add this endpoint at Clerk under MCP servers"),
    "entra v2": ({"azp": ABSENT, "scp": ABSENT}, "The client sent its ID token: it must ask for a scope of this API"),
    "auth0": ({"aud": "https://acme.eu.auth0.com/userinfo"}, "Make the resource the API's identifier at Auth0"),
    "entra b2c": ({"scp": ABSENT}, "The client sent its ID token, or asked for no scope of this API"),
}


@pytest.mark.parametrize("name", CURES)
def test_the_cure_is_that_of_the_provider(name):
    changes, text = CURES[name]
    assert cure(SHAPES[name].line, token_of(SHAPES[name], changes)).startswith(text)


@pytest.mark.parametrize("reason", ["opaque", "encrypted"])
def test_a_token_that_names_no_issuer_is_explained_by_the_only_provider(reason):
    auth0, logto = "auth0 domain=acme.eu.auth0.com", "logto domain=acme.logto.app"
    cures = [
        Authenticator(OAuth2Settings(provider=line, resource=RESOURCE)).explain(InvalidTokenError(reason)).cure
        for line in (auth0, f"{auth0}; {logto}")
    ]
    assert cures[0].startswith("The client named no API: switch on the Resource Parameter Compatibility Profile")
    assert not cures[1].startswith("The client named no API")


def test_the_issuer_of_the_token_decides_whose_cure_it_is():
    two = "keycloak base=https://sso.example.com realm=acme; auth0 domain=acme.eu.auth0.com"
    token = token_of(SHAPES["auth0"], {"aud": "https://acme.eu.auth0.com/userinfo"})
    assert "Auth0" in cure(two, token)
    assert "audience mapper" in cure(two, token_of(SHAPES["keycloak with an audience mapper"], {"aud": "account"}))


def test_a_setting_is_spelled_as_its_reader_wrote_it(monkeypatch):
    shape = SHAPES["entra v2"]
    token = token_of(shape, {"iss": f"https://sts.windows.net/{shape.claims['tid']}/"})
    assert cure(shape.line, token).endswith("or write v=1 in the setting provider")
    assert cure(shape.line, token, monkeypatch).endswith("or write v=1 in MCP_OAUTH2_PROVIDER")


def test_a_missing_scope_is_explained_where_the_provider_has_none():
    shape = SHAPES["zitadel"]
    provider = Provider([key_of("RS256")], [shape.claims["iss"]])
    authenticator = Authenticator(
        OAuth2Settings(provider=shape.line, resource=RESOURCE), documents=provider, wall_clock=wall_clock
    )
    token = asyncio.run(authenticator.verify(token_of(shape)))
    shortfall = InsufficientScopeError(required=("files:read",), granted=token.scopes, missing=("files:read",))
    assert authenticator.explain(shortfall, token).cure.startswith("Tokens of Zitadel have no scopes: demand role:NAME")
