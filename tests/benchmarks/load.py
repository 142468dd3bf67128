"""A client for the benchmarks: some connections that ask in turn, and what the server paid for it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Answers:
    """What one run of requests got.

    Attributes:
        seconds: from the first request to the last answer.
        cpu_us: processor µs of the server per request.
        latencies: seconds, sorted.
        statuses: how often each status.
    """

    seconds: float
    cpu_us: float
    latencies: list[float]
    statuses: dict[int, int]

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share was answered."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000


@dataclass(frozen=True)
class Server:
    """A server process on loopback."""

    port: int
    process_id: int

    def cpu_seconds(self) -> float:
        """Processor time of all its threads."""
        tasks = Path(f"/proc/{self.process_id}/task").iterdir()
        return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e9


@contextmanager
def serving(*arguments: str, script: str = "server.py") -> Iterator[Server]:
    """A contender's server in a process of its own."""
    command = [sys.executable, "-W", "ignore", str(_HERE / script), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(process.stdout.readline())
        yield Server(port, process.pid)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def request(path: str, token: str | None = None) -> bytes:
    """The bytes of a request."""
    authorization = f"authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nhost: api.example.com\r\n{authorization}\r\n".encode("ascii")


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer is whole."""

    def __init__(self, source: Iterator[bytes], latencies: list[float], statuses: dict[int, int]) -> None:
        self._source, self._latencies, self._statuses = source, latencies, statuses
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self) -> None:
        message = next(self._source, None)
        if message is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._started = time.perf_counter()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._received = b""
        self._latencies.append(time.perf_counter() - self._started)
        status = int(head[9:12])
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self.send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))


async def run(server: Server, requests: Sequence[bytes], *, total: int, connections: int) -> Answers:
    """Asks `total` times over so many connections, taking turns through the requests."""
    source = (message for message, _ in zip(cycle(requests), range(total), strict=False))
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Connection(source, latencies, statuses), "127.0.0.1", server.port)
        clients.append(client)
    before, start = server.cpu_seconds(), time.perf_counter()
    for client in clients:
        client.send()
    await asyncio.gather(*(client.done for client in clients))
    seconds = time.perf_counter() - start
    return Answers(seconds, (server.cpu_seconds() - before) / total * 1e6, sorted(latencies), statuses)
