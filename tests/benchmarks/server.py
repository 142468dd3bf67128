"""One app with an open route, one behind `HTTPBearer` alone, and one behind a contender, served by uvicorn. For the benchmarks.

python tests/benchmarks/server.py NAME ISSUER [ROUTES]

Says its port in a line once it is ready, and ends with its standard input.
"""

import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from contenders import EVERYONE, Contender, Ours
from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mcp_oauth2_deps.testing.loopback import bind_loopback


def make_app(name: str, issuer: str, *, routes: int = 0) -> FastAPI:
    """The app; `routes` more stand before those that are asked."""
    contender = EVERYONE[name](issuer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # What a contender depends on may be made only inside the loop.
        await contender.start()
        _add_routes(app, contender, routes)
        yield

    return FastAPI(lifespan=lifespan, openapi_url=None)


def _add_routes(app: FastAPI, contender: Contender, routes: int) -> None:
    dependency = contender.dependency

    async def answer() -> dict[str, str]:
        return {"hello": "world"}

    async def behind_bearer(_: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[str, str]:
        return {"hello": "world"}

    for number in range(routes):
        app.add_api_route(f"/other/{number}", answer, dependencies=[dependency])
    if isinstance(contender, Ours):
        for count in (1, 10, 50):
            demanded = contender.scheme.require_scopes(*(f"s:{number}" for number in range(count)))
            app.add_api_route(f"/scopes/{count}", answer, dependencies=[Security(demanded)])
    app.add_api_route("/open", answer)
    app.add_api_route("/bearer", behind_bearer)
    app.add_api_route("/guarded", answer, dependencies=[dependency])


class _AnnouncingServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(sockets[0].getsockname()[1], flush=True)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serves until standard input ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, issuer, *rest = sys.argv[1:]
    app = make_app(name, issuer, routes=int(rest[0]) if rest else 0)
    listener = bind_loopback()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
    _AnnouncingServer(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
