"""Keep-alive clients: hundreds of connections, each with one request in flight, and a judge who forgives nothing."""

import asyncio
import itertools
import json
from collections import Counter
from contextlib import asynccontextmanager

from load_rows import plain, read_answer
from load_server import DEADLINE
from processes import HOST

SHOWN = 5


class Tally:
    """What all clients together got.

    Attributes:
        answers: how many right answers, by the name of the row.
        answered: the numbers of the requests that got a right answer.
        wrong: the first of the wrong answers; `wrong_count` is how many.
        cut: answers of which only a part came.
        unanswered: numbers of the requests on whose connection nothing came any more.
    """

    def __init__(self):
        self.numbers = itertools.count(1)
        self.answers = Counter()
        self.answered = set()
        self.wrong, self.wrong_count = [], 0
        self.cut = []
        self.unanswered = []
        self._right = set()

    def judge(self, row, number, head, body):
        """Counts an answer by whether it is the right one."""
        # All refusals of one name are the same but for their date, and are judged once.
        known = (row.name, row.subject, head.partition(b"\r\ndate: ")[0], head.partition(b"GMT\r\n")[2], body)
        if known not in self._right:
            try:
                row.verify(read_answer(head, body))
            except (AssertionError, KeyError, TypeError, ValueError) as error:
                self.wrong_count += 1
                if len(self.wrong) < SHOWN:
                    self.wrong.append((row.name, row.subject, repr(error), head, body))
                return
            if row.subject is None:
                self._right.add(known)
        self.answers[row.name] += 1
        self.answered.add(number)

    def __repr__(self):
        return f"{self.answers.total()} right answers {dict(self.answers)}, {self.wrong_count} wrong, {len(self.unanswered)} none"

    def verify(self):
        """Guarantees that every request got its right answer."""
        assert self.wrong_count == 0, self.wrong
        assert self.cut == []
        assert self.unanswered == []


class Client(asyncio.Protocol):
    """One connection. It asks for the next row as soon as the answer is whole.

    Attributes:
        count: how many answers came since it began to ask.
        number: of the request that it sent last.
        ended: the connection is closed, or will be after the answer that said so.
    """

    def __init__(self):
        self.count = 0
        self.number = 0
        self.ended = False
        self._row = None
        self._received = bytearray()

    def connection_made(self, transport):
        self._transport = transport

    def ask(self, rows, tally):
        """Starts to ask; the future is done when there are no more rows, or no connection."""
        self.count = 0
        self._rows, self._tally = rows, tally
        self._done = asyncio.get_running_loop().create_future()
        self._next()
        return self._done

    def _next(self):
        self._row = None if self.ended else next(self._rows, None)
        if self._row is None:
            self._done.set_result(None)
            return
        self.number = next(self._tally.numbers)
        self._transport.write(self._row.request(self.number))

    def data_received(self, data):
        self._received += data
        head, end, body = bytes(self._received).partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received.clear()
        self._tally.judge(self._row, self.number, head, body)
        self.count += 1
        self.ended = self.ended or b"\r\nconnection: close" in head
        self._next()

    def connection_lost(self, _):
        self.ended = True
        if self._row is not None:
            if self._received:
                self._tally.cut.append((self._row.name, bytes(self._received)))
            else:
                self._tally.unanswered.append(self.number)
            self._row = None
            # Who waited may have given up.
            if not self._done.done():
                self._done.set_result(None)

    def close(self):
        self._transport.close()


def _length(head):
    return int(head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0] or 0)


class _Notes:
    """In the place of a tally: takes down what a worker says of itself."""

    numbers = itertools.repeat(0)
    said = None

    def judge(self, row, number, head, body):
        self.said = json.loads(body)


async def _said(client, path):
    notes = _Notes()
    await client.ask(iter([plain("open", None, 200, path=path)]), notes)
    assert notes.said is not None, "the server closed the connection"
    return notes.said


async def _introduced(port):
    _, client = await asyncio.get_running_loop().create_connection(Client, HOST, port)
    return client, (await _said(client, b"/worker"))["worker"]


async def live_blocks(clients):
    """How many blocks of memory hold living objects, by worker."""
    said = [await _said(client, b"/blocks") for client in clients]
    return {one["worker"]: one["blocks"] for one in said}


@asynccontextmanager
async def connected(server, count):
    """So many clients, as many at each worker; which worker takes a connection is chance, so those above its share are closed."""
    held = {worker.process_id: [] for worker in server.workers}
    share = count // len(held)
    async with asyncio.timeout(DEADLINE):
        while missing := sum(share - len(clients) for clients in held.values()):
            for client, worker in await asyncio.gather(*(_introduced(server.port) for _ in range(missing))):
                if len(held[worker]) < share:
                    held[worker].append(client)
                else:
                    client.close()
    clients = [client for found in held.values() for client in found]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


async def ask_all(clients, sources, tally, *, seconds=0):
    """Every client asks for the rows of its source; those that end only with time are given `seconds`."""
    async with asyncio.timeout(seconds + DEADLINE):
        await asyncio.gather(*(client.ask(rows, tally) for client, rows in zip(clients, sources, strict=True)))
