"""The server that every issuer's tokens are brought to: an MCP server with two tools that need a scope of their own, and a route."""

import logging
import os
from typing import Annotated

from fastapi import FastAPI, Security
from files_server import with_files
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router

# An issuer may demand scopes of its own.
EVERY_CALL = os.environ.get("GUARDED_EVERY_CALL", "mcp:use").split()
# The reason of each refusal is an INFO line.
logging.basicConfig(level=logging.INFO)
engine = with_files(MCPServer("files"))
app = FastAPI()
app.include_router(protected_resource_router())
app.include_router(mcp_router(engine, scopes=ToolScopes(every_call=EVERY_CALL, default="method")))


@app.get("/whoami")
async def route_whoami(token: Annotated[AccessToken, Security(require_scopes("mcp:use"))]):
    return {"subject": token.subject, "client_id": token.client_id, "scopes": sorted(token.scopes), "audience": token.audience}
