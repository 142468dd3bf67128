"""The app that is attacked, served by uvicorn in a process of its own: `python attacked_app.py h11|httptools`."""

import logging
import os
import sys
from contextlib import asynccontextmanager
from typing import Annotated

import behind_server
import rules_server
import uvicorn
from fastapi import FastAPI, Security, WebSocket
from mcp_support import TABLE, build

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings, protected_resource_router, require, require_scopes
from mcp_oauth2_deps.fastapi.scheme import default_scheme, optional_token
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router
from mcp_oauth2_deps.testing.loopback import bind_loopback

SECRET = "what only the holder of files:secret may read"


def with_secret(server):
    @server.resource("file:///secret/text/{name}")
    def secret_text(name: str) -> str:
        return f"{SECRET}: {name}"

    return server


def make_app():
    strict = OAuth2BearerScheme(OAuth2Settings(strict_at_jwt=True), scheme_name="strict")
    narrow = OAuth2BearerScheme(OAuth2Settings(algorithms=("ES256",)), scheme_name="narrow")
    app = FastAPI()
    app.include_router(protected_resource_router())

    @app.api_route("/guarded", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    async def guarded(token: Annotated[AccessToken, Security(require_scopes("a"))]) -> dict:
        return {"subject": token.subject}

    @app.get("/any")
    async def any_token(token: Annotated[AccessToken, Security(require_scopes())]) -> dict:
        return {"subject": token.subject}

    @app.get("/strict")
    async def strictly(token: Annotated[AccessToken, Security(strict.require_scopes("a"))]) -> dict:
        return {"subject": token.subject}

    @app.get("/narrow")
    async def narrowly(token: Annotated[AccessToken, Security(narrow.require_scopes("a"))]) -> dict:
        return {"subject": token.subject}

    @app.get("/optional")
    async def optional(token: Annotated[AccessToken | None, Security(optional_token)]) -> dict:
        return {"subject": token and token.subject}

    @app.api_route("/open", methods=["GET", "POST"])
    async def openly() -> dict:
        return {"open": True}

    if "MCP_OAUTH2_INTROSPECTION" in os.environ:
        add_live_route(app)

    @app.websocket("/events")
    async def events(websocket: WebSocket, token: Annotated[AccessToken, Security(require_scopes("a"))]) -> None:
        await websocket.accept()
        await websocket.send_text(token.subject or "")
        await websocket.close()

    # Stateless, so that each row is one request.
    options = {"stateless_http": True, "json_response": True}
    app.include_router(mcp_router(with_secret(build("sdk")), scopes=ToolScopes(**TABLE), **options))
    app.include_router(mcp_router(with_secret(build("fastmcp")), scopes=ToolScopes(**TABLE), path="/fast", **options))
    behind = ToolScopes(**behind_server.TABLE)
    app.include_router(mcp_router(behind_server.build(), scopes=behind, path="/behind", **options))
    for kind in ("sdk", "fastmcp"):
        rules = ToolScopes(**rules_server.TABLE)
        app.include_router(mcp_router(rules_server.build(kind), scopes=rules, path=f"/rules/{kind}", **options))
    app.router.lifespan_context = _with(app.router.lifespan_context, (strict, narrow))
    return app


def add_live_route(app):
    @app.get("/live")
    async def live(token: Annotated[AccessToken, Security(require(scopes=["a"], live=True))]) -> dict:
        return {"subject": token.subject}


def _with(lifespan, schemes):
    """The schemes without a metadata router are started and closed with the app."""

    @asynccontextmanager
    async def joined(app):
        async with lifespan(app) as state:
            for scheme in schemes:
                await scheme.start()
            yield state
            for scheme in schemes:
                await scheme.aclose()

    return joined


def main():
    # Everything that anybody wants to say, so that the test can look for what must not be said.
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    assert default_scheme is not None
    listener = bind_loopback()
    config = uvicorn.Config(make_app(), http=sys.argv[1], ws="websockets-sansio", access_log=False, log_level="info")
    print(listener.getsockname()[1], flush=True)  # noqa: T201  # read by the test
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
