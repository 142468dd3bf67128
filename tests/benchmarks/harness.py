"""What every benchmark shares: arguments, the machine's name, tokens, medians, and how results are written."""

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

RESULTS = Path(__file__).parent / "results"
RESOURCE = "https://api.example.com/mcp"
SCOPES = ("files:read", "files:write", "profile", "tools:call", "tools:list")
PACKAGES = (
    *("mcp-oauth2-deps", "fastmcp", "auth0-api-python", "fastapi-azure-auth", "authplane-sdk", "axioms-fastapi", "pyjwt"),
    *("python-jose", "cryptography", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools"),
)


def arguments(description: str | None) -> argparse.Namespace:
    """The command line that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the long run; without it about a minute")
    parser.add_argument("--publish", action="store_true", help="write into results/published, which is kept in git")
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was besides."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": {name: version(name) for name in PACKAGES},
    }


@contextmanager
def issuer(algorithm: str = "RS256") -> Iterator[DevelopmentIssuer]:
    """A loopback issuer whose tokens are for the resource of the benchmarks."""
    with DevelopmentIssuer(algorithm=algorithm, audience=RESOURCE).serve() as served:
        yield served


def mint(source: DevelopmentIssuer, changes: Mapping[str, Any] | None = None, **more: Any) -> str:
    """A token of about 900 bytes with what issuers usually put into one."""
    values: dict[str, Any] = {
        "subject": "auth0|66f0c1d2e3f4a5b6c7d8e9f0",
        "client_id": "8f6d3f0e-6a53-4c1b-9f43-0d6f7ad3c1aa",
        "scopes": SCOPES,
        "email": "someone@example.com",
        "roles": ["editor", "reviewer"],
        "tenant": {"id": "t-1", "plan": "pro"},
        "sid": "c3b1" * 8,
    }
    return source.token(**(values | dict(changes or {}) | more))


async def ask(
    app: Any, headers: Sequence[tuple[bytes, bytes]], *, method: str = "GET", path: str = "/", body: bytes = b""
) -> None:
    """One request to an ASGI app in this process, which answers 200."""
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    scope: dict[str, Any] = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path}
    scope |= {"raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "https", "headers": headers}
    await app({**scope, "server": ("api.example.com", 443), "client": ("192.0.2.1", 1)}, receive, send)
    if statuses[0] != 200:
        raise RuntimeError(f"{path} answers {statuses[0]}")


async def measure(calls: Mapping[str, Callable[[], Any]], *, windows: int, block: int) -> dict[str, list[float]]:
    """Processor µs of one call, per contender and window.

    In every window each contender runs one block, so a slow minute of the machine is slow for all. Processor time, not
    elapsed time: other processes share the machine.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls.items())
    for window in range(windows):
        turn = window % len(order)
        for name, call in (*order[turn:], *order[:turn]):
            start = time.process_time_ns()
            if asyncio.iscoroutinefunction(call):
                for _ in range(block):
                    await call()
            else:
                for _ in range(block):
                    call()
            spent[name].append((time.process_time_ns() - start) / block / 1000)
    return spent


def ratios(spent: Mapping[str, Sequence[float]], base: str) -> dict[str, float]:
    """The median over all windows of the ratio to the base within the window."""
    return {
        name: statistics.median(one / other for one, other in zip(values, spent[base], strict=True))
        for name, values in spent.items()
    }


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; numbers to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def write(name: str, text: str, data: Mapping[str, Any], options: argparse.Namespace) -> Path:
    """Writes JSON and Markdown, prints the latter, and returns the folder."""
    folder = RESULTS / "published" if options.publish else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    told = machine()
    (folder / f"{name}.json").write_text(json.dumps({"machine": told, "full": options.full, **data}, indent=1) + "\n", "utf-8")
    versions = ", ".join(f"{package} {number}" for package, number in told["versions"].items())
    heading = f"{told['date']}, {told['processor']}, {told['cores']} cores, load {told['load'][0]}, Python {told['python']}"
    page = f"# {name}\n\n{heading}\n\n{text}\n{versions}\n"
    (folder / f"{name}.md").write_text(page, "utf-8")
    print(page)
    return folder


def bars(path: Path, title: str, series: Mapping[str, Mapping[str, float | None]]) -> None:
    """A plot of horizontal bars: for each group one bar a contender."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(name for values in series.values() for name in values))[::-1]
    figure, axes = plt.subplots(1, len(series), figsize=(4.5 * len(series), 0.4 * len(names) + 1.2), sharey=True, squeeze=False)
    for axis, (group, values) in zip(axes[0], series.items(), strict=True):
        numbers = [values.get(name) or 0 for name in names]
        drawn = axis.barh(names, numbers, color=["#2a6f97" if "mcp-oauth2-deps" in name else "#b8c4cc" for name in names])
        axis.bar_label(
            drawn, [f"{number:.{2 if number < 100 else 0}f}" if number else "-" for number in numbers], padding=2, fontsize=8
        )
        axis.set_title(group)
        axis.margins(x=0.15)
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


Verify = Callable[[str], Awaitable[bool]]
