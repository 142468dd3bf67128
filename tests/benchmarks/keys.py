"""Fetching keys from a slow, rotating, failing and hanging issuer, for us and our peers.

    uv run --group bench python tests/benchmarks/keys.py [--full]

The issuer takes 100 ms for every answer. First: one token after start-up, no keys fetched yet. Cold: 200 tokens at once. Flood: 500 unknown key ids a second, beside 100 good tokens. Rotation: a
new key 35 s after the last fetch. Outage and hang: half an hour later the issuer answers 503, or nothing; 20 good tokens.
A contender whose checks block is run in threads if FastAPI would do so. Every scenario has its own process.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_OFFSET = [0.0]
_REAL_MONOTONIC, _REAL_TIME = time.monotonic, time.time
if "--child" in sys.argv:
    # Before anybody takes these functions by name.
    time.monotonic = lambda: _REAL_MONOTONIC() + _OFFSET[0]
    time.time = lambda: _REAL_TIME() + _OFFSET[0]

from contenders import EVERYONE, PEERS, Axioms, Contender, Ours
from harness import RESOURCE, arguments, mint, table, write
from starlette.responses import PlainTextResponse

from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer
from mcp_oauth2_deps.testing.loopback import LoopbackServer

UPSTREAM_SECONDS = 0.1
SCENARIOS = ("first", "cold", "flood", "rotation", "outage", "hang")
_UNPREPARED = ("first", "cold")


class SlowIssuer:
    """The development issuer behind 100 ms, which can fail or hang."""

    def __init__(self) -> None:
        self.state = "slow"
        self.fetches = 0
        self.issuer = DevelopmentIssuer(audience=RESOURCE, lifetime=86400)
        self._app = self.issuer.app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The issuer as an ASGI app."""
        if scope["type"] == "http":
            self.fetches += scope["path"] == "/jwks"
            await asyncio.sleep(3600 if self.state == "hang" else UPSTREAM_SECONDS)
            if self.state == "outage":
                await PlainTextResponse("down", status_code=503)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Cold(Ours):
    """This package after a start-up that fetched no keys."""

    async def prepare_scheme(self) -> None:
        """As the start-up does with `fail_fast=False`, but for the fetch that it begins."""
        await self.scheme.authenticator._documents.prepare()


async def longest_stall(stop: asyncio.Event) -> float:
    """The longest time the loop did not come round, in ms."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last - 0.001), now
    return longest * 1000


async def ask(contender: Contender, token: str, patience: float) -> tuple[str, float]:
    """What became of a token, and after how many ms."""
    start = time.perf_counter()
    try:
        if isinstance(contender, Axioms):
            accepted = await asyncio.wait_for(asyncio.to_thread(asyncio.run, contender.verify(token)), patience)
        else:
            accepted = await asyncio.wait_for(contender.verify(token), patience)
        outcome = "accepted" if accepted else "refused"
    except TimeoutError:
        outcome = "no answer"
    except Exception as error:
        outcome = type(error).__name__
    return outcome, (time.perf_counter() - start) * 1000


async def scenario(name: str, upstream: SlowIssuer, contender: Contender, patience: float) -> dict[str, Any]:
    """Plays one scenario."""
    source = upstream.issuer

    def good() -> str:
        return mint(source, contender.claims, expires_in=86400)

    await contender.start()
    if name not in _UNPREPARED:
        await ask(contender, good(), 30)
        upstream.fetches = 0
    tokens = [good() for _ in range({"first": 1, "cold": 200, "flood": 0}.get(name, 20))]
    unknown = [mint(source, contender.claims, header={"kid": f"unknown-{n}"}) for n in range(500)] if name == "flood" else []
    before = [good() for _ in range(100)] if name == "flood" else []
    result: dict[str, Any] = {}
    if before:
        result["p99_before_ms"] = p99(await paced(contender, before, patience, every=0.01))
    if name == "rotation":
        _OFFSET[0] = 35
        source.rotate()
        tokens = [good() for _ in range(20)]
    if name in ("outage", "hang"):
        _OFFSET[0] = 1800
        upstream.state = name
    stop = asyncio.Event()
    watch = asyncio.create_task(longest_stall(stop))
    await asyncio.sleep(0.02)
    if name == "flood":
        answers, _ = await asyncio.gather(
            paced(contender, before, patience, every=0.01), paced(contender, unknown, patience, every=0.002)
        )
        result["p99_ms"] = p99(answers)
    else:
        answers = await asyncio.gather(*(ask(contender, token, patience) for token in tokens))
    stop.set()
    result["stall_ms"] = round(await watch)
    outcomes = [outcome for outcome, _ in answers]
    result |= {
        "fetches": upstream.fetches,
        "good_tokens": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "slowest_ms": round(max(milliseconds for _, milliseconds in answers)),
    }
    return result


async def paced(contender: Contender, tokens: list[str], patience: float, *, every: float) -> list[tuple[str, float]]:
    """The answers to tokens that arrive one by one, whether or not those before them are answered."""
    asked = []
    for token in tokens:
        asked.append(asyncio.create_task(ask(contender, token, patience)))
        await asyncio.sleep(every)
    return list(await asyncio.gather(*asked))


def p99(answers: list[tuple[str, float]]) -> float:
    """Milliseconds within which 99 of 100 had their answer."""
    return round(sorted(milliseconds for _, milliseconds in answers)[int(len(answers) * 0.99) - 1], 2)


def play(name: str, contender_name: str, patience: float) -> None:
    """One scenario, in this process; prints what came of it."""
    logging.disable(logging.CRITICAL)
    upstream = SlowIssuer()
    server = LoopbackServer(upstream)
    upstream.issuer.url = server.url
    kind: Callable[..., Contender] = Cold if contender_name == Ours.name and name in _UNPREPARED else EVERYONE[contender_name]
    with server:
        asyncio.run(_played(scenario(name, upstream, kind(server.url), patience)))


async def _played(work: Awaitable[dict[str, Any]]) -> None:
    # As many threads as FastAPI gives to what blocks.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(40))
    print(json.dumps(await work), flush=True)
    # Threads of blocking clients may never end.
    os._exit(0)


def in_child(name: str, contender: str, patience: float) -> dict[str, Any]:
    """The scenario in a process of its own; one that freezes for good is ended."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", name, contender, str(patience)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=4 * patience + 15)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return {"fetches": None, "good_tokens": {"frozen": 1}, "stall_ms": None, "slowest_ms": None}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measures, and writes the results."""
    if "--child" in sys.argv:
        play(*sys.argv[2:4], float(sys.argv[4]))
        return
    options = arguments(__doc__)
    patience = 8.0 if options.full else 2.0
    names = [Ours.name, *(kind.name for kind in PEERS)]
    results = {name: {one: in_child(one, name, patience) for one in SCENARIOS} for name in names}
    text = ""
    for one in SCENARIOS:
        rows = []
        for name in names:
            found = results[name][one]
            outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found["good_tokens"].items())
            row = [name, found["fetches"], outcomes, found["stall_ms"], found["slowest_ms"]]
            rows.append([*row, found.get("p99_before_ms"), found.get("p99_ms")] if one == "flood" else row)
        head = ["", "fetches", "good tokens", "longest stall ms", "slowest answer ms"]
        text += f"## {one}\n\n" + table([*head, "p99 before ms", "p99 during ms"] if one == "flood" else head, rows) + "\n"
    write("keys", text, {"results": results, "patience_seconds": patience}, options)


if __name__ == "__main__":
    main()
