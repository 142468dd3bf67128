"""What the key store tells its operator: one line per attempt, with what happened and what to do, and nothing an issuer sent."""

import asyncio
import logging

import pytest

from mcp_oauth2_deps import Document, JWKSStore
from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError

ISSUER = "https://auth.example.com"
URL = f"{ISSUER}/jwks"


class Source:
    def __init__(self, content):
        self.content = content
        self.urls = []

    async def fetch(self, url):
        self.urls.append(url)
        if isinstance(self.content, Exception):
            raise self.content
        return Document(self.content)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="mcp_oauth2_deps.stores.jwks")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


async def test_a_refresh_is_told_with_its_keys(issuer, lines):
    secret = issuer.key.public_jwk() | {"kid": "private", "d": "x"}
    jwk = issuer.key.public_jwk()
    source = Source({"keys": [jwk | {"kid": "b"}, jwk | {"kid": "a"}, secret, 1, secret]})
    await JWKSStore(source, jwks_uris={ISSUER: URL}).key_set(ISSUER)
    assert lines() == [
        (
            "INFO",
            (
                f"keys of issuer {ISSUER} refreshed: 2 usable (a, b), 3 skipped (it is no JSON object; the key set publishes private key "
                "material; the issuer must replace this key); the next refresh is due in 600 s"
            ),
        )
    ]
    assert source.urls == [URL]


async def test_keys_without_kid_are_told_as_such(issuer, lines):
    jwk = {name: value for name, value in issuer.key.public_jwk().items() if name != "kid"}
    await JWKSStore(Source({"keys": [jwk]}), jwks_uris={ISSUER: URL}, refresh_after=7).key_set(ISSUER)
    assert lines() == [
        ("INFO", f"keys of issuer {ISSUER} refreshed: 1 usable (without kid), 0 skipped; the next refresh is due in 7 s"),
    ]


async def test_a_failure_is_told_with_what_to_do(lines):
    store = JWKSStore(Source(DocumentError("it answers 500")), jwks_uris={ISSUER: URL}, clock=lambda: 5.0)
    with pytest.raises(IssuerUnavailableError) as caught:
        await store.key_set(ISSUER)
    assert lines() == [
        (
            "WARNING",
            (
                f"keys of issuer {ISSUER} could not be refreshed: {URL}: it answers 500. Requests with its tokens get 503. Check that this host "
                "reaches the issuer and that the settings issuer and jwks_uri are right; the next attempt comes after 30 s."
            ),
        )
    ]
    assert (caught.value.issuer, caught.value.cause, caught.value.retry_after) == (ISSUER, f"{URL}: it answers 500", 30)


async def test_a_failure_with_keys_in_hand_says_that_they_stay(issuer, lines):
    source = Source(issuer.jwks())
    store = JWKSStore(source, jwks_uris={ISSUER: URL}, cooldown=0)
    await store.key_set(ISSUER)
    source.content = {"keys": 1}
    with pytest.raises(IssuerUnavailableError):
        await store.refreshed_key_set(ISSUER)
    level, text = lines()[-1]
    assert level == "WARNING"
    assert (
        f": {URL}: the document has no list named keys. Its loaded keys stay in use for 3600 s; then requests with its tokens get 503. Check"
        in text
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ({"keys": []}, "none of its 0 keys can check a signature here"),
        ({"keys": [1, {}]}, "none of its 2 keys can check a signature here"),
        ({}, "the document has no list named keys"),
    ],
)
async def test_an_unusable_set_is_told_by_its_cause(content, cause):
    with pytest.raises(IssuerUnavailableError) as caught:
        await JWKSStore(Source(content), jwks_uris={ISSUER: URL}).key_set(ISSUER)
    assert caught.value.cause == f"{URL}: {cause}"


async def test_defaults_are_those_of_the_settings(issuer):
    now = [0.0]
    source = Source(issuer.jwks())
    store = JWKSStore(source, jwks_uris={ISSUER: URL}, clock=lambda: now[0])
    await store.key_set(ISSUER)
    for at, asked in ((29, 1), (30, 2)):
        now[0] = at
        await store.refreshed_key_set(ISSUER)
        assert len(source.urls) == asked
    for at, asked in ((629, 2), (630, 3)):
        now[0] = at
        await store.key_set(ISSUER)
        await asyncio.sleep(0)
        assert len(source.urls) == asked
    now[0] = 630 + 3600
    assert store.current_and_refresh_ahead(ISSUER) is None


async def test_the_end_of_an_outage_is_a_warning_that_says_how_long_it_lasted(issuer, lines):
    now = [0.0]
    source = Source(issuer.jwks())
    store = JWKSStore(source, jwks_uris={ISSUER: URL}, cooldown=0, clock=lambda: now[0])
    await store.key_set(ISSUER)
    good, source.content = source.content, DocumentError("it answers 500")
    for now[0] in (100, 200):
        with pytest.raises(IssuerUnavailableError):
            await store.refreshed_key_set(ISSUER)
    source.content, now[0] = good, 340
    await store.refreshed_key_set(ISSUER)
    assert [level for level, _ in lines()] == ["INFO", "WARNING", "WARNING", "WARNING"]
    assert ["in use for 3500 s" in lines()[1][1], "in use for 3400 s" in lines()[2][1]] == [True, True]
    assert f"keys of issuer {ISSUER} refreshed after fetches had failed for 240 s: 1 usable" in lines()[3][1]
    now[0] = 400
    await store.refreshed_key_set(ISSUER)
    assert lines()[4][0] == "INFO"
