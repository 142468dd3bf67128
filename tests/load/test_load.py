"""Hundreds of keep-alive clients for a minute, good and bad by turns; each test is a law about this one load."""

import asyncio
import faulthandler
import logging
from dataclasses import dataclass, field
from itertools import takewhile

import pytest
from load_client import Tally, ask_all, connected, live_blocks
from load_rows import Rows, plain
from load_server import settled

logger = logging.getLogger(__name__)

CLIENTS = 500
# What any machine manages, so that the tests cannot pass by doing nothing.
LEAST_PER_SECOND = 50
TOKENS, FIRST_TOKENS = 100_000, 5_000
# Ten megabytes over a hundred thousand; a short run has some room for chance.
MOST_BYTES_PER_TOKEN, ROOM = 100, 2_000_000
# In all workers together, whatever the number of tokens.
MOST_BLOCKS = 5_000


@dataclass
class Load:
    """What was seen.

    Attributes:
        seconds: how long it lasted at least.
        tokens: how many distinct good tokens were to be sent at least, after the first ones.
        tally: what the clients got.
        counts: answers of each client.
        ended: clients whose connection the server closed.
        resident: bytes of all workers, before and after, both with all clients connected.
        blocks: of memory in use in all workers, at the same times.
        files: open files of each worker before, with all clients connected, and after.
        log: what the server wrote, refusals apart, which are not worth a warning.
    """

    seconds: float
    tokens: int
    tally: Tally = field(default_factory=Tally)
    counts: list = field(default_factory=list)
    ended: int = 0
    resident: list = field(default_factory=list)
    blocks: list = field(default_factory=list)
    files: list = field(default_factory=list)
    log: str = ""


async def put_under_load(server, issuer, load):
    tally, rows, now = load.tally, Rows(issuer), asyncio.get_running_loop().time

    def until_good(count, deadline=0.0):
        return lambda _: tally.wrong_count == 0 and (now() < deadline or tally.answers["good"] < count)

    async def measure_memory():
        # A connection holds what its last request was made of, so let that be the same.
        await ask_all(clients, [iter([plain("no token", None, "missing_credentials")]) for _ in clients], tally)
        # Clients stand by worker, so these are at every one.
        load.blocks.append(sum((await live_blocks(clients[:: CLIENTS // len(server.workers)])).values()))
        load.resident.append(sum(worker.resident_bytes() for worker in server.workers))

    async def measure_files(expected):
        # A fetch of the keys has a connection of its own for a moment, and a closed one may not have been noticed yet.
        await settled(lambda: open_files(server) == expected, 10)
        load.files.append(open_files(server))

    load.files.append(open_files(server))
    async with connected(server, CLIENTS) as clients:
        # Fills what is filled once: the verified tokens, and the memory for so many requests of each sort at the same time.
        first = [takewhile(until_good(FIRST_TOKENS), rows.of_client(client, in_step=True)) for client in range(CLIENTS)]
        await ask_all(clients, first, tally, seconds=load.seconds)
        await measure_memory()
        goes_on = until_good(FIRST_TOKENS + load.tokens, now() + load.seconds)
        sources = [takewhile(goes_on, rows.of_client(client)) for client in range(CLIENTS)]
        await ask_all(clients, sources, tally, seconds=10 * load.seconds)
        load.counts = [client.count for client in clients]
        load.ended = sum(client.ended for client in clients)
        await measure_memory()
        await measure_files([count + CLIENTS // len(server.workers) for count in load.files[0]])
    await measure_files(load.files[0])


def open_files(server):
    return [worker.open_files() for worker in server.workers]


@pytest.fixture(scope="module")
def load(make_server, issuer, seconds):
    # On a slow machine this takes longer than a test may; every wait in it has its own bound.
    faulthandler.cancel_dump_traceback_later()
    server = make_server()
    load = Load(seconds, int(TOKENS * min(1, seconds / 60)))
    asyncio.run(put_under_load(server, issuer, load))
    logger.info("%s; resident %s; blocks %s; open files %s", load.tally, load.resident, load.blocks, load.files)
    load.log = server.log()
    return load


def test_every_answer_is_the_right_one(load):
    load.tally.verify()
    assert load.ended == 0


def test_every_client_is_answered_and_every_row_is_asked(load):
    assert len(load.counts) == CLIENTS
    assert min(load.counts) > 0
    assert sum(load.counts) >= LEAST_PER_SECOND * load.seconds
    assert load.tally.answers["good"] >= load.tokens
    assert len(load.tally.answers) == 13


def test_memory_does_not_grow_with_the_number_of_tokens(load):
    before, after = load.resident
    assert after - before < max(MOST_BYTES_PER_TOKEN * load.tokens, ROOM)


def test_nothing_is_kept_of_each_token(load):
    """Finds what is too small to be seen in pages, or hides in those that were free."""
    before, after = load.blocks
    assert after - before < MOST_BLOCKS


def test_no_file_stays_open(load):
    before, during, after = load.files
    assert during == [count + CLIENTS // len(before) for count in before]
    assert after == before


def test_no_worker_complains_or_is_replaced(load):
    lines = load.log.splitlines()
    assert [line for line in lines if not line.startswith("INFO: ")] == []
    assert sum("Started server process" in line for line in lines) == len(load.files[0])
