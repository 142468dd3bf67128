"""The app that is put under load, served by several workers of uvicorn: `python load_app.py`, until its standard input ends.

Two variables of the environment are for the tests: LOAD_ENTRIES names a file that gets a line for every numbered request that
enters the app, and LOAD_GATE a pipe; what is held is let go once nobody holds its other end.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Security
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes
from mcp_oauth2_deps.mcp import ToolScopes, current_token, mcp_router, scopes

WORKERS = 2
RULES = ToolScopes(every_call=["mcp:use"], tools={"whoami": [], "held": []})


class Gate:
    """Closed until the test lets go of its end of a pipe, for all workers at once."""

    def __init__(self):
        self._open = asyncio.Event()

    @asynccontextmanager
    async def watched(self, path):
        """Watches the pipe while the block lasts, if there is one."""
        if path is None:
            yield
            return
        loop, pipe = asyncio.get_running_loop(), os.open(path, os.O_RDONLY | os.O_NONBLOCK)

        def opened():
            loop.remove_reader(pipe)
            self._open.set()

        loop.add_reader(pipe, opened)
        yield
        loop.remove_reader(pipe)
        os.close(pipe)

    async def passed(self):
        await self._open.wait()


def make_server(gate):
    """An MCP server whose tools say who is calling, also after another task had its turn."""
    server = MCPServer("load", log_level="WARNING")
    # Refused tokens are part of the load, and the first of each reason is a warning; what else is worth one must not be missed.
    logging.getLogger("mcp_oauth2_deps.security").setLevel(logging.ERROR)

    @server.tool()
    async def whoami() -> str:
        await asyncio.sleep(0)
        return current_token().subject

    @server.tool()
    async def held() -> str:
        await gate.passed()
        return current_token().subject

    @server.tool()
    @scopes("files:write")
    async def write() -> str:
        return "written"

    return server


def recorded(app, path):
    """The app; each request with a number is written down before anything else sees it."""
    # Appended in one call, a line of one worker never stands inside another's.
    entries = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def record(scope, receive, send):
        if scope["type"] == "http" and scope["query_string"]:
            os.write(entries, scope["query_string"] + b"\n")
        await app(scope, receive, send)

    return record


def make_app():
    """The app of one worker."""
    gate = Gate()
    app = FastAPI(openapi_url=None)
    app.include_router(protected_resource_router())
    app.include_router(mcp_router(make_server(gate), scopes=RULES, stateless_http=True, json_response=True))
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def watching(app):
        async with lifespan(app) as state, gate.watched(os.environ.get("LOAD_GATE")):
            yield state

    app.router.lifespan_context = watching

    @app.get("/worker")
    async def worker() -> dict:
        return {"worker": os.getpid()}

    @app.get("/blocks")
    async def blocks() -> dict:
        gc.collect()
        return {"worker": os.getpid(), "blocks": sys.getallocatedblocks()}

    @app.get("/guarded")
    async def guarded(token: Annotated[AccessToken, Security(require_scopes("a"))]) -> dict:
        return {"subject": token.subject}

    @app.get("/held")
    async def held(token: Annotated[AccessToken, Security(require_scopes("a"))]) -> dict:
        await gate.passed()
        return {"subject": token.subject}

    entries = os.environ.get("LOAD_ENTRIES")
    return recorded(app, entries) if entries else app


def _end_with_parent():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        "load_app:make_app",
        factory=True,
        port=0,
        workers=WORKERS,
        http="httptools",
        access_log=False,
        use_colors=False,
        # A machine busy with other things must not close what a client is about to use, nor replace a worker.
        timeout_keep_alive=120,
        timeout_worker_healthcheck=60,
    )


if __name__ == "__main__":
    main()
