"""The comparison in docs/benchmarks.md, and the list of targets, from the published results of the other benchmarks.

    uv run --group bench python tests/benchmarks/compare.py

Reads `results/published/*.json`; writes the part of docs/benchmarks.md between its two marks, a plot, and `targets.md`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import OURS, PEERS, OursInScheme
from harness import RESULTS, bars, table
from keys import UPSTREAM_SECONDS
from stages import FLOOR, LEVELS, REMEMBERED

_ROOT = Path(__file__).parents[2]
_PUBLISHED = RESULTS / "published"
# Absolute, because the page is shown outside of the repository too.
_PICTURES = "https://raw.githubusercontent.com/mcp-oauth2-deps/mcp-oauth2-deps/main/tests/benchmarks/results/published"
_START, _END = "<!-- comparison, written by tests/benchmarks/compare.py -->", "<!-- end of the comparison -->"
_NAMES = [kind.name for kind in (*OURS, *PEERS)]
_FULL, _CACHED = (kind.name for kind in OURS)
_ALGORITHMS = ("RS256", "ES256", "EdDSA")
# Asked twice: metadata, keys.
_UPSTREAM_MS = 2 * UPSTREAM_SECONDS * 1000
_LEGEND = (
    "*MiB*: resident above fastapi + uvicorn. *Takes*: a token without `exp` (e), padded base64 (p), base64 with foreign "
    "characters (b). `-`: not offered, or no answer at all. *Cached*: the same tokens come again and all are remembered. A rotation comes "
    "35 s after the last fetch (our cooldown is 30 s), outage and hang after half an hour. Before its first token ours had started as an "
    "app starts it with `FAIL_FAST=false`; the others have nothing of the kind."
)


@dataclass(frozen=True)
class Results:
    """What the benchmarks found, and on what machine."""

    verify: Mapping[str, Any]
    over_http: Mapping[str, Any]
    keys: Mapping[str, Any]
    memory: Mapping[str, Any]
    scale: Mapping[str, Any]
    stages: Mapping[str, Any]

    def good(self, name: str, scenario: str) -> int | None:
        """How many good tokens were accepted; none where it was not measured."""
        found = self.keys["results"].get(name)
        return None if found is None else found[scenario]["good_tokens"].get("accepted", 0)

    def flooded(self, name: str) -> float:
        """The p99 of good tokens in a flood, times that before it."""
        flood = self.keys["results"][name]["flood"]
        return float(flood["p99_ms"] / flood["p99_before_ms"])


def read() -> Results:
    """The published results."""
    found = [json.loads((_PUBLISHED / f"{name}.json").read_text("utf-8")) for name in Results.__dataclass_fields__]
    told = [{**one["machine"], "date": one["machine"]["date"][:10], "load": None} for one in found]
    if any(one != told[0] for one in told):
        raise SystemExit("the published results are of several days, machines or versions; make them again, then compare")
    return Results(*found)


def row(results: Results, name: str) -> list[Any]:
    """One contender in the table."""
    keys, memory = results.keys["results"].get(name), results.memory["results"][name]
    return [
        name,
        *(results.verify["ratio"][algorithm].get(name) for algorithm in _ALGORITHMS),
        round(results.over_http["results"][name]["added_us"]),
        keys and keys["first"]["stall_ms"],
        keys and keys["cold"]["fetches"],
        *(results.good(name, scenario) for scenario in ("cold", "rotation", "outage", "hang")),
        keys and f"{results.flooded(name):.1f}",
        memory["resident_mib"],
        results.verify["takes"].get(name, ""),
    ]


_HEAD = [
    "",
    *(f"{algorithm}, times the bare check" for algorithm in _ALGORITHMS),
    "µs added to a request",
    "loop stalls at the first fetch, ms",
    "200 tokens before any key: fetches",
    "accepted of 200",
    "after a rotation, of 20",
    "in an outage, of 20",
    "while keys hang, of 20",
    "p99 in a flood of unknown kids, times before",
    "MiB",
    "takes",
]


def better_peers(results: Results) -> list[str]:
    """Where a peer has the better figure, in words."""
    memory, over_http, keys = results.memory["results"], results.over_http["results"], results.keys["results"]

    def slowest(name: str, scenario: str) -> int | None:
        # A peer that refuses is quick at it.
        return keys[name][scenario]["slowest_ms"] if results.good(name, scenario) == results.good(_FULL, scenario) else None

    figures: dict[str, Callable[[str], float | None]] = {
        "resident memory (MiB)": lambda name: memory[name]["resident_mib"],
        "time to import above fastapi + uvicorn (ms)": lambda name: memory[name]["import_ms"],
        "processor time added to a request (µs)": lambda name: over_http[name]["added_us"],
        **{f"{one} (times the bare check)": results.verify["ratio"][one].get for one in _ALGORITHMS},
        "stall of the loop at the first fetch (ms)": lambda name: keys[name]["first"]["stall_ms"],
        "slowest answer at 200 tokens before any key (ms)": lambda name: slowest(name, "cold"),
        "slowest answer at a rotation (ms)": lambda name: slowest(name, "rotation"),
    }
    said = []
    for what, figure in figures.items():
        mine = figure(_FULL)
        found = [(value, kind.name) for kind in PEERS if (value := figure(kind.name)) is not None and value < mine]
        if found:
            others = ", ".join(f"{name} {value:.3g}" for value, name in sorted(found))
            said.append(f"{what}: {others}; ours {mine:.3g}")
    return said


def targets(results: Results) -> list[tuple[str, float, float]]:
    """What was aimed at: its name, what was found, and the most it may be."""
    ratio, keys = results.verify["ratio"], results.keys["results"][_FULL]
    memory = results.memory
    return [
        *((f"{name}, times the bare check", ratio[name][_FULL], most) for name, most in results.verify["targets"].items()),
        ("a remembered token inside the scheme, times the bare RS256 check", ratio["RS256"][OursInScheme.name], 0.2),
        *((f"over HTTP, {name}", found, most) for name, (found, most) in results.over_http["targets"].items()),
        ("longest stall of the loop at the first fetch, ms", keys["first"]["stall_ms"], 20),
        ("the same with 200 tokens waiting, ms", keys["cold"]["stall_ms"], 20),
        ("key fetches for 200 tokens before any key", keys["cold"]["fetches"], 1),
        ("key fetches for 500 unknown key ids within a cooldown", keys["flood"]["fetches"], 1),
        ("p99 of good tokens in that flood, times before", results.flooded(_FULL), 1.5),
        ("import time, times that of the dependencies", memory["import_ratio"], 1.05),
        ("MiB resident above fastapi + uvicorn", memory["results"][_FULL]["resident_mib"], 12),
        (
            f"MiB more after {memory['marks'][-1]:,} tokens, default token cache",
            memory["results"][_CACHED]["growth_mib"][-1],
            3,
        ),
    ]


def first_figures(results: Results) -> list[tuple[str, float, float]]:
    """The figures of the first design: name, found, at most."""
    keys = results.keys["results"][_FULL]
    clients = results.scale["curves"]["clients"]
    return [
        ("validation of a token, ms", max(results.verify["median_us"][one][_FULL] for one in _ALGORITHMS) / 1000, 100),
        ("metadata and keys, without the issuer's own time, ms", keys["first"]["slowest_ms"] - _UPSTREAM_MS, 500),
        ("overhead of a request, ms", results.over_http["results"][_FULL]["added_us"] / 1000, 50),
        ("our own memory, MiB", results.memory["own_mib"], 10),
        ("the package installed, MiB", results.memory["installed_mib"], 1),
        (f"overhead with {max(map(int, clients))} concurrent clients, ms", clients[max(clients, key=int)] / 1000, 50),
    ]


def margin_table(rows: list[tuple[str, float, float]]) -> str:
    """Found, at most, and how they stand to each other."""
    return table(
        ["", "found", "at most", ""],
        [[name, f"{found:.3g}", f"{most:.3g}", "met" if found <= most else "**missed**"] for name, found, most in rows],
    )


def reasons(results: Results) -> str:
    """Why targets are missed, from the profile."""
    ratio, added = results.stages["ratio"], results.stages["request_us"]
    floors = ", ".join(f"{ratio[algorithm][FLOOR]:.2f} ({algorithm})" for algorithm in _ALGORITHMS)
    levels, remembered = added[LEVELS], added[REMEMBERED]
    return (
        f"Where the time goes (`tests/benchmarks/results/published/stages.md`): with python-jose and pydantic the signature, base64 and "
        f"JSON alone take {floors} times the bare check, before one claim is looked at; what is above that are the checks. To go lower a "
        f"library would have to verify and read a token in one native call. Of the {remembered:.0f} µs that a remembered token adds to a "
        f"request in process, {levels:.0f} are FastAPI's, for the two levels of dependencies by which a route and the documentation know "
        f"the scheme. Of our memory {results.memory['dependencies_mib']:.1f} MiB are python-jose, httpx, pydantic-settings and cachetools."
    )


def page(results: Results) -> str:
    """The part of docs/benchmarks.md."""
    told = results.verify["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    better = better_peers(results)
    machine = f"{told['date'][:10]}, {told['processor']}, {told['cores']} cores, Python {told['python']}"
    parts = [
        f"{machine}. Ratios and µs are medians of interleaved runs. Made by the commands in `tests/benchmarks/README.md`.",
        table(_HEAD, [row(results, name) for name in _NAMES]),
        _LEGEND,
        f"![Processor time of a token, and of a guarded request]({_PICTURES}/comparison.png)",
        f"Where others are better: {'; '.join(better)}." if better else "Nobody else has a better figure among these.",
        reasons(results),
        "What was promised at first, and what is found:",
        margin_table(first_figures(results)),
        f"Versions: {versions}.",
    ]
    return "\n\n".join(part.strip() for part in parts)


def main() -> None:
    """Writes all three."""
    results = read()
    target = _ROOT / "docs" / "benchmarks.md"
    before, _, rest = target.read_text("utf-8").partition(_START)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise SystemExit(f"{target} has no {_START} ... {_END}")
    target.write_text(f"{before}{_START}\n{page(results)}\n{_END}{after}", "utf-8")
    (_PUBLISHED / "targets.md").write_text(f"# targets\n\n{margin_table(targets(results))}", "utf-8")
    series = {f"{one}, times the bare check": results.verify["ratio"][one] for one in _ALGORITHMS}
    series["µs added to a request"] = {name: one["added_us"] for name, one in results.over_http["results"].items()}
    bars(
        _PUBLISHED / "comparison.png",
        "Processor time (less is better)",
        {title: {name: values.get(name) for name in _NAMES} for title, values in series.items()},
    )


if __name__ == "__main__":
    main()
