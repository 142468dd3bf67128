"""What strangers present at an issuer that is asked about tokens shuts no door for tokens that were good before."""

import asyncio
import time

import pytest

from mcp_oauth2_deps.errors import DocumentError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.events import Events
from mcp_oauth2_deps.models import digest_of
from mcp_oauth2_deps.stores.introspection import Introspection


@pytest.fixture
def held():
    return asyncio.Event()


@pytest.fixture
def store(held):
    async def ask(token):
        if token.startswith("evil"):
            raise DocumentError("it answers 500", unreachable=True)
        if token.startswith("guess"):
            await held.wait()
            raise InvalidTokenError("inactive")
        return {"active": True}

    return Introspection("https://a.example", ask, cooldown=30, timeout=5, clock=time.monotonic, events=Events())


async def asked(store, token):
    return (await store.answer(token, digest_of(token))).members


async def test_tokens_at_which_the_issuer_fails_are_no_outage_for_others(store):
    store.note_good(digest_of("good"))
    for number in range(10):
        with pytest.raises(IssuerUnavailableError):
            await asked(store, f"evil{number}")
    assert await asked(store, "good") == {"active": True}


async def test_an_issuer_that_fails_at_known_tokens_is_left_alone(store):
    for number in range(6):
        store.note_good(digest_of(f"evil{number}"))
        with pytest.raises(IssuerUnavailableError):
            await asked(store, f"evil{number}")
    store.note_good(digest_of("good"))
    with pytest.raises(IssuerUnavailableError):
        await asked(store, "good")


async def test_guesses_fill_no_room_of_known_tokens(store, held):
    store.note_good(digest_of("good"))
    guesses = [asyncio.ensure_future(asked(store, f"guess{number}")) for number in range(4100)]
    await asyncio.sleep(0.1)
    assert await asked(store, "good") == {"active": True}
    held.set()
    await asyncio.gather(*guesses, return_exceptions=True)
