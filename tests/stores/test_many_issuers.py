"""A thousand issuers in one store: bounded, and nobody's outage is anybody else's."""

import asyncio
import gc
import weakref
from collections import Counter
from urllib.parse import urlsplit

import pytest

from mcp_oauth2_deps import Authenticator, Document, JWKSStore, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.testing import SigningKey

COUNT = 1000
ISSUERS = [f"https://issuer-{number}.example.com" for number in range(COUNT)]
RESOURCE = "https://api.example.com/mcp"


class Source:
    """All issuers. Each has one key, whose `kid` is the issuer's host."""

    def __init__(self):
        self.jwk = SigningKey.generate("ES256").public_jwk()
        self.down = set()
        self.hanging = {}
        self.fetches = Counter()

    async def fetch(self, url):
        host = urlsplit(url).hostname
        issuer = f"https://{host}"
        if issuer in self.hanging:
            await self.hanging[issuer].wait()
        if issuer in self.down:
            raise DocumentError("no connection", unreachable=True)
        if url.endswith("/keys"):
            self.fetches[issuer] += 1
            return Document({"keys": [self.jwk | {"kid": host}]})
        return Document({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return Clock()


def kids(key_sets):
    return [set(key_set.key_ids) for key_set in key_sets]


def hosts(issuers):
    return [{urlsplit(issuer).hostname} for issuer in issuers]


async def test_many_issuers_live_in_one_store_as_one_does(source):
    store = JWKSStore(source)
    for _ in range(2):
        key_sets = await asyncio.gather(*(store.key_set(issuer) for issuer in ISSUERS for _ in range(3)))
        assert kids(key_sets[::3]) == hosts(ISSUERS)
    assert source.fetches == dict.fromkeys(ISSUERS, 1)


async def test_an_outage_of_one_is_nobody_elses(source, clock):
    store = JWKSStore(source, clock=clock)
    source.down.add(ISSUERS[0])
    source.hanging[ISSUERS[1]] = asyncio.Event()
    waiting = asyncio.create_task(store.key_set(ISSUERS[1]))
    with pytest.raises(IssuerUnavailableError) as caught:
        await store.key_set(ISSUERS[0])
    assert caught.value.issuer == ISSUERS[0]
    # Neither the failure and its cooldown nor the fetch that hangs holds up another issuer.
    assert kids(await asyncio.gather(*map(store.key_set, ISSUERS[2:]))) == hosts(ISSUERS[2:])
    assert not waiting.done()
    source.down.clear()
    source.hanging[ISSUERS[1]].set()
    assert kids([await waiting]) == hosts(ISSUERS[1:2])
    clock.now += 30
    assert kids([await store.key_set(ISSUERS[0])]) == hosts(ISSUERS[:1])


async def test_no_more_keys_are_kept_than_there_is_room_for(source):
    store = JWKSStore(source, max_issuers=10)
    for issuer in ISSUERS:
        await store.key_set(issuer)
    assert [issuer for issuer in ISSUERS if store.current_and_refresh_ahead(issuer)] == ISSUERS[-10:]
    assert [issuer for issuer in ISSUERS if store.metadata(issuer)] == ISSUERS[-10:]


async def test_of_a_fetch_that_is_over_nothing_is_kept_but_what_it_brought(source):
    tasks = weakref.WeakSet()
    loop = asyncio.get_running_loop()

    def note(loop, coroutine, **options):
        task = asyncio.Task(coroutine, loop=loop, **options)
        tasks.add(task)
        return task

    store = JWKSStore(source, max_issuers=1)
    loop.set_task_factory(note)
    try:
        for issuer in ISSUERS[:100]:
            await store.key_set(issuer)
        await asyncio.sleep(0)
    finally:
        loop.set_task_factory(None)
    gc.collect()
    assert len(tasks) <= 1


async def test_the_least_recently_used_is_forgotten_first(source):
    store = JWKSStore(source, max_issuers=2)
    for issuer in (*ISSUERS[:2], ISSUERS[0], ISSUERS[2]):
        await store.key_set(issuer)
    assert [issuer for issuer in ISSUERS if store.current_and_refresh_ahead(issuer)] == [ISSUERS[0], ISSUERS[2]]


async def test_who_waits_gets_the_keys_of_its_own_issuer_though_others_displace_them(source):
    store = JWKSStore(source, max_issuers=1)
    source.down.add(ISSUERS[7])
    results = await asyncio.gather(*map(store.key_set, ISSUERS), return_exceptions=True)
    failed = results.pop(7)
    assert isinstance(failed, IssuerUnavailableError)
    assert kids(results) == hosts(ISSUERS[:7] + ISSUERS[8:])


async def test_displaced_keys_are_fetched_again_within_the_cooldown(source, clock):
    store = JWKSStore(source, max_issuers=1, clock=clock)
    for _ in range(3):
        for issuer in ISSUERS[:2]:
            assert kids([await store.key_set(issuer)]) == hosts([issuer])
            assert kids([await store.refreshed_key_set(issuer)]) == hosts([issuer])
    assert source.fetches == dict.fromkeys(ISSUERS[:2], 3)


async def test_closing_ends_the_fetches_of_all(source):
    store = JWKSStore(source)
    source.hanging = {issuer: asyncio.Event() for issuer in ISSUERS[:50]}
    waiting = [asyncio.create_task(store.key_set(issuer)) for issuer in ISSUERS[:50]]
    await asyncio.sleep(0)
    await store.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {IssuerUnavailableError}
    assert {result.retry_after for result in results} == {1}


async def test_a_token_is_judged_by_the_keys_of_its_own_issuer_though_they_were_displaced():
    keys = {issuer: SigningKey.generate("ES256", "same kid") for issuer in ISSUERS[:3]}

    class Own(Source):
        async def fetch(self, url):
            issuer = f"https://{urlsplit(url).hostname}"
            if url.endswith("/keys"):
                return Document({"keys": [keys[issuer].public_jwk()]})
            return Document({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})

    settings = OAuth2Settings(issuer=tuple(keys), resource=RESOURCE)
    authenticator = Authenticator(settings, documents=Own())
    authenticator.jwks_store = JWKSStore(Own(), max_issuers=1)
    claims = {"aud": RESOURCE, "exp": 9_999_999_999, "sub": "alice"}
    for _ in range(2):
        for issuer in keys:
            for signer, key in keys.items():
                token = key.mint(claims | {"iss": issuer})
                if signer == issuer:
                    assert (await authenticator.verify(token)).issuer == issuer
                    continue
                with pytest.raises(InvalidTokenError) as caught:
                    await authenticator.verify(token)
                assert caught.value.reason == "signature"
