"""Do the keys that a remembered token relies on say at once that they are replaced, displaced or too old?"""

import pytest

from mcp_oauth2_deps import Document, JWKSStore
from mcp_oauth2_deps.stores.issuer_keys import IssuerKeys
from mcp_oauth2_deps.testing import SigningKey

ISSUER, OTHER = "https://auth.example.com", "https://other.example.com"


class Source:
    """Both issuers; their one key can be replaced."""

    def __init__(self):
        self.now = 1000.0
        self.rotate()

    def rotate(self):
        self.jwk = SigningKey.generate("ES256").public_jwk()

    async def fetch(self, url):
        return Document(
            {"keys": [self.jwk]} if url.endswith("/keys") else {"issuer": url.partition("/.")[0], "jwks_uri": f"{OTHER}/keys"}
        )


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def store(source):
    return JWKSStore(source, max_issuers=1, refresh_after=600, cache_ttl=3600, clock=lambda: source.now)


@pytest.fixture
def keys(store):
    return IssuerKeys(store, ISSUER)


async def test_control_they_stay_the_issuers_keys(source, keys):
    key_set = await keys.key_set()
    assert keys.current() is key_set
    source.now += 599
    assert keys.are(key_set)


async def test_the_same_keys_fetched_again_stay_them(source, keys):
    key_set = await keys.key_set()
    source.now += 601
    assert await keys.refreshed_key_set() is key_set
    assert keys.are(key_set)


async def test_replaced_keys_are_not_them(source, keys):
    key_set = await keys.key_set()
    assert keys.are(key_set)
    source.rotate()
    source.now += 31
    await keys.refreshed_key_set()
    assert not keys.are(key_set)


async def test_keys_that_another_issuer_displaced_are_not_them(store, keys):
    key_set = await keys.key_set()
    assert keys.are(key_set)
    await store.key_set(OTHER)
    assert not keys.are(key_set)
    assert keys.current() is None


async def test_keys_past_their_hard_age_are_not_them_whatever_the_soft_age(source):
    store = JWKSStore(source, refresh_after=10_000, cache_ttl=3600, clock=lambda: source.now)
    keys = IssuerKeys(store, ISSUER)
    key_set = await keys.key_set()
    source.now += 3600
    assert not keys.are(key_set)


async def test_past_their_soft_age_a_refresh_is_started(source, store, keys):
    key_set = await keys.key_set()
    source.rotate()
    source.now += 600
    assert keys.are(key_set)
    await store.aclose()
    source.now += 31
    assert await keys.refreshed_key_set() is not key_set
