"""What a guarded route costs over HTTP, beside an open one on the same server, for us and our peers.

    uv run --group bench python tests/benchmarks/over_http.py [--full]

uvicorn with uvloop and httptools, one worker, 32 connections, 500 tokens in turn. Processor µs of the server per request, above
its open route; latency as the clients saw it. Every contender has its own server; all are asked in turn.
"""

import statistics
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import uvloop
from contenders import EVERYONE, OURS, PEERS
from harness import arguments, bars, issuer, mint, table, write
from load import Answers, request, run, serving

CONNECTIONS, TOKENS = 32, 500
BEARER = "HTTPBearer alone"
TUTORIALS = ("PyJWT + PyJWKClient", "python-jose, tutorial")


async def compare(*, rounds: int, total: int) -> dict[str, list[tuple[Answers, Answers]]]:
    """Pairs of runs at the open and the guarded route, per contender."""
    pairs: dict[str, list[tuple[Answers, Answers]]] = defaultdict(list)
    with issuer() as source, ExitStack() as stack:
        asked = {}
        for kind in (*OURS, *PEERS):
            server = stack.enter_context(serving(kind.name, source.url))
            asked[kind.name] = (server, [request("/guarded", mint(source, kind.claims)) for _ in range(TOKENS)])
        bearer = [request("/bearer", mint(source)) for _ in range(TOKENS)]
        asked[BEARER] = (asked[OURS[0].name][0], bearer)
        for round_number in range(rounds + 1):
            for name, (server, requests) in asked.items():
                empty = await run(server, [request("/open")], total=total, connections=CONNECTIONS)
                guarded = await run(server, requests, total=total, connections=CONNECTIONS)
                if set(guarded.statuses) != {200}:
                    raise RuntimeError(f"{name} answers {guarded.statuses}")
                if round_number:
                    pairs[name].append((empty, guarded))
    return pairs


def summed_up(pairs: list[tuple[Answers, Answers]]) -> dict[str, float]:
    """Medians over the rounds."""
    return {
        "added_us": statistics.median(guarded.cpu_us - empty.cpu_us for empty, guarded in pairs),
        "open_us": statistics.median(empty.cpu_us for empty, _ in pairs),
        "p50_ms": statistics.median(guarded.percentile(0.5) for _, guarded in pairs),
        "p99_ms": statistics.median(guarded.percentile(0.99) for _, guarded in pairs),
    }


def targets(results: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """What is to be reached: the ratio found, and the most it may be."""
    added = {name: values["added_us"] for name, values in results.items()}
    best = min(added[kind.name] for kind in PEERS)
    tutorial = min(added[name] for name in TUTORIALS)
    full, cached = (added[kind.name] for kind in OURS)
    return {
        "of the best peer": (full / best, 1 / 2),
        "of tutorial code": (full / tutorial, 1 / 3),
        "cached, of the best peer": (cached / best, 1 / 4),
        "times HTTPBearer": (full / added[BEARER], 5),
        "cached, times HTTPBearer": (cached / added[BEARER], 3),
    }


def main() -> None:
    """Measures, and writes the results."""
    options = arguments(__doc__)
    rounds, total = (40, 600) if options.full else (12, 400)
    pairs = uvloop.run(compare(rounds=rounds, total=total))
    results = {name: summed_up(of_one) for name, of_one in pairs.items()}
    order = [BEARER, *EVERYONE]
    rows: list[list[Any]] = [
        [name, *(round(values[key], digits) for key, digits in (("added_us", 0), ("p50_ms", 2), ("p99_ms", 2)))]
        for name, values in sorted(results.items(), key=lambda item: order.index(item[0]))
    ]
    reached = targets(results)
    text = table(["guarded route", "µs added", "p50 ms", "p99 ms"], rows) + "\n"
    text += table(["target", "found", "at most"], [[name, found, limit] for name, (found, limit) in reached.items()])
    folder = write("over_http", text, {"results": results, "targets": reached}, options)
    added = {name: results[name]["added_us"] for name in order if name in results}
    bars(folder / "over_http.png", "Processor µs that a guard adds to a request", {"µs": added})


if __name__ == "__main__":
    main()
