"""Does each preset let in its provider's access tokens, with the right subject, client and scopes, and nothing else that it gives out?"""

import asyncio

import pytest
from providers.harness import Provider, key_of, token_of, wall_clock
from providers.shapes import RESOURCE, SHAPES

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.providers.by_name import PRESETS
from mcp_oauth2_deps.providers.parsing import policies_of

WRONG = {f"{name}: {what}": (name, *row) for name, shape in SHAPES.items() for what, row in shape.wrong.items()}


def guard(shape, key=None):
    """The guard that the line of settings makes, and the provider behind it."""
    policies = (shape.policy,) if shape.policy else policies_of(shape.line)
    tenants = [policy.issuer.replace("{tenant}", tenant) for policy in policies for tenant in policy.tenants or ("",)]
    places = [policy.jwks_uri for policy in policies if policy.jwks_uri]
    provider = Provider([key or key_of(shape.alg)], [issuer for issuer in tenants if "://" in issuer], places)
    named = {"issuers": policies} if shape.policy else {"provider": shape.line}
    settings = OAuth2Settings(resource=RESOURCE, token_cache_size=0, **named)
    return Authenticator(settings, documents=provider, wall_clock=wall_clock), provider


def refusal(shape, token, key=None):
    authenticator, provider = guard(shape, key)
    with pytest.raises(InvalidTokenError) as caught:
        asyncio.run(authenticator.verify(token))
    return str(caught.value), provider


def test_the_table_is_of_this_size_and_has_every_preset():
    assert len(SHAPES) >= 40
    assert len(WRONG) >= 100
    assert {shape.line.split()[0] for shape in SHAPES.values() if shape.line} == set(PRESETS) - {"google", "github"}


@pytest.mark.parametrize("name", SHAPES)
def test_the_access_token_is_let_in(name):
    shape = SHAPES[name]
    authenticator, _ = guard(shape)
    token = asyncio.run(authenticator.verify(token_of(shape)))
    assert (token.subject, token.client_id, token.issuer) == (shape.subject, shape.client, shape.claims["iss"])
    assert token.scopes == frozenset(shape.scopes.split())


@pytest.mark.parametrize("row", WRONG)
def test_what_is_like_it_but_for_one_thing_is_not(row):
    name, changes, reason = WRONG[row]
    assert refusal(SHAPES[name], token_of(SHAPES[name], changes))[0] == reason


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_of_another_key_is_not(name):
    shape = SHAPES[name]
    assert refusal(shape, token_of(shape, key=key_of(shape.alg, "key-2")), key_of(shape.alg))[0] == "unknown_key (kid)"
    # The same name, another key.
    stranger = key_of(shape.alg, owner="stranger")
    assert refusal(shape, token_of(shape, key=stranger))[0] == "signature"


@pytest.mark.parametrize("name", SHAPES)
def test_an_old_one_is_not(name):
    assert refusal(SHAPES[name], token_of(SHAPES[name], {"exp": 1_700_000_000}))[0] == "expired (exp)"


@pytest.mark.parametrize("name", SHAPES)
def test_only_the_providers_own_hosts_are_asked(name):
    shape = SHAPES[name]
    authenticator, provider = guard(shape)
    asyncio.run(authenticator.verify(token_of(shape)))
    assert provider.asked
    assert len(provider.asked) <= 4
