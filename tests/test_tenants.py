"""Many tenants behind one template: who is let in, whose code decides, and what that costs."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from urllib.parse import urlsplit

import pytest

from mcp_oauth2_deps import Authenticator, Document, IssuerPolicy, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError, StoreUnavailableError
from mcp_oauth2_deps.stores import tenants as decisions
from mcp_oauth2_deps.testing import SigningKey

TEMPLATE = "https://login.example.com/{tenant}/v2.0"
RESOURCE = "https://api.example.com/mcp"
LOGIN = "https://login.example.com/organizations/v2.0"


def issuer_of(tenant):
    return TEMPLATE.replace("{tenant}", tenant)


class Provider:
    """Tenants of one provider, each with metadata and a key set at its own URL; one key signs for all of them."""

    def __init__(self):
        self.key = SigningKey.generate("ES256", "all")
        self.own = {}
        self.down = set()
        self.fetches = Counter()
        self.urls = []

    async def fetch(self, url):
        self.urls.append(url)
        tenant = urlsplit(url).path.split("/")[1]
        if url.endswith("/keys"):
            self.fetches[tenant] += 1
        if tenant in self.down:
            raise DocumentError("no connection", unreachable=True)
        if url.endswith("/keys"):
            return Document({"keys": self.own.get(tenant) or [self.key.public_jwk() | {"issuer": issuer_of("{tenantid}")}]})
        if not url.endswith("/v2.0/.well-known/openid-configuration"):
            raise DocumentError("404")
        issuer = issuer_of(tenant)
        return Document({"issuer": issuer, "jwks_uri": f"https://login.example.com/{tenant}/keys"})

    def token(self, tenant, **changes):
        claims = {"iss": issuer_of(tenant), "tid": tenant, "aud": RESOURCE, "sub": "someone", "exp": 4_000_000_000} | changes
        return self.key.mint({name: value for name, value in claims.items() if value is not None})


class Directory:
    """The user's own code."""

    def __init__(self, *known):
        self.known = set(known)
        self.asked = Counter()
        self.answer = None
        self.gate = None
        self.was_asked = asyncio.Event()

    async def check(self, tenant: str) -> bool:
        self.asked[tenant] += 1
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return tenant in self.known if self.answer is None else self.answer


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(provider, clock):
    def make(*others, **policy):
        values = {"issuer": TEMPLATE, "authorization_server": LOGIN} | policy
        settings = OAuth2Settings(issuers=[IssuerPolicy(**values), *others], resource=RESOURCE)
        return Authenticator(settings, documents=provider, clock=clock)

    return make


async def refusal(authenticator, token, kind=InvalidTokenError):
    with pytest.raises(kind) as caught:
        await authenticator.verify(token)
    return caught.value


async def test_a_listed_tenant_is_let_in_and_no_other_costs_a_fetch(make, provider):
    authenticator = make(tenants=("acme", "globex"))
    await authenticator.start()
    assert provider.urls == []
    for tenant in ("acme", "globex", "acme"):
        token = await authenticator.verify(provider.token(tenant))
        assert (token.issuer, token.claims["tid"]) == (issuer_of(tenant), tenant)
    assert provider.fetches == {"acme": 1, "globex": 1}
    for tenant in ("stranger", "ACME", "acme1"):
        assert str(await refusal(authenticator, provider.token(tenant))) == "issuer (iss)"
    assert provider.fetches == {"acme": 1, "globex": 1}


HOSTILE = [
    "..",
    ".",
    "acme/..",
    "acme/../globex",
    "acme?x=",
    "acme#",
    "acme@evil.example",
    "acme%2f",
    "acme:80",
    "acme\\",
    "acme ",
]
HOSTILE += ["acme.", "a" * 200, "", "*", "{tenant}", "acme\u200b", "\u0430cme", "acme\n", "acme;x", "evil.example/acme"]


@pytest.mark.parametrize("tenant", HOSTILE, ids=ascii)
@pytest.mark.parametrize("who", ["list", "hook that allows all"])
async def test_a_hostile_tenant_costs_no_fetch(make, provider, tenant, who):
    directory = Directory()
    directory.answer = True
    authenticator = make(tenants=("acme",)) if who == "list" else make(tenant_check=directory.check)
    assert str(await refusal(authenticator, provider.token(tenant))) == "issuer (iss)"
    assert provider.urls == []
    assert directory.asked == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tid": "globex"}, "issuer (tid)"),
        ({"tid": "ACME"}, "issuer (tid)"),
        ({"tid": "{tenant}"}, "issuer (tid)"),
        ({"tid": None}, "claim (tid)"),
        ({"tid": ["acme"]}, "claim (tid)"),
        ({"iss": issuer_of("acme") + "/"}, "issuer (iss)"),
        ({"iss": TEMPLATE}, "issuer (iss)"),
        ({"aud": "other"}, "audience (aud)"),
    ],
)
async def test_issuer_and_tenant_of_one_token_must_agree(make, provider, changes, reason):
    authenticator = make(tenants=("acme", "globex"))
    assert str(await refusal(authenticator, provider.token("acme", **changes))) == reason
    assert (await authenticator.verify(provider.token("acme"))).subject == "someone"


async def test_where_iss_alone_names_the_tenant_no_claim_is_asked_for(make, provider):
    authenticator = make(tenants=("acme",), tenant_claim=None)
    assert (await authenticator.verify(provider.token("acme", tid=None))).issuer == issuer_of("acme")


@pytest.mark.parametrize(
    ("owner", "reason"),
    [
        (issuer_of("globex"), "unknown_key"),
        ("https://login.example.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "unknown_key"),
        ("https://evil.example/{tenantid}/v2.0", "unknown_key"),
        (issuer_of("acme") + "/", "unknown_key"),
        (7, "unknown_key"),
        ("", "unknown_key"),
        (None, "unknown_key"),
    ],
)
async def test_a_key_that_names_another_issuer_signs_nothing_for_this_tenant(make, provider, owner, reason):
    other = SigningKey.generate("ES256", "other")
    provider.own["acme"] = [other.public_jwk(), provider.key.public_jwk() | {"issuer": owner}]
    assert (await refusal(make(tenants=("acme",)), provider.token("acme"))).reason == reason


@pytest.mark.parametrize("owner", [issuer_of("acme"), issuer_of("{tenantid}"), issuer_of("{tenant}"), ...])
async def test_control_a_key_for_this_tenant_or_for_all_does(make, provider, owner):
    jwk = provider.key.public_jwk()
    provider.own["acme"] = [jwk if owner is ... else jwk | {"issuer": owner}]
    assert (await make(tenants=("acme",)).verify(provider.token("acme"))).subject == "someone"


async def test_a_key_uri_is_filled_with_the_tenant(make, provider):
    authenticator = make(tenants=("acme",), jwks_uri="https://login.example.com/{tenant}/keys")
    await authenticator.verify(provider.token("acme"))
    assert provider.urls == ["https://login.example.com/acme/keys"]


async def test_the_outage_of_one_tenant_is_nobody_elses(make, provider):
    authenticator = make(tenants=("acme", "globex"))
    provider.down.add("acme")
    error = await refusal(authenticator, provider.token("acme"), IssuerUnavailableError)
    assert error.issuer == issuer_of("acme")
    assert (await authenticator.verify(provider.token("globex"))).issuer == issuer_of("globex")
    assert authenticator.status() == ()


async def test_a_hook_is_asked_once_for_all_who_wait_and_once_in_a_while(make, provider, clock):
    directory = Directory("acme")
    directory.gate = asyncio.Event()
    authenticator = make(tenant_check=directory.check)
    raw = [provider.token("acme", jti=str(number)) for number in range(50)]
    waiting = asyncio.gather(*map(authenticator.verify, raw))
    await directory.was_asked.wait()
    directory.gate.set()
    assert {token.issuer for token in await waiting} == {issuer_of("acme")}
    assert directory.asked == {"acme": 1}
    for _ in range(3):
        assert str(await refusal(authenticator, provider.token("stranger"))) == "issuer (iss)"
    assert directory.asked == {"acme": 1, "stranger": 1}
    clock.now += decisions._REFUSED_FOR
    await refusal(authenticator, provider.token("stranger"))
    assert directory.asked["stranger"] == 2
    clock.now += decisions._ALLOWED_FOR
    await authenticator.verify(raw[0])
    assert directory.asked["acme"] == 2


async def test_a_tenant_that_was_taken_back_is_refused_also_with_a_remembered_token(make, provider, clock):
    directory = Directory("acme")
    authenticator, raw = make(tenant_check=directory.check), provider.token("acme")
    await authenticator.verify(raw)
    directory.known.clear()
    clock.now += decisions._ALLOWED_FOR - 1
    assert (await authenticator.verify(raw)).subject == "someone"
    clock.now += 1
    assert str(await refusal(authenticator, raw)) == "issuer (iss)"


@pytest.mark.parametrize(
    "answer", [RuntimeError("secret"), None, 1, "yes", object()], ids=["an error", "None", "1", "yes", "an object"]
)
async def test_a_hook_that_says_neither_yes_nor_no_lets_nobody_in(make, provider, caplog, answer):
    async def check(tenant):
        if isinstance(answer, Exception):
            raise answer
        return answer

    authenticator = make(tenant_check=check)
    error = await refusal(authenticator, provider.token("acme"), StoreUnavailableError)
    assert error.retry_after == 1
    assert provider.urls == []
    await refusal(authenticator, provider.token("acme"), StoreUnavailableError)
    assert caplog.text.count("the tenant check") == 1
    assert "secret" not in caplog.text + str(error)


@pytest.mark.parametrize("stubborn", [False, True], ids=["ends", "ignores that it is ended"])
async def test_a_hook_that_hangs_lets_nobody_in_and_ends(make, provider, monkeypatch, stubborn):
    monkeypatch.setattr(decisions, "_SECONDS_TO_ANSWER", 0.01)
    forever = asyncio.Event()

    async def check(tenant):
        try:
            await forever.wait()
        except asyncio.CancelledError:
            if not stubborn:
                raise
            await forever.wait()
        return True

    authenticator = make(tenant_check=check)
    await refusal(authenticator, provider.token("acme"), StoreUnavailableError)
    forever.set()


async def test_a_waiter_that_goes_away_takes_nobody_along(make, provider):
    directory = Directory("acme")
    directory.gate = asyncio.Event()
    authenticator = make(tenant_check=directory.check)
    first, second = (asyncio.create_task(authenticator.verify(provider.token("acme", jti=jti))) for jti in "ab")
    await directory.was_asked.wait()
    first.cancel()
    directory.gate.set()
    assert (await second).issuer == issuer_of("acme")
    assert first.cancelled() or first.cancelling()


async def test_a_flood_of_made_up_tenants_asks_few_questions_at_once_and_pushes_out_nobody(make, provider):
    directory = Directory("acme")
    authenticator = make(tenant_check=directory.check)
    await authenticator.verify(provider.token("acme"))
    directory.gate = asyncio.Event()
    flood = [asyncio.create_task(authenticator.verify(provider.token(f"made-up-{number}"))) for number in range(3000)]
    await asyncio.sleep(0)
    assert sum(directory.asked.values()) <= 1 + decisions._MOST_QUESTIONS
    assert (await authenticator.verify(provider.token("acme", jti="2"))).issuer == issuer_of("acme")
    directory.gate.set()
    outcomes = Counter(type(outcome) for outcome in await asyncio.gather(*flood, return_exceptions=True))
    assert outcomes == {InvalidTokenError: decisions._MOST_QUESTIONS, StoreUnavailableError: 3000 - decisions._MOST_QUESTIONS}
    directory.gate = None
    for number in range(3000):
        await refusal(authenticator, provider.token(f"later-{number}"))
    assert directory.asked["acme"] == 1
    assert (await authenticator.verify(provider.token("acme", jti="3"))).issuer == issuer_of("acme")
    assert directory.asked["acme"] == 1
    assert provider.fetches == {"acme": 1}


async def test_a_thousand_tenants_are_kept_and_beyond_them_memory_stays_flat(make, provider):
    directory = Directory()
    directory.answer = True
    authenticator = make(tenant_check=directory.check)

    async def kept_after(first, last):
        for number in range(first, last):
            assert (await authenticator.verify(provider.token(f"t{number}"))).issuer == issuer_of(f"t{number}")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        full = await kept_after(0, 1100)
        assert provider.fetches.total() == 1100
        # What the test itself counts grows with the tenants.
        provider.fetches.clear()
        provider.urls.clear()
        directory.asked.clear()
        full = min(full, await kept_after(1100, 1200))
        later = await kept_after(1200, 1800)
    finally:
        tracemalloc.stop()
    print(f"1,024 tenants: {full / 1e6:.1f} MB, after 1,800: {later / 1e6:.1f} MB")  # noqa: T201  # pytest -rP shows it
    assert later < 1.1 * full + 1_000_000


async def test_tenants_of_one_template_are_nothing_to_another_issuer(make, provider):
    people = IssuerPolicy(
        issuer="https://people.example.com", jwks_uri="https://login.example.com/people/keys", audience="people"
    )
    authenticator = make(people, tenants=("acme",), audience="tenants")
    token = await authenticator.verify(provider.token("acme", aud="tenants"))
    assert token.audience == ("tenants",)
    assert str(await refusal(authenticator, provider.token("acme", aud="people"))) == "audience (aud)"
    wrong = provider.token("acme", iss="https://people.example.com", aud="tenants")
    assert str(await refusal(authenticator, wrong)) == "audience (aud)"
    assert (await authenticator.verify(provider.token("x", iss="https://people.example.com", aud="people"))).subject == "someone"


async def test_a_hook_that_ends_itself_lets_nobody_in(make, provider):
    async def check(tenant):
        raise asyncio.CancelledError

    await refusal(make(tenant_check=check), provider.token("acme"), StoreUnavailableError)
