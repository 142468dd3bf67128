"""A server that is told to end while clients send: what it accepted is answered, and it ends well."""

import asyncio
import logging
import os

from load_app import WORKERS
from load_client import Tally, connected
from load_rows import Rows, good, good_mcp
from load_server import DEADLINE, settled

logger = logging.getLogger(__name__)

CLIENTS, HELD = 500, 50


def entered(path):
    """Numbers of the requests that entered the app, in this order; those with 0 asked only which worker it is."""
    return [number for number in map(int, path.read_text("ascii").split()) if number]


async def test_what_was_accepted_is_answered_when_the_server_is_told_to_end(make_server, issuer, tmp_path):
    entries, gate_path = tmp_path / "entries", tmp_path / "gate"
    os.mkfifo(gate_path)
    gate = os.fdopen(os.open(gate_path, os.O_RDWR), "rb", buffering=0)
    server = make_server(LOAD_ENTRIES=str(entries), LOAD_GATE=str(gate_path))
    rows, tally = Rows(issuer), Tally()
    with gate:
        async with connected(server, CLIENTS) as clients:
            # Clients stand by worker, so these are at all of them.
            patient = clients[:: CLIENTS // HELD]
            busy = [client for client in clients if client not in patient]
            waiting = []
            for number, client in enumerate(patient):
                name = f"patient-{number}"
                row = good(issuer, name, path=b"/held") if number % 2 else good_mcp(issuer, name, "held")
                waiting.append(client.ask(iter([row]), tally))
            assert await settled(lambda: len(entered(entries)) == HELD), server.log()
            ending = [client.ask(rows.of_client(number), tally) for number, client in enumerate(busy)]
            assert await settled(lambda: all(client.count for client in busy)), server.log()
            server.terminate()
            async with asyncio.timeout(DEADLINE):
                await asyncio.gather(*ending)
            assert server.log().count("Shutting down") == WORKERS
            assert not any(future.done() for future in waiting)
            gate.close()
            async with asyncio.timeout(DEADLINE):
                await asyncio.gather(*waiting)
            assert await settled(server.has_ended), server.log()
    assert tally.wrong == []
    assert tally.cut == []
    accepted = entered(entries)
    assert len(accepted) == len(set(accepted))
    assert set(accepted) == tally.answered
    # The rest was sent to a connection that was being closed; RFC 9112 section 9.3.1 leaves it to the client to ask again.
    assert set(tally.unanswered).isdisjoint(accepted)
    assert server.process.returncode == 0
    assert not any(worker.is_alive() for worker in server.workers)
    log = server.log()
    assert log.count("Application shutdown complete.") == WORKERS
    assert [line for line in log.splitlines() if not line.startswith("INFO: ")] == []
    logger.info("%d accepted and answered, %d never accepted", len(accepted), len(tally.unanswered))
