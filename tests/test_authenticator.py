from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from mcp_oauth2_deps import AccessToken
from mcp_oauth2_deps.errors import InvalidTokenError


async def refused(auth, token):
    with pytest.raises(InvalidTokenError) as caught:
        await auth.authenticator.verify(token)
    return caught.value


async def test_a_verified_token_carries_its_facts(auth, issuer):
    token = await auth.authenticator.verify(issuer.token(subject="alice", client_id="c1", scopes={"a"}, tenant={"x": [1]}))
    assert (token.subject, token.client_id, token.issuer, token.scopes) == ("alice", "c1", issuer.url, {"a"})
    assert token.claims["tenant"]["x"] == (1,)
    with pytest.raises(TypeError):
        token.claims["tenant"]["x"] = 2


async def test_a_remembered_token_is_the_same_until_it_expires(auth, issuer):
    raw = issuer.token(expires_in=60)
    first = await auth.authenticator.verify(raw)
    assert await auth.authenticator.verify(raw) is first
    with freeze_time(datetime.now(UTC) + timedelta(seconds=91), real_asyncio=True, ignore=["asyncio"]):
        assert (await refused(auth, raw)).reason == "expired"


async def test_a_token_is_the_same_however_it_was_made(auth, issuer):
    token = await auth.authenticator.verify(issuer.token(scopes={"a"}, roles=["x"], ratio=0.5))
    assert AccessToken(**{field.name: getattr(token, field.name) for field in fields(AccessToken)}) == token
    # The next request with this token gets this object.
    with pytest.raises(TypeError, match="__dict__"):
        vars(token)
    with pytest.raises(FrozenInstanceError):
        token.subject = "another"


async def test_many_headers_do_not_pile_up(make_scheme, issuer):
    auth = make_scheme()
    for number in range(300):
        await auth.authenticator.verify(issuer.token(header={"junk": number}))
    assert len(auth.authenticator._headers) <= 256


async def test_only_headers_of_good_tokens_are_remembered_and_the_rules_still_bite(make_scheme, issuer):
    auth = make_scheme(token_cache_size=0)
    for number in range(3):
        await refused(auth, issuer.token(header={"junk": number}, expires_in=-100))
    assert len(auth.authenticator._headers) == 0
    await auth.authenticator.verify(issuer.token())
    assert len(auth.authenticator._headers) == 1
    assert (await refused(auth, issuer.token(expires_in=-100))).reason == "expired"
    assert (await refused(auth, issuer.token()[:-8] + "AAAAAAAA")).reason == "signature"


async def test_without_a_token_cache_each_token_is_verified_anew(make_scheme, issuer):
    auth, raw = make_scheme(token_cache_size=0), issuer.token()
    assert await auth.authenticator.verify(raw) is not await auth.authenticator.verify(raw)


async def test_a_token_of_a_removed_key_is_refused_at_once_though_remembered(make_scheme, issuer):
    auth = make_scheme(jwks_refresh_cooldown=0)
    raw = issuer.token()
    await auth.authenticator.verify(raw)
    kid = next(iter(auth.authenticator.stores[issuer.url].current().key_ids))
    issuer.rotate()
    issuer.remove_key(kid)
    await auth.authenticator.stores[issuer.url].refreshed_key_set()
    assert (await refused(auth, raw)).reason == "unknown_key"


async def test_a_key_replaced_under_its_kid_is_fetched_beside_the_refusal(make_scheme, issuer):
    auth = make_scheme(jwks_refresh_cooldown=0)
    await auth.authenticator.verify(issuer.token())
    good = issuer.token()
    assert (await refused(auth, good[:-8] + "AAAAAAAA")).reason == "signature"
    assert (await auth.authenticator.verify(good)).issuer == issuer.url


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "https://other.example.com"}, "issuer"),
        ({"iss": None}, "claim"),
        ({"audience": "https://other.example.com"}, "audience"),
        ({"expires_in": -60}, "expired"),
        ({"nbf": 9999999999}, "not_yet_valid"),
        ({"cnf": {"jkt": "x"}}, "binding"),
        ({"header": {"kid": "other"}}, "unknown_key"),
        ({"header": {"alg": "HS256"}}, "algorithm"),
        ({"header": {"typ": "dpop+jwt"}}, "type"),
        ({"header": {"crit": ["exp"]}}, "critical_header"),
    ],
)
async def test_one_change_one_reason(auth, issuer, change, reason):
    assert (await refused(auth, issuer.token(**change))).reason == reason


async def test_a_payload_that_is_no_json_object_is_malformed(auth, issuer):
    head, _, tail = issuer.token().split(".")
    assert (await refused(auth, f"{head}.W10.{tail}")).reason == "malformed"


@pytest.mark.parametrize(
    "raw", ["t\u00f6k.\u00e9.x", "a" * 20_000, "", "\ud800.a.b"], ids=["not ascii", "long", "empty", "surrogate"]
)
@pytest.mark.parametrize("size", [0, 10])
async def test_what_no_header_could_carry_is_malformed_too(make_scheme, raw, size):
    with pytest.raises(InvalidTokenError) as caught:
        await make_scheme(token_cache_size=size).authenticator.verify(raw)
    assert caught.value.reason == "malformed"
