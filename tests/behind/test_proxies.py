"""A proxy that all callers share: the server behind runs for whoever sent the message, not for who came first."""

import asyncio

import pytest
from behind.worlds import GOLD, OPEN, QUICK, call, read, said, world
from fastmcp import Client
from fastmcp.server import create_proxy
from fastmcp.server.providers.proxy import FastMCPProxy, ProxyClient, StatefulProxyClient
from mcp_support import text_of

FREE = {"default": "method"}


def fresh(inner, connected):
    """A connection to the server behind for each message."""
    return create_proxy(inner)


def shared(inner, connected):
    """One connection that was made before anybody came, and is used for all."""
    return create_proxy(connected)


def stateful(inner, connected):
    """One connection for each session, kept until the session ends."""
    return FastMCPProxy(client_factory=StatefulProxyClient(inner).new_stateful)


def reused(inner, connected):
    """One client, whose connection is opened by the first message and shared by those that come meanwhile."""
    client = ProxyClient(inner)
    return FastMCPProxy(client_factory=lambda: client)


@pytest.mark.parametrize("sort", [fresh, shared, stateful, reused])
@pytest.mark.parametrize("options", [QUICK, {"json_response": True}], ids=["without sessions", "with sessions"])
async def test_a_server_behind_a_proxy_never_takes_one_caller_for_another(guarded, sort, options):
    inner = world("fastmcp", "decorator")
    async with Client(inner) as connected, guarded(sort(inner, connected), FREE, **options) as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        if options is not QUICK:
            await alice.initialize()
            await bob.initialize()
        for _ in range(2):
            for question in (call("vault"), read("vault://gold"), read("vault://rooms/7"), ("prompts/get", {"name": "password"})):
                heard = await said(alice, question)
                # Who runs there is the caller or nobody in sight; nobody is let in.
                assert f"{GOLD} bob" not in heard
                assert GOLD not in await said(bob, question)
            for one, name in ((alice, "alice"), (bob, "bob")):
                told = text_of(await one.call("hello"))
                assert told in (f"{OPEN} {name}", f"{OPEN} nobody")


@pytest.mark.parametrize("sort", [fresh, stateful])
async def test_control_a_server_behind_a_proxy_knows_its_caller(guarded, sort):
    inner = world("fastmcp", "decorator")
    async with Client(inner) as connected, guarded(sort(inner, connected), FREE, json_response=True) as caller:
        alice = caller("alice", "vault")
        await alice.initialize()
        assert f"{GOLD} alice" in await said(alice, call("vault"))


@pytest.mark.parametrize("sort", [shared, reused])
async def test_callers_at_once_share_a_connection_and_no_answer(guarded, sort):
    inner = world("fastmcp", "decorator")
    async with Client(inner) as connected, guarded(sort(inner, connected), FREE, **QUICK) as caller:
        callers = [caller(f"user-{number}", *(["vault"] if number % 2 else [])) for number in range(20)]
        answers = await asyncio.gather(*(said(one, call("vault")) for one in callers))
    for number, answer in enumerate(answers):
        others = [other for other in range(20) if other != number and f'{GOLD} user-{other}"' in answer]
        assert others == []
        if not number % 2:
            assert GOLD not in answer
