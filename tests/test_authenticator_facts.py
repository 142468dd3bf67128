"""What the authenticator tells of a refusal, what it remembers, and what it hands to its stores."""

import asyncio
import socket
import time

import pytest

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.testing import DevelopmentIssuer

RESOURCE = "https://api.example.com/mcp"


@pytest.fixture
def make(issuer):
    def make(documents=issuer, wall_clock=time.time, clock=time.monotonic, **settings):
        settings = {"issuer": (issuer.url,), "resource": RESOURCE, **settings}
        return Authenticator(OAuth2Settings(**settings), documents=documents, wall_clock=wall_clock, clock=clock)

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
    error = await refusal(make(), "x.y.z")
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


async def test_a_verified_token_is_over_exactly_when_it_is_refused(make, issuer):
    now = [time.time()]
    authenticator = make(wall_clock=lambda: now[0], leeway=30)
    exp = int(now[0]) + 60
    token = await authenticator.verify(issuer.token(exp=exp))
    for seconds, over in ((-1, False), (29.5, False), (30, True), (31, True)):
        now[0] = exp + seconds
        assert authenticator.is_over(token) is over
    assert not authenticator.is_over(AccessToken(subject="made by hand"))


async def test_the_policy_is_what_the_settings_say(make, issuer):
    (policy,) = make(
        leeway=7,
        scope_claims=("roles",),
        algorithms=("ES256",),
        audience=("urn:x",),
        strict_at_jwt=True,
        scope_hierarchy={"a": ("b",)},
    ).policies
    assert (policy.issuers, policy.audiences, policy.algorithms) == ((issuer.url,), ("urn:x",), {"ES256"})
    assert (policy.leeway, policy.strict_at_jwt, policy.scope_claims) == (7, True, ("roles",))
    assert policy.scope_hierarchy == {"a": {"b"}}


async def test_keys_are_refreshed_and_forgotten_at_the_ages_of_the_settings(make, issuer):
    """Each instant is tried a second before and at it; the cooldown is the longest, so that only the ages decide."""
    seconds = [1000.0]
    authenticator = make(
        clock=lambda: seconds[0], jwks_refresh_after=11, jwks_cache_ttl=22, jwks_refresh_cooldown=40, token_cache_size=0
    )
    fetches = []
    for seconds[0] in (1000, 1010, 1011):
        await authenticator.verify(issuer.token())
        await asyncio.sleep(0)
        fetches.append(issuer.requests["/jwks"])
    assert fetches == [1, 1, 2]
    issuer.fetch = Broken().fetch
    # The keys of 1011 are good to 1033; the refresh that is due at 1022 fails.
    for seconds[0] in (1022, 1032):
        await authenticator.verify(issuer.token())
        await asyncio.sleep(0)
    seconds[0] = 1033
    with pytest.raises(IssuerUnavailableError) as caught:
        await authenticator.verify(issuer.token())
    assert caught.value.retry_after == 1022 + 40 - 1033


async def test_keys_are_read_where_the_settings_say(make, issuer):
    await make(jwks_uri=f"{issuer.url}/keys/jwks").verify(issuer.token())
    assert issuer.requests == {"/keys/jwks": 1}


async def test_keys_are_read_for_the_algorithms_of_the_settings(make, issuer):
    with pytest.raises(IssuerUnavailableError, match="none of its 1 keys can check a signature here"):
        await make(algorithms=("RS256",)).start()
    await make(algorithms=("RS256", "ES256")).start()


async def test_each_configured_issuer_has_its_place_in_the_store(make):
    issuers = [DevelopmentIssuer(f"https://{name}.example.com", algorithm="ES256", audience=RESOURCE) for name in "abc"]

    class Issuers:
        async def fetch(self, url):
            return await next(issuer for issuer in issuers if url.startswith(issuer.url)).fetch(url)

    authenticator = make(documents=Issuers(), issuer=tuple(issuer.url for issuer in issuers), token_cache_size=0)
    for _ in range(2):
        for issuer in issuers:
            assert (await authenticator.verify(issuer.token())).issuer == issuer.url
    assert [issuer.requests["/jwks"] for issuer in issuers] == [1, 1, 1]


class Silent:
    async def fetch(self, url):
        await asyncio.Event().wait()


async def test_metadata_and_keys_may_together_take_twice_the_timeout_of_one(make):
    with pytest.raises(IssuerUnavailableError, match=r"metadata and keys together took longer than 0\.1 s"):
        await make(documents=Silent(), http_timeout=0.05).start()


async def test_documents_come_over_http_with_the_settings_where_none_are_given(make):
    with socket.create_server(("127.0.0.1", 0)) as nobody_answers:
        url = f"http://127.0.0.1:{nobody_answers.getsockname()[1]}"
        with pytest.raises(IssuerUnavailableError, match=r"no complete answer within 0\.05 s"):
            await make(documents=None, issuer=(url,), http_timeout=0.05, allow_insecure_http=True).start()


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


async def test_without_fail_fast_the_start_goes_on_while_the_issuer_is_asked(make, issuer):
    asked, answers, fetch = asyncio.Event(), asyncio.Event(), issuer.fetch

    async def fetch_late(url):
        asked.set()
        await answers.wait()
        return await fetch(url)

    issuer.fetch = fetch_late
    authenticator = make(fail_fast=False)
    await authenticator.start()
    assert not asked.is_set()
    await asyncio.wait_for(asked.wait(), 5)
    answers.set()
    await authenticator.verify(issuer.token())
    assert issuer.requests["/jwks"] == 1, "the request waited for the fetch of the start"


NOBODY = ("https://127.0.0.1:1",)


async def test_a_start_without_keys_still_prepares_their_fetch(make, issuer, monkeypatch, tmp_path):
    """The file of certificates is read at the start, so it need not be there later."""
    authenticator = make(documents=None, issuer=NOBODY, fail_fast=False)
    await authenticator.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(IssuerUnavailableError, match="no connection"):
        await authenticator.verify(issuer.token(iss=NOBODY[0]))


async def test_without_fail_fast_a_start_goes_on_without_what_the_fetch_needs(make, issuer, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    authenticator = make(documents=None, issuer=NOBODY, fail_fast=False)
    await authenticator.start()
    with pytest.raises(IssuerUnavailableError):
        await authenticator.verify(issuer.token(iss=NOBODY[0]))
    assert "could not be refreshed" in caplog.text


async def test_a_start_fetches_the_keys(make, issuer):
    await make().start()
    assert issuer.requests["/jwks"] == 1


async def test_an_error_of_another_kind_ends_the_start_as_it_is(make, monkeypatch):
    authenticator = make()

    async def fail(issuer):
        raise LookupError("a flaw")

    monkeypatch.setattr(authenticator.jwks_store, "key_set", fail)
    with pytest.raises(LookupError, match="a flaw"):
        await authenticator.start()
