"""Do the rules of a preset hold for opaque tokens too, of which the provider is asked?"""

import asyncio

import pytest
from asked_issuer import CLIENT_ID, SECRET, AskedIssuer
from providers.shapes import RESOURCE

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import InvalidTokenError

# Providers of which the issuer is any URL.
PRESETS = ("hydra", "oidc_provider", "better_auth", "duende", "spring")
WRONG = {
    "another server's": ({"aud": "https://other.example.com/mcp"}, "audience (aud)"),
    "of no server": ({"aud": ...}, "audience_missing (aud)"),
    "of another issuer": ({"iss": "https://other.example.com"}, "issuer (iss)"),
    "no longer active": ({"active": False}, "inactive"),
}


@pytest.fixture(scope="module")
def server():
    with AskedIssuer(RESOURCE).serve() as server:
        yield server


def judged(server, preset, **changes):
    async def judge():
        settings = OAuth2Settings(
            provider=f"{preset} issuer={server.url}",
            resource=RESOURCE,
            allow_insecure_http=True,
            introspection="opaque",
            client_id=CLIENT_ID,
            client_secret=SECRET,
        )
        authenticator = Authenticator(settings)
        try:
            return await authenticator.verify("opaque-1")
        finally:
            await authenticator.aclose()

    server.answers["opaque-1"] = server.good(**changes)
    return asyncio.run(judge())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_good_one_is_let_in(server, preset):
    token = judged(server, preset, scope="files:read")
    assert (token.issuer, token.client_id, token.scopes) == (server.url, "client", {"files:read"})


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("what", WRONG)
def test_what_is_like_it_but_for_one_thing_is_not(server, preset, what):
    changes, reason = WRONG[what]
    with pytest.raises(InvalidTokenError) as caught:
        judged(server, preset, **changes)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("preset", "claim"), [("hydra", "client_id"), ("duende", "client_id"), ("spring", "scope")])
def test_what_the_preset_demands_of_a_token_it_demands_of_an_answer(server, preset, claim):
    with pytest.raises(InvalidTokenError) as caught:
        judged(server, preset, **{claim: ...})
    assert str(caught.value) == f"claim ({claim})"
