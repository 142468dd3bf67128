"""The guarded MCP server that the clients log in at: one tool for everyone, and two that need a scope of their own."""

from guard import guarded_app
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer

engine = MCPServer("files")


@engine.tool()
def whoami() -> str:
    return get_access_token().subject


@engine.tool()
def read_file(path: str) -> str:
    return f"read {path}"


@engine.tool()
def write_file(path: str, text: str) -> str:
    return f"wrote {len(text)} to {path}"


engine.streamable_http_app()
app = guarded_app(engine, {"read_file": "files:read", "write_file": "files:write"})
