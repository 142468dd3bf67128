"""What opaque tokens cost: a remembered answer beside a remembered JWT, and known tokens beside a flood of unknown ones.

    uv run python tests/benchmarks/introspection.py

Ratios within one run, of the medians of interleaved rounds.
"""

import asyncio
import multiprocessing
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from asked_issuer import CLIENT_ID, SECRET, AskedIssuer

from mcp_oauth2_deps import Authenticator, OAuth2Settings
from mcp_oauth2_deps.errors import OAuth2Error
from mcp_oauth2_deps.models import Presented

RESOURCE = "https://api.example.com/mcp"
ROUNDS, CALLS = 41, 2000
FLOOD_PER_SECOND, SECONDS = 500, 6


async def seconds_of(authenticator, token):
    """Seconds of processor time that a remembered token takes."""
    presented = Presented(token)
    before = time.thread_time()
    for _ in range(CALLS):
        await authenticator.authenticate(presented)
    return (time.thread_time() - before) / CALLS


async def remembered(authenticator, opaque, jwt):
    """How many times a remembered JWT a remembered answer costs, and the seconds of the JWT."""
    ratios, base = [], []
    for number in range(ROUNDS):
        order = (opaque, jwt) if number % 2 else (jwt, opaque)
        found = {token: await seconds_of(authenticator, token) for token in order}
        ratios.append(found[opaque] / found[jwt])
        base.append(found[jwt])
    return statistics.median(ratios), statistics.median(base)


async def known_p99(authenticator, tokens, *, flooded):
    """The 99th percentile of the seconds that known tokens take, while unknown ones come or not."""
    unknown = set()

    async def guess(number):
        with suppress(OAuth2Error):
            await authenticator.verify(f"guess-{number}-{time.monotonic_ns()}")

    times, started, number = [], time.monotonic(), 0
    while (passed := time.monotonic() - started) < SECONDS:
        while flooded and number < passed * FLOOD_PER_SECOND:
            unknown.add(asyncio.create_task(guess(number)))
            number += 1
        before = time.perf_counter()
        await authenticator.verify(tokens[len(times) % len(tokens)])
        times.append(time.perf_counter() - before)
        await asyncio.sleep(0.001)
    await asyncio.gather(*unknown)
    return statistics.quantiles(times, n=100)[98], len(times), number


def issue(pipe):
    """The authorization server, in a process of its own: in a thread it would take its time from what is measured."""
    with AskedIssuer(RESOURCE).serve() as server:
        tokens = [f"known-{number}" for number in range(50)]
        server.answers |= {token: server.good() for token in tokens}
        claims = {
            "iss": server.url,
            "aud": RESOURCE,
            "exp": time.time() + 3600,
            "sub": "alice",
            "client_id": "client",
            "scope": "a",
        }
        pipe.send((server.url, tokens, server.key.mint(claims)))
        pipe.recv()
        pipe.send(server.most_at_once)


async def measure(url, tokens, jwt):
    asking = {"introspection": "opaque", "client_id": CLIENT_ID, "client_secret": SECRET, "introspection_ttl": 3600}
    authenticator = Authenticator(OAuth2Settings(issuer=url, resource=RESOURCE, allow_insecure_http=True, **asking))
    await authenticator.start()
    for token in (*tokens, jwt):
        await authenticator.verify(token)
    ratio, base = await remembered(authenticator, tokens[0], jwt)
    print(f"a remembered answer costs {ratio:.2f} times a remembered JWT ({base * 1e6:.1f} us)")
    calm, _, _ = await known_p99(authenticator, tokens, flooded=False)
    flooded, calls, guesses = await known_p99(authenticator, tokens, flooded=True)
    print(
        f"p99 of known tokens: {calm * 1e6:.0f} us, and {flooded * 1e6:.0f} us beside {guesses / SECONDS:.0f} unknown ones a "
        f"second ({flooded / calm:.2f} times; {calls} calls)"
    )
    await authenticator.aclose()


def main():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=issue, args=(theirs,))
    process.start()
    asyncio.run(measure(*ours.recv()))
    ours.send(None)
    print(f"{ours.recv()} questions at once at most")
    process.join()


if __name__ == "__main__":
    main()
