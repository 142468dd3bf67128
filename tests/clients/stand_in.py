"""The guarded MCP servers that the clients log in at: one tool for everyone, and two that need a scope of their own."""

from fastapi import FastAPI
from fastmcp import FastMCP
from files_server import with_files
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps import protected_resource_router
from mcp_oauth2_deps.mcp import PUBLIC, ToolScopes, mcp_router


def guarded_app(engine, public=None, **options) -> FastAPI:
    """The engine behind the routes that a user would write. Settings come from the environment."""
    app = FastAPI()
    app.include_router(protected_resource_router())
    table = ToolScopes(every_call=["mcp:use"], default="method", **(public or {}))
    app.include_router(mcp_router(engine, scopes=table, **options))
    return app


def with_about(server):
    """The server with one more tool, which says what it is to everybody."""

    @server.tool()
    def about() -> str:
        return "files of Acme"

    return server


MIXED = {"methods": {"tools/list": PUBLIC}, "tools": {"about": PUBLIC}}
# Without sessions a client goes on in the call in which it was sent to log in.
mixed_sdk_app = guarded_app(with_about(with_files(MCPServer("files"))), MIXED, stateless_http=True)
mixed_fastmcp_app = guarded_app(with_about(with_files(FastMCP("files"))), MIXED, stateless_http=True)

sdk_app = guarded_app(with_files(MCPServer("files")))
fastmcp_app = guarded_app(with_files(FastMCP("files")))
