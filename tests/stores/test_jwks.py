"""When keys are fetched, refreshed, kept and forgotten, by a clock that the test moves."""

import asyncio

import pytest
from raw_issuer import longest_step

from mcp_oauth2_deps import Document, JWKSStore
from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.testing.keys import SigningKey, base64url

ISSUER = "https://auth.example.com"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Documents:
    """An issuer whose answers a test decides."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.failure = None
        self.max_age = None
        self.fetched = []
        self.gate = None

    async def fetch(self, url):
        self.fetched.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        document = await self.issuer.fetch(url)
        return Document(document.content, self.max_age)

    @property
    def key_fetches(self):
        return sum("well-known" not in url for url in self.fetched)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def documents(issuer):
    return Documents(issuer)


@pytest.fixture
def store(documents, clock):
    return JWKSStore(documents, refresh_after=600, cache_ttl=3600, cooldown=30, clock=clock)


async def settle():
    """Lets a refresh in the background run to its end: with these documents it needs the loop and nothing else."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_two_hundred_cold_requests_cost_one_fetch(store, documents):
    sets = await asyncio.gather(*(store.key_set(ISSUER) for _ in range(200)))
    assert len({id(key_set) for key_set in sets}) == 1
    assert documents.key_fetches == 1


async def test_a_cancelled_waiter_cancels_only_its_own_wait(store, documents):
    documents.gate = asyncio.Event()
    first, second = asyncio.create_task(store.key_set(ISSUER)), asyncio.create_task(store.key_set(ISSUER))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    documents.gate.set()
    assert len(await second) == 1
    assert documents.key_fetches == 1


async def test_an_unknown_kid_looks_once_per_cooldown(store, documents, clock, issuer):
    await store.key_set(ISSUER)
    issuer.rotate()
    assert len(await store.refreshed_key_set(ISSUER)) == 1
    clock.now += 30
    assert len(await store.refreshed_key_set(ISSUER)) == 2
    for _ in range(50):
        await store.refreshed_key_set(ISSUER)
    assert documents.key_fetches == 2


async def test_past_the_soft_age_keys_are_refreshed_beside_the_request(store, documents, clock):
    before = await store.key_set(ISSUER)
    clock.now += 600
    documents.gate = asyncio.Event()
    assert store.current_and_refresh_ahead(ISSUER) is before
    documents.gate.set()
    await settle()
    assert documents.key_fetches == 2
    assert store.current_and_refresh_ahead(ISSUER) is before, "the same keys stay the same object"


async def test_an_outage_is_not_noticed_before_the_hard_age_and_fails_closed_after(store, documents, clock):
    await store.key_set(ISSUER)
    documents.failure = DocumentError("it answers 500")
    clock.now += 3599
    assert store.current_and_refresh_ahead(ISSUER) is not None
    await settle()
    assert store.current_and_refresh_ahead(ISSUER) is not None
    clock.now += 1
    assert store.current_and_refresh_ahead(ISSUER) is None
    with pytest.raises(IssuerUnavailableError) as caught:
        await store.key_set(ISSUER)
    assert caught.value.issuer == ISSUER
    assert 1 <= caught.value.retry_after <= 30


async def test_failed_attempts_count_for_the_cooldown_and_recovery_needs_one_only(store, documents, clock):
    documents.failure = DocumentError("no connection", unreachable=True)
    for _ in range(20):
        with pytest.raises(IssuerUnavailableError):
            await store.key_set(ISSUER)
    assert len(documents.fetched) == 1
    documents.failure = None
    clock.now += 30
    assert len(await store.key_set(ISSUER)) == 1


async def test_an_unknown_kid_during_an_outage_is_no_verdict(store, documents, clock):
    await store.key_set(ISSUER)
    clock.now += 30
    documents.failure = DocumentError("it answers 500")
    # The second time the cooldown allows no look, and what the first one said still holds.
    for _ in range(2):
        with pytest.raises(IssuerUnavailableError) as caught:
            await store.refreshed_key_set(ISSUER)
        assert caught.value.issuer == ISSUER
    assert store.current_and_refresh_ahead(ISSUER) is not None
    assert documents.key_fetches == 2


async def test_a_refresh_in_the_background_keeps_the_cooldown(store, documents, clock):
    await store.key_set(ISSUER)
    for at, asked in ((29, 1), (30, 2)):
        clock.now = 1000 + at
        store.start_refresh(ISSUER)
        await settle()
        assert documents.key_fetches == asked


async def test_an_unusable_set_never_replaces_a_good_one(store, issuer, clock, monkeypatch):
    before = await store.key_set(ISSUER)
    monkeypatch.setattr(issuer, "jwks", lambda: {"keys": []})
    clock.now += 600
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    assert store.current_and_refresh_ahead(ISSUER) is before


async def test_a_removed_key_leaves_the_set(store, issuer, clock):
    await store.key_set(ISSUER)
    gone = next(iter(store.current_and_refresh_ahead(ISSUER).key_ids))
    issuer.rotate()
    issuer.remove_key(gone)
    clock.now += 600
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    assert gone not in store.current_and_refresh_ahead(ISSUER).key_ids


@pytest.mark.parametrize(("max_age", "interval"), [(15, 300), (0, 300), (299, 300), (400, 400), (86400, 600)])
async def test_cache_control_shortens_the_interval_within_our_bounds(store, documents, clock, max_age, interval):
    documents.max_age = max_age
    await store.key_set(ISSUER)
    clock.now += interval - 1
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    assert documents.key_fetches == 1
    clock.now += 1
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    assert documents.key_fetches == 2


async def test_after_a_failure_the_place_of_the_keys_is_discovered_anew(store, documents, clock):
    await store.key_set(ISSUER)
    seen = len(documents.fetched)
    documents.failure = DocumentError("it answers 404")
    clock.now += 600
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    documents.failure = None
    clock.now += 30
    store.current_and_refresh_ahead(ISSUER)
    await settle()
    assert sum("well-known" in url for url in documents.fetched[seen:]) == 1


async def test_with_a_jwks_uri_nothing_is_discovered(documents, clock, issuer):
    place = issuer.metadata()["jwks_uri"]
    store = JWKSStore(documents, jwks_uris={ISSUER: place}, clock=clock)
    await store.key_set(ISSUER)
    assert documents.fetched == [place]
    assert store.metadata(ISSUER) is None


async def test_closing_ends_a_fetch_in_flight(store, documents):
    documents.gate = asyncio.Event()
    waiter = asyncio.create_task(store.key_set(ISSUER))
    await asyncio.sleep(0)
    await store.aclose()
    with pytest.raises(IssuerUnavailableError):
        await waiter
    await store.aclose()


async def test_a_fetch_that_was_ended_costs_no_cooldown(store, documents):
    documents.gate = asyncio.Event()
    waiter = asyncio.create_task(store.key_set(ISSUER))
    for _ in range(3):
        await asyncio.sleep(0)
    assert documents.fetched
    await store.aclose()
    with pytest.raises(IssuerUnavailableError, match="ended from outside") as refusal:
        await waiter
    assert refusal.value.retry_after == 1
    documents.gate = None
    assert len(await store.key_set(ISSUER)) == 1


async def test_metadata_and_keys_have_one_deadline_together(documents, clock):
    """Each exchange may be in time while all together are not; the clock here is the event loop's own."""
    documents.gate = asyncio.Event()
    store = JWKSStore(documents, cooldown=30, deadline=0.01, clock=clock)
    with pytest.raises(IssuerUnavailableError, match=r"longer than 0\.01 s"):
        await store.key_set(ISSUER)


async def test_a_source_that_fails_in_its_own_way_is_a_failure_like_any_other(documents, store, clock, caplog):
    documents.failure = RuntimeError("secret text of the source")
    for _ in range(20):
        with pytest.raises(IssuerUnavailableError, match="RuntimeError") as caught:
            await store.key_set(ISSUER)
        assert "secret" not in str(caught.value)
    assert len(documents.fetched) == 1
    assert "secret" not in caplog.text
    documents.failure = None
    clock.now += 30
    assert len(await store.key_set(ISSUER)) == 1


async def test_keys_that_must_not_be_stored_are_not_fetched_for_every_token(documents, clock):
    documents.max_age = 0
    store = JWKSStore(documents, cooldown=0, clock=clock)
    for _ in range(100):
        await store.key_set(ISSUER)
        await settle()
    assert documents.key_fetches == 1
    clock.now += 300
    await store.key_set(ISSUER)
    await settle()
    assert documents.key_fetches == 2


async def test_a_failure_of_the_keys_names_their_url(documents, clock):
    for uri, shown in (
        ("https://auth.example.com/k", "https://auth.example.com/k: "),
        ("https://a.example/\n", "jwks_uri of its metadata: "),
    ):
        documents.failure = DocumentError("it answers 404")
        store = JWKSStore(documents, jwks_uris={ISSUER: uri}, clock=clock)
        with pytest.raises(IssuerUnavailableError, match="it answers 404") as caught:
            await store.key_set(ISSUER)
        assert shown in caught.value.cause
        assert "\n" not in caught.value.cause


async def test_a_large_set_is_built_in_steps_that_stall_nobody(documents, issuer, monkeypatch):
    """Keys of the largest size that is accepted, so that each takes as long as one can."""
    keys = [SigningKey.generate("EdDSA").public_jwk() for _ in range(40)]
    large = {"kty": "RSA", "e": "AQAB", "n": base64url(b"\xff" * 2048)}
    keys += [large | {"kid": f"large {number}"} for number in range(60)]
    monkeypatch.setattr(issuer, "jwks", lambda: {"keys": keys})

    async def build():
        assert len(await JWKSStore(documents).key_set(ISSUER)) == 100

    assert await longest_step(build, enough=0.02) < 0.02


async def test_the_log_of_a_refresh_shows_key_ids_on_one_short_line(issuer, store, monkeypatch, caplog):
    caplog.set_level("INFO", "mcp_oauth2_deps")
    jwk = issuer.key.public_jwk()
    kids = ["a\nINFO: forged", "x" * 100_000, *map(str, range(50))]
    monkeypatch.setattr(issuer, "jwks", lambda: {"keys": [jwk | {"kid": kid} for kid in kids]})
    await store.key_set(ISSUER)
    (line,) = [record.getMessage() for record in caplog.records if "refreshed" in record.getMessage()]
    assert line.isprintable()
    assert len(line) < 1500
