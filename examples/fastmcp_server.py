"""A FastMCP server whose lists show each caller only what it may use.

Run: export MCP_OAUTH2_ISSUER=https://auth.example.com MCP_OAUTH2_RESOURCE=https://api.example.com/mcp
and: uvicorn fastmcp_server:app --app-dir examples
"""

from fastapi import FastAPI
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token

from mcp_oauth2_deps import protected_resource_router
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router, scopes

server: FastMCP = FastMCP("files")


@server.tool
@scopes("files:read")
def whoami() -> str:
    """Who is calling, as FastMCP tells it."""
    token = get_access_token()
    return str(token.subject if token else None)


@server.tool
@scopes("files:write", any_of=["team:a", "team:b"])
def delete_file(name: str) -> str:
    """Deletes a file; needs files:write and one of the teams."""
    return f"deleted {name}"


app = FastAPI()
app.include_router(protected_resource_router())
app.include_router(
    mcp_router(server, scopes=ToolScopes(every_call=["mcp:use"]), list_filter=True, stateless_http=True, json_response=True)
)
