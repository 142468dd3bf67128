"""The server that every issuer's tokens are brought to: an MCP server with two tools that need a scope of their own, and a route."""

import logging
import os
from typing import Annotated

from fastapi import FastAPI, Security
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes
from mcp_oauth2_deps.mcp import ToolScopes, current_token, mcp_router, scopes

# An issuer may demand scopes of its own.
EVERY_CALL = os.environ.get("GUARDED_EVERY_CALL", "mcp:use").split()
# The reason of each refusal is an INFO line.
logging.basicConfig(level=logging.INFO)
engine = MCPServer("files")


@engine.tool()
def whoami() -> str:
    return current_token().subject


@engine.tool()
@scopes("files:read")
def read_file(path: str) -> str:
    return f"read {path}"


@engine.tool()
@scopes("files:write")
def write_file(path: str, text: str) -> str:
    return f"wrote {len(text)} to {path}"


app = FastAPI()
app.include_router(protected_resource_router())
app.include_router(mcp_router(engine, scopes=ToolScopes(every_call=EVERY_CALL, default="method")))


@app.get("/whoami")
async def route_whoami(token: Annotated[AccessToken, Security(require_scopes("mcp:use"))]):
    return {"subject": token.subject, "client_id": token.client_id, "scopes": sorted(token.scopes), "audience": token.audience}
