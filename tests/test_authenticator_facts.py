"""What the authenticator tells of a refusal, what it remembers, and what it hands to its stores."""

import asyncio
import time

import pytest

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError

RESOURCE = "https://api.example.com/mcp"


@pytest.fixture
def make(issuer):
    def make(documents=issuer, wall_clock=time.time, **settings):
        settings = {"issuer": (issuer.url,), "resource": RESOURCE, **settings}
        return Authenticator(OAuth2Settings(**settings), documents=documents, wall_clock=wall_clock)

    return make


async def refusal(authenticator, token):
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator.verify(token)
    return caught.value


async def test_before_the_signature_holds_only_issuer_and_key_id_are_told(make, issuer):
    error = await refusal(make(), issuer.token(scopes=["a"])[:-6] + "AAAAAA")
    assert (error.reason, error.issuer, error.key_id) == ("signature", issuer.url, issuer.key.kid)
    assert (error.subject, error.client_id) == (None, None)


async def test_after_it_subject_and_client_are_told_too(make, issuer):
    error = await refusal(make(), issuer.token(subject="bob", client_id="app", exp=1))
    assert (error.reason, error.issuer, error.key_id) == ("expired", issuer.url, issuer.key.kid)
    assert (error.subject, error.client_id) == ("bob", "app")


async def test_the_client_may_stand_in_azp_and_odd_values_are_not_told(make, issuer):
    assert (await refusal(make(), issuer.token(client_id=None, azp="other", exp=1))).client_id == "other"
    assert (await refusal(make(), issuer.token(client_id="app", azp="other", exp=1))).client_id == "app"
    odd = await refusal(make(), issuer.token(subject=["x"], client_id=7))
    assert (odd.subject, odd.client_id) == (None, None)


async def test_of_a_token_that_cannot_be_read_nothing_is_told(make):
    error = await refusal(make(), "x.y")
    assert (error.reason, error.issuer, error.key_id, error.subject, error.client_id) == ("malformed", None, None, None, None)


async def test_an_unknown_key_is_looked_for_once_and_said_to_be_the_kid(make, issuer):
    authenticator = make()
    good = issuer.token()
    await authenticator.verify(good)
    assert issuer.requests["/jwks"] == 1
    error = await refusal(authenticator, issuer.token(header={"kid": "unknown"}))
    assert (error.reason, error.claim, error.key_id) == ("unknown_key", "kid", "unknown")
    await authenticator.verify(issuer.token(jti="another"))
    assert issuer.requests["/jwks"] == 1


async def test_a_new_key_is_found_when_the_cooldown_is_over(make, issuer):
    authenticator = make(jwks_refresh_cooldown=0)
    await authenticator.verify(issuer.token())
    issuer.rotate()
    token = await authenticator.verify(issuer.token(subject="new"))
    assert token.subject == "new"
    assert issuer.requests["/jwks"] == 2
    await authenticator.verify(issuer.token(jti="another"))
    assert issuer.requests["/jwks"] == 2, "a key that is known is not looked for"


async def test_a_remembered_token_ends_exactly_with_the_leeway(make, issuer):
    now = [time.time()]
    authenticator = make(wall_clock=lambda: now[0], leeway=30)
    exp = int(now[0]) + 60
    token = issuer.token(exp=exp)
    await authenticator.verify(token)
    now[0] = exp + 29.5
    assert (await authenticator.verify(token)).expires_at == exp
    now[0] = exp + 30
    assert (await refusal(authenticator, token)).reason == "expired"


async def test_policy_and_stores_get_what_the_settings_say(make, issuer):
    authenticator = make(
        leeway=7,
        scope_claims=("roles",),
        algorithms=("ES256",),
        audience=("urn:x",),
        strict_at_jwt=True,
        jwks_uri=f"{issuer.url}/jwks",
        jwks_refresh_after=11,
        jwks_cache_ttl=22,
        jwks_refresh_cooldown=3,
        http_timeout=4,
        scope_hierarchy={"a": ("b",)},
    )
    policy, store = authenticator.policy, authenticator.stores[issuer.url]
    assert (policy.issuers, policy.audiences, policy.algorithms) == ((issuer.url,), ("urn:x",), {"ES256"})
    assert (policy.leeway, policy.strict_at_jwt, policy.scope_claims) == (7, True, ("roles",))
    assert policy.scope_hierarchy == {"a": {"b"}}
    assert (store._issuer, store._jwks_uri, store._algorithms) == (issuer.url, f"{issuer.url}/jwks", {"ES256"})
    assert (store._refresh_after, store._cache_ttl, store._cooldown, store._deadline, store._cache.ttl) == (11, 22, 3, 8, 22)


async def test_documents_come_over_http_with_the_settings_where_none_are_given(make):
    documents = make(documents=None, http_timeout=4, allow_insecure_http=True).stores["https://auth.example.com"]._documents
    assert (documents._timeout, documents._allow_insecure_http) == (4, True)


class Broken:
    async def fetch(self, url):
        raise DocumentError("it answers 500")


async def test_the_start_is_refused_with_the_cause_and_three_ways_out(make, issuer):
    with pytest.raises(IssuerUnavailableError) as caught:
        await make(documents=Broken()).start()
    assert caught.value.issuer == issuer.url
    assert caught.value.retry_after == 30
    assert caught.value.cause.startswith(f"{issuer.url}/.well-known/oauth-authorization-server: it answers 500; ")
    assert caught.value.cause.endswith(
        "it answers 500. The start was refused because MCP_OAUTH2_FAIL_FAST is true. Start the issuer, check MCP_OAUTH2_ISSUER and that "
        "this host reaches it, or set MCP_OAUTH2_FAIL_FAST=false to start without it and answer 503 until it is back"
    )


async def test_without_fail_fast_the_start_goes_on_and_asks_beside_it(make):
    authenticator = make(documents=Broken(), fail_fast=False)
    await authenticator.start()
    assert all(store._in_flight() is not None for store in authenticator.stores.values())
    await authenticator.aclose()


async def test_a_start_without_keys_still_prepares_their_fetch(make):
    authenticator = make(documents=None, fail_fast=False)
    await authenticator.start()
    assert authenticator._documents._tls is not None
    await authenticator.aclose()


async def test_without_fail_fast_a_start_goes_on_without_what_the_fetch_needs(make, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    authenticator = make(documents=None, fail_fast=False)
    await authenticator.start()
    (store,) = authenticator.stores.values()
    await asyncio.wait({store._in_flight()})
    assert "could not be refreshed" in caplog.text
    await authenticator.aclose()


async def test_a_start_fetches_the_keys(make, issuer):
    await make().start()
    assert issuer.requests["/jwks"] == 1


async def test_an_error_of_another_kind_ends_the_start_as_it_is(make, monkeypatch):
    authenticator = make()
    (store,) = authenticator.stores.values()

    async def fail():
        raise LookupError("a flaw")

    monkeypatch.setattr(store, "key_set", fail)
    with pytest.raises(LookupError, match="a flaw"):
        await authenticator.start()
