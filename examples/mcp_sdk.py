"""An MCP server of the official SDK with scopes per tool, and a guarded REST route in the same app.

Run: export MCP_OAUTH2_ISSUER=https://auth.example.com MCP_OAUTH2_RESOURCE=https://api.example.com/mcp
and: uvicorn mcp_sdk:app --app-dir examples
"""

from typing import Annotated

from fastapi import FastAPI, Security
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes
from mcp_oauth2_deps.mcp import ToolScopes, current_token, mcp_router, scopes

server = MCPServer("notes")
notes: dict[str, str] = {}


@server.tool()
def read_note(name: str) -> str:
    """Reads a note."""
    return notes.get(name, "")


@server.tool()
@scopes("notes:write")
def write_note(name: str, text: str) -> str:
    """Writes a note; needs the scope notes:write."""
    notes[name] = text
    return f"written by {current_token().subject}"


app = FastAPI()
app.include_router(protected_resource_router())
app.include_router(mcp_router(server, scopes=ToolScopes(every_call=["mcp:use"], tools={"read_note": ["notes:read"]})))


@app.get("/notes")
async def list_notes(token: Annotated[AccessToken, Security(require_scopes("notes:read"))]) -> dict[str, object]:
    return {"reader": token.subject, "notes": sorted(notes)}
