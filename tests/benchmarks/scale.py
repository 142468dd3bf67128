"""How the cost of a guarded request grows: clients, workers, keys in the set, scopes demanded, routes in the app.

    uv run --group bench python tests/benchmarks/scale.py [--full]

Each curve should be flat. Clients, scopes, routes and workers over HTTP, in processor µs of the server per request above its
open route; keys in the set in processor µs of `Authenticator.verify`. The token cache is off, so that everything is paid each time.
"""

import asyncio
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop
from contenders import Ours
from harness import arguments, issuer, measure, mint, table, write
from load import Server, request, run, serving

CLIENTS = (1, 10, 50, 100, 500)
WORKERS = (1, 2, 4)
KEYS = (1, 10, 50, 100)
SCOPES = (1, 10, 50)
ROUTES = (1, 10, 100, 1000)


async def added(server: Server, path: str, tokens: Sequence[str], *, connections: int, total: int) -> float:
    """The µs above the open route, in one pair of runs."""
    empty = await run(server, [request("/open")], total=total, connections=connections)
    guarded = await run(server, [request(path, token) for token in tokens], total=total, connections=connections)
    if set(guarded.statuses) != {200}:
        raise RuntimeError(f"{path} answers {guarded.statuses}")
    return guarded.cpu_us - empty.cpu_us


async def over_http(*, rounds: int, total: int) -> dict[str, dict[int, float]]:
    """The curves of clients, scopes and routes; all their points are measured in turn."""
    with issuer() as source, ExitStack() as stack:
        tokens = [mint(source) for _ in range(100)]
        servers = {count: stack.enter_context(serving(Ours.name, source.url, str(count))) for count in ROUTES}
        wide = {count: [mint(source, scopes=[f"s:{n}" for n in range(count)]) for _ in range(20)] for count in SCOPES}
        points = {("clients", count): (servers[1], "/guarded", tokens, count) for count in CLIENTS}
        points |= {("scopes", count): (servers[1], f"/scopes/{count}", wide[count], 8) for count in SCOPES}
        points |= {("routes", count): (server, "/guarded", tokens, 8) for count, server in servers.items()}
        found: dict[tuple[str, int], list[float]] = {point: [] for point in points}
        for round_number in range(rounds + 1):
            for point, (server, path, sent, connections) in points.items():
                value = await added(server, path, sent, connections=connections, total=total)
                if round_number:
                    found[point].append(value)
    curves: dict[str, dict[int, float]] = {"clients": {}, "scopes": {}, "routes": {}}
    for (name, count), values in found.items():
        curves[name][count] = statistics.median(values)
    return curves


async def workers(*, rounds: int, total: int) -> dict[int, float]:
    """The same with several worker processes asked at once, as the mean over them."""
    found: dict[int, list[float]] = {count: [] for count in WORKERS}
    with issuer() as source, ExitStack() as stack:
        tokens = [mint(source) for _ in range(100)]
        servers = [stack.enter_context(serving(Ours.name, source.url)) for _ in range(max(WORKERS))]
        for round_number in range(rounds + 1):
            for count, values in found.items():
                costs = await asyncio.gather(
                    *(added(one, "/guarded", tokens, connections=8, total=total) for one in servers[:count])
                )
                if round_number:
                    values.append(statistics.mean(costs))
    return {count: statistics.median(values) for count, values in found.items()}


async def keys(*, windows: int) -> dict[int, float]:
    """Verification with so many keys in the set; the last one signs."""
    with ExitStack() as stack:
        calls = {}
        for count in KEYS:
            source = stack.enter_context(issuer("ES256"))
            for _ in range(count - 1):
                source.rotate()
            contender = Ours(source.url, "ES256")
            await contender.start()

            async def call(contender: Ours = contender, token: str = mint(source)) -> None:
                await contender.verify(token)

            calls[str(count)] = call
        spent = await measure(calls, windows=windows, block=20)
    return {int(name): statistics.median(values) for name, values in spent.items()}


def draw(path: Path, curves: dict[str, dict[int, float]]) -> None:
    """One small plot a curve."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(3.2 * len(curves), 2.8))
    for axis, (name, curve) in zip(axes, curves.items(), strict=True):
        axis.plot(list(curve), list(curve.values()), marker="o", color="#2a6f97")
        axis.set_xscale("log")
        axis.set_xticks(list(curve), [str(count) for count in curve])
        axis.minorticks_off()
        axis.set_ylim(0, max(curve.values()) * 1.3)
        axis.set_title(name)
    axes[0].set_ylabel("processor µs")
    figure.suptitle("What a guarded request costs")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measures, and writes the results."""
    options = arguments(__doc__)
    rounds, total = (40, 600) if options.full else (9, 300)
    curves = uvloop.run(over_http(rounds=rounds, total=total))
    curves["workers"] = uvloop.run(workers(rounds=rounds, total=total))
    curves["keys"] = asyncio.run(keys(windows=500 if options.full else 100))
    text = ""
    for name, curve in curves.items():
        first = next(iter(curve.values()))
        text += table([name, *(f"{count:,}" for count in curve)], [["µs", *(round(value) for value in curve.values())]]) + "\n"
        text += f"The most is {max(curve.values()) / first:.2f} times the first.\n\n"
    folder = write("scale", text, {"curves": curves}, options)
    draw(folder / "scale.png", curves)


if __name__ == "__main__":
    main()
