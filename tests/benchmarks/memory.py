"""Import time, resident memory above fastapi + uvicorn, and growth over distinct tokens, for us and our peers.

    uv run --group bench python tests/benchmarks/memory.py [--full]

Every figure is of a process of its own, and all but growth of an environment that holds this contender, fastapi and uvicorn only: in
one that holds all of them httpx imports rich, for its own command line. Growth is over 1,500 tokens, in the full run over 10,000 and 100,000. Our own memory is
what the package takes above the modules of others that it imports, and its size that of its installed files.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from contenders import OURS, PEERS, Contender
from harness import arguments, issuer, mint, table, write

import mcp_oauth2_deps
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer

_HERE = Path(__file__).parent

_ROOT = Path(__file__).parents[2]
# The modules by which users reach each contender, and what they install.
REACHED = {
    "mcp-oauth2-deps": ("mcp_oauth2_deps", str(_ROOT)),
    "mcp-oauth2-deps, cached": ("mcp_oauth2_deps", str(_ROOT)),
    "FastMCP JWTVerifier": ("fastmcp.server.auth.providers.jwt", "fastmcp"),
    "auth0-api-python": ("auth0_api_python", "auth0-api-python"),
    "fastapi-azure-auth": ("fastapi_azure_auth", "fastapi-azure-auth"),
    "authplane-sdk": ("authplane", "authplane-sdk"),
    "axioms-fastapi": ("axioms_fastapi", "axioms-fastapi"),
    "PyJWT + PyJWKClient": ("jwt", "pyjwt[crypto]"),
    "python-jose, tutorial": ("jose.jwt,httpx", "python-jose[cryptography] httpx"),
}

_RESIDENT = """
import gc, importlib, json, sys
import psutil, fastapi, uvicorn
def resident():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
before = resident()
for name in sys.argv[1].split(","):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print(json.dumps(resident() - before))
"""

_GROWTH = """
import asyncio, gc, json, logging, sys
import psutil
sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
from contenders import EVERYONE
def resident():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
async def main(name, issuer, path, marks):
    contender = EVERYONE[name](issuer)
    await contender.start()
    found = []
    with open(path) as lines:
        for number, line in enumerate(lines):
            # The first tokens fill what is filled once: pools, code, caches of modules.
            if number == 200:
                before = resident()
            assert await contender.verify(line.strip()), "a good token is refused"
            if number + 1 in marks:
                found.append(resident() - before)
    print(json.dumps(found))
asyncio.run(main(*sys.argv[2:5], json.loads(sys.argv[5])))
"""

_IMPORT_ALL = """
import importlib, json, sys, time
names = json.loads(sys.argv[1])
start = time.process_time()
for name in names:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print(time.process_time() - start)
"""

_IMPORT_AFTER = f"import fastapi, uvicorn{_IMPORT_ALL}"

_MODULES = """
import json, sys
before = set(sys.modules)
import mcp_oauth2_deps
print(json.dumps([name for name in sys.modules if name not in before and not name.startswith("mcp_oauth2_deps")]))
"""


def environment(path: Path, requirements: str) -> str:
    """The interpreter of an environment with these and the server only."""
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(path)], check=True)
    python = str(path / "bin" / "python")
    common = ["--constraint", str(_ROOT / ".ci" / "constraints.txt"), "fastapi", "uvicorn", "psutil"]
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *common, *requirements.split()], check=True
    )
    return python


def child(code: str, *words: str, python: str = sys.executable) -> Any:
    """What a fresh interpreter prints."""
    command = [python, "-W", "ignore", "-c", code, *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def import_times(python: str, *, rounds: int) -> tuple[float, float]:
    """Processor seconds to import the package, and those of its dependencies alone, by turns."""
    dependencies = json.dumps(child(_MODULES, python=python))
    package, alone = [], []
    for _ in range(rounds):
        alone.append(child(_IMPORT_ALL, dependencies, python=python))
        package.append(child(_IMPORT_ALL, json.dumps(["mcp_oauth2_deps"]), python=python))
    return statistics.median(package), statistics.median(alone)


def own_memory(python: str, *, rounds: int) -> tuple[float, float]:
    """MiB of the package above those of its dependencies, and theirs above fastapi + uvicorn."""
    dependencies = ",".join(child(_MODULES, python=python))
    package = [child(_RESIDENT, "mcp_oauth2_deps", python=python) for _ in range(rounds)]
    alone = [child(_RESIDENT, dependencies, python=python) for _ in range(rounds)]
    return statistics.median(package) - statistics.median(alone), statistics.median(alone)


def installed_size() -> float:
    """MiB of the package's files."""
    files = Path(mcp_oauth2_deps.__file__).parent.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc") / 2**20


def growth(kind: type[Contender], source: DevelopmentIssuer, folder: Path, marks: list[int]) -> list[float]:
    """MiB more after so many distinct tokens, the first 200 apart."""
    path = folder / (kind.name if kind.claims else "tokens")
    if not path.exists():
        with path.open("w", encoding="ascii") as file:
            file.writelines(mint(source, kind.claims, expires_in=86400) + "\n" for _ in range(marks[-1]))
    found: list[float] = child(_GROWTH, str(_HERE), kind.name, source.url, str(path), json.dumps(marks))
    return found


def main() -> None:
    """Measures, and writes the results."""
    options = arguments(__doc__)
    marks = [10_000, 100_000] if options.full else [1_500]
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name, issuer() as source:
        folder, pythons = Path(name), {}
        for kind in (*OURS, *PEERS):
            modules, requirements = REACHED[kind.name]
            if requirements not in pythons:
                pythons[requirements] = environment(folder / f"env{len(pythons)}", requirements)
            python = pythons[requirements]
            resident = [child(_RESIDENT, modules, python=python) for _ in range(5 if options.full else 3)]
            seconds = [child(_IMPORT_AFTER, json.dumps(modules.split(",")), python=python) for _ in resident]
            results[kind.name] = {
                "import_ms": statistics.median(seconds) * 1000,
                "resident_mib": statistics.median(resident),
                "growth_mib": growth(kind, source, folder, marks),
            }
        ours = pythons[str(_ROOT)]
        package, alone = import_times(ours, rounds=21 if options.full else 5)
        (own, theirs), installed = own_memory(ours, rounds=9 if options.full else 3), installed_size()
    rows = [[name, round(one["import_ms"]), one["resident_mib"], *one["growth_mib"]] for name, one in results.items()]
    text = table(
        [
            "",
            "ms to import above fastapi + uvicorn",
            "MiB above fastapi + uvicorn",
            *(f"MiB more after {mark:,} tokens" for mark in marks),
        ],
        rows,
    )
    text += (
        f"\nImporting the package takes {package / alone:.3f} times what importing its dependencies alone takes (at most 1.05).\n"
    )
    text += "At most 12 MiB above fastapi + uvicorn, and 3 MiB more with the default token cache.\n"
    text += f"Of it {own:.1f} MiB are the package's own, {theirs:.1f} its dependencies'; its files are {installed:.2f} MiB.\n"
    data = {
        "results": results,
        "import_ratio": package / alone,
        "marks": marks,
        "own_mib": own,
        "dependencies_mib": theirs,
        "installed_mib": installed,
    }
    write("memory", text, data, options)


if __name__ == "__main__":
    main()
