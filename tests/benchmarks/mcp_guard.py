"""What guarding a `tools/call` of 1 KB costs, as a multiple of the bearer check of a plain route, in one interleaved run.

Both routes read the body and answer by the same empty app, so that what differs is the guard alone. An open route shows what the
framework takes. `uv run python tests/benchmarks/mcp_guard.py`
"""

import asyncio
import json
import platform
import statistics
import time

from fastapi import FastAPI, Request, Security
from harness import RESOURCE, ask
from mcp.server.mcpserver import MCPServer
from starlette.responses import Response

from mcp_oauth2_deps import Authenticator, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.mcp import ToolScopes
from mcp_oauth2_deps.mcp.engines.choose import engine_for
from mcp_oauth2_deps.mcp.router import MCPRoutes, Shown
from mcp_oauth2_deps.testing import DevelopmentIssuer

ROUNDS, CALLS = 60, 30
BODY = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "write", "arguments": {"text": "x" * 900}}},
    separators=(",", ":"),
).encode()


async def answer(scope, receive, send):
    await receive()
    await Response("x")(scope, receive, send)


def make_app(issuer, token_cache_size):
    settings = OAuth2Settings(issuer=issuer.url, resource=RESOURCE, token_cache_size=token_cache_size)
    auth = OAuth2BearerScheme(authenticator=Authenticator(settings, documents=issuer))
    server = MCPServer("benchmark", log_level="ERROR")
    server.tool(name="write")(lambda text: text)
    door = MCPRoutes(
        auth,
        engine_for(server, {}),
        ToolScopes(every_call=["mcp:use"], tools={"write": ["a"]}),
        None,
        Shown(filtered=False, described=False),
    )
    app = FastAPI()
    app.include_router(door.router())

    @app.post("/open")
    async def open_route(request: Request):
        await request.body()
        return Response("x")

    @app.post("/plain", dependencies=[Security(auth.require_scopes("mcp:use"))])
    async def plain(request: Request):
        await request.body()
        return Response("x")

    return app, door


async def measure(token_cache_size):
    issuer = DevelopmentIssuer("https://auth.example.com", algorithm="RS256", audience=RESOURCE)
    app, door = make_app(issuer, token_cache_size)
    token = issuer.bearer(scopes=["mcp:use", "a"])["Authorization"].encode()
    headers = [
        (b"authorization", token),
        (b"content-type", b"application/json"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"write"),
    ]
    times = {"/open": [], "/plain": [], "/mcp": []}
    async with app.router.lifespan_context(app):
        door._app = answer
        for _ in range(ROUNDS):
            for path, found in times.items():
                start = time.perf_counter()
                for _ in range(CALLS):
                    await ask(app, headers, method="POST", path=path, body=BODY)
                found.append((time.perf_counter() - start) / CALLS * 1e6)
    return {path: statistics.median(found) for path, found in times.items()}


def main():
    print(f"{platform.machine()}, Python {platform.python_version()}; microseconds, medians of {ROUNDS} interleaved rounds")
    for name, size in (("token verified", 0), ("token remembered", 64)):
        found = asyncio.run(measure(size))
        ratio = (found["/mcp"] - found["/open"]) / (found["/plain"] - found["/open"])
        print(name, {path: round(value, 1) for path, value in found.items()}, f"guard / bearer check: {ratio:.2f}")


if __name__ == "__main__":
    main()
