"""The guarded app of the demo: an MCP server with four tools of different scopes, and two REST routes."""

from typing import Annotated

from fastapi import FastAPI, Security
from fastapi.responses import PlainTextResponse
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.demo.docs import add_offline_docs
from mcp_oauth2_deps.mcp import ToolScopes, current_token, mcp_router, scopes
from mcp_oauth2_deps.testing.loopback import LoopbackGuard

SCOPES = {
    "mcp:use": "Connect to the demo server",
    "files:read": "Read files",
    "files:write": "Write files",
    "files:delete": "Delete files",
}
_ABOUT = "An open route. GET /files needs a token with the scope files:read, /mcp one with mcp:use; /docs shows all.\n"


def create_server(files: dict[str, str]) -> MCPServer:
    """The MCP server: each tool but the first needs a scope of its own."""
    server = MCPServer("mcp-oauth2-deps demo", log_level="WARNING")

    @server.tool()
    @scopes()
    def whoami() -> str:
        """Tells who is calling; needs no scope but the one to connect."""
        return current_token().subject or ""

    @server.tool()
    @scopes("files:read")
    def read_file(path: str) -> str:
        """Reads a file; needs files:read."""
        return files.get(path, f"there is no {path}")

    @server.tool()
    @scopes("files:write")
    def write_file(path: str, text: str) -> str:
        """Writes a file; needs files:write."""
        files[path] = text
        return f"wrote {len(text)} to {path}"

    @server.tool()
    @scopes("files:delete")
    def delete_file(path: str) -> str:
        """Deletes a file; needs files:delete."""
        return f"deleted {path}" if files.pop(path, None) is not None else f"there is no {path}"

    return server


def create_app(settings: OAuth2Settings) -> FastAPI:
    """The MCP server at the path of the resource, one open and one guarded REST route; for this machine only.

    Requests that name another host than that of `settings.resource` are refused (DNS rebinding).
    """
    auth = OAuth2BearerScheme(settings)
    files = {"a.txt": "read a.txt"}
    init_oauth = auth.swagger_ui_init_oauth()
    app = FastAPI(title="mcp-oauth2-deps demo", docs_url=None, redoc_url=None, swagger_ui_init_oauth=init_oauth)
    add_offline_docs(app)
    app.add_middleware(LoopbackGuard, url=lambda: settings.resource)
    app.include_router(auth.router())
    app.include_router(mcp_router(create_server(files), auth=auth, scopes=ToolScopes(every_call=["mcp:use"])))

    @app.get("/", response_class=PlainTextResponse)
    async def about() -> str:
        return _ABOUT

    @app.get("/files")
    async def list_files(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]) -> dict[str, object]:
        return {
            "subject": token.subject,
            "client_id": token.client_id,
            "scopes": sorted(token.scopes),
            "files": sorted(files),
        }

    return app
