"""Whether a process can judge tokens: what it says of itself to its operator, and to whoever sends requests to it."""

import asyncio

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from mcp_oauth2_deps import Authenticator, IssuerPolicy, JWKSStore, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, IssuerUnavailableError
from mcp_oauth2_deps.testing import DevelopmentIssuer

ONE, OTHER = "https://one.example.com", "https://other.example.com"


class Issuers:
    """Two issuers, of which some are down."""

    def __init__(self):
        self.up = {url: DevelopmentIssuer(url, algorithm="ES256") for url in (ONE, OTHER)}
        self.down = set()
        self.asked = 0

    async def fetch(self, url):
        self.asked += 1
        (issuer,) = [issuer for name, issuer in self.up.items() if url.startswith(name)]
        if issuer.url in self.down:
            raise DocumentError("it answers 500")
        return await issuer.fetch(url)


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def issuers():
    return Issuers()


@pytest.fixture
def auth(issuers, now):
    settings = OAuth2Settings(issuer=(ONE, OTHER), resource="https://api.example.com/mcp", fail_fast=False)
    return OAuth2BearerScheme(authenticator=Authenticator(settings, documents=issuers, clock=lambda: now[0]))


@pytest.fixture
def client(auth):
    app = FastAPI()
    app.get("/ready")(auth.readiness)
    app.include_router(auth.router())
    with TestClient(app) as client:
        yield client


def answered(client):
    answer = client.get("/ready")
    body = answer.json()
    return answer.status_code, body.get("detail", body), answer.headers.get("retry-after")


def test_it_is_ready_when_the_keys_of_all_issuers_are_loaded(client):
    assert answered(client) == (200, {"status": "ready", "issuers": {ONE: "ready", OTHER: "ready"}}, None)


def test_one_issuer_that_is_down_is_noted_and_does_not_take_the_process_out(issuers, client, now):
    issuers.down.add(OTHER)
    now[0] = 3600
    # The first question finds the keys too old and has them fetched.
    answered(client)
    assert answered(client) == (200, {"status": "ready", "issuers": {ONE: "ready", OTHER: "unavailable"}}, None)


def test_it_is_not_ready_when_the_keys_of_none_are_loaded_and_says_nothing_of_the_cause(issuers, client, now):
    issuers.down.update((ONE, OTHER))
    now[0] = 3600
    for _ in range(2):
        assert answered(client) == (503, {"status": "unavailable", "issuers": {ONE: "unavailable", OTHER: "unavailable"}}, "5")


def test_asking_brings_the_keys_back_without_any_other_request_and_respects_the_cooldown(issuers, client, now):
    issuers.down.update((ONE, OTHER))
    now[0] = 3600
    assert answered(client)[0] == 503
    asked = issuers.asked
    issuers.down.clear()
    for _ in range(20):
        assert answered(client)[0] == 503
    assert issuers.asked == asked, "the cooldown is not over"
    now[0] += 30
    answered(client)
    assert answered(client)[0] == 200


def test_it_is_a_dependency_too(auth, client, issuers, now):
    client.app.get("/mine", dependencies=[Depends(auth.readiness)])(lambda: "mine")
    assert client.get("/mine").json() == "mine"
    issuers.down.update((ONE, OTHER))
    now[0] = 3600
    assert client.get("/mine").status_code == 503


async def test_the_status_says_how_old_keys_are_and_until_when_they_are_used(auth, now):
    await auth.start()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    now[0] = 100
    one, other = auth.status()
    assert (one.issuer, one.usable_keys, one.age, one.refresh_in, one.usable_for) == (ONE, 1, 100, 500, 3500)
    assert (other.issuer, one.failure, one.failing_for) == (OTHER, None, 0)


async def test_the_status_says_what_failed_and_for_how_long(now):
    issuers = Issuers()
    store = JWKSStore(issuers, cooldown=0, clock=lambda: now[0])
    await store.key_set(ONE)
    issuers.down.add(ONE)
    for now[0] in (700, 760):
        with pytest.raises(IssuerUnavailableError):
            await store.refreshed_key_set(ONE)
    status = store.status(ONE)
    assert "it answers 500" in status.failure
    assert (status.usable_keys, status.failing_for, status.refresh_in, status.usable_for) == (1, 60, 0, 2840)


def test_the_status_of_an_issuer_that_was_never_asked(issuers):
    status = JWKSStore(issuers).status(ONE)
    assert (status.usable_keys, status.age, status.refresh_in, status.usable_for, status.failure) == (0, None, None, 0, None)
    assert issuers.asked == 0


@pytest.mark.parametrize(
    "others", [(), (IssuerPolicy(issuer=ONE),)], ids=["tenants alone", "tenants, and an issuer that is down"]
)
def test_tenants_whose_keys_come_with_their_tokens_do_not_make_a_process_unready(issuers, others):
    issuers.down.update((ONE, OTHER))
    tenants = IssuerPolicy(issuer="https://sso.example.com/{tenant}", tenants="acme")
    settings = OAuth2Settings(issuers=[tenants, *others], resource="https://api.example.com/mcp", fail_fast=False)
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=issuers))
    app = FastAPI()
    app.get("/ready")(auth.readiness)
    app.include_router(auth.router())
    with TestClient(app) as client:
        down = {policy.issuer: "unavailable" for policy in others}
        assert answered(client) == (200, {"status": "ready", "issuers": down}, None)


def test_without_settings_it_is_not_ready():
    app = FastAPI()
    app.get("/ready")(OAuth2BearerScheme().readiness)
    assert answered(TestClient(app)) == (503, {"status": "unavailable", "issuers": {}}, None)
