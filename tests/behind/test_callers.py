"""What an engine is told of a caller: enough to keep callers apart, nothing that is worth anything elsewhere (rules F5, F7, F10)."""

import json
import subprocess
import sys

import pytest
from behind.worlds import QUICK, call, mark, running, said
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as fastmcp_token
from fastmcp.server.dependencies import get_http_headers, get_http_request
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.middleware.rate_limiting import RateLimitingMiddleware, SlidingWindowRateLimitingMiddleware
from mcp.server.auth.middleware.auth_context import get_access_token as sdk_token
from mcp.server.mcpserver import MCPServer
from mcp_support import text_of

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.mcp.caller import Caller
from mcp_oauth2_deps.mcp.engines.principals import Principals

FREE = {"default": "method"}


def telling(kind):
    """A server whose tool says what the engine's own functions hold for the token."""
    server = MCPServer("telling") if kind == "sdk" else FastMCP("telling")

    @server.tool()
    async def token() -> list[str]:
        return [held().token for held in ([sdk_token] if kind == "sdk" else [sdk_token, fastmcp_token])]

    return server


async def stand_in(caller):
    """What the engine was given; each of its functions says the same."""
    [held] = set(json.loads(await said(caller, call("token")))["result"]["structuredContent"]["result"])
    return held


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
async def test_f10_every_token_has_a_stand_in_of_its_own(guarded, kind):
    async with guarded(telling(kind), FREE, **QUICK) as caller:
        callers = [caller("alice"), caller("alice"), caller("alice", "more"), caller("bob"), caller(None, client_id=None)]
        raw = [one.headers["Authorization"].split()[1] for one in callers]
        assert len(set(raw)) == len(callers)
        found = [await stand_in(one) for one in callers]
        assert len(set(found)) == len(callers)
        # The same token again, whatever was remembered of it.
        assert [await stand_in(one) for one in callers] == found
    for one in found:
        assert len(one) > 32
        assert not any(part in one for token in raw for part in token.split("."))


def test_f10_a_stand_in_cannot_be_made_elsewhere():
    """Another process makes another one of the same token, so that knowing a token does not tell its stand-in."""
    made = "Principals().user_of(Caller(AccessToken(subject='alice'), {}), [b'Bearer x'])['user'].access_token.token"
    code = (
        "from mcp_oauth2_deps import AccessToken; from mcp_oauth2_deps.mcp.caller import Caller; "
        f"from mcp_oauth2_deps.mcp.engines.principals import Principals; print({made})"
    )
    theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.strip()
    ours = Principals().user_of(Caller(AccessToken(subject="alice"), {}), [b"Bearer x"])["user"].access_token.token
    assert theirs.startswith("mcp-oauth2-deps:")
    assert ours.startswith("mcp-oauth2-deps:")
    assert theirs != ours


MADE_BY_HAND = [
    AccessToken(),
    AccessToken(subject="alice"),
    AccessToken(subject="alice", scopes={"a"}),
    AccessToken(subject="alice", scopes={"a", "b"}),
    AccessToken(subject="alice", issuer="https://other.example"),
    AccessToken(client_id="alice"),
    AccessToken(subject="alice", token_id="1"),
    AccessToken(subject="alice", expires_at=4e9),
    AccessToken(subject="alice", claims={"tenant": "1"}),
    AccessToken(subject="alice", claims={"tenant": "2"}),
]


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer of-a-test"}], ids=["nothing sent", "something sent"])
async def test_f10_tokens_made_by_hand_have_one_each(auth, issuer, sent):
    """A test that puts tokens in place of ours sends nothing, or always the same."""
    found = []
    for token in MADE_BY_HAND:
        async with running(
            auth, issuer, telling("fastmcp"), FREE, overrides={auth: lambda token=token: token}, **QUICK
        ) as caller:
            one = caller("ignored")
            del one.headers["Authorization"]
            one.headers |= sent
            found.append(await stand_in(one))
            assert await stand_in(one) == found[-1]
    assert "" not in found
    assert len(set(found)) == len(MADE_BY_HAND)


def test_f10_a_token_that_stands_where_a_forgotten_one_stood_has_a_stand_in_of_its_own():
    """Objects that are gone leave their place in memory, and with it their `id`, to others."""

    def stand_in(known, number):
        caller = Caller(AccessToken(subject=f"user-{number}"), {})
        return known.user_of(caller, [b"Bearer x"])["user"].access_token.token

    known = Principals()
    numbers = range(3000)
    found = [stand_in(known, number) for number in numbers]
    assert len(set(found)) == len(numbers)
    assert found == [stand_in(Principals(), number) for number in numbers]


async def test_f7_no_part_of_the_token_is_within_reach_of_a_tool(guarded):
    server = FastMCP("curious")

    @server.tool()
    async def look() -> str:
        request = get_http_request()
        return repr([get_http_headers(include_all=True), request.scope, request.user.__dict__, fastmcp_token()])

    async with guarded(server, FREE, **QUICK) as caller:
        alice = caller("alice")
        seen = await said(alice, call("look"))
        assert "alice" in seen
        signature = alice.headers["Authorization"].rpartition(".")[2]
        assert signature not in seen


LIMITS = [
    pytest.param(
        lambda key: RateLimitingMiddleware(max_requests_per_second=0.001, burst_capacity=3, get_client_id=key), id="token bucket"
    ),
    pytest.param(lambda key: SlidingWindowRateLimitingMiddleware(3, window_minutes=60, get_client_id=key), id="sliding window"),
]


@pytest.mark.parametrize("limit", LIMITS)
async def test_f10_a_limit_by_token_counts_each_caller(guarded, limit):
    """Whoever uses up what a token may do takes nothing from others."""
    server = FastMCP("limited")
    server.add_middleware(limit(lambda context: fastmcp_token().token))

    @server.tool()
    async def hello() -> str:
        return mark("hello")

    async with guarded(server, FREE, **QUICK) as caller:
        alice, bob = caller("alice"), caller("bob")
        answers = [await said(alice, call("hello")) for _ in range(4)]
        assert ["hello alice" in answer for answer in answers] == [True, True, True, False]
        assert "Rate limit exceeded" in answers[-1]
        assert text_of(await bob.call("hello")) == "hello bob"


async def test_f10_two_tokens_of_one_user_are_two_callers_to_a_cache(guarded):
    """The second was given after a step-up, and sees more than what was remembered for the first."""
    server = FastMCP("cached", middleware=[ResponseCachingMiddleware()])

    @server.tool()
    async def held() -> str:
        return " ".join(sorted(fastmcp_token().scopes))

    async with guarded(server, FREE, **QUICK) as caller:
        before, after = caller("alice", "a"), caller("alice", "a", "b")
        assert [text_of(await one.call("held")) for one in (before, after, before, after)] == ["a", "a b", "a", "a b"]


async def test_callers_of_two_issuers_are_not_taken_for_each_other(issuer):
    """Both issuers call somebody `alice`, with the same client."""
    from mcp_oauth2_deps.testing import DevelopmentIssuer

    other = DevelopmentIssuer("https://other.example.com", algorithm="ES256", audience="https://api.example.com/mcp")

    class Both:
        async def fetch(self, url, **more):
            return await (other if url.startswith(other.url) else issuer).fetch(url, **more)

    settings = OAuth2Settings(issuer=[issuer.url, other.url], resource="https://api.example.com/mcp")
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=Both()))
    server = FastMCP("cached", middleware=[ResponseCachingMiddleware()])

    @server.tool()
    async def where() -> str:
        return fastmcp_token().claims["iss"]

    async with running(auth, issuer, server, FREE, json_response=True) as caller:
        ours, theirs = caller("alice"), caller("alice")
        theirs.headers |= other.bearer(subject="alice", scopes=[])
        await ours.initialize()
        await theirs.initialize()
        assert [text_of(await one.call("where")) for one in (ours, theirs)] == [issuer.url, other.url]
        theirs.headers["Mcp-Session-Id"] = ours.headers["Mcp-Session-Id"]
        assert (await theirs.call("where")).status_code == 404
