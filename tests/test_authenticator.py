"""The authenticator alone: what a good token becomes, what is remembered of it, and which reason a bad one gets."""

import gc
import tracemalloc
from dataclasses import FrozenInstanceError, fields

import pytest

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


async def test_a_remembered_token_is_the_same_object(auth, issuer):
    raw = issuer.token()
    assert await auth.authenticator.verify(raw) is await auth.authenticator.verify(raw)


async def test_a_token_is_the_same_however_it_was_made(auth, issuer):
    token = await auth.authenticator.verify(issuer.token(scopes={"a"}, roles=["x"], ratio=0.5))
    assert AccessToken(**{field.name: getattr(token, field.name) for field in fields(AccessToken)}) == token
    # The next request with this token gets this object.
    with pytest.raises(TypeError, match="__dict__"):
        vars(token)
    with pytest.raises(FrozenInstanceError):
        token.subject = "another"


async def kept_after(verify, tokens):
    """Bytes that are kept when these tokens were looked at."""
    tracemalloc.start()
    try:
        for token in tokens:
            await verify(token)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


LONG = "x" * 8000


async def test_many_headers_do_not_pile_up(make_scheme, issuer):
    verify = make_scheme(token_cache_size=0).authenticator.verify
    await verify(issuer.token())
    few = await kept_after(verify, (issuer.token(header={"junk": f"{number}{LONG}"}) for number in range(200)))
    many = await kept_after(verify, (issuer.token(header={"junk": f"{number}{LONG}"}) for number in range(200, 700)))
    assert few > 200 * len(LONG), "the measure sees what is kept"
    assert many < 2 * few


async def test_of_the_headers_of_bad_tokens_nothing_is_kept(make_scheme, issuer):
    """Anybody can vary them, so they would push out those of good tokens."""
    auth = make_scheme(token_cache_size=0)

    async def verify(token):
        assert (await refused(auth, token)).reason == "expired"

    await auth.authenticator.verify(issuer.token())
    tokens = (issuer.token(header={"junk": f"{number}{LONG}"}, expires_in=-100) for number in range(200))
    assert await kept_after(verify, tokens) < 20 * len(LONG)


async def test_a_header_that_is_known_lends_its_token_nothing(make_scheme, issuer):
    auth = make_scheme(token_cache_size=0)
    await auth.authenticator.verify(issuer.token())
    assert (await refused(auth, issuer.token(expires_in=-100))).reason == "expired"
    assert (await refused(auth, issuer.token()[:-8] + "AAAAAAAA")).reason == "signature"


async def test_without_a_token_cache_each_token_is_verified_anew(make_scheme, issuer):
    auth, raw = make_scheme(token_cache_size=0), issuer.token()
    assert await auth.authenticator.verify(raw) is not await auth.authenticator.verify(raw)


async def test_a_token_of_a_removed_key_is_refused_at_once_though_remembered(make_scheme, issuer):
    auth = make_scheme(jwks_refresh_cooldown=0)
    raw = issuer.token()
    await auth.authenticator.verify(raw)
    removed = issuer.key.kid
    issuer.rotate()
    issuer.remove_key(removed)
    # Its key is not among those in memory, so they are fetched again.
    await auth.authenticator.verify(issuer.token())
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
