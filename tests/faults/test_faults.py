"""Everything that can be wrong with an issuer, over real HTTP: what callers get meanwhile, and what it costs."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.errors import IssuerUnavailableError
from mcp_oauth2_deps.testing import Fault, FaultIssuer, LoopbackServer

RESOURCE = "https://api.example.com/mcp"
TIMEOUT = 0.25
DEADLINE = 15
# Made once: it takes longer than most requests here.
NO_TLS = httpx.create_ssl_context(trust_env=False)
LASTING = {Fault.HANG, Fault.SLOW, Fault.DRIP}
EVERY_FAULT = [
    pytest.param(document, fault, id=f"{document} {fault.name}") for document in ("metadata", "jwks") for fault in Fault
]


@pytest.fixture(scope="module")
def leave():
    """Leaves a context while the next test runs already: a server takes a fifth of a second to stop, and each test has two."""
    with ThreadPoolExecutor(8) as pool:
        left = []

        def leave(context):
            left.append(pool.submit(context.__exit__, None, None, None))

        yield leave
    for done in left:
        done.result()


@pytest.fixture
def issuer(leave):
    context = FaultIssuer(algorithm="ES256", audience=RESOURCE).serve()
    yield context.__enter__()
    leave(context)


def wait_until(condition):
    """Asks again and again, leaving the servers in this process their turn."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


class Api:
    """A guarded and an open route, served for real."""

    def __init__(self, url, issuer):
        self.url, self.issuer = url, issuer
        self.client = httpx.Client(base_url=url, timeout=DEADLINE, trust_env=False, verify=NO_TLS)

    def get(self, path="/guarded", *, token=None):
        token = self.issuer.token(scopes=["a"]) if token is None else token
        return self.client.get(path, headers={"Authorization": f"Bearer {token}"})

    def open(self):
        return self.client.get("/open")

    def until(self, status, **more):
        """Asks until the answer has this status."""
        deadline = time.monotonic() + DEADLINE
        while (answer := self.get(**more)).status_code != status:
            assert answer.status_code in {200, 401, 503}
            assert time.monotonic() < deadline, f"still {answer.status_code}"
        return answer


@pytest.fixture
def serve(leave):
    """Serves the routes for one issuer, with these settings."""

    @contextmanager
    def serve(issuer, **settings):
        server = LoopbackServer(_app(issuer, settings))
        api = Api(server.__enter__().url, issuer)
        try:
            with api.client:
                yield api
        finally:
            leave(server)

    return serve


def _app(issuer, settings):
    settings = {"jwks_refresh_cooldown": 60, "http_timeout": TIMEOUT, "fail_fast": False, **settings}
    auth = OAuth2BearerScheme(OAuth2Settings(issuer=issuer.url, resource=RESOURCE, allow_insecure_http=True, **settings))
    app = FastAPI()
    app.include_router(auth.router())
    app.get("/guarded", dependencies=[Security(auth.require_scopes("a"))])(lambda: "in")
    app.get("/open")(lambda: "open")
    return app


def attempts(issuer):
    """How often the issuer was asked from the beginning: each attempt starts with the first well-known place."""
    return issuer.requests["/.well-known/oauth-authorization-server"]


@pytest.mark.parametrize(("document", "fault"), EVERY_FAULT)
def test_without_keys_a_fault_means_503_for_tokens_and_nothing_for_other_routes(issuer, serve, document, fault):
    issuer.spoil(document, fault)
    with serve(issuer) as api, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.get)
        path = "/jwks" if document == "jwks" else "/.well-known/oauth-authorization-server"
        wait_until(lambda: issuer.requests[path])
        # The fetch is in flight now, or over already where the fault is a quick one.
        assert api.open().status_code == 200
        if fault in LASTING:
            assert not waiting.done()
        answer = waiting.result(DEADLINE)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "www-authenticate" not in answer.headers
        for token in ("garbage", issuer.token(iss="https://other.example.com")):
            assert api.get(token=token).status_code == 401
        assert [api.get().status_code for _ in range(5)] == [503] * 5
        assert attempts(issuer) == 1


@pytest.mark.parametrize(("document", "fault"), EVERY_FAULT)
def test_with_keys_in_hand_a_fault_is_not_noticed_and_passes(issuer, serve, document, fault):
    settings = {"jwks_refresh_after": 0.05, "jwks_refresh_cooldown": 0.05, "token_cache_size": 0}
    with serve(issuer, **settings) as api:
        api.until(200)
        issuer.spoil(document, fault)
        before = issuer.requests.total()
        deadline = time.monotonic() + DEADLINE
        while issuer.requests.total() < before + 2:
            assert api.get().status_code == 200
            assert api.open().status_code == 200
            assert time.monotonic() < deadline
        forged = issuer.token(scopes=["a"])[:-8] + "AAAAAAAA"
        assert api.get(token=forged).status_code == 401
        issuer.heal()
        issuer.rotate()
        assert api.until(200).json() == "in"


@pytest.mark.parametrize(("document", "fault"), [("metadata", Fault.BROKEN), ("jwks", Fault.FOREIGN), ("jwks", Fault.HANG)])
def test_fail_fast_refuses_to_start_and_says_why(issuer, document, fault):
    issuer.spoil(document, fault)
    auth = OAuth2BearerScheme(
        OAuth2Settings(issuer=issuer.url, resource=RESOURCE, allow_insecure_http=True, http_timeout=TIMEOUT)
    )
    app = FastAPI()
    app.include_router(auth.router())
    with pytest.raises(IssuerUnavailableError, match="MCP_OAUTH2_FAIL_FAST") as caught, TestClient(app):
        pass
    assert issuer.url in str(caught.value)


def test_valid_tokens_pass_through_an_outage_shorter_than_the_hard_age_and_not_a_longer_one(issuer, serve):
    with serve(issuer, jwks_cache_ttl=1.5, jwks_refresh_after=0.1, jwks_refresh_cooldown=0.1) as api:
        api.until(200)
        issuer.switch_off()
        switched_off = time.monotonic()
        while api.get().status_code == 200:
            assert time.monotonic() < switched_off + DEADLINE
        # The last refresh came shortly before; none can have come after.
        assert 0.5 < time.monotonic() - switched_off < 8
        assert api.get().status_code == 503
        issuer.switch_on()
        api.until(200)


def test_two_hundred_cold_requests_cost_one_fetch(issuer, serve):
    count = 200
    with serve(issuer) as api, ThreadPoolExecutor(50) as pool:
        issuer.requests.clear()
        token = issuer.token(scopes=["a"])
        barrier = threading.Barrier(50)

        def ask(number):
            if number < 50:
                barrier.wait(DEADLINE)
            return api.get(token=token).status_code

        assert set(pool.map(ask, range(count))) == {200}
    assert issuer.requests["/jwks"] <= 1
    assert attempts(issuer) <= 1


def test_five_hundred_unknown_kids_cost_one_fetch_in_a_cooldown_and_good_tokens_pass_beside_them(issuer, serve):
    with serve(issuer, token_cache_size=0) as api, ThreadPoolExecutor(10) as pool:
        api.until(200)
        before = issuer.requests["/jwks"]
        bad = [issuer.token(scopes=["a"], header={"kid": f"unknown-{number}"}) for number in range(500)]
        answers = pool.map(lambda token: api.get(token=token).status_code, bad)
        good = [api.get().status_code for _ in range(50)]
        assert set(answers) == {401}
        assert set(good) == {200}
        assert issuer.requests["/jwks"] <= before + 1


def test_a_key_that_was_removed_is_refused_after_the_next_refresh(issuer, serve):
    with serve(issuer, jwks_refresh_after=0.1, jwks_refresh_cooldown=0.1) as api:
        api.until(200)
        old = issuer.key
        token = issuer.token(scopes=["a"])
        issuer.rotate()
        issuer.remove_key(old.kid)
        api.until(401, token=token)
        assert api.get().status_code == 200


def test_a_key_that_was_replaced_under_its_kid_heals_within_a_cooldown(issuer, serve):
    with serve(issuer, jwks_refresh_cooldown=0.1) as api:
        api.until(200)
        stale = issuer.token(scopes=["a"])
        issuer.rekey()
        api.until(200)
        assert api.get(token=stale).status_code == 401
